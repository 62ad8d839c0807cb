"""The shape of the facts that are written by hand: the files of `matrices/curated/`."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from mmlock.core.names import (
    Confidence,
    DeviceKind,
    Form,
    PackageName,
    Platform,
    StrEnum,
    ToolchainProvider,
)


class DeviceAnswer(StrEnum):
    """What can be given to a user of a device."""

    LOCK = "lock"  # public artifacts make an environment
    REASON = "reason"  # they cannot: the row says why


class TorchChoice(StrEnum):
    """Which builds of torch a device takes."""

    CPU = "cpu"
    ROCM = "rocm"
    DEFAULT = "default"  # the one PyPI serves


class Accelerator(Struct, frozen=True, kw_only=True):
    """A device that is not an NVIDIA GPU. File `curated/accelerators.toml`, key `name`."""

    name: str
    kind: DeviceKind
    aliases: tuple[str, ...]
    answer: DeviceAnswer
    torch_variant: TorchChoice | None = None
    """None when no torch for it is public."""
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


class Toolchain(Struct, frozen=True, kw_only=True):
    """A way to get a CUDA toolkit for a build. File `curated/toolchains.toml`, key `name`."""

    name: str
    cuda: str
    """`13.0`: the minor must equal torch's."""
    lockable: bool
    """Whether every file of it can be pinned by hash."""
    provider: ToolchainProvider
    packages: tuple[str, ...]
    """Exact requirements for provider `pip`."""
    setup: tuple[str, ...]
    """Shell lines that make it usable after it is installed."""
    cuda_home: str | None = None
    source: tuple[str, ...]
    confidence: Confidence
    note: str | None = None


class When(Struct, frozen=True, kw_only=True):
    """One condition of a breakage: this package, in these versions, is in the environment."""

    package: PackageName
    """A package, or `python`, `gpu` (then `versions` bounds the compute capability)."""
    versions: str = ""
    """PEP 440 specifier; empty: any."""
    form: Form | None = None
    """None: any."""
    cuda: str = ""
    """PEP 440 specifier on the CUDA of the torch build or wheel; empty: any."""


class Breakage(Struct, frozen=True, kw_only=True):
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
    culprit: PackageName | None = None
    """The package at fault, where that is one which those in `when` need."""
    dead: bool = False
    """True: nothing of it runs on the `gpu` of its conditions, so that it is no answer at all."""

    @property
    def cured(self) -> bool:
        """Whether the lock itself removes the problem."""
        return bool(self.constraints or self.add or self.drop or self.environment)


class Stack(Struct, frozen=True, kw_only=True):
    """A named set of requirements. File `curated/stacks.toml`, key `name`."""

    name: str
    title: str
    requirements: tuple[str, ...]
    source: tuple[str, ...]
    confidence: Confidence


class Module(Struct, frozen=True, kw_only=True):
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
    on_cpu: bool = False
    """Whether people use what it compiles without a GPU, too."""


class Submodule(Struct, frozen=True, kw_only=True):
    """A part of a package that only some releases have. File `curated/submodules.toml`, key `name`."""

    name: str
    """As it is imported: `mmcv.runner`."""
    versions: str
    """PEP 440 specifier on the packages that provide the module it begins with."""
    source: tuple[str, ...]
    confidence: Confidence


class MmcvEra(Struct, frozen=True, kw_only=True):
    """When a package moved to mmcv 2 and mmengine. File `curated/mmcv_eras.toml`, key `package`."""

    package: PackageName
    first: str
    """The first release that builds on mmcv 2; `0`: every one does."""
    source: tuple[str, ...]
    confidence: Confidence


class NameSource(Struct, frozen=True, kw_only=True):
    """Another package whose names are recorded. File `curated/name_sources.toml`, key `package`."""

    package: PackageName
    modules: tuple[str, ...]
    """Its import names."""
    releases: str
    """PEP 440 specifier: which of them are read."""
    minors: bool
    """Whether only the newest patch of each minor release is read."""
    depth: int | None = None
    """How many parts the names of recorded modules have at the most; None: all are recorded."""
    needs: bool
    """Whether what it needs itself is recorded, too."""
    source: tuple[str, ...]
    confidence: Confidence


class Board(Struct, frozen=True, kw_only=True):
    """A part that is sold with a processor of its own. File `curated/boards.toml`, key `name`."""

    name: str
    """The word in its name that tells it (`GH200`)."""
    platform: Platform
    source: tuple[str, ...]
    confidence: Confidence


class NameRule(Struct, frozen=True, kw_only=True):
    """How names of a kind lead to the chip that they stand for. File `curated/device_names.toml`, key `id`.

    Asked only where no device has the name as it is, and only a device that is known is an answer.
    """

    id: str
    pattern: str
    """Regular expression, matched with the whole name in upper case without the maker's name."""
    chip: str
    """What to look for instead; `\\1` is the first group of the pattern."""
    source: tuple[str, ...]
    confidence: Confidence


class Cudnn(Struct, frozen=True, kw_only=True):
    """Which GPUs some releases of cuDNN have kernels for. File `curated/cudnn.toml`, key `id`."""

    id: str
    versions: str
    """PEP 440 specifier on cuDNN."""
    cuda: str
    """Major of the CUDA that the library is built for: `12`."""
    lowest: str
    """The lowest compute capability (`sm_50`) of its support matrix: GPUs below it are refused."""
    highest: str
    """The highest; newer minors of that major run its code, a newer major has none."""
    source: tuple[str, ...]
    confidence: Confidence


class TegraReport(Struct, frozen=True, kw_only=True):
    """Code of another arch that was seen to run on a Tegra part. File `curated/tegra.toml`, key `id`.

    NVIDIA promises it for no Tegra part; without a row here such code counts as none.
    """

    id: str
    sm: str
    """The part's own arch: `sm_87`."""
    runs: str
    """The arch whose kernels were seen to run: `sm_80`."""
    cuda: str
    """PEP 440 specifier on the CUDA that they were built with."""
    needs: str
    """What the board must have: `JetPack 7`."""
    note: str
    """What was seen, and what speaks against it."""
    provider: str
    """Who has a torch with code for the part's own arch: a name of `curated/providers.toml`."""
    source: tuple[str, ...]
    confidence: Confidence


class CondaTorch(Struct, frozen=True, kw_only=True):
    """Which GPUs some builds of a channel's pytorch serve. File `curated/conda_torch.toml`, key `id`."""

    id: str
    channel: str
    """URL, without a slash at the end."""
    torch: str
    """PEP 440 specifier on the release."""
    cuda: str
    """PEP 440 specifier on the CUDA that the build string names."""
    archs: tuple[str, ...]
    ptx: tuple[str, ...]
    source: tuple[str, ...]
    confidence: Confidence
    builds: str = ""
    """PEP 440 specifier on the build number within its hundred; empty: all."""
    platforms: tuple[Platform, ...] = ()
    """Empty: all."""


class CondaName(Struct, frozen=True, kw_only=True):
    """A package that conda channels call otherwise than PyPI. File `curated/conda_names.toml`, key `pypi`."""

    pypi: PackageName
    conda: str
    source: tuple[str, ...]
    confidence: Confidence


class IndexHolds(StrEnum):
    """What a package index serves under a name."""

    ANOTHER = "another"  # another project
    PLACEHOLDER = "placeholder"
    NOTHING = "nothing"
    SOURCES = "sources"  # no wheel


class Namesake(Struct, frozen=True, kw_only=True):
    """A name under which an index does not serve what is meant. File `curated/namesakes.toml`, key `name`."""

    name: PackageName
    module: str
    """What code imports of it."""
    holds: IndexHolds
    means: str
    """What people mean by the name."""
    way: str
    """How that is really had."""
    source: tuple[str, ...]
    confidence: Confidence
    found: str = ""
    """What the index serves instead."""
    serves: tuple[str, ...] = ()
    """All versions of that; empty: not told. A request that admits none of them means the other one."""


class Repository(Struct, frozen=True, kw_only=True):
    """A repository named otherwise than what it makes. File `curated/repositories.toml`, key `name`."""

    name: PackageName
    """The last part of its address, in normal form."""
    package: PackageName
    repository: str
    source: tuple[str, ...]
    confidence: Confidence


class Default(Struct, frozen=True, kw_only=True):
    """A value taken when the user says nothing. File `curated/defaults.toml`, key `name`."""

    name: str
    value: str
    source: tuple[str, ...]
    confidence: Confidence
