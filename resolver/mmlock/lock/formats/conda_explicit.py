"""`explicit.txt`: URLs with hashes, for `conda create --file`. Only for locks without pip packages."""

from __future__ import annotations

from mmlock.core.errors import UsageError
from mmlock.lock.formats.conda_parts import subdir
from mmlock.lock.model import LockedEnv

__all__ = ["MARK", "NAME", "render", "render_strict"]

NAME = "explicit.txt"
MARK = "# Locked by mmlock"


def render(env: LockedEnv) -> str | None:
    """The explicit file; None for a lock that has pip packages or none from conda."""
    return render_strict(env) if env.conda and not env.packages and env.sealed else None


def render_strict(env: LockedEnv) -> str:
    """The explicit file. Raises UsageError for a lock that it cannot hold."""
    if not env.conda or env.packages or env.steps:
        other = "pip packages" if env.packages or env.steps else "no conda package"
        raise UsageError(
            "an explicit file cannot hold this lock",
            causes=[f"the lock has {other}; such a file names conda packages alone"],
            hints=["conda-lock.yml and pixi.lock hold both"],
        )
    lines = [
        f"{MARK} for {subdir(env.target.platform)}.",
        "# conda create --prefix env --file explicit.txt",
        "@EXPLICIT",
        *(f"{one.url}#sha256:{one.sha256}" for one in sorted(env.conda, key=lambda one: one.name)),
    ]
    return "\n".join(lines) + "\n"
