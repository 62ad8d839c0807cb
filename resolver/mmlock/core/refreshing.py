"""The options of a refresh of the facts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field


class RefreshArguments(Struct, frozen=True, kw_only=True):
    """One refresh."""

    matrices: Path | None = None
    """The folder to rewrite; None: the one in use, unless it is the one inside the installed package."""
    only: tuple[str, ...] = ()
    """Indexes (`openmmlab`) or packages (`mmdet`); empty: everything."""
    index_url: str | None = None
    """The package index instead of the configured one."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Index -> where a mirror of it is."""
    hashes: tuple[str, ...] = ()
    """Directories or URLs of OpenMMLab's index whose wheels are downloaded once to record their hashes."""
    inspect: tuple[str, ...] = ()
    """Packages of which older wheels, too, are read for what names and metadata do not tell."""
    locks: Path | None = None
    """The folder with committed locks; None: `lockfiles`, where there is one."""
    relock: bool = False
    """Solve those locks of the catalogue again that a changed fact concerns, and no other."""
    catalogue: Path = Path("mmlock.toml")
    """The file that names the locks, for `relock`."""
    offline: bool = False
    dry_run: bool = False
    strict: bool = False
    """Whether an index that could not be read is an error."""
    trust_removals: bool = False
