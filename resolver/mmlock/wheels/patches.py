"""Verified edits to unpacked sources: where the context of one is missing, none is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault
from mmlock.lock.model import PatchPlan


class AppliedPatch(Struct, frozen=True, kw_only=True):
    """A patch and how often its text was found."""

    patch: PatchPlan
    places: int


def apply_patches(tree: Path, patches: Sequence[PatchPlan]) -> tuple[AppliedPatch, ...]:
    """Edit the sources in `tree`. Raises EnvironmentFault, and then nothing has changed."""
    texts: dict[Path, bytes] = {}
    applied: list[AppliedPatch] = []
    faults: list[str] = []
    for patch in patches:
        path = _inside(tree, patch.file)
        if path is None:
            faults.append(f"`{patch.id}` names `{patch.file}`, which is no file of these sources")
            continue
        text = texts.get(path) or path.read_bytes()
        find, replace = (_with_newlines_of(text, part) for part in (patch.find, patch.replace))
        places = text.count(find) if find else 0
        if not places:
            known = (
                "its result is there already" if replace and replace in text else "its context is not there"
            )
            faults.append(f"`{patch.id}` does not apply to `{patch.file}`: {known}")
            continue
        texts[path] = text.replace(find, replace)
        applied.append(AppliedPatch(patch=patch, places=places))
    if faults:
        raise EnvironmentFault(
            "a patch no longer applies to the sources",
            causes=faults,
            hints=["the recipe was written for other sources: correct it in `matrices/`, then solve again"],
        )
    for path, text in texts.items():
        path.write_bytes(text)
    return tuple(applied)


def _inside(tree: Path, name: str) -> Path | None:
    """The file that a patch means; None when it is not a plain file below `tree`."""
    root = tree.resolve()
    path = (root / name).resolve()
    return path if path.is_relative_to(root) and path.is_file() else None


def _with_newlines_of(text: bytes, part: str) -> bytes:
    """A patch is written with plain line ends; sources may have others."""
    data = part.encode()
    return data.replace(b"\n", b"\r\n") if b"\r\n" in text else data
