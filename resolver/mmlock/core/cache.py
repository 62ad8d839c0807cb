"""Folders of this user: where mmlock may keep what it can get again."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from mmlock.core.errors import UsageError


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


def unheard(moment: float) -> None:
    """Nobody asks when what is served from a cache was stored."""
    del moment


FRESH_SECONDS = 600.0
"""As long as uv takes a page for fresh that says nothing else."""


def fresh_seconds(environ: Mapping[str, str]) -> float:
    """Seconds for which an answer that rests on an index counts as fresh: `MMLOCK_CACHE_TTL`, else uv's own.

    Raises UsageError when the variable is no number.
    """
    text = environ.get("MMLOCK_CACHE_TTL", "")
    try:
        return float(text) if text else FRESH_SECONDS
    except ValueError:
        raise UsageError(
            f"`MMLOCK_CACHE_TTL` is not a number: `{text}`", hints=["give seconds, for example `600`"]
        ) from None
