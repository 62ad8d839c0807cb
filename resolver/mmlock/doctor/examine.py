"""`mmlock doctor --python`: an environment looked at, compared with a lock, and cured by one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.arguments import AUTO, SolveArguments
from mmlock.core.device import Device
from mmlock.core.doctor_arguments import DoctorArguments
from mmlock.core.errors import NoAnswer, UsageError
from mmlock.core.progress import Progress
from mmlock.core.report import Page
from mmlock.doctor.apply import Hands
from mmlock.doctor.checks import examine
from mmlock.doctor.checks.locked import compare
from mmlock.doctor.doctor_commands import arguments_of, command, core, gives
from mmlock.doctor.environment.interpreter import find_interpreter
from mmlock.doctor.environment.model import Environment, Located, Trouble, TroubleSeverity
from mmlock.doctor.environment.read import read_environment
from mmlock.doctor.environment.text import SOUND, environment_data, environment_lines
from mmlock.doctor.environment_fixes import cures, left_aside
from mmlock.doctor.model import Proposal, ProposedSolve
from mmlock.facts.matrix.load import Matrix
from mmlock.lock.folders import lock_folder
from mmlock.lock.model import LockedEnv
from mmlock.lock.read import read_lock
from mmlock.resolve.request.devices import find_devices

FIX = Path("mmlock-fix")


class Seen(Struct, frozen=True, kw_only=True):
    """One look at an environment."""

    env: Environment
    troubles: tuple[Trouble, ...]
    holding: tuple[str, ...]

    @property
    def wrong(self) -> bool:
        return any(trouble.severity is TroubleSeverity.FAILS for trouble in self.troubles)

    def page(self, commands: Sequence[Proposal] = (), more: Sequence[str] = (), **extra: object) -> Page:
        """The report, with lines and data that are after it."""
        lines = environment_lines(self.env, self.troubles, self.holding, commands)
        data = environment_data(self.env, self.troubles, self.holding, commands)
        return Page(text="\n".join([*lines, *more]), data={**data, **extra, "wrong": self.wrong})


def doctor_environment(matrix: Matrix, arguments: DoctorArguments, progress: Progress, hands: Hands) -> Page:
    """The report. Raises UsageError, EnvironmentFault or NoAnswer."""
    found = find_interpreter(arguments.python, os.environ, Path.cwd())
    path = found.path
    folder, lock = _named_lock(arguments)
    seen = _look(found, matrix, _devices(matrix, arguments), lock, progress)
    solves = _solves(matrix, seen, arguments)
    lines: list[str] = []
    if arguments.fix:
        folder, lock = _fix(matrix, seen.env, solves, arguments, hands)
        lines = ["", *_written(folder, lock, left_aside(seen.env, matrix))]
    if not arguments.apply:
        named = str(folder) if folder else None
        if arguments.fix or not seen.wrong:
            return seen.page(more=lines, lock=named)
        progress("solving for a lock that fixes it")
        return seen.page(_proposals(matrix, path, solves), lines, lock=named)
    if lock is None or folder is None:
        raise UsageError(
            "`--apply` needs a lock", hints=["name one with `--lock`, or create one with `--fix`"]
        )
    return _changed(matrix, seen, lock, folder, arguments, progress, hands)


def look(matrix: Matrix, arguments: DoctorArguments, progress: Progress) -> Seen:
    """The environment that is named, or the active one, and where it differs from a lock that is named."""
    found = find_interpreter(arguments.python, os.environ, Path.cwd())
    return _look(found, matrix, _devices(matrix, arguments), _named_lock(arguments)[1], progress)


def proposals(matrix: Matrix, seen: Seen, arguments: DoctorArguments) -> list[Proposal]:
    """What would cure an environment as it is."""
    return _proposals(matrix, seen.env.interpreter.path, _solves(matrix, seen, arguments))


def _solves(matrix: Matrix, seen: Seen, arguments: DoctorArguments) -> tuple[ProposedSolve, ...]:
    return tuple(cures(seen.env, matrix, seen.troubles, ",".join(arguments.gpus) or None))


def _named_lock(arguments: DoctorArguments) -> tuple[Path | None, LockedEnv | None]:
    if arguments.lock is None:
        return None, None
    folder = lock_folder(arguments.lock)
    return folder, read_lock(folder)


def _look(
    found: Located,
    matrix: Matrix,
    devices: tuple[Device, ...] | None,
    lock: LockedEnv | None,
    progress: Progress,
) -> Seen:
    """The environment, what is wrong with it, and where it differs from a lock."""
    env = replace(read_environment(found.path, matrix, devices, progress), how=found.how)
    troubles, holding = examine(env, matrix)
    more = tuple(compare(env, lock)) if lock is not None else ()
    order = (TroubleSeverity.FAILS, TroubleSeverity.RISK, TroubleSeverity.NOTE)
    every = sorted((*more, *troubles), key=lambda one: order.index(one.severity))
    return Seen(env=env, troubles=tuple(every), holding=holding)


def _changed(
    matrix: Matrix,
    seen: Seen,
    lock: LockedEnv,
    folder: Path,
    arguments: DoctorArguments,
    progress: Progress,
    hands: Hands,
) -> Page:
    """The plan, what became of it, and what is wrong afterwards."""
    from mmlock.doctor.apply import apply

    applied = apply(matrix, seen.env, seen.troubles, lock, folder, arguments, progress, hands)
    lines = list(applied.lines)
    after = seen
    if applied.done:
        found = Located(path=seen.env.interpreter.path, how=seen.env.how)
        after = _look(found, matrix, _devices(matrix, arguments), lock, progress)
        told = [one for one in after.troubles if one.severity is not TroubleSeverity.NOTE]
        lines += ["", "after the change", *(f"  {one.severity}: {one.title}" for one in told)]
        lines += [] if after.wrong else [f"  {SOUND}"]
    data = after.page(lock=str(folder), applied=applied.done).data
    return Page(text="\n".join(lines), data=data)


def _devices(matrix: Matrix, arguments: DoctorArguments) -> tuple[Device, ...] | None:
    """Those that are named; None: this machine's."""
    if not arguments.gpus or AUTO in arguments.gpus:
        return None
    return find_devices(matrix, SolveArguments(gpus=arguments.gpus).checked()).devices


def _proposals(matrix: Matrix, path: Path, solves: Sequence[ProposedSolve]) -> list[Proposal]:
    """The first cure that holds, as a solve and as a `--fix`."""
    for proposed in solves:
        if solution := core(matrix, proposed):
            fix = Proposal(command=f"mmlock doctor --python {path} --fix", when="to write this lock")
            return [Proposal(command=command(proposed), gives=gives(solution), note=proposed.note), fix]
    return []


def _fix(
    matrix: Matrix,
    env: Environment,
    solves: Sequence[ProposedSolve],
    arguments: DoctorArguments,
    hands: Hands,
) -> tuple[Path, LockedEnv]:
    """Write the lock of the first cure that holds with its closure. Raises NoAnswer."""
    out = arguments.out or FIX
    refused: list[str] = []
    for proposed in solves:
        if core(matrix, proposed) is None:
            continue
        request = replace(
            arguments_of(proposed),
            out=out,
            index=arguments.index,
            offline=arguments.offline,
            exclude_newer=arguments.exclude_newer,
            matrices=arguments.matrices,
        )
        try:
            hands.solve(request)
        except NoAnswer as error:
            refused += [error.message, *error.causes[:1]]
            continue
        return out, read_lock(out)
    names = ", ".join(sorted(env.installed)[:8])
    raise NoAnswer(
        "no lock fixes this environment",
        causes=refused or [f"it has no package that mmlock can lock (installed: {names or 'none'})"],
        hints=["lock the packages that you need: `mmlock solve --gpu NAME --with PACKAGE`"],
    )


def _written(folder: Path, lock: LockedEnv, aside: Sequence[str]) -> list[str]:
    lines = [f"the lock that fixes it is in {folder}: Python {lock.python}, torch {lock.torch}"]
    lines += [f"  not in the lock, because it is not from an index: {name}" for name in aside]
    if lock.sealed:
        lines.append(f"next: mmlock doctor --lock {folder} --apply, or mmlock install {folder}")
    else:
        names = ", ".join(f"{step.package} {step.version}" for step in lock.steps)
        lines.append(
            f"next: mmlock build {folder} (builds {names}), then mmlock doctor --lock {folder} --apply"
        )
    return lines
