"""What a user asks the doctor."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from mmlock.core.artifact import IndexSettings


class DoctorArguments(Struct, frozen=True, kw_only=True):
    """A text to explain, or an environment to look at."""

    log: str | None = None
    """A file, or `-` for stdin."""
    text: str | None = None
    """The very text."""
    python: str | None = None
    """An interpreter, or the folder of an environment; None: the active one."""
    lock: Path | None = None
    """A lock folder to compare the environment with."""
    gpus: tuple[str, ...] = ()
    """As typed; empty: what the text names, or this machine's."""
    fix: bool = False
    """Write the lock that cures."""
    out: Path | None = None
    apply: bool = False
    """Change the environment, after the plan was shown."""
    sarif: bool = False
    """The plain values as a SARIF document."""
    yes: bool = False
    """The plan needs no further word."""
    index: IndexSettings = IndexSettings()
    offline: bool = False
    exclude_newer: str | None = None
    matrices: Path | None = None
    """None: those that came with mmlock."""

    @property
    def of_text(self) -> bool:
        return self.log is not None or self.text is not None
