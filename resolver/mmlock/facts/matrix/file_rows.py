"""The shape of facts about files: what an index lists, and what a compiled wheel holds."""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.names import Confidence, PackageName, Platform, Sha256, WheelDetail

__all__ = ["Binary", "CondaRecord", "File", "IndexRow", "ProvidedWheel"]


class File(Struct, frozen=True, kw_only=True):
    """A file an index serves. Files `files/PACKAGE.json`, key `name`."""

    name: str
    url: str
    sha256: Sha256 | None
    """None: no one has recorded it. Never invented."""
    size: int | None
    requires_python: str | None
    yanked: bool
    source: tuple[str, ...]
    confidence: Confidence
    upload_time: str | None = None
    disputed: tuple[Sha256, ...] = ()
    """Hashes that published lock files state for it and that differ: none of them is believed."""


class CondaRecord(Struct, frozen=True, kw_only=True):
    """A package of a conda channel, as its repodata or a published lock file states it.

    Files `conda/SUBDIR.json` (`linux-64`, `noarch`), key (name, version, build, channel).
    """

    name: str
    """As the channel calls it; its names are its own (`pytorch`, `opencv`)."""
    version: str
    build: str
    """Build string: `cuda129_mkl_py313_h7947483_302`."""
    build_number: int
    channel: str
    """Its URL, without a slash at the end."""
    file: str
    """`NAME-VERSION-BUILD.conda` or `.tar.bz2`, below CHANNEL/SUBDIR."""
    sha256: Sha256 | None
    md5: str | None
    size: int | None
    """In bytes."""
    depends: tuple[str, ...]
    """Match specs."""
    source: tuple[str, ...]
    confidence: Confidence
    constrains: tuple[str, ...] = ()
    """Match specs that hold where such a package is there at all."""
    timestamp: int | None = None
    """When it was built, in milliseconds since 1970."""
    noarch: str | None = None
    """`python` or `generic`; None: for one platform."""
    track_features: tuple[str, ...] = ()
    """Each makes the record less wanted."""
    python_site_packages_path: str | None = None


class Binary(Struct, frozen=True, kw_only=True):
    """A prebuilt extension that is tied to torch, CUDA or both. Files `binaries/PACKAGE.json`.

    torchvision, torchaudio, xformers, flash-attn, spconv-cuXXX, torch-npu. Key (package, version,
    cuda, torch, cxx11_abi). Those of `packages/*.toml` follow from tables there.
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
    """What its wheel tells and no one has read there."""
    variant: str | None = None
    """The one torch variant it was built for (`cu128`, `cpu`); None: any that fits."""
    optional: tuple[str, ...] = ()
    """Compiled files (`torchao/_C_*.so`) that it does without where they do not load."""
    provider: str | None = None
    """Who built it, where that is not the project itself: taken only from providers that the user allows."""
    found_on: str | None = None
    """The index that the user named for such wheels; None: it is a fact. Never in a file."""
    listed: str | None = None
    """The `files/NAME.json` that has the file by its name, which `url` is then."""


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
