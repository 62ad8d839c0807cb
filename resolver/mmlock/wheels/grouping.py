"""Sources that are compiled as one file: a file that includes them takes their place."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from mmlock.core.errors import EnvironmentFault
from mmlock.lock.model import SourceGroup

PART = ".part"
"""What a source is called on top when a group holds it: no build script globs for that."""


def group_sources(tree: Path, groups: Iterable[SourceGroup]) -> None:
    """Put each group in the place of its parts. Raises EnvironmentFault, and then nothing has changed."""
    root, chosen = tree.resolve(), tuple(groups)
    faults = [fault for group in chosen for fault in _faults(root, group)]
    if faults:
        raise EnvironmentFault(
            "sources that were to be compiled as one are not those that the recipe knows",
            causes=faults,
            hints=["the recipe was written for other sources: correct it in `matrices/`, then solve again"],
        )
    for group in chosen:
        for part in group.parts:
            (root / part).rename(root / f"{part}{PART}")
        (root / group.file).write_text(including(group), encoding="utf-8")


def including(group: SourceGroup) -> str:
    """The text of the file that stands for a group."""
    return "".join(f'#include "{PurePosixPath(part).name}{PART}"\n' for part in group.parts)


def _faults(root: Path, group: SourceGroup) -> Iterable[str]:
    folder = PurePosixPath(group.file).parent
    for name in (group.file, *group.parts):
        path = (root / name).resolve()
        if not path.is_relative_to(root) or PurePosixPath(name).parent != folder:
            yield f"`{name}` is not in `{folder}` of these sources"
        elif name != group.file and not path.is_file():
            yield f"`{name}` is no file of these sources"
        elif name == group.file and path.exists():
            yield f"`{name}` is in the way"
