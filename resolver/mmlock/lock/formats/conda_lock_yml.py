"""`conda-lock.yml` (version 1), for conda-lock and micromamba.

`conda-lock install` runs whatever pip is on PATH, even one outside of the environment, where the lock has pip
packages and no pip of its own: such a lock is refused here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from mmlock.core.errors import UsageError
from mmlock.lock.formats.conda_parts import dump_yaml, subdir
from mmlock.lock.model import CondaPackage, LockedEnv, LockedPackage

__all__ = ["MARK", "NAME", "VERSION", "render", "render_many"]

NAME = "conda-lock.yml"
VERSION = 1
MARK = "# Locked by mmlock"


def render(env: LockedEnv) -> str | None:
    """The lock as conda-lock.yml; None for one without conda packages. Raises UsageError without pip."""
    return render_many([env]) if env.conda else None


def render_many(envs: Sequence[LockedEnv]) -> str:
    """Locks as one conda-lock.yml, each for a platform of its own.

    Raises UsageError for two of one platform, which such a file cannot hold, and for one without pip.
    """
    by_platform: dict[str, LockedEnv] = {}
    for env in envs:
        here = subdir(env.target.platform)
        if here in by_platform:
            raise UsageError(
                f"conda-lock.yml cannot hold two locks for {here}",
                causes=["it has one set of packages for each platform"],
                hints=["pixi.lock holds several: `mmlock export pixi-lock`"],
            )
        _require_pip(env)
        by_platform[here] = env
    rows = [(here, by_platform[here]) for here in sorted(by_platform)]
    channels = dict.fromkeys(channel for _, env in rows for channel in env.channels)
    conda = [_conda(one, here) for here, env in rows for one in sorted(env.conda, key=lambda one: one.name)]
    pip = [_pip(one, here) for here, env in rows for one in sorted(env.packages, key=lambda one: one.name)]
    document: dict[str, Any] = {
        "version": VERSION,
        "metadata": {
            "content_hash": {here: _content(env) for here, env in rows},
            "channels": [{"url": channel, "used_env_vars": []} for channel in channels],
            "platforms": [here for here, _ in rows],
            "sources": ["pylock.toml"],
        },
        "package": [*conda, *pip],
    }
    return f"{MARK}; pylock.toml and why.md beside it say why.\n" + dump_yaml(document)


def _require_pip(env: LockedEnv) -> None:
    if env.packages and not any(package.name == "pip" for package in env.conda):
        raise UsageError(
            "the lock has pip packages and no pip from conda",
            causes=["`conda-lock install` would then use a pip outside of the environment"],
            hints=["solve again with `pip` among the requirements"],
        )


def _content(env: LockedEnv) -> str:
    """Of the request: what conda-lock compares to see whether a lock is stale."""
    return hashlib.sha256(json.dumps(sorted(env.request)).encode()).hexdigest()


def _conda(package: CondaPackage, here: str) -> dict[str, Any]:
    depends: dict[str, str] = {}
    for spec in package.depends:
        name, _, rest = spec.partition(" ")
        if not name.startswith("__"):
            depends[name] = rest.strip()
    return {
        "name": package.name,
        "version": package.version,
        "manager": "conda",
        "platform": here,
        "dependencies": dict(sorted(depends.items())),
        "url": package.url,
        "hash": {"md5": package.md5, "sha256": str(package.sha256)},
        "category": "main",
        "optional": False,
    }


def _pip(package: LockedPackage, here: str) -> dict[str, Any]:
    file = package.files[0]
    return {
        "name": str(package.name),
        "version": package.version,
        "manager": "pip",
        "platform": here,
        "dependencies": {},
        "url": file.url,
        "hash": {"sha256": str(file.sha256)},
        "category": "main",
        "optional": False,
    }
