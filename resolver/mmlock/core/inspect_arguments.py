"""What a user asks about compiled files."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class InspectArguments(Struct, frozen=True, kw_only=True):
    """A thing to inspect, and what it must work with."""

    thing: str
    """A wheel, a URL, a folder, an environment, `PACKAGE==VERSION`, or a torch symbol."""
    torch: tuple[str, ...] = ()
    """`2.1.2`, `2.1.2+cu118`; empty: the installed one, else what the wheel declares."""
    beside: tuple[str, ...] = ()
    """`PACKAGE==VERSION`: whose Python names it takes."""
    gpus: tuple[str, ...] = ()
    """As typed; `auto` is this machine's."""
    python: str | None = None
    whole: bool = False
    """Read remote files whole."""
    offline: bool = False
    matrices: Path | None = None
    """None: those that came with mmlock."""
