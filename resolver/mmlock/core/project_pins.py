"""What became of each version that a project writes down."""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.names import PackageName, StrEnum

__all__ = ["Guess", "PinNote", "PinRole"]


class PinRole(StrEnum):
    """What a pin does in a solve."""

    BINDS = "binds"  # it is required as it stands
    BOUNDS = "bounds"  # it holds where something else brings the package
    ADVISES = "advises"  # preferred where it holds
    GUESSED = "guessed"  # written nowhere: an import that nothing declares, by the name of its module
    LEFT_OUT = "left out"


class PinNote(Struct, frozen=True, kw_only=True):
    """One pin of a project, and what it does."""

    place: str
    """`docs/install.md:12`."""
    text: str
    """As written."""
    role: PinRole
    why: str
    """Why it has that role, as a clause."""


class Guess(Struct, frozen=True, kw_only=True):
    """An import that runs whenever the project does, and that neither its files nor a fact explain."""

    module: str
    """Its first part: `einops`."""
    name: PackageName
    """The distribution that would have this name."""
    place: str
    """`projects/models/attention.py:13`."""
