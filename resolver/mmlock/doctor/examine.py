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
from mmlock.doctor.environment.model import Environment, Gravity, Trouble
from mmlock.doctor.environment.read import read_environment
from mmlock.doctor.environment.text import SOUND, environment_data, environment_lines
from mmlock.doctor.environment_fixes import cures, left_aside
from mmlock.doctor.model import Proposal, Wish
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
        return any(trouble.gravity is Gravity.FAILS for trouble in self.troubles)

    def page(self, commands: Sequence[Proposal] = (), more: Sequence[str] = (), **extra: object) -> Page:
        """The report, with lines and data that stand after it."""
        lines = environment_lines(self.env, self.troubles, self.holding, commands)
        data = environment_data(self.env, self.troubles, self.holding, commands)
        return Page(text="\n".join([*lines, *more]), data={**data, **extra, "wrong": self.wrong})


def doctor_environment(matrix: Matrix, arguments: DoctorArguments, progress: Progress, hands: Hands) -> Page:
    """The report. Raises UsageError, EnvironmentFault or NoAnswer."""
    path = find_interpreter(arguments.python, os.environ, Path.cwd())
    folder, lock = _named_lock(arguments)
    seen = _look(path, matrix, _devices(matrix, arguments), lock, progress)
    wishes = _wishes(matrix, seen, arguments)
    lines: list[str] = []
    if arguments.fix:
        folder, lock = _fix(matrix, seen.env, wishes, arguments, hands)
        lines = ["", *_written(folder, lock, left_aside(seen.env, matrix))]
    if not arguments.apply:
        named = str(folder) if folder else None
        if arguments.fix or not seen.wrong:
            return seen.page(more=lines, lock=named)
        progress("asking the solver what would cure it")
        return seen.page(_proposals(matrix, path, wishes), lines, lock=named)
    if lock is None or folder is None:
        raise UsageError("`--apply` needs a lock", hints=["name one with `--lock`, or let `--fix` make one"])
    return _changed(matrix, seen, lock, folder, arguments, progress, hands)


def look(matrix: Matrix, arguments: DoctorArguments, progress: Progress) -> Seen:
    """The environment that is named, or the active one, and where it differs from a lock that is named."""
    path = find_interpreter(arguments.python, os.environ, Path.cwd())
    return _look(path, matrix, _devices(matrix, arguments), _named_lock(arguments)[1], progress)


def proposals(matrix: Matrix, seen: Seen, arguments: DoctorArguments) -> list[Proposal]:
    """What would cure an environment as it is."""
    return _proposals(matrix, seen.env.interpreter.path, _wishes(matrix, seen, arguments))


def _wishes(matrix: Matrix, seen: Seen, arguments: DoctorArguments) -> tuple[Wish, ...]:
    return tuple(cures(seen.env, matrix, seen.troubles, ",".join(arguments.gpus) or None))


def _named_lock(arguments: DoctorArguments) -> tuple[Path | None, LockedEnv | None]:
    if arguments.lock is None:
        return None, None
    folder = lock_folder(arguments.lock)
    return folder, read_lock(folder)


def _look(
    path: Path,
    matrix: Matrix,
    devices: tuple[Device, ...] | None,
    lock: LockedEnv | None,
    progress: Progress,
) -> Seen:
    """The environment, what is wrong with it, and where it differs from a lock."""
    env = read_environment(path, matrix, devices, progress)
    troubles, holding = examine(env, matrix)
    more = tuple(compare(env, lock)) if lock is not None else ()
    order = (Gravity.FAILS, Gravity.RISK, Gravity.NOTE)
    every = sorted((*more, *troubles), key=lambda one: order.index(one.gravity))
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
        path = seen.env.interpreter.path
        after = _look(path, matrix, _devices(matrix, arguments), lock, progress)
        told = [one for one in after.troubles if one.gravity is not Gravity.NOTE]
        lines += ["", "afterwards", *(f"  {one.gravity}: {one.title}" for one in told)]
        lines += [] if after.wrong else [f"  {SOUND}"]
    data = after.page(lock=str(folder), applied=applied.done).data
    return Page(text="\n".join(lines), data=data)


def _devices(matrix: Matrix, arguments: DoctorArguments) -> tuple[Device, ...] | None:
    """Those that are named; None: this machine's."""
    if not arguments.gpus or AUTO in arguments.gpus:
        return None
    return find_devices(matrix, SolveArguments(gpus=arguments.gpus).checked()).devices


def _proposals(matrix: Matrix, path: Path, wishes: Sequence[Wish]) -> list[Proposal]:
    """The first cure that holds, as a solve and as a `--fix`."""
    for wish in wishes:
        if solution := core(matrix, wish):
            fix = Proposal(command=f"mmlock doctor --python {path} --fix", when="to write that lock at once")
            return [Proposal(command=command(wish), gives=gives(solution), note=wish.note), fix]
    return []


def _fix(
    matrix: Matrix, env: Environment, wishes: Sequence[Wish], arguments: DoctorArguments, hands: Hands
) -> tuple[Path, LockedEnv]:
    """Write the lock of the first cure that holds with its closure. Raises NoAnswer."""
    out = arguments.out or FIX
    refused: list[str] = []
    for wish in wishes:
        if core(matrix, wish) is None:
            continue
        request = replace(
            arguments_of(wish),
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
        "no lock cures this environment as it is",
        causes=refused or [f"nothing is in it that can be locked (it holds {names or 'nothing'})"],
        hints=["lock what you need from the start: `mmlock solve --gpu NAME --with PACKAGE`"],
    )


def _written(folder: Path, lock: LockedEnv, aside: Sequence[str]) -> list[str]:
    lines = [f"the lock that cures it is in {folder}: Python {lock.python}, torch {lock.torch}"]
    lines += [f"  not in it, since it is not from an index: {name}" for name in aside]
    if lock.sealed:
        lines.append(f"next: mmlock doctor --lock {folder} --apply, or mmlock install {folder} elsewhere")
    else:
        names = ", ".join(f"{step.package} {step.version}" for step in lock.steps)
        lines.append(
            f"next: mmlock build {folder} (it makes {names}), then mmlock doctor --lock {folder} --apply"
        )
    return lines
