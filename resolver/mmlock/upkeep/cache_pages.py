"""`mmlock cache`: where it is, how large, and how to free its space."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from mmlock.core.cache import cache_root
from mmlock.core.report import Page
from mmlock.upkeep.caches import CachePart, parts
from mmlock.upkeep.caches import prune as remove

_MB = 1e6


def cache_dir() -> Page:
    """Where it is."""
    root = str(cache_root(os.environ).absolute())
    return Page(text=f"{root}\n", data={"dir": root})


def cache_size() -> Page:
    """The size of each part."""
    root = cache_root(os.environ).absolute()
    found = tuple(parts(root))
    lines = [*_lines(found), f"{_megabytes(found)} in {root}"]
    return Page(text="\n".join(lines) + "\n", data={"dir": str(root), **_data(found)})


def cache_prune(*, days: float | None = None, dry_run: bool = False) -> Page:
    """Remove what is disposable."""
    root = cache_root(os.environ).absolute()
    gone = tuple(remove(root, days=days, dry_run=dry_run))
    word = "would remove" if dry_run else "removed"
    lines = [*_lines(gone), f"{word} {_megabytes(gone)} from {root}"]
    data = {"dir": str(root), "dry_run": dry_run, **_data(gone)}
    return Page(text="\n".join(lines) + "\n", data=data)


def _lines(found: Iterable[CachePart]) -> list[str]:
    return [f"{one.size / _MB:10.1f} MB  {one.name:<10}  {one.holds}" for one in found]


def _megabytes(found: Iterable[CachePart]) -> str:
    return f"{sum(one.size for one in found) / _MB:.1f} MB"


def _data(found: Sequence[CachePart]) -> dict[str, object]:
    names = ("name", "size", "files", "disposable")
    rows = [{name: getattr(one, name) for name in names} for one in found]
    return {"size": sum(one.size for one in found), "parts": rows}
