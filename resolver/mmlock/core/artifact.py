"""Files that an installer can take."""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.names import PackageName, Sha256


class Artifact(Struct, frozen=True, kw_only=True):
    """A wheel or sdist as an index names it."""

    name: str
    """File name."""
    url: str
    sha256: Sha256 | None
    """None: the index publishes none and no one has recorded it."""
    size: int | None = None
    upload_time: str | None = None
    """ISO 8601 with `Z`, as the index says it."""
    requires_python: str | None = None
    yanked: bool = False

    @property
    def is_wheel(self) -> bool:
        return self.name.endswith(".whl")


class BuiltFor(Struct, frozen=True, kw_only=True):
    """What an index says a compiled wheel was built for, besides what its name tells."""

    torch: str
    """With its variant: `2.11.0+cu130`."""
    archs: tuple[str, ...] | None = None
    """GPU code, as `TORCH_CUDA_ARCH_LIST` spells it (`12.0+PTX`); empty: there is none; None: not said."""


class NamedIndex(Struct, frozen=True, kw_only=True):
    """An index that serves the packages named here and no other; they come from nowhere else."""

    name: str
    url: str
    packages: tuple[PackageName, ...] = ()


class IndexSettings(Struct, frozen=True, kw_only=True):
    """Where ordinary packages come from. None and () mean the tool's own defaults."""

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    """Each goes before the main index: what it has is not looked for there."""
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    named: tuple[NamedIndex, ...] = ()

    @property
    def is_default(self) -> bool:
        return self == IndexSettings()


class ClosedPackage(Struct, frozen=True, kw_only=True):
    """A package of the closure, pinned."""

    name: PackageName
    version: str
    files: tuple[Artifact, ...]
    """Every file that fits the target, best first; never empty."""
    via: tuple[str, ...] = ()
    """Who asked for it: package names, or the user's own words."""
