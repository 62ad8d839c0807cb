"""A lock as the tables of a pyproject.toml for Poetry 2: pins, explicit sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmlock.lock.formats.toml_out import Inline
from mmlock.lock.model import LockedEnv
from mmlock.wheels.export.projects import Pinned, document, index_names, pinned, requires_python

__all__ = ["render"]


def render(env: LockedEnv, folder: Path) -> str:
    """The tables as TOML. Raises UsageError for a lock that is not sealed."""
    packages = pinned(env, folder)
    names = index_names(packages)
    project = {"name": "locked", "version": "0", "requires-python": requires_python(env)}
    tool: dict[str, Any] = {
        "package-mode": False,
        "dependencies": {one.name: _dependency(one, names) for one in packages},
    }
    if names:
        tool["source"] = [{"name": name, "url": url, "priority": "explicit"} for url, name in names.items()]
    dynamic = {**project, "dynamic": ["dependencies"]}
    return document("poetry", env, {"project": dynamic, "tool": {"poetry": tool}})


def _dependency(one: Pinned, names: dict[str, str]) -> str | Inline:
    if one.index:
        return Inline(version=f"=={one.version}", source=names[one.index])
    if one.url:
        return Inline(url=one.url)
    return Inline(path=one.path) if one.path else f"=={one.version}"
