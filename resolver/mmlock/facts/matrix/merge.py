"""What an index said, laid over what is known: one document in, one document out. Pure.

Old rows that the index was not asked about stay. Rows it speaks of are replaced, and what it no longer
lists goes, unless so much would go that the page is more likely wrong than the world.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from msgspec import Struct, structs

from mmlock.core.names import Confidence
from mmlock.facts.matrix.layout import SECTIONS, Section
from mmlock.facts.matrix.model import Document, IndexRow
from mmlock.facts.matrix.provenance import settled

__all__ = ["Facts", "Merged", "merge"]

_PROVENANCE = frozenset({"source", "confidence"})
_RANKS = {rank: at for at, rank in enumerate(Confidence)}
_LEAST = 3
"""So many facts may always go: a file is sometimes withdrawn."""
_SHARE = 0.1
"""The share of the facts in question that may go at once."""


def _none(row: Any) -> bool:
    del row
    return False


class Facts(Struct, frozen=True, kw_only=True):
    """What one index says that belongs into one matrix file."""

    schema: str
    package: str | None
    rows: tuple[Any, ...]
    sources: Mapping[str, str]
    scope: Callable[[Any], bool] = _none
    """Which known rows it spoke of in full: those it no longer lists are gone. By default none."""

    @property
    def path(self) -> str:
        return SECTIONS[self.schema].path_for(self.package)


class Merged(Struct, frozen=True, kw_only=True):
    """The document that results, and what was not believed."""

    document: Document[Any]
    warnings: tuple[str, ...] = ()


def merge(old: Document[Any] | None, facts: Facts, *, trust_removals: bool = False) -> Merged:
    """Lay facts over a document; rows that say the same keep their provenance and so their bytes."""
    section = SECTIONS[facts.schema]
    keys, texts = settled(old.sources if old else {}, facts.sources)
    facts = structs.replace(facts, rows=tuple(_under(row, keys) for row in facts.rows), sources=texts)
    known = {_key(section, row): row for row in old.rows} if old else {}
    told = {_key(section, row): row for row in facts.rows}
    spoken = [row for row in known.values() if facts.scope(row)]
    lost = {} if trust_removals else _unbelievable(spoken, told.values())
    if lost and section.row is IndexRow:
        # Half of a page is no page: its directory stays as it was, whatever else it says.
        told = {key: row for key, row in told.items() if _group(row) not in lost}
    gone = {
        key
        for key, row in known.items()
        if facts.scope(row) and key not in told and not (_group(row) in lost and _firm(row))
    }
    rows = {key: row for key, row in known.items() if key not in gone}
    rows |= {key: _settled(known.get(key), row) for key, row in told.items()}
    warnings = tuple(_disbelief(facts, group, *counts) for group, counts in lost.items())
    if old is not None and rows == known:
        return Merged(document=old, warnings=warnings)
    sources = {**(old.sources if old else {}), **facts.sources}
    note = old.note if old else None
    document = Document(schema=facts.schema, rows=tuple(rows.values()), sources=sources, note=note)
    return Merged(document=document, warnings=warnings)


def _under(row: Any, keys: Mapping[str, str]) -> Any:
    """A row that names its sources by the keys of the file."""
    return structs.replace(row, source=tuple(dict.fromkeys(keys.get(key, key) for key in row.source)))


def _key(section: Section, row: Any) -> tuple[Hashable, ...]:
    return tuple(getattr(row, name) for name in section.key)


def _settled(old: Any, new: Any) -> Any:
    """The row to keep of two with one key: the old one when the new one adds nothing to it."""
    if old is None:
        return new
    kind: type[Struct] = type(new)
    same = all(getattr(old, name) == getattr(new, name) for name in _said(kind))
    better = _RANKS[new.confidence] < _RANKS[old.confidence]
    return old if same and not better else new


@cache
def _said(kind: type[Struct]) -> tuple[str, ...]:
    """The fields of a kind of row that say something of the world, not of where it was read."""
    return tuple(name for name in kind.__struct_fields__ if name not in _PROVENANCE)


# ---------------------------------------------------------------- removals


def _group(row: Any) -> str:
    """What one page speaks of: a directory of OpenMMLab's index, else the whole file."""
    return row.directory if isinstance(row, IndexRow) else ""


def _units(row: Any) -> Iterator[Hashable]:
    """The single statements of a row: how its rows are grouped must not look like a loss."""
    if isinstance(row, IndexRow):
        for version in row.versions:
            for python in row.pythons_seen or (None,):
                yield row.package, row.platform, version, python
    else:
        yield _key(_section_of(row), row)


def _section_of(row: Any) -> Section:
    return next(section for section in SECTIONS.values() if isinstance(row, section.row))


def _firm(row: Any) -> bool:
    """Whether someone saw it: what was only told or concluded may be corrected freely."""
    return row.confidence in {Confidence.MEASURED, Confidence.CAPTURED}


def _unbelievable(spoken: Iterable[Any], told: Iterable[Any]) -> dict[str, tuple[int, int]]:
    """Groups of which too much would go at once: how many facts, out of how many."""
    before: dict[str, set[Hashable]] = {}
    for row in spoken:
        if _firm(row):
            before.setdefault(_group(row), set()).update(_units(row))
    now: dict[str, set[Hashable]] = {}
    for row in told:
        now.setdefault(_group(row), set()).update(_units(row))
    found = {}
    for group, units in before.items():
        lost = len(units - now.get(group, set()))
        # OpenMMLab's index has only ever grown, and a cut page of it looks like a whole one.
        bearable = 0 if group else max(_LEAST, int(len(units) * _SHARE))
        if lost > bearable:
            found[group] = (lost, len(units))
    return found


def _disbelief(facts: Facts, group: str, lost: int, known: int) -> str:
    where = f"`{facts.path}`, `{group}`" if group else f"`{facts.path}`"
    return (
        f"{where}: {lost} of {known} known facts are not listed any more; that is too many to believe, "
        "so the old ones are kept (`--trust-removals` lets them go)"
    )
