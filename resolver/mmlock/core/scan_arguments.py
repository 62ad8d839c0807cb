"""What a user asks about a source tree."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class ScanArguments(Struct, frozen=True, kw_only=True):
    """A project, and how much of it is meant."""

    project: Path
    configs: tuple[str, ...] = ()
    """Config files that narrow the answer to what they need; empty: the whole tree."""
    matrices: Path | None = None
    """None: those that came with mmlock."""
