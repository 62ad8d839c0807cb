"""What a scan did not read, and why, as values."""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.names import StrEnum

__all__ = ["LeftOut", "LeftOutReason", "UnreadSourceError"]


class LeftOutReason(StrEnum):
    """Why something was not read."""

    # What the walk leaves out.
    LINK_OUTSIDE = "link-outside"  # a link that leads out of the project
    LINK_REPEATED = "link-repeated"  # a link to what is read under its own name: nothing is lost
    LINK_BROKEN = "link-broken"  # a link to nothing, or to itself
    LINK_SKIPPED = "link-skipped"  # a link into a folder that is skipped: .git, site-packages
    NOT_A_FILE = "not-a-file"  # a pipe, a device, a socket: never opened
    TOO_MANY = "too-many"  # more files and folders than are listed; `detail`: how many are
    TOO_DEEP = "too-deep"  # folders in folders; `detail`: how many are entered
    ENVIRONMENT = "environment"  # a Python environment inside the project
    # What reading leaves out.
    TOO_LARGE = "too-large"  # `detail`: the limit, in bytes
    TOO_MUCH = "too-much"  # all bytes of a scan are spent; `detail`: how many these are
    CHANGED = "changed"  # another file than the one that was listed
    UNREADABLE = "unreadable"  # the system says no; `detail`: in its words
    # What a file of the project names, and what is not read for that.
    OUTSIDE = "outside"  # a path out of the project, or an address; `detail`: as it is written
    MISSING = "missing"  # `detail`: the path, from the project's root
    # What is read and cannot be used.
    NULL_BYTES = "null-bytes"
    ENCODING = "encoding"  # not text in the encoding it states
    PYTHON_2 = "python-2"
    SYNTAX = "syntax"  # Python with an error
    TOO_COMPLEX = "too-complex"  # nested deeper than a parser goes
    NOT_A_NOTEBOOK = "not-a-notebook"
    NOT_JSON = "not-json"
    NOT_TOML = "not-toml"
    NOT_INI = "not-ini"
    NOT_YAML = "not-yaml"  # `detail`: what is wrong with it
    REQUIREMENT = "requirement"  # a line of a requirements file; `detail`: what is wrong with it
    INDEX = "index"  # a requirements file that names an index of its own
    CHANNELS = "channels"  # a conda environment that names channels of its own; `detail`: these


class LeftOut(Struct, frozen=True, kw_only=True):
    """One thing that was not read."""

    path: str
    """Relative to the project, with `/`; of something that a file names: that file."""
    reason: LeftOutReason
    line: int | None = None
    """Of the file; None: all of it."""
    detail: str = ""
    """What the reason says of it, as it is: it may hold any character."""

    def __str__(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}"


class UnreadSourceError(Exception):
    """A file that cannot be used; the reason is a value."""

    def __init__(self, reason: LeftOutReason, detail: str = "", *, line: int | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.detail = detail
        self.line = line

    def at(self, path: str) -> LeftOut:
        """The same as a value, for a file."""
        return LeftOut(path=path, reason=self.reason, detail=self.detail, line=self.line)
