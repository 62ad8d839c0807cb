"""What a config names and what was not followed, as values."""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.names import StrEnum
from mmlock.scan.left_out import LeftOutReason
from mmlock.scan.model import SourceLine

__all__ = ["ConfigFault", "ConfigProblem"]


class ConfigProblem(StrEnum):
    """Why a part of a config was not read."""

    OUTSIDE = "outside"  # the base leads out of the project
    MISSING = "missing"  # no such file in the project
    CIRCLE = "circle"  # the base leads back to a config above it
    OTHER_PACKAGE = "other-package"  # `mmdet::retinanet/r.py`
    NO_MODULE = "no-module"  # a lazy config's base that is no module of the project
    UNREAD = "unread"  # the base is there and cannot be used: `reason` says why
    TYPES_ONLY = "types-only"  # YAML: its types are read, not what overrides what


class ConfigFault(Struct, frozen=True, kw_only=True):
    """One line of a config that was not followed."""

    place: SourceLine
    problem: ConfigProblem
    base: str = ""
    """What the line names, as written; of a circle in a tree, the file it leads back to."""
    reason: LeftOutReason | None = None
