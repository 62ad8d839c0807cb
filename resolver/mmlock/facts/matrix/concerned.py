"""Which locks a changed fact concerns, and which rest on a fact. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field, structs

from mmlock.core.names import PackageName, Platform
from mmlock.core.versions import InvalidVersion, version
from mmlock.facts.matrix.advisories import Advisory, concerning
from mmlock.facts.matrix.diff import Change, ChangeKind
from mmlock.facts.matrix.model import (
    Accelerator,
    Breakage,
    Capability,
    File,
    Gpu,
    IndexRow,
    Recipe,
    Stack,
    Toolchain,
    Toolkit,
    TorchBuild,
)

__all__ = ["ConcernedLock", "LockContents", "rests_on", "touched"]


class LockContents(Struct, frozen=True, kw_only=True):
    """What a committed lock holds, as far as facts can touch it."""

    name: str
    """`openmmlab/rtx5090`."""
    versions: Mapping[PackageName, str]
    files: frozenset[str] = field(default_factory=frozenset)
    """Names and URLs of its files."""
    torch: str | None = None
    """With its variant: `2.11.0+cu130`; None: not told."""
    platform: Platform | None = None
    ids: frozenset[str] = field(default_factory=frozenset)
    """What else it was decided by: devices, capabilities, recipes, breakages, toolchains, CUDA, its stack."""


class ConcernedLock(Struct, frozen=True, kw_only=True):
    """A lock, and what of the changes concerns it."""

    lock: str
    facts: tuple[Change, ...]
    """Facts about what it holds: changed, gone, or new."""
    newer: tuple[Change, ...]
    """Facts about newer releases of what it holds."""


def touched(changes: Sequence[Change], locks: Iterable[LockContents]) -> tuple[ConcernedLock, ...]:
    """The locks that some change concerns."""
    found = []
    for lock in locks:
        facts = tuple(one for one in changes if not one.idle and _concerns(lock, one))
        newer = tuple(one for one in changes if one.kind is ChangeKind.ADDED and _is_newer(lock, one))
        if facts or newer:
            found.append(ConcernedLock(lock=lock.name, facts=facts, newer=newer))
    return tuple(found)


def rests_on(lock: LockContents, change: Change) -> bool:
    """Whether a lock would have to be looked at again, were this fact gone."""
    return _concerns(lock, structs.replace(change, kind=ChangeKind.REMOVED))


def _concerns(lock: LockContents, change: Change) -> bool:
    """Whether a fact is about what a lock holds: a new one where it speaks of the very releases in it."""
    row = change.row
    held = lock.versions.get(change.package) if change.package else None
    if isinstance(row, Advisory):
        rows = [one for one in (change.old, change.new) if one is not None]
        return held is not None and next(concerning(rows, held), None) is not None
    if isinstance(row, _NAMED):
        return _name(row) in lock.ids
    if isinstance(row, Breakage):
        needed = {one.package for one in row.when} - _NO_PACKAGES
        return row.id in lock.ids or (bool(needed) and needed <= lock.versions.keys())
    if isinstance(row, IndexRow):
        # A wheel of what a lock builds, for whichever torch: wheels come before builds.
        return _holds(lock, change) or (held is not None and _public(held) in row.versions)
    # A new file of a release that a lock holds is none of its files.
    new = change.kind is ChangeKind.ADDED
    return _holds(lock, change) and not (new and (isinstance(row, File) or _release(change) is None))


_NAMED = (Gpu, Capability, Accelerator, Toolkit, Toolchain, Recipe, Stack)
"""Facts that a lock names, if it rests on them."""


def _name(row: Any) -> str:
    """What a lock that rests on such a fact says of it."""
    if isinstance(row, Toolkit):
        return f"CUDA {row.cuda}"
    return str(row.sm if isinstance(row, Capability) else getattr(row, "id", None) or row.name)


_NO_PACKAGES = frozenset({PackageName("python"), PackageName("gpu")})
"""What a condition of a breakage may name besides packages."""


def _holds(lock: LockContents, change: Change) -> bool:
    row = change.row
    if isinstance(row, File):
        return row.name in lock.files or row.url in lock.files
    if isinstance(row, IndexRow):
        return any(f"/{row.directory}/" in file for file in lock.files)
    if isinstance(row, TorchBuild) and lock.torch is not None:
        return f"{row.torch}+{row.variant}" == lock.torch and lock.platform in {None, row.platform}
    release = _release(change)
    held = lock.versions.get(change.package) if change.package else None
    return held is not None and (release is None or _public(held) == _public(release))


def _is_newer(lock: LockContents, change: Change) -> bool:
    held = lock.versions.get(change.package) if change.package else None
    release = _release(change)
    if held is None or release is None:
        return False
    try:
        offered = version(release)
        return not offered.is_prerelease and version(_public(offered.public)) > version(_public(held))
    except InvalidVersion:
        return False


def _release(change: Change) -> str | None:
    """The release a fact speaks of."""
    row = change.row
    if change.package == "torch" and hasattr(row, "torch"):
        return str(row.torch)
    found = getattr(row, "version", None)
    return str(found) if found is not None else None


def _public(text: str) -> str:
    return text.partition("+")[0]
