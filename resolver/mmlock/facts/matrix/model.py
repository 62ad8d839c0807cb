"""The shape of every fact in `matrices/`. These dataclasses *are* the schema.

Those of the files that are written by hand are in `curated.py`, `recipe_rows.py` and `symptom_rows.py`.

Each file is one document: `{"schema": NAME, "sources": {KEY: TEXT}, "rows": [...]}` (JSON for what
is scraped or imported, TOML for what is curated by hand). Every row carries `source`, a list of
keys of that file's `sources`, and `confidence`. Rows are sorted by their `key`.

Spelling used everywhere: Pythons `3.12` (free-threaded `3.13t`), CUDA `12.8`, torch variants `cu128`,
`cpu`, `rocm6.2`, archs `sm_120` / `gfx90a`, C++ standards as the year number `14`, `17`, `20`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from msgspec import Struct, field

from mmlock.core.names import Confidence, DeviceKind, PackageName, Platform, Sha256, WheelDetail
from mmlock.facts.matrix.code import Op, Reach
from mmlock.facts.matrix.curated import (
    Accelerator,
    Board,
    Breakage,
    CondaName,
    CondaTorch,
    Cudnn,
    Default,
    DeviceAnswer,
    IndexHolds,
    MmcvEra,
    Module,
    NameRule,
    Namesake,
    NameSource,
    Repository,
    Stack,
    Submodule,
    TegraReport,
    Toolchain,
    TorchChoice,
    When,
)
from mmlock.facts.matrix.file_rows import Binary, CondaRecord, File, IndexRow, ProvidedWheel
from mmlock.facts.matrix.packages import Package, Provider
from mmlock.facts.matrix.recipe_rows import Grouping, Patch, Recipe, Verified
from mmlock.facts.matrix.symptom_rows import CompiledModule, Cure, Phrase, Symptom, SymptomKind

__all__ = [
    "Accelerator",
    "Assert",
    "Binary",
    "Board",
    "Breakage",
    "Capability",
    "CompiledModule",
    "CondaName",
    "CondaRecord",
    "CondaTorch",
    "CppExtension",
    "Cudnn",
    "Cure",
    "Default",
    "DeviceAnswer",
    "Document",
    "File",
    "Gpu",
    "Grouping",
    "IndexHolds",
    "IndexRow",
    "MmcvEra",
    "Module",
    "NameRule",
    "NameSource",
    "Namesake",
    "Op",
    "Package",
    "Patch",
    "Phrase",
    "ProvidedWheel",
    "Provider",
    "Reach",
    "Recipe",
    "Release",
    "Repository",
    "Requires",
    "Stack",
    "Submodule",
    "Symptom",
    "SymptomKind",
    "TegraReport",
    "Toolchain",
    "Toolkit",
    "TorchBuild",
    "TorchChoice",
    "Validation",
    "Verified",
    "When",
]

Row = TypeVar("Row")


class Document(Struct, Generic[Row], frozen=True, kw_only=True):
    """One matrix file."""

    schema: str
    rows: tuple[Row, ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None


# ---------------------------------------------------------------- hardware and toolkits


class Gpu(Struct, frozen=True, kw_only=True):
    """An NVIDIA part. File `gpus.json`, key `name`."""

    name: str
    aliases: tuple[str, ...]
    sm: str
    family: str
    segment: str
    source: tuple[str, ...]
    confidence: Confidence
    note: str | None = None


class Capability(Struct, frozen=True, kw_only=True):
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


class Toolkit(Struct, frozen=True, kw_only=True):
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
    """Oldest driver that runs its cubins (minor-version compatibility), on Linux."""
    driver_windows: str | None = None
    """As `driver`, on Windows; None where NVIDIA names none."""
    driver_floor_windows: str | None = None
    """As `driver_floor`, on Windows."""
    source: tuple[str, ...]
    confidence: Confidence
    note: str | None = None

    def driver_on(self, platform: Platform) -> str | None:
        """The driver that compiles its PTX on a platform; None where it is not known."""
        return self.driver_windows if platform is Platform.WINDOWS_X86_64 else self.driver

    def floor_on(self, platform: Platform) -> str | None:
        """The oldest driver that runs its cubins on a platform; None where it is not known."""
        return self.driver_floor_windows if platform is Platform.WINDOWS_X86_64 else self.driver_floor


class CppExtension(Struct, frozen=True, kw_only=True):
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


class TorchBuild(Struct, frozen=True, kw_only=True):
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
    unread: tuple[WheelDetail, ...] = ()
    """What its wheel tells and no one has read there; the field may hold what follows from elsewhere."""
    cudnn: str | None = None
    """cuDNN it brings or requires (`9.10.2.21`); None: not known, or no CUDA."""

    @property
    def kind(self) -> DeviceKind:
        """The kind of device it is made for."""
        if self.cuda is not None:
            return DeviceKind.CUDA
        kinds = {"rocm": DeviceKind.ROCM, "xpu": DeviceKind.XPU}
        return next((kind for name, kind in kinds.items() if self.variant.startswith(name)), DeviceKind.CPU)


class Validation(Struct, frozen=True, kw_only=True):
    """A lock whose kernels ran on what it is for, and held. File `verdicts.json`, key `lock`.

    It stays true when the lock has changed since: it is about the combination of the decided packages.
    """

    lock: Sha256
    """Digest of the locked environment."""
    verdict: Sha256
    """The digest of the verdict, which stays when it is signed again."""
    stack: str
    kind: DeviceKind
    archs: tuple[str, ...]
    """GPU code that ran (`sm_90`); empty where the notion does not apply."""
    platform: Platform
    machine: str
    """For people: `AMD EPYC, 2 cores, glibc 2.36`."""
    python: str
    torch: str
    variant: str
    packages: Mapping[PackageName, str]
    """Public versions of the decided packages, torch left out."""
    built: tuple[PackageName, ...]
    """Those of them that were built from source."""
    passed: int
    """Checks."""
    skipped: int
    day: str
    """ISO 8601."""
    source: tuple[str, ...]
    confidence: Confidence


class Requires(Struct, frozen=True, kw_only=True):
    """Metadata of a release. Files `requires/PACKAGE.json`, key (version, platform, variant)."""

    version: str
    requires: tuple[str, ...]
    """Requires-Dist, extras included as markers."""
    requires_python: str | None
    source: tuple[str, ...]
    confidence: Confidence
    platform: Platform | None = None
    """Set where wheels of one release differ by platform."""
    extras: tuple[str, ...] = ()
    """Provides-Extra in normal form, as far as recorded; one that brings nothing is only here."""
    variant: str | None = None
    """Set for a build of torch that PyPI does not serve (`cu126`)."""


# ---------------------------------------------------------------- OpenMMLab


class Assert(Struct, frozen=True, kw_only=True):
    """A version check executed at import."""

    module: str
    """Import name (`mmseg`), not the distribution."""
    op: str
    version: str


class Release(Struct, frozen=True, kw_only=True):
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
