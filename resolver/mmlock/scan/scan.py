"""A project folder -> `Scan`: everything that is read, put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmlock.core.progress import Progress, silent
from mmlock.matrix.code import Op
from mmlock.matrix.curated import Module
from mmlock.scan.model import ModuleFacts
from mmlock.scan.module import module_facts
from mmlock.scan.ops import Catalog, OpUse, op_uses
from mmlock.scan.packages import PackageUse, packages
from mmlock.scan.project import Project, Step
from mmlock.scan.source import Unread, parse, read_bytes, to_text
from mmlock.scan.tree import Listing, list_files

__all__ = ["Scan", "scan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a project's sources say."""

    root: Path
    files: int
    """Python files that were read."""
    uses: tuple[OpUse, ...]
    packages: tuple[PackageUse, ...]
    chains: dict[str, tuple[Step, ...]]
    """File with ops -> the imports by which a script reaches it; absent where none does."""
    unread: tuple[tuple[str, str], ...]
    """A path and why it was not read."""


def scan(root: Path, *, ops: Iterable[Op], modules: Iterable[Module], progress: Progress = silent) -> Scan:
    """Read a tree. Raises UsageError for what is no folder."""
    catalog = Catalog(ops)
    listing = list_files(root)
    progress(f"{len(listing.files)} files in {root}")
    unread = list(listing.skipped)
    project = Project(read_modules(listing, unread))
    uses = [use for file, facts in project.modules.items() for use in op_uses(facts, file, catalog)]
    return Scan(
        root=root,
        files=len(project.modules),
        uses=tuple(sorted(uses, key=lambda use: (use.place, use.op, use.how))),
        packages=packages(project, modules),
        chains=_chains(project, {use.place.file for use in uses}),
        unread=tuple(unread),
    )


def read_modules(listing: Listing, unread: list[tuple[str, str]]) -> dict[str, ModuleFacts]:
    """Every Python file that can be read."""
    found: dict[str, ModuleFacts] = {}
    for file in listing.files:
        if not file.endswith(".py"):
            continue
        try:
            found[file] = module_facts(parse(to_text(read_bytes(listing.root / file))))
        except Unread as why:
            unread.append((file, str(why)))
    return found


def _chains(project: Project, files: set[str]) -> dict[str, tuple[Step, ...]]:
    starts = [file for file, facts in project.modules.items() if facts.script]
    reached = project.reached_from(starts)
    return {file: reached[file] for file in sorted(files) if file in reached}
