"""`mmlock doctor --python`: an environment looked at, compared with a lock, and cured by one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmlock.app.devices import find_devices
from mmlock.app.proving import arguments_of, command, core, gives
from mmlock.core.arguments import AUTO, SolveArguments
from mmlock.core.device import Device
from mmlock.core.doctor_arguments import DoctorArguments
from mmlock.core.errors import NoAnswer, UsageError
from mmlock.core.progress import Progress
from mmlock.core.report import Page
from mmlock.doctor.checks import examine
from mmlock.doctor.checks.locked import compare
from mmlock.doctor.cure import cures, left_aside
from mmlock.doctor.environment.interpreter import find_interpreter
from mmlock.doctor.environment.model import Environment, Gravity, Trouble
from mmlock.doctor.environment.read import read_environment
from mmlock.doctor.environment.text import SOUND, environment_data, environment_lines
from mmlock.doctor.model import Proposal, Wish
from mmlock.lock.model import LockedEnv
from mmlock.lock.read import read_lock
from mmlock.matrix.load import Matrix

FIX = Path("mmlock-fix")
Confirm = Callable[[str], bool]


def doctor_environment(
    matrix: Matrix, arguments: DoctorArguments, progress: Progress, confirm: Confirm
) -> Page:
    """The report. Raises UsageError, EnvironmentFault or NoAnswer."""
    path = find_interpreter(arguments.python, os.environ, Path.cwd())
    env = read_environment(path, matrix, _devices(matrix, arguments), progress)
    troubles, holding = examine(env, matrix)
    lock: LockedEnv | None = None
    folder = arguments.lock
    if folder is not None:
        from mmlock.app.building import lock_folder

        folder = lock_folder(folder)
        lock = read_lock(folder)
        troubles = _sorted((*compare(env, lock), *troubles))
    wishes = tuple(cures(env, matrix, troubles, ",".join(arguments.gpus) or None))
    lines: list[str] = []
    extra: dict[str, Any] = {}
    commands: list[Proposal] = []
    if arguments.fix:
        folder, lock = _fix(matrix, env, wishes, arguments, progress)
        lines += ["", *_written(folder, lock, left_aside(env, matrix))]
        extra["lock"] = str(folder)
    elif _wrong(troubles) and not arguments.apply:
        progress("asking the solver what would cure it")
        commands = _proposals(matrix, path, wishes)
    if arguments.apply:
        from mmlock.app.doctor_apply import apply

        if lock is None or folder is None:
            raise UsageError(
                "`--apply` needs a lock", hints=["name one with `--lock`, or let `--fix` make one"]
            )
        applied = apply(env, troubles, lock, folder, arguments, progress, confirm)
        lines += ["", *applied.lines]
        extra["applied"] = applied.done
        if applied.done:
            env = read_environment(path, matrix, env.devices or None, progress)
            troubles, holding = examine(env, matrix)
            troubles = _sorted((*compare(env, lock), *troubles))
            lines += ["", "afterwards"]
            lines += [f"  {one.gravity}: {one.title}" for one in troubles if one.gravity is not Gravity.NOTE]
            lines += [] if _wrong(troubles) else [f"  {SOUND}"]
            extra["afterwards"] = [one.title for one in troubles]
            return Page(
                text="\n".join(lines).lstrip("\n"),
                data={**environment_data(env, troubles, holding, ()), **extra, "wrong": _wrong(troubles)},
            )
    text = [*environment_lines(env, troubles, holding, commands), *lines]
    data = {**environment_data(env, troubles, holding, commands), **extra, "wrong": _wrong(troubles)}
    return Page(text="\n".join(text), data=data)


def _devices(matrix: Matrix, arguments: DoctorArguments) -> tuple[Device, ...] | None:
    """Those that are named; None: this machine's."""
    if not arguments.gpus or AUTO in arguments.gpus:
        return None
    return find_devices(matrix, SolveArguments(gpus=arguments.gpus).checked()).devices


def _wrong(troubles: Sequence[Trouble]) -> bool:
    return any(trouble.gravity is Gravity.FAILS for trouble in troubles)


def _sorted(troubles: Sequence[Trouble]) -> tuple[Trouble, ...]:
    order = (Gravity.FAILS, Gravity.RISK, Gravity.NOTE)
    return tuple(sorted(troubles, key=lambda one: order.index(one.gravity)))


def _proposals(matrix: Matrix, path: Path, wishes: Sequence[Wish]) -> list[Proposal]:
    """The first cure that holds, as a solve and as a `--fix`."""
    for wish in wishes:
        if solution := core(matrix, wish):
            fix = Proposal(command=f"mmlock doctor --python {path} --fix", when="to write that lock at once")
            return [Proposal(command=command(wish), gives=gives(solution), note=wish.note), fix]
    return []


def _fix(
    matrix: Matrix, env: Environment, wishes: Sequence[Wish], arguments: DoctorArguments, progress: Progress
) -> tuple[Path, LockedEnv]:
    """Write the lock of the first cure that holds with its closure. Raises NoAnswer."""
    from mmlock.app.solving import solve

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
            solve(request, progress=progress)
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
