"""The shape of facts about files: what an index lists, and what a compiled wheel holds."""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.names import Confidence, PackageName, Platform, Sha256, WheelDetail

__all__ = ["Binary", "File", "IndexRow", "ProvidedWheel"]


class File(Struct, frozen=True, kw_only=True):
    """A file an index serves. Files `files/PACKAGE.json`, key `name`."""

    name: str
    url: str
    sha256: Sha256 | None
    """None: nobody has recorded it. Never invented."""
    size: int | None
    requires_python: str | None
    yanked: bool
    source: tuple[str, ...]
    confidence: Confidence
    upload_time: str | None = None
    disputed: tuple[Sha256, ...] = ()
    """Hashes that published lock files state for it and that differ: none of them is believed."""


class Binary(Struct, frozen=True, kw_only=True):
    """A prebuilt extension that is tied to torch, CUDA or both. Files `binaries/PACKAGE.json`.

    torchvision, torchaudio, xformers, flash-attn, spconv-cuXXX, torch-npu. Key (package, version,
    cuda, torch, cxx11_abi).
    """

    package: PackageName
    version: str
    torch: str | None
    """PEP 440 specifier on torch that the wheel declares or its name encodes; None: not tied."""
    cuda: str | None
    """CUDA it was built with (`11.8`); None: follows the torch build, or no CUDA."""
    same_variant: bool
    """Served next to torch, one build per torch variant (torchvision, torchaudio)."""
    cudart: str | None
    """libcudart soname it needs from the environment."""
    archs: tuple[str, ...] | None
    ptx: tuple[str, ...]
    cxx11_abi: int | None
    glibc: str | None
    pythons: tuple[str, ...]
    """Empty: any Python 3 (`py3-none`)."""
    platforms: tuple[Platform, ...]
    url: str | None
    """Template with `{py}` (`cp310`) where the file is on no index mmlock reads; else None."""
    yanked: bool
    source: tuple[str, ...]
    confidence: Confidence
    note: str | None = None
    unread: tuple[WheelDetail, ...] = ()
    """What its wheel tells and nobody has read there."""


class ProvidedWheel(Struct, frozen=True, kw_only=True):
    """Wheels of a package on an index that is not its own. Files `providers/PACKAGE.json`.

    Facts of their own: they are shown to a user, and taken only when the user allows the provider. Key
    (provider, version, torch, variant, platform).
    """

    provider: str
    """`onedl`, `torch-packages-builder`."""
    package: PackageName
    version: str
    """As the wheel states it, local part included."""
    torch: str
    """PEP 440 specifier on torch that its directory or name encodes."""
    variant: str
    """The torch variant it was built for: `cu128`, `cpu`."""
    platform: Platform
    pythons: tuple[str, ...]
    archs: tuple[str, ...] | None
    """None: neither the index nor the name tells."""
    glibc: str | None
    index: str
    """The page that lists it."""
    url: str
    """Template with `{py}` (`cp312`)."""
    hashed: bool
    """Whether the index publishes hashes."""
    source: tuple[str, ...]
    confidence: Confidence
    note: str | None = None


class IndexRow(Struct, frozen=True, kw_only=True):
    """Wheels in one directory of OpenMMLab's index. File `openmmlab/index.json`."""

    directory: str
    """`cu121/torch2.1.0`."""
    package: PackageName
    platform: Platform
    versions: tuple[str, ...]
    pythons_seen: tuple[str, ...]
    pythons_inferred: tuple[str, ...]
    source: tuple[str, ...]
    confidence: Confidence
    """Of the row's existence."""
