"""Which forge a repository is on, with which token, and which branch is its base."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec.structs import replace

from mmlock.core.errors import UsageError
from mmlock.core.update_arguments import ForgeKind, UpdateArguments
from mmlock.upkeep.forges.local import LocalForge
from mmlock.upkeep.forges.model import Forge
from mmlock.upkeep.update.git import Git

__all__ = ["forge_for"]


def forge_for(
    arguments: UpdateArguments,
    git: Git,
    environ: Mapping[str, str],
    now: Callable[[], datetime],
    open_forge: Callable[[Git, str], Forge] | None = None,
) -> tuple[Forge, Git, str]:
    """The forge, git with its login, and the base branch. Raises UsageError, ForgeFault or GitFault."""
    if arguments.forge is ForgeKind.LOCAL:
        base = arguments.base or git.current_branch()
        return local_forge(git, base, now), git, base
    raise UsageError(f"`--forge {arguments.forge}` is not there yet")


def local_forge(git: Git, base: str, now: Callable[[], datetime]) -> LocalForge:
    """The clone itself as a forge."""

    def head_of(branch: str) -> str | None:
        found = git.try_text("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}")
        return found or None

    def is_merged(head: str, branch: str) -> bool:
        return git.try_text("merge-base", "--is-ancestor", head, f"refs/heads/{branch}") is not None

    return LocalForge(
        folder=git.common_folder() / "mmlock", head_of=head_of, is_merged=is_merged, base=base, now=now
    )
