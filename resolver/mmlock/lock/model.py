"""A locked environment as values; `formats/` turns it into files and back."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from mmlock.core.artifact import Artifact
from mmlock.core.extension import SourceTree
from mmlock.core.names import (
    AdvisorySeverity,
    Confidence,
    Form,
    PackageName,
    Sha256,
    StrEnum,
    ToolchainProvider,
)
from mmlock.core.target import Target


class ReasonKind(StrEnum):
    """What a reason is about."""

    CHOICE = "choice"  # why this version and not a newer one
    REQUESTED = "requested"  # the request names it
    ASSERTS = "asserts"  # checked when a package is imported
    REQUIRES = "requires"  # Requires-Dist, Requires-Python
    NAMES = "names"  # Python names that it takes of another package
    DECLARES = "declares"  # declared and not enforced: the extra `mim`
    WHEEL = "wheel"  # a wheel exists, or none does
    BUILD = "build"  # a recipe makes it
    BUILT = "built"  # it was built for this lock
    GPU = "gpu"  # code for the device
    PYTHON = "python"
    PAIR = "pair"  # one CUDA across the environment
    BREAK = "break"  # a known breakage
    ABI = "abi"  # its compiled files were read
    VERDICT = "verdict"  # a validation ran
    PROVIDER = "provider"  # others provide the same module
    OBJECTIVE = "objective"  # why not a newer one


class Level(StrEnum):
    """How much a finding matters."""

    WARNING = "warning"
    NOTE = "note"


class FindingKind(StrEnum):
    """What a finding is about. Code that looks for one looks for this, never for its words."""

    GENERAL = "general"  # for people only
    REQUEST = "request"  # the request says something that changes nothing, or something else than it seems to
    PROJECT = "project"  # read in the user's project
    # What a version in the user's project does; `detail` is the pin, the subject its place.
    PIN_BINDS = "pin-binds"
    PIN_BOUNDS = "pin-bounds"
    PIN_ADVISES = "pin-advises"
    PIN_GUESSED = "pin-guessed"
    PIN_LEFT_OUT = "pin-left-out"
    ADVICE = "advice"  # advice of the project that is not kept; `detail` is the advice, the subject its place
    BREAKAGE = "breakage"  # known to fail, and the lock does not prevent it; the subject is its id
    CURED = "cured"  # known to fail, and the lock prevents it; the subject is its id
    DEVICE = "device"  # what to know of the device
    UNREAD_CODE = "unread-code"  # whether a wheel has code for the device was not read
    PTX = "ptx"  # a wheel has nothing but PTX for the device
    UNPROMISED = "unpromised"  # runs on code that NVIDIA does not promise for the device
    INFERRED = "inferred"  # rests on an inferred fact
    METADATA = "metadata"  # requirements are those of another build
    FOREIGN_BUILD = "foreign-build"  # a CUDA build on a target without CUDA
    SLOW_OPS = "slow-ops"  # ops in plain PyTorch
    MISSING_EXTRA = "missing-extra"  # a requested extra that the release lacks; `detail` is the extra
    PASSED_OVER = "passed-over"  # a newer combination that ordinary packages do not fit
    UNPINNED = "unpinned"  # something that is built or installed is not pinned
    HASH = "hash"  # a requested hash could not be compared
    UNCHECKED = "unchecked"  # nobody could check it
    ABI = "abi"  # the compiled files were not read
    NAMES = "names"  # Python names that packages take of others


PIN_KINDS = frozenset(
    {
        FindingKind.PIN_BINDS,
        FindingKind.PIN_BOUNDS,
        FindingKind.PIN_ADVISES,
        FindingKind.PIN_GUESSED,
        FindingKind.PIN_LEFT_OUT,
    }
)
"""Findings that are one table: of single ones no one has to know."""


class Reason(Struct, frozen=True, kw_only=True):
    """One link of the argument for a node: a sentence, who says so, how sure."""

    text: str
    source: tuple[str, ...]
    """Readable: a URL, a file and line, a page with its date."""
    confidence: Confidence
    kind: ReasonKind


class HashTrust(StrEnum):
    """What is behind the hash of a file."""

    STATED = "stated"  # its index states it, a fact records it, or mmlock built the file
    UNVERIFIED = "unverified"  # whatever came on the first download: nobody else is known to have seen it


class LockedPackage(Struct, frozen=True, kw_only=True):
    """A package whose every file has a hash: it can be installed as it is."""

    name: PackageName
    version: str
    form: Form
    """`wheel` or `sdist`."""
    files: tuple[Artifact, ...]
    """Fitting the target, best first; each with a sha256."""
    core: bool
    """Decided by the core solver, else by the closure."""
    via: tuple[str, ...]
    reasons: tuple[Reason, ...] = ()
    index: str | None = None
    hashes: HashTrust = HashTrust.STATED


class CondaPackage(Struct, frozen=True, kw_only=True):
    """A package of a conda channel, as one very file."""

    name: str
    """As the channel calls it: `pytorch`, not `torch`."""
    version: str
    build: str
    build_number: int
    channel: str
    """URL, without a slash at the end."""
    subdir: str
    """`linux-64`, `noarch`."""
    file: str
    """Name below CHANNEL/SUBDIR."""
    sha256: Sha256
    md5: str
    """For tools that read nothing else; never a proof by itself."""
    size: int | None
    depends: tuple[str, ...]
    constrains: tuple[str, ...] = ()
    timestamp: int | None = None
    """In milliseconds since 1970."""
    noarch: str | None = None
    python_site_packages_path: str | None = None

    @property
    def url(self) -> str:
        """Where the file is."""
        return f"{self.channel}/{self.subdir}/{self.file}"


class CondaChoice(Struct, frozen=True, kw_only=True):
    """A decided package that a channel provides, and the argument for it."""

    name: PackageName
    """As PyPI calls it."""
    conda: str
    """As the channel does."""
    version: str
    reasons: tuple[Reason, ...] = ()


class FetchStep(Struct, frozen=True, kw_only=True):
    """A wheel that exists but whose index publishes no hash: download, hash, record."""

    package: PackageName
    version: str
    url: str
    """Of the very wheel; no one has verified its bytes."""
    index: str
    """The page that lists it."""
    why: str
    reasons: tuple[Reason, ...]
    alternatives: tuple[str, ...] = ()
    """Other URLs of the same wheel (mirrors)."""


class ToolchainPlan(Struct, frozen=True, kw_only=True):
    """The compilers a build step needs."""

    name: str
    provider: ToolchainProvider
    cuda: str | None
    lockable: bool
    packages: tuple[str, ...]
    files: tuple[Artifact, ...]
    """The pinned toolchain wheels, where the provider is `pip` and the hashes are known."""
    setup: tuple[str, ...]
    cuda_home: str | None
    gcc_max: int | None
    """Newest gcc major that nvcc accepts; None for CPU builds."""
    gcc_source: str | None
    note: str | None = None


class PatchPlan(Struct, frozen=True, kw_only=True):
    """One verified edit to the sources."""

    id: str
    file: str
    find: str
    replace: str
    reason: str


class SourceGroup(Struct, frozen=True, kw_only=True):
    """Sources that are compiled as one file, because most of the time each takes is the same for all."""

    file: str
    """The new file, beside its parts: what includes them."""
    parts: tuple[str, ...]
    """Paths from the top of the sources. They get another ending, so that nothing compiles them again."""


class BuildTool(Struct, frozen=True, kw_only=True):
    """One package of a build environment, as one very file."""

    name: PackageName
    version: str
    file: Artifact
    """With its sha256."""


class BuildStep(Struct, frozen=True, kw_only=True):
    """No wheel exists: what makes one."""

    package: PackageName
    version: str
    recipe: str
    why: str
    """Why no wheel fits."""
    source: Artifact | SourceTree
    """The sources: an archive, with its sha256 where one is known, or a folder of the user's project."""
    build_requires: tuple[str, ...]
    toolchain: ToolchainPlan
    env: Mapping[str, str]
    """Environment of the build; `TORCH_CUDA_ARCH_LIST` holds the target's archs."""
    patches: tuple[PatchPlan, ...]
    std: int | None
    check: tuple[str, ...]
    memory_mb: int
    """Of one compile job; `MAX_JOBS` is to be set from it and the machine's memory."""
    verified: str | None
    """How this very combination was shown to build; None: it was not."""
    reasons: tuple[Reason, ...]
    requires: tuple[str, ...] = ()
    """Run-time requirements of the wheel it makes (already in the lock)."""
    note: str | None = None
    tools: tuple[BuildTool, ...] = ()
    """Build requirements that the environment itself does not hold, and what they bring, by name."""
    groups: tuple[SourceGroup, ...] = ()
    form: Form = Form.BUILD
    """`build` compiles; `torch-ops` puts plain PyTorch in the place of what would be compiled."""
    ops: tuple[str, ...] = ()
    """Of a torch-ops step: the names of `mmcv.ops` that the wheel must have; none: all there are."""


class TermValue(Struct, frozen=True, kw_only=True):
    """One objective of the solve and what the solution pays for it."""

    name: str
    meaning: str
    value: int
    detail: tuple[str, ...]
    """Who pays, one line each."""


class Finding(Struct, frozen=True, kw_only=True):
    """Something a person must know about this lock."""

    level: Level
    subject: str
    """The package, breakage, device or place that it is about."""
    text: str
    source: tuple[str, ...]
    confidence: Confidence
    kind: FindingKind = FindingKind.GENERAL
    detail: str | None = None
    """Of the subject: the extra."""


class KnownAdvisory(Struct, frozen=True, kw_only=True):
    """A known vulnerability of a package in the lock, in the version that it has."""

    package: PackageName
    version: str
    id: str
    severity: AdvisorySeverity | None
    """None: nobody rated it, or the rating is not recorded."""
    summary: str
    fixed_in: tuple[str, ...]
    """Releases that mend it; empty: none is known."""
    url: str
    kept_by: str | None
    """What keeps the lock from the release that mends it; None: nothing that is known."""
    source: tuple[str, ...]
    confidence: Confidence


class LockedEnv(Struct, frozen=True, kw_only=True):
    """Everything that is decided about one environment."""

    stack: str
    target: Target
    python: str
    torch: str
    """With its variant: `2.11.0+cu130`."""
    driver_floor: str | None
    """Oldest NVIDIA driver that runs it; None without CUDA."""
    request: tuple[str, ...]
    """What was asked, as command-line words, sorted."""
    packages: tuple[LockedPackage, ...]
    fetch: tuple[FetchStep, ...]
    build: tuple[BuildStep, ...]
    environment: Mapping[str, str]
    """Variables that must be set when the environment is used."""
    environment_reasons: tuple[Reason, ...]
    findings: tuple[Finding, ...]
    objectives: tuple[TermValue, ...]
    left_out: tuple[Reason, ...]
    """Optional packages not taken and why; alternatives not used (other providers)."""
    matrix_digest: str
    engine: str
    """Of the closure: `uv 0.13.8`."""
    verdict: str | None = None
    """Digest of a validation that ran for this lock; None: nothing was run."""
    conda: tuple[CondaPackage, ...] = ()
    """What comes from conda channels, by name; `packages` is then the pip part, on top of it."""
    conda_core: tuple[CondaChoice, ...] = ()
    """Those of them that the core solver decided."""
    channels: tuple[str, ...] = ()
    """URLs of the channels, the first one first."""
    advisories: tuple[KnownAdvisory, ...] = ()
    """Known vulnerabilities of what it holds, worst first."""

    @property
    def sealed(self) -> bool:
        """Whether every package is an artifact with a hash."""
        return not self.fetch and not self.build

    @property
    def steps(self) -> tuple[FetchStep | BuildStep, ...]:
        """What must still be fetched or made."""
        return (*self.fetch, *self.build)
