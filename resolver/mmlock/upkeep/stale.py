"""What is beside a lock and was made for another one: a verdict, built wheels."""

from __future__ import annotations

from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from mmlock.core.errors import EnvironmentFault
from mmlock.lock.model import LockedEnv
from mmlock.validate.attest.trust import Trust
from mmlock.validate.own_verdict import own_verdict
from mmlock.validate.standing import Standing
from mmlock.validate.store import NAME as VERDICT
from mmlock.wheels.seal import WHEELS

__all__ = ["drop_stale", "drop_verdict"]


def drop_stale(folder: Path, old: LockedEnv | None, new: LockedEnv, trust: Trust) -> tuple[str, ...]:
    """Remove what belongs to the lock that was in the folder and not to the new one; says what.

    `old`: the lock that was there, None where it cannot be read. Raises EnvironmentFault.
    """
    return (*drop_verdict(folder, new, trust), *_drop_wheels(folder, old, new))


def drop_verdict(folder: Path, env: LockedEnv, trust: Trust) -> tuple[str, ...]:
    """Remove a verdict about another lock: it would be taken for this one's."""
    own = own_verdict(folder, env, trust)
    if own.standing is not Standing.OTHER_LOCK:
        return ()
    _remove([folder / VERDICT])
    return (f"removed {VERDICT}: {own.reason}; `mmlock validate` makes a new one",)


def _drop_wheels(folder: Path, old: LockedEnv | None, new: LockedEnv) -> tuple[str, ...]:
    """Remove the wheels that were built for another lock; those that this one names or makes stay."""
    there = sorted((folder / WHEELS).glob("*.whl"))
    if not there:
        return ()
    named = {file.name for package in new.packages for file in package.files}
    same = old is not None and _surroundings(old) == _surroundings(new)
    steps = new.steps if same else ()
    made = {(canonicalize_name(step.package), Version(step.version).public) for step in steps}
    gone = [path for path in there if path.name not in named and _made_as(path.name) not in made]
    _remove(gone)
    if not any((folder / WHEELS).iterdir()):
        (folder / WHEELS).rmdir()
    if not gone:
        return ()
    names = ", ".join(path.name for path in gone)
    return (f"removed {names}: built for another lock; `mmlock build` makes new ones",)


def _surroundings(env: LockedEnv) -> tuple[object, ...]:
    """What a wheel is built for."""
    return env.python, env.torch, env.target


def _made_as(name: str) -> tuple[str, str] | None:
    """Package and public version of a wheel; None for what is no wheel's name."""
    try:
        package, version, _, _ = parse_wheel_filename(name)
    except InvalidWheelFilename:
        return None
    return package, version.public


def _remove(paths: list[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise EnvironmentFault(
                f"cannot remove `{path}`",
                causes=[error.strerror or str(error)],
                hints=["remove it by hand: it was made for another lock"],
            ) from error
