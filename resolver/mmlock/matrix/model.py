"""The shape of every fact in `matrices/`. These dataclasses *are* the schema.

Each file is one document: `{"schema": NAME, "sources": {KEY: TEXT}, "rows": [...]}` (JSON for what
is scraped or imported, TOML for what is curated by hand). Every row carries `source`, a list of
keys of that file's `sources`, and `confidence`. Rows are sorted by their `key`.

Spelling used everywhere: Pythons `3.12` (free-threaded `3.13t`), CUDA `12.8`, torch variants `cu128`,
`cpu`, `rocm6.2`, archs `sm_120` / `gfx90a`, C++ standards as the year number `14`, `17`, `20`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mmlock.core.names import Confidence, DeviceKind, PackageName, Platform, Sha256

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document(Generic[Row]):
    """One matrix file."""

    schema: str
    rows: tuple[Row, ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None


# ---------------------------------------------------------------- hardware and toolkits


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """An NVIDIA part. File `gpus.json`, key `name`."""

    name: str
    aliases: tuple[str, ...]
    sm: str
    family: str
    segment: str
    source: tuple[str, ...]
    confidence: Confidence
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """A compute capability. File `capabilities.json`, key `sm`."""

    sm: str
    family: str
    machine: str
    """`x86_64` or `aarch64`: the machines such parts sit in."""
    first_cuda: str
    last_cuda: str | None
    tegra: bool
    source: tuple[str, ...]
    confidence: Confidence
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """A device that is not an NVIDIA GPU. File `curated/accelerators.toml`, key `name`."""

    name: str
    kind: DeviceKind
    aliases: tuple[str, ...]
    answer: str
    """`lock` when public artifacts make an environment; `reason` when they cannot."""
    torch_variant: str | None = None
    """What torch to take: `cpu`, `rocm`, `default` (PyPI's), None when none is public."""
    platform: Platform | None = None
    """The platform such a device implies (`macosx_arm64` for MPS)."""
    plugin: PackageName | None = None
    """A torch plug-in that is on PyPI and belongs into the lock (`torch-npu`)."""
    mmcv: str
    """What kernels mmcv has for it, as a sentence."""
    note: str
    """What a user must know or do, as a sentence."""
    build_env: Mapping[str, str]
    """Environment of an mmcv build for this device (`FORCE_NPU = "1"`)."""
    arch: str | None = None
    source: tuple[str, ...]
    confidence: Confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolkit:
    """A CUDA toolkit release. File `toolkits.json`, key `cuda`."""

    cuda: str
    first_sm: str
    last_sm: str
    archs: tuple[str, ...] | None
    """What its ptxas accepts; None where it was not run."""
    ptx_isa: str
    gcc_max: int
    """Newest gcc major its nvcc accepts."""
    clang_max_excl: int | None
    driver: str | None
    """Driver the release notes name for it (Linux); needed to compile its PTX."""
    driver_floor: str
    """Oldest driver that runs its cubins (minor-version compatibility)."""
    source: tuple[str, ...]
    confidence: Confidence
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """A way to get a CUDA toolkit for a build. File `curated/toolchains.toml`, key `name`."""

    name: str
    cuda: str
    """`13.0`: the minor must equal torch's."""
    lockable: bool
    """Whether every file of it can be pinned by hash."""
    provider: str
    """`pip`, `system`, `conda`."""
    packages: tuple[str, ...]
    """Exact requirements for provider `pip`."""
    setup: tuple[str, ...]
    """Shell lines that make it usable after it is installed."""
    cuda_home: str | None = None
    source: tuple[str, ...]
    confidence: Confidence
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CppExtension:
    """What `torch.utils.cpp_extension` of a torch release does. File `torch/cpp_extension.json`."""

    torch: str
    default_std: int
    header_std: int | None
    """Lowest standard its headers accept (`#error` below); None when not read."""
    archs: tuple[str, ...]
    """Items TORCH_CUDA_ARCH_LIST accepts, `12.0` spelling."""
    cuda_mismatch_check: bool
    gcc_bounds: Mapping[str, tuple[str, str]]
    """CUDA -> (min, max exclusive) gcc that it accepts; a CUDA that is absent is not checked."""
    source: tuple[str, ...]
    confidence: Confidence


# ---------------------------------------------------------------- torch and friends


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchBuild:
    """One build of torch. File `torch/builds.json`, key (torch, variant, platform)."""

    torch: str
    variant: str
    platform: Platform
    cuda: str | None
    on_pypi: bool
    """Whether this is the file PyPI serves for that platform."""
    index: str
    """PEP 503 root that serves it, for example `https://download.pytorch.org/whl/cu118`."""
    archs: tuple[str, ...] | None
    """None: not known. Empty: no GPU code."""
    ptx: tuple[str, ...]
    cxx11_abi: int | None
    glibc: str | None
    """glibc that the wheel needs, whatever its tag says; None off Linux."""
    cudart: str | None
    """libcudart soname it brings, None when static, bundled or without CUDA."""
    pythons: tuple[str, ...]
    source: tuple[str, ...]
    confidence: Confidence
    """Of the arch list, the weakest part."""
    note: str | None = None
    tag: str | None = None
    """Platform tag in its wheel's name (`linux_x86_64`), where it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requires:
    """Metadata of a release. Files `requires/PACKAGE.json`, key (version, platform)."""

    version: str
    requires: tuple[str, ...]
    """Requires-Dist, extras included as markers."""
    requires_python: str | None
    source: tuple[str, ...]
    confidence: Confidence
    platform: Platform | None = None
    """Set where wheels of one release differ by platform."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
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


# ---------------------------------------------------------------- OpenMMLab


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRow:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Assert:
    """A version check executed at import."""

    module: str
    """Import name (`mmseg`), not the distribution."""
    op: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release of an OpenMMLab package. Files `openmmlab/releases/PACKAGE.json`, key `version`."""

    version: str
    upload: str | None
    requires_python: str | None
    requires: tuple[str, ...]
    """Unconditional Requires-Dist."""
    mim: tuple[str, ...]
    """Extra `mim`, else mminstall.txt; lines that are not requirements are left out."""
    asserts: tuple[Assert, ...]
    undeclared: tuple[str, ...]
    """Third-party modules imported unconditionally by an entry module and declared nowhere."""
    missing: tuple[str, ...]
    """Own modules it imports that are not in the archive."""
    probes: Mapping[str, int]
    """Counted source patterns (`setup_locals_version`, `numpy_ge_2_removed_name`, ...)."""
    yanked: bool
    has_wheel: bool
    source: tuple[str, ...]
    confidence: Confidence


# ---------------------------------------------------------------- curated


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """One condition of a breakage: this package, in these versions, is in the environment."""

    package: PackageName
    """A package, or `python`, `gpu` (then `versions` bounds the compute capability)."""
    versions: str = ""
    """PEP 440 specifier; empty: any."""
    form: str | None = None
    """`wheel` or `build`; None: any."""
    cuda: str = ""
    """PEP 440 specifier on the CUDA of the torch build or wheel; empty: any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakage:
    """Something known to fail although every declared bound holds. File `curated/breaks.toml`."""

    id: str
    title: str
    when: tuple[When, ...]
    """All must hold."""
    symptom: str
    fix: str
    """What a person should do, as a sentence."""
    source: tuple[str, ...]
    confidence: Confidence
    constraints: tuple[str, ...] = ()
    """Requirements that cure it, given to the closure as constraints (`numpy<2`)."""
    add: tuple[str, ...] = ()
    """Requirements that cure it by being present (`ftfy`)."""
    drop: tuple[PackageName, ...] = ()
    """Declared requirements that are never used and cannot be installed (`chumpy`)."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Run-time environment that cures it."""

    @property
    def cured(self) -> bool:
        """Whether the lock itself removes the problem."""
        return bool(self.constraints or self.add or self.drop or self.environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A combination in which a recipe really made a working wheel."""

    version: str
    torch: str
    variant: str
    python: str
    how: str
    platform: Platform = Platform.LINUX_X86_64


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """An edit to the sources before a build."""

    id: str
    file: str
    find: str
    replace: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A named set of requirements. File `curated/stacks.toml`, key `name`."""

    name: str
    title: str
    requirements: tuple[str, ...]
    source: tuple[str, ...]
    confidence: Confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """Which distributions provide an import name. File `curated/modules.toml`, key `module`."""

    module: str
    packages: tuple[PackageName, ...]
    """Exactly one of them may be in an environment."""
    with_ops: tuple[PackageName, ...]
    """Those that can hold compiled ops."""
    core: bool
    """Decided by the core solver; else left to the closure."""
    source: tuple[str, ...]
    confidence: Confidence
    on_request: tuple[PackageName, ...] = ()
    """Other providers of the same import name: used only when the user names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A part that is sold with a processor of its own. File `curated/boards.toml`, key `name`."""

    name: str
    """The word in its name that tells it (`GH200`)."""
    platform: Platform
    source: tuple[str, ...]
    confidence: Confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Default:
    """A value taken when the user says nothing. File `curated/defaults.toml`, key `name`."""

    name: str
    value: str
    source: tuple[str, ...]
    confidence: Confidence
