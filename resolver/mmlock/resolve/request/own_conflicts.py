"""Bounds in two files of one project that exclude each other: no solver can mend that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from mmlock.core.errors import NoAnswer
from mmlock.core.names import PackageName
from mmlock.scan.pins.conflicts import PinConflict
from mmlock.scan.pins.model import Binding, ProjectPin

__all__ = ["binding_conflicts", "require_agreement"]


def binding_conflicts(conflicts: Iterable[PinConflict]) -> Iterator[PinConflict]:
    """Those of which both sides bind."""
    return (one for one in conflicts if all(_binds(pin) for pin in one.places))


def _binds(pin: ProjectPin) -> bool:
    return pin.binding is Binding.DECLARED and not pin.repository and pin.name != "cuda"


def require_agreement(conflicts: Iterable[PinConflict], settled: Collection[PackageName]) -> None:
    """Raise NoAnswer that names both files, unless the user says which version to take."""
    found = [one for one in binding_conflicts(conflicts) if one.name not in settled]
    if not found:
        return
    names = " and ".join(f"`{name}`" for name in dict.fromkeys(one.name for one in found))
    raise NoAnswer(
        f"files of the project contradict each other about {names}",
        causes=[
            f"`{one.first}` ({one.places[0].place}) excludes `{one.second}` ({one.places[1].place})"
            for one in found
        ],
        hints=[
            f"say which one is meant: `--with '{found[0].second}'`, or `--with '{found[0].first}'`",
            "or correct one of the files",
        ],
    )
