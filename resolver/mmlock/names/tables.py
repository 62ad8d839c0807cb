"""The two kinds of tables: what the releases of a package give, and what they need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from msgspec import Struct

from mmlock.core.names import PackageName
from mmlock.names.given import Given, is_public
from mmlock.names.model import RunCondition
from mmlock.names.needed import Needed
from mmlock.names.table import DENIED, OPEN, PRESENT, Head, TableKind, TableText, encode, read_table

__all__ = ["GivenTable", "NeedRow", "NeededTable", "given_text", "needed_text"]

_NOWHERE = "-"


class GivenTable(Struct, frozen=True, kw_only=True, dict=True):
    """What the releases of a package give. Sets of releases are bit masks, as `text.spans` orders them."""

    text: TableText

    @classmethod
    def of(cls, text: str, package: PackageName) -> GivenTable:
        """Raises MatrixError."""
        return cls(text=read_table(text, TableKind.GIVEN, package))

    @property
    def releases(self) -> tuple[str, ...]:
        return self.text.spans.releases

    @cached_property
    def tops(self) -> frozenset[str]:
        """The import names of the package."""
        return frozenset(module.partition(".")[0] for module in self.text.blocks)

    @cached_property
    def _cells(self) -> dict[str, dict[str, int]]:
        return {}

    def cells(self, module: str) -> Mapping[str, int]:
        """Name, or mark -> the releases in which the module has it."""
        known = self._cells.get(module)
        if known is None:
            known = self._cells[module] = {}
            for mask, names in self.text.lines(module):
                for name in names:
                    known[name] = known.get(name, 0) | mask
        return known

    def has_module(self, module: str) -> int:
        """The releases that have a module."""
        found = 0
        for mask in self.cells(module).values():
            found |= mask
        return found

    def absent(self, module: str, name: str = "") -> int:
        """The releases in which a name is certainly absent: read, not open, and not there."""
        key = module, name
        if key not in self._absent:
            self._absent[key] = self._looked_up(module, name)
        return self._absent[key]

    @cached_property
    def _absent(self) -> dict[tuple[str, str], int]:
        return {}

    def _looked_up(self, module: str, name: str) -> int:
        sure, absent, parent = self.text.spans.all, 0, ""
        parts = module.split(".")
        depth = self.text.head.depth or len(parts) + 1
        for at, part in enumerate(parts):
            here = ".".join(parts[: at + 1])
            if not is_public(part) or at >= depth:
                return absent
            there = self.has_module(here)
            gone = sure & ~there
            if parent:  # an open package may make modules; what it gives may be one
                gone &= ~self._may_have(parent, part)
            absent |= gone
            sure &= there
            parent = here
        if not name or not is_public(name):
            return absent
        missing = ~self._may_have(module, name) & ~self.has_module(f"{module}.{name}")
        if len(parts) >= depth:  # a module of that name would not be recorded
            missing = 0
        return absent | sure & (missing | self.cells(module).get(f"{DENIED}{name}", 0))

    def present(self, module: str, name: str = "") -> int:
        """The releases that certainly have a name, or a module of that name."""
        if not name:
            return self.has_module(module)
        return self.cells(module).get(name, 0) | self.has_module(f"{module}.{name}")

    def _may_have(self, module: str, name: str) -> int:
        cells = self.cells(module)
        return cells.get(name, 0) | cells.get(OPEN, 0)

    def expanded(self) -> dict[tuple[str, str, str], set[str]]:
        """As `encode` takes it."""
        return {
            (module, "", name): set(self.text.spans.versions(mask))
            for module in self.text.blocks
            for name, mask in self.cells(module).items()
        }


def given_text(
    package: PackageName,
    source: str,
    digests: Mapping[str, str],
    found: Iterable[tuple[str, Mapping[str, Given]]],
    known: GivenTable | None = None,
    depth: int | None = None,
) -> str:
    """The file of a package: what is known of its releases, and what was read of new ones.

    `digests`: release -> the hash of its file, for all that the text speaks of.
    """
    cells = known.expanded() if known else {}
    for release, modules in found:
        for releases in cells.values():
            releases.discard(release)
        for module, given in modules.items():
            if depth is not None and module.count(".") >= depth:
                continue
            marks = [OPEN] if given.open else []
            marks += [f"{DENIED}{name}" for name in given.denied]
            for name in (*given.names, *marks) or (PRESENT,):
                cells.setdefault((module, "", name), set()).add(release)
    head = Head(kind=TableKind.GIVEN, package=package, source=source, releases=digests, depth=depth)
    return encode(head, {key: releases & digests.keys() for key, releases in cells.items()})


class NeedRow(Struct, frozen=True, kw_only=True):
    """A name that some releases need, at one place."""

    need: Needed
    releases: int


class NeededTable(Struct, frozen=True, kw_only=True, dict=True):
    """What the releases of a package need of others."""

    text: TableText

    @classmethod
    def of(cls, text: str, package: PackageName) -> NeededTable:
        """Raises MatrixError."""
        return cls(text=read_table(text, TableKind.NEEDED, package))

    @cached_property
    def tops(self) -> Mapping[str, tuple[str, ...]]:
        """Import name -> the modules below it that some release needs."""
        found: dict[str, list[str]] = {}
        for module in self.text.blocks:
            found.setdefault(module.partition(".")[0], []).append(module)
        return {top: tuple(modules) for top, modules in found.items()}

    def rows(self, module: str) -> Iterator[NeedRow]:
        """What is needed of one module."""
        for mask, words in self.text.lines(module):
            when, entry, place, *names = words
            file, _, line = place.rpartition(":")
            for name in names:
                need = Needed(
                    module=module,
                    name="" if name == PRESENT else name,
                    when=RunCondition(when),
                    entry=None if entry == _NOWHERE else entry,
                    file=file,
                    line=int(line),
                )
                yield NeedRow(need=need, releases=mask)

    def of_top(self, top: str) -> tuple[NeedRow, ...]:
        """What is needed of one import name and the modules below it."""
        return tuple(row for module in self.tops.get(top, ()) for row in self.rows(module))

    def binding(self, top: str, release: str) -> tuple[Needed, ...]:
        """What importing a release takes of one import name, whatever else is there."""
        bit = self.text.spans.bit(release)
        return tuple(row.need for row in self._bound(top) if row.releases & bit)

    def taken(self, release: str) -> frozenset[str]:
        """The import names that a release cannot be imported without."""
        return frozenset(top for top in self.tops if self.binding(top, release))

    def _bound(self, top: str) -> tuple[NeedRow, ...]:
        known = self._binding.get(top)
        if known is None:
            known = self._binding[top] = tuple(row for row in self.of_top(top) if row.need.binds)
        return known

    @cached_property
    def _binding(self) -> dict[str, tuple[NeedRow, ...]]:
        return {}

    def needs(self, release: str) -> Iterator[Needed]:
        """What one release needs."""
        bit = self.text.spans.bit(release)
        for module in self.text.blocks if bit else ():
            yield from (row.need for row in self.rows(module) if row.releases & bit)


def needed_text(
    package: PackageName,
    source: str,
    digests: Mapping[str, str],
    found: Iterable[tuple[str, Iterable[Needed]]],
    known: NeededTable | None = None,
) -> str:
    """As `given_text`, of what releases need."""
    cells: dict[tuple[str, str, str], set[str]] = {}
    for module in known.text.blocks if known else ():
        assert known is not None
        for row in known.rows(module):
            cells.setdefault(_cell(row.need), set()).update(known.text.spans.versions(row.releases))
    for release, needs in found:
        for releases in cells.values():
            releases.discard(release)
        for need in needs:
            cells.setdefault(_cell(need), set()).add(release)
    head = Head(kind=TableKind.NEEDED, package=package, source=source, releases=digests)
    return encode(head, {key: releases & digests.keys() for key, releases in cells.items()})


def _cell(need: Needed) -> tuple[str, str, str]:
    # Where something is only taken in a function moves with every release.
    line = need.line if need.when is RunCondition.ALWAYS else 0
    before = f"{need.when} {need.entry or _NOWHERE} {need.file}:{line}"
    return need.module, before, need.name or PRESENT
