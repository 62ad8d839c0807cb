"""Places that ask for versions of one package which cannot both hold."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from msgspec import Struct

from mmlock.core.names import PackageName
from mmlock.core.versions import allows
from mmlock.scan.pins.model import ProjectPin

__all__ = ["PinConflict", "conflicts"]


class PinConflict(Struct, frozen=True, kw_only=True):
    """Two requirements on one package that exclude each other, and where each is requested."""

    name: PackageName
    first: str
    second: str
    places: tuple[ProjectPin, ProjectPin]
    """The first place of each."""


def conflicts(pins: Iterable[ProjectPin]) -> tuple[PinConflict, ...]:
    """Every pair of differing bounds of which one is exact and the other refuses it."""
    by_name: dict[PackageName, dict[str, ProjectPin]] = {}
    for pin in pins:
        if pin.specifier and pin.marker is None:
            by_name.setdefault(pin.name, {}).setdefault(pin.specifier, pin)
    result: list[PinConflict] = []
    for name, bounds in sorted(by_name.items()):
        ordered = sorted(bounds.values(), key=lambda pin: pin.place)
        result += [
            PinConflict(name=name, first=first.text, second=second.text, places=(first, second))
            for first, second in combinations(ordered, 2)
            if _exclude(first.specifier, second.specifier) or _exclude(second.specifier, first.specifier)
        ]
    return tuple(result)


def _exclude(exact: str, bound: str) -> bool:
    """Whether an exact version is refused by another bound. A local part (`+cu118`) decides nothing here."""
    if not exact.startswith("==") or exact.endswith("*") or "," in exact:
        return False
    return not allows(bound.partition("+")[0], exact[2:].partition("+")[0])
