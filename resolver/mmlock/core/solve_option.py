"""The shape of a row in the table of solve options."""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.names import StrEnum

__all__ = ["OptionKind", "OptionSection", "SolveOption", "Wording"]


class OptionKind(StrEnum):
    """What the value of an option is."""

    TEXT = "text"
    FLAG = "flag"
    PATH = "path"  # of a file or folder that is opened later
    REQUIREMENT = "requirement"  # PEP 508
    FILE = "file"  # with requirements or constraints; read with the request
    PROJECT = "project"  # a folder, or a pyproject.toml
    EXTENSION = "extension"  # `models/ops`, `NAME==1.0 @ models/ops`
    PACKAGE = "package"  # the name of a distribution
    INDEX = "index"  # `NAME=URL`
    PIN = "pin"  # `NAME=PACKAGE`: the index that alone may serve the package
    PLACE = "place"  # a folder, or the URL of a page with links


class OptionSection(StrEnum):
    """The heading under which a help text shows an option."""

    INPUT = "What to lock"
    TARGET = "Target"
    CHOICE = "What the solver may choose"
    INDEX = "Package indexes"
    OUTPUT = "Output"


class Wording(StrEnum):
    """How an option appears in the words of a request, which a lock records."""

    NONE = "none"  # it is about files, surroundings or output, not about the environment
    BARE = "bare"  # the value alone
    OPTION = "option"  # `--name=value`; a flag as `--name`
    RANKED = "ranked"  # `--name=1:value`: the order counts


class SolveOption(Struct, frozen=True, kw_only=True):
    """One thing that a user may state."""

    name: str
    """On the command line, without its dashes; in the words of a request, too."""
    field: str | None
    """What it fills: a field of `SolveArguments`, `index.FIELD` of its index settings; None: it only says
    which part of another option counts."""
    section: OptionSection
    help: str
    kind: OptionKind = OptionKind.TEXT
    metavar: str | None = None
    short: str | None = None
    repeatable: bool = False
    parameter: str = ""
    """What programs call it; empty: the name with underscores."""
    key: str | None = None
    """In `mmlock.toml`; None: there it is decided otherwise, see `why_no_key`."""
    why_no_key: str | None = None
    command_line: bool = True
    """Whether the command line has it."""
    wording: Wording = Wording.NONE

    @property
    def id(self) -> str:
        """Its name among values: unique in the table."""
        return self.parameter or self.name.replace("-", "_")
