"""`mmlock doctor --apply`: an environment changed into its lock, after the plan was shown and agreed to."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from mmlock.core.arguments import SolveArguments
from mmlock.core.doctor_arguments import DoctorArguments
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.progress import Progress
from mmlock.doctor.checks.locked import same
from mmlock.doctor.checks.records import fault_text
from mmlock.doctor.environment.model import Environment, Trouble
from mmlock.facts.matrix.load import Matrix
from mmlock.lock.model import LockedEnv
from mmlock.wheels.activation import write_activation
from mmlock.wheels.buildenv import Uv
from mmlock.wheels.install import install

_SHOWN = 20


class Hands(Struct, frozen=True, kw_only=True):
    """What the doctor lets others do: it looks and says what would cure, and does nothing itself."""

    solve: Callable[[SolveArguments], object]
    """Write the lock of a request into its folder. Raises NoAnswer."""
    find_uv: Callable[[], Uv]
    """The uv that changes an environment. Raises EnvironmentFault."""
    confirm: Callable[[str], bool]
    """Show a plan to a person; whether it may be carried out."""


class Plan(Struct, frozen=True, kw_only=True):
    """What would be done to an environment."""

    delete: tuple[Path, ...]
    """Leftovers and broken records, in its site folders."""
    remove: tuple[str, ...]
    install: tuple[str, ...]
    """`mmcv 2.1.0`, `numpy 1.26.4 instead of 2.4.6`."""

    @property
    def empty(self) -> bool:
        return not (self.delete or self.remove or self.install)


class Applied(Struct, frozen=True, kw_only=True):
    """What came of it."""

    done: bool
    lines: tuple[str, ...]


def apply(
    matrix: Matrix,
    env: Environment,
    troubles: Sequence[Trouble],
    lock: LockedEnv,
    folder: Path,
    arguments: DoctorArguments,
    progress: Progress,
    hands: Hands,
) -> Applied:
    """Show the plan; when it is agreed to, carry it out with uv, each package by its hash.

    Raises UsageError or EnvironmentFault; nothing was changed then, or uv's words say what was.
    """
    _changeable(env, lock, folder)
    plan = make_plan(matrix, env, troubles, lock)
    lines = tuple(plan_lines(env, plan))
    if plan.empty:
        return Applied(done=False, lines=lines)
    if not arguments.yes and not hands.confirm("\n".join(lines)):
        return Applied(done=False, lines=(*lines, "nothing was changed"))
    uv = hands.find_uv()
    interpreter = str(env.interpreter.path)
    if plan.remove:
        progress(f"removing {', '.join(plan.remove)}")
        uv.run(
            ["pip", "uninstall", "--quiet", "--python", interpreter, *plan.remove],
            f"{', '.join(plan.remove)} cannot be removed from `{env.interpreter.prefix}`",
        )
    for path in plan.delete:
        _delete(path, env)
    install(lock, folder, env.interpreter.prefix, uv, python=None, exact=False)
    write_activation(env.interpreter.prefix, lock.environment)
    done = [f"done: {env.interpreter.prefix} matches the lock {folder}"]
    done += ["environment variables to set:"] if lock.environment else []
    done += [f"  export {name}={value}" for name, value in sorted(lock.environment.items())]
    return Applied(done=True, lines=(*lines, *done))


def _changeable(env: Environment, lock: LockedEnv, folder: Path) -> None:
    me = env.interpreter
    if not me.virtual or me.fault:
        raise UsageError(
            f"`{me.prefix}` is not a working virtual environment, so it is not changed",
            causes=[fault_text(me.fault)] if me.fault else ["other programs of the system use it"],
            hints=[f"create a new one: `mmlock install {folder} --prefix .venv`"],
        )
    if not lock.sealed:
        raise UsageError(
            f"the lock `{folder}` is not sealed",
            causes=["some of its packages still have to be built or downloaded"],
            hints=[f"run `mmlock build {folder}`"],
        )
    if me.python != lock.python:
        raise UsageError(
            f"`{me.prefix}` has Python {me.python}, the lock is for {lock.python}",
            hints=[f"create a new environment: `mmlock install {folder} --prefix .venv`"],
        )


def _brought(matrix: Matrix, lock: LockedEnv) -> frozenset[str]:
    """What the lock holds, and what brings the same modules as something it holds."""
    held = {str(package.name) for package in lock.packages}
    same_module = (set(map(str, module.packages)) for module in matrix.modules)
    return frozenset(held.union(*(names for names in same_module if names & held)))


def make_plan(matrix: Matrix, env: Environment, troubles: Sequence[Trouble], lock: LockedEnv) -> Plan:
    """What has to go, and what has to come. What is in order stays as it is."""
    brought = _brought(matrix, lock)
    # Nothing is taken away that the lock does not bring back in one form or another.
    remove = tuple(
        dict.fromkeys(name for one in troubles for name in one.remove if env.first(name) and name in brought)
    )
    broken = [dist.site / dist.record for dist in env.distributions if dist.fault and dist.name in brought]
    loose = [left.path for left in env.leftovers if left.path.name.startswith("~")]
    changes = []
    for package in lock.packages:
        there = env.first(package.name)
        if there is None or package.name in remove:
            changes.append(f"{package.name} {package.version}")
        elif not same(there.version, package.version) or there.fault or there.missing:
            changes.append(f"{package.name} {package.version} instead of {there.version}")
    return Plan(
        delete=tuple(path for path in (*broken, *loose) if _inside(path, env)),
        remove=remove,
        install=tuple(changes),
    )


def plan_lines(env: Environment, plan: Plan) -> Iterator[str]:
    """The plan for a person."""
    if plan.empty:
        yield f"nothing to change in {env.interpreter.prefix}"
        return
    yield f"plan for {env.interpreter.prefix}"
    for path in plan.delete:
        yield f"  delete {path}"
    for name in plan.remove:
        yield f"  remove {', '.join(f'{dist.name} {dist.version}' for dist in env.all(name))}"
    for text in plan.install[:_SHOWN]:
        yield f"  install {text}"
    if len(plan.install) > _SHOWN:
        yield f"  and {len(plan.install) - _SHOWN} more"


def _inside(path: Path, env: Environment) -> bool:
    """Whether a path is right in a site folder of the environment itself."""
    return any(
        path.parent == site and env.interpreter.prefix in site.parents for site in env.interpreter.sites
    )


def _delete(path: Path, env: Environment) -> None:
    assert _inside(path, env)
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise EnvironmentFault(
            f"`{path}` cannot be deleted", causes=[error.strerror or str(error)], hints=["delete it yourself"]
        ) from error
