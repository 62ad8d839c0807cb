"""The folder of this user for what mmlock cannot get again: their key, for one."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["state_root"]


def state_root(environ: Mapping[str, str], system: str = sys.platform) -> Path:
    """The folder of mmlock's state; it may not exist yet.

    `MMLOCK_STATE_DIR`, then `XDG_STATE_HOME`, then the habit of the platform.
    Source: https://specifications.freedesktop.org/basedir-spec/latest/
    """
    if own := environ.get("MMLOCK_STATE_DIR"):
        return Path(own)
    if xdg := environ.get("XDG_STATE_HOME"):
        return Path(xdg) / "mmlock"
    if system == "win32" and (local := environ.get("LOCALAPPDATA")):
        return Path(local) / "mmlock" / "state"
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    if system == "darwin":
        return home / "Library" / "Application Support" / "mmlock"
    return home / ".local" / "state" / "mmlock"
