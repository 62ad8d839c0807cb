"""Folders of this user: where mmlock may keep what it can get again."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path


def cache_root(environ: Mapping[str, str], system: str = sys.platform) -> Path:
    """The folder of everything mmlock caches; it may not exist yet.

    `MMLOCK_CACHE_DIR`, then `XDG_CACHE_HOME`, then the habit of the platform.
    """
    if own := environ.get("MMLOCK_CACHE_DIR"):
        return Path(own)
    if xdg := environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "mmlock"
    if system == "win32" and (local := environ.get("LOCALAPPDATA")):
        return Path(local) / "mmlock" / "cache"
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    return home / "Library" / "Caches" / "mmlock" if system == "darwin" else home / ".cache" / "mmlock"
