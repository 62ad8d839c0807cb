"""A lock as the tables of a pyproject.toml for PDM: pins, overrides, sources bound to packages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmlock.lock.model import LockedEnv
from mmlock.wheels.export.projects import Pinned, document, index_names, pinned, requires_python

__all__ = ["render"]


def render(env: LockedEnv, folder: Path) -> str:
    """The tables as TOML. Raises UsageError for a lock that is not sealed."""
    packages = pinned(env, folder)
    names = index_names(packages)
    project = {
        "name": "locked",
        "version": "0",
        "requires-python": requires_python(env),
        "dependencies": [_dependency(one) for one in packages],
    }
    tool: dict[str, Any] = {
        "distribution": False,
        "resolution": {
            "respect-source-order": True,
            "overrides": {one.name: _override(one) for one in packages},
        },
    }
    if names:
        bound = {url: [one.name for one in packages if one.index == url] for url in names}
        elsewhere = sorted(name for held in bound.values() for name in held)
        tool["source"] = [
            *({"name": names[url], "url": url, "include_packages": held} for url, held in bound.items()),
            {"name": "pypi", "url": "https://pypi.org/simple", "exclude_packages": elsewhere},
        ]
    return document("pdm", env, {"project": project, "tool": {"pdm": tool}})


def _dependency(one: Pinned) -> str:
    place = _place(one)
    return f"{one.name} @ {place}" if place else one.pin


def _override(one: Pinned) -> str:
    return _place(one) or f"=={one.version}"


def _place(one: Pinned) -> str | None:
    if one.path:
        return f"file://{one.path}" if one.path.startswith("/") else f"file:///${{PROJECT_ROOT}}/{one.path}"
    return one.url
