"""Files of a lock that this machine has already, by their hash: a lock that names them here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from mmlock.core.artifact import Artifact
from mmlock.lock.model import LockedEnv
from mmlock.wheels.accepted import accepted
from mmlock.wheels.model import BuiltWheel
from mmlock.wheels.wheelhouse import Wheelhouse

__all__ = ["held_by", "with_local_files"]


def held_by(wheelhouses: Iterable[Path], env: LockedEnv) -> Mapping[str, BuiltWheel]:
    """The wheels of wheelhouses that a lock wants, by sha256."""
    wanted = {file.sha256 for package in env.packages for file in package.files if file.sha256}
    found: dict[str, BuiltWheel] = {}
    for root in wheelhouses:
        house = Wheelhouse(root=root)
        built = (one for one in house.entries() if isinstance(one, BuiltWheel))
        found |= {one.sha256: one for one in (*accepted(house.files), *built) if one.sha256 in wanted}
    return found


def with_local_files(env: LockedEnv, held: Mapping[str, BuiltWheel]) -> LockedEnv:
    """The same lock, which takes from this disk what is there; the hashes stay, so an installer checks."""

    def near(file: Artifact) -> Artifact:
        wheel = held.get(file.sha256 or "")
        return file if wheel is None else replace(file, url=wheel.path.absolute().as_uri())

    packages = (replace(one, files=tuple(near(file) for file in one.files)) for one in env.packages)
    return replace(env, packages=tuple(packages))
