"""The pieces that a question to the closure is taken apart into."""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.names import StrEnum

__all__ = ["Piece", "PieceKind"]


class PieceKind(StrEnum):
    """What a piece of the question is."""

    REQUIRES = "requires"  # what a package requires
    VERSION = "version"  # the version it is pinned to
    CURE = "cure"  # what the cure of a breakage, or a toolchain, adds


class Piece(Struct, frozen=True, kw_only=True):
    """A part of the question that belongs to some choices of the core and not to all."""

    kind: PieceKind
    name: str
    """The package, or the breakage."""
    lines: tuple[str, ...] = ()
