"""The shape of the facts about builds: `matrices/curated/recipes.toml`, and recipes of described packages."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from mmlock.core.names import Confidence, DeviceKind, Form, PackageName, Platform, Sha256


class Verified(Struct, frozen=True, kw_only=True):
    """A combination in which a recipe really made a working wheel."""

    version: str
    torch: str
    variant: str
    python: str
    how: str
    platform: Platform = Platform.LINUX_X86_64
    sources: Sha256 | None = None
    """Digest of the tree it was made of, where no index serves the sources."""


class Patch(Struct, frozen=True, kw_only=True):
    """An edit to the sources before a build."""

    id: str
    file: str
    find: str
    replace: str
    reason: str


class Grouping(Struct, frozen=True, kw_only=True):
    """Sources that were compiled as one, and gave the same device code as one by one.

    The host part of a CUDA file, which is the same for all, costs ten times what the rest does.
    """

    versions: str
    """PEP 440 specifier on the package: sources of another release may clash."""
    torch: str
    folder: str
    groups: tuple[tuple[str, ...], ...]
    """Names of files in that folder."""


class MeasuredBuild(Struct, frozen=True, kw_only=True):
    """What one build took."""

    version: str
    torch: str
    variant: str
    archs: int
    """GPU archs that it was compiled for; 0: without CUDA."""
    cpu_seconds: float
    """User and system time of the compile, with mmlock's precompiled headers and groupings."""
    how: str
    """On what machine, and when."""


IN_TREE = PackageName("in-tree")
"""Stands for the package in recipes that are good for any extension of a user's own tree."""


class Recipe(Struct, frozen=True, kw_only=True):
    """How a package is built from source. File `curated/recipes.toml`, key `id`."""

    id: str
    package: PackageName
    versions: str
    torch: str
    """PEP 440 specifier on torch."""
    pythons: str
    """PEP 440 specifier on `3.12`-style versions."""
    std: int | None = None
    """C++ standard its setup.py hard-codes after the patches; None: takes torch's default."""
    kinds: tuple[DeviceKind, ...]
    build_requires: tuple[str, ...]
    env: Mapping[str, str]
    """`{arch_list}` and `{jobs}` are filled in."""
    patches: tuple[Patch, ...]
    check: tuple[str, ...]
    """What proves the wheel: `file:mmcv/_ext*.so`, `tag:{py}`."""
    memory_mb: int
    """Of one compile job."""
    verified: tuple[Verified, ...]
    source: tuple[str, ...]
    confidence: Confidence
    note: str | None = None
    groupings: tuple[Grouping, ...] = ()
    measured: tuple[MeasuredBuild, ...] = ()
    """What builds with it took: from this, `mmlock farm plan` reckons what others take."""
    form: Form = Form.BUILD
    """`build` compiles; `torch-ops` puts plain PyTorch in the place of what would be compiled; `without-ops`
    makes the plain Python part alone."""
