"""A sweep in two dimensions, for the page and the drawing: devices and stacks across Pythons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from mmlock.farm.sweep import Sweep, SweepGroup, groups_of
from mmlock.resolve.loop.grid import CellState
from mmlock.resolve.loop.sweep import PointAnswer, Stop

__all__ = ["COLOURS", "MEANING", "STOPS", "Best", "CellLine", "best", "lines_of", "name_of"]

MEANING: Mapping[CellState, str] = {
    CellState.VALIDATED: "validated: its kernels ran on such a device",
    CellState.WHEEL: "wheels for everything",
    CellState.UNREAD: "wheels; the GPU code of some is unknown",
    CellState.VERIFIED: "a build with a tested recipe",
    CellState.BUILD: "a build with an untested recipe",
    CellState.WITHOUT_OPS: "without compiled ops, or with ops in plain PyTorch",
    CellState.BROKEN: "installs, and is known to fail",
    CellState.REFUSED: "incompatible",
    CellState.UNKNOWN: "not known",
}

STOPS: Mapping[Stop, str] = {
    Stop.DEVICE_UNSERVED: "nothing public is built for the device",
    Stop.TORCH_ABSENT: "torch has no such build for the platform",
    Stop.PYTHON: "that torch has no wheel for the Python",
    Stop.DEVICE: "that torch has no kernels for the device",
    Stop.PACKAGES: "the packages of the stack have no versions for that torch and Python",
}

COLOURS: Mapping[CellState, str] = {
    CellState.VALIDATED: "#1a7f4b",
    CellState.WHEEL: "#5cb87f",
    CellState.UNREAD: "#b5dcc0",
    CellState.VERIFIED: "#7fb2e5",
    CellState.BUILD: "#c3dbf3",
    CellState.WITHOUT_OPS: "#f0d9a0",
    CellState.BROKEN: "#e59a5f",
    CellState.REFUSED: "#d8d8d8",
    CellState.UNKNOWN: "#ffffff",
}
"""Greens install, blues build: no two differ in hue alone."""

_ORDER = {state: place for place, state in enumerate(CellState)}


class Best(Struct, frozen=True, kw_only=True):
    """What a device gets on a Python, whatever the torch."""

    state: CellState
    torch: str | None
    """The newest torch in that state."""


class CellLine(Struct, frozen=True, kw_only=True):
    """A device, or several that are alike, in one stack."""

    group: SweepGroup
    cells: tuple[Best, ...]
    """By Python."""


def best(row: tuple[PointAnswer, ...]) -> Best:
    """The best of the answers for all torches: of equals the first, as the axes name the newest first."""
    answer = min(row, key=lambda found: _ORDER[found.state])
    return Best(state=answer.state, torch=answer.torch)


def lines_of(sweep: Sweep, stack: str) -> Iterator[CellLine]:
    """The devices of a stack, in the order of the axes."""
    for group in groups_of(sweep, stack):
        yield CellLine(group=group, cells=tuple(best(row) for row in group.answers))


def name_of(group: SweepGroup, most: int = 3) -> str:
    """The devices of a group by their first names: `sm_120: RTX 5090, RTX 5080 and 7 more`."""
    shown = ", ".join(group.gpus[:most])
    more = f" and {len(group.gpus) - most} more" if len(group.gpus) > most else ""
    prefix = f"{group.arch}: " if group.arch and group.arch not in group.gpus else ""
    return f"{prefix}{shown}{more}"
