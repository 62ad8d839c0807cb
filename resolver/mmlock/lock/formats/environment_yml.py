"""`environment.yml`: the same versions and builds, for conda, mamba and micromamba. It holds no hash."""

from __future__ import annotations

from typing import Any

from mmlock.lock.formats.conda_parts import dump_yaml
from mmlock.lock.model import LockedEnv

__all__ = ["MARK", "NAME", "render"]

NAME = "environment.yml"
MARK = "# Locked by mmlock"


def render(env: LockedEnv) -> str | None:
    """The lock as environment.yml; None for one without conda packages."""
    if not env.conda:
        return None
    conda = sorted(env.conda, key=lambda one: one.name)
    listed: list[Any] = [f"{package.name}={package.version}={package.build}" for package in conda]
    pip = [
        f"{package.name} @ {package.files[0].url}#sha256={package.files[0].sha256}"
        if "://" in package.files[0].url
        else f"./{package.files[0].url}"
        for package in sorted(env.packages, key=lambda one: one.name)
    ]
    if pip:
        listed.append({"pip": ["--no-deps", *pip]})
    document: dict[str, Any] = {
        "name": env.stack,
        "channels": [*env.channels, "nodefaults"],
        "dependencies": listed,
    }
    if env.environment:
        document["variables"] = dict(sorted(env.environment.items()))
    return f"{MARK}. Conda packages have no hash here: conda-lock.yml and pixi.lock have.\n" + dump_yaml(
        document
    )
