"""What a user can ask of `mmlock update` and `mmlock feed`."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from mmlock.core.catalogue import NAME
from mmlock.core.names import StrEnum

__all__ = ["FeedArguments", "ForgeKind", "UpdateArguments"]


class ForgeKind(StrEnum):
    """Where pull requests are opened."""

    LOCAL = "local"  # branches and texts in this clone
    GITHUB = "github"
    GITEA = "gitea"  # and Forgejo
    GITLAB = "gitlab"


class UpdateArguments(Struct, frozen=True, kw_only=True):
    """One update."""

    file: Path = Path(NAME)
    """In a clone of the repository; read as it is in the base branch."""
    forge: ForgeKind = ForgeKind.LOCAL
    repository: str | None = None
    """`OWNER/NAME`; None: that of the remote."""
    api: str | None = None
    """Where the forge's API is; None: at its usual place beside the remote."""
    remote: str = "origin"
    base: str | None = None
    """The branch to update; None: the forge's default one, locally the one that is checked out."""
    refresh: bool = True
    """Read the indexes again first, where the repository has a `matrices` folder."""
    patches: Path | None = None
    """Write patches and descriptions there instead of branches."""
    dry_run: bool = False
    jobs: int | None = None
    offline: bool = False
    matrices: Path | None = None
    allowed_signers: tuple[Path, ...] = ()


class FeedArguments(Struct, frozen=True, kw_only=True):
    """Where the data source for Renovate is written."""

    out: Path
    matrices: Path | None = None
