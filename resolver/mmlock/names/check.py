"""Needs against what releases give: which releases certainly lack a name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from mmlock.names.needed import Needed
from mmlock.names.tables import GivenTable

__all__ = ["Missing", "lacking", "missing_names", "needs_text"]

_SHOWN = 2


class Missing(Struct, frozen=True, kw_only=True):
    """A name that a release certainly does not have."""

    need: Needed
    module_gone: bool
    """Whether the very module is not there."""

    @property
    def text(self) -> str:
        """`mmdet.utils.get_device (train.py:26)`."""
        return f"`{self.need.dotted}` ({self.need.file}:{self.need.line})"


def lacking(table: GivenTable, needs: Iterable[Needed]) -> int:
    """The releases that certainly lack one of the names, as a mask of the table."""
    found = 0
    for need in needs:
        found |= table.absent(need.module, need.name)
    return found


def missing_names(table: GivenTable, release: str, needs: Iterable[Needed]) -> Iterator[Missing]:
    """The names that one release certainly lacks; nothing of a release that was not read."""
    bit = table.text.spans.bit(release)
    for need in needs:
        if bit & table.absent(need.module, need.name):
            yield Missing(need=need, module_gone=bool(bit & table.absent(need.module)))


def needs_text(needs: Iterable[Needed]) -> str:
    """A few needs for people, those of one line together: `a.b.C`, `a.b.D` (file.py:9) and 3 more."""
    by_place: dict[tuple[str, int], list[str]] = {}
    for need in sorted(needs, key=lambda need: (need.file, need.line, need.dotted)):
        by_place.setdefault((need.file, need.line), []).append(need.dotted)
    if not by_place:
        return ""
    (file, line), names = next(iter(by_place.items()))
    rest = sum(map(len, by_place.values())) - min(_SHOWN, len(names))
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    return f"{shown} ({file}:{line})" + (f" and {rest} more" if rest else "")
