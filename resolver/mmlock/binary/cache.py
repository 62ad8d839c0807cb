"""What was read of a wheel, kept under its hash: a wheel never changes, so neither does this."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec.structs import replace

from mmlock.binary.inspect import Effort, Uninspected, inspect_wheel
from mmlock.binary.model import Inspected
from mmlock.core.names import Sha256
from mmlock.core.progress import Progress, silent
from mmlock.files.atomic import write_aside
from mmlock.net.fetching import Fetcher

EDITION = 1
"""Grows when `Inspected` or what is read into it changes."""


def inspect_cached(
    place: str | Path,
    sha256: Sha256 | None,
    root: Path | None,
    *,
    client: Fetcher | None = None,
    effort: Effort | None = None,
    progress: Progress = silent,
) -> Inspected | Uninspected:
    """`inspect_wheel`, remembered below `root` where the wheel's hash is known. Faults are not kept."""
    effort = effort or Effort()
    path = _path(root, sha256, effort) if root and sha256 else None
    if path and (known := _load(path)):
        return replace(known, place=str(place), bytes_read=0)
    found = inspect_wheel(place, client=client, effort=effort, progress=progress)
    if path and isinstance(found, Inspected):
        try:
            write_aside(path, msgspec.json.encode(found))
        except OSError:
            return found  # a cache that cannot be written is no reason to fail
    return found


def _path(root: Path, sha256: Sha256, effort: Effort) -> Path:
    how = "whole" if effort.whole else "part" if effort.gpu else "symbols"
    return root / "inspected" / str(EDITION) / sha256[:2] / f"{sha256}.{how}.json"


def _load(path: Path) -> Inspected | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Inspected)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None
