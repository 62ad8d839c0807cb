"""A lock as the tables of a pyproject.toml for uv: pins, overrides, explicit indexes, sources.

Every pin is an override too: where the declared metadata of two packages contradict, the lock has decided.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmlock.lock.formats.toml_out import Inline
from mmlock.lock.model import LockedEnv
from mmlock.wheels.export.projects import Pinned, document, index_names, marker, pinned, requires_python

__all__ = ["render"]


def render(env: LockedEnv, folder: Path) -> str:
    """The tables as TOML. Raises UsageError for a lock that is not sealed."""
    packages = pinned(env, folder)
    names = index_names(packages)
    tool: dict[str, Any] = {
        "package": False,
        "environments": [marker(env)],
        "override-dependencies": [_requirement(one) for one in packages],
    }
    if sources := {one.name: source for one in packages if (source := _source(one, names))}:
        tool["sources"] = sources
    if names:
        tool["index"] = [{"name": name, "url": url, "explicit": True} for url, name in names.items()]
    project = {
        "name": "locked",
        "version": "0",
        "requires-python": requires_python(env),
        "dependencies": [_requirement(one) for one in packages],
    }
    return document("uv", env, {"project": project, "tool": {"uv": tool}})


def _requirement(one: Pinned) -> str:
    """With its URL where it has one: a source of uv's cannot hold a hash, a requirement can."""
    return f"{one.name} @ {one.url}" if one.url else one.pin


def _source(one: Pinned, names: dict[str, str]) -> Inline | None:
    if one.index:
        return Inline(index=names[one.index])
    return Inline(path=one.path) if one.path else None
