"""`conda-lock.yml` (version 1), for conda-lock and micromamba.

`conda-lock install` runs whatever pip is on PATH, even one outside of the environment, where the lock has pip
packages and no pip of its own: such a lock is refused here.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from mmlock.core.errors import UsageError
from mmlock.lock.formats.conda_parts import dump_yaml, subdir
from mmlock.lock.model import CondaPackage, LockedEnv, LockedPackage

__all__ = ["MARK", "NAME", "render"]

NAME = "conda-lock.yml"
MARK = "# Locked by mmlock"


def render(env: LockedEnv) -> str | None:
    """The lock as conda-lock.yml; None for one without conda packages. Raises UsageError without pip."""
    if not env.conda:
        return None
    if env.packages and not any(package.name == "pip" for package in env.conda):
        raise UsageError(
            "the lock has pip packages and no pip from conda",
            causes=["`conda-lock install` would then use a pip outside of the environment"],
            hints=["solve again with `pip` among the requirements"],
        )
    here = subdir(env.target.platform)
    conda = [_conda(package, here) for package in sorted(env.conda, key=lambda one: one.name)]
    pip = [_pip(package, here) for package in sorted(env.packages, key=lambda one: one.name)]
    document: dict[str, Any] = {
        "version": 1,
        "metadata": {
            "content_hash": {here: _content(env)},
            "channels": [{"url": channel, "used_env_vars": []} for channel in env.channels],
            "platforms": [here],
            "sources": ["pylock.toml"],
        },
        "package": [*conda, *pip],
    }
    return f"{MARK}; pylock.toml and why.md beside it say why.\n" + dump_yaml(document)


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
