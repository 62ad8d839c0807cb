"""What a validation finds, as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct, field

from mmlock.core.names import StrEnum

Digest = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Moment = Annotated[str, Meta(pattern=r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")]


class Status(StrEnum):
    """How one check ended. Only `passed` is passed."""

    PASSED = "passed"
    FAILED = "failed"  # it ran and the values are wrong, or it raised
    CRASHED = "crashed"  # its process died
    TIMEOUT = "timeout"  # its process was stopped
    SKIPPED = "skipped"  # it cannot run here, for the reason given

    @property
    def red(self) -> bool:
        return self in {Status.FAILED, Status.CRASHED, Status.TIMEOUT}


class Result(StrEnum):
    """The outcome of a whole validation, in in-toto's words."""

    PASSED = "PASSED"
    WARNED = "WARNED"  # nothing failed, and something a lock promises was not shown
    FAILED = "FAILED"


class KernelDevice(StrEnum):
    """What kernels run on, in torch's words."""

    CPU = "cpu"
    CUDA = "cuda"


class Comparison(Struct, frozen=True, kw_only=True):
    """One comparison of a kernel with its reference."""

    name: str
    ok: bool
    error: float | None = None
    """Largest absolute error; None where they must be equal."""
    rtol: float | None = None
    atol: float | None = None
    note: str | None = None


class CheckRow(Struct, frozen=True, kw_only=True):
    """One check, run or not."""

    suite: str
    name: str
    status: Status
    device: KernelDevice
    reason: str | None = None
    """Why it did not pass, in the words of the check."""
    seed: int | None = None
    seconds: float | None = None
    error: float | None = None
    """Largest absolute error of all cases."""
    ratio: float | None = None
    """Largest error as a part of what is allowed there."""
    cases: tuple[Comparison, ...] = ()
    where: tuple[str, ...] = ()
    printed: str | None = None


class SuiteRun(Struct, frozen=True, kw_only=True):
    """The checks of one package."""

    name: str
    package: str
    checks: tuple[CheckRow, ...]
    broken: str | None = None
    """Why the suite could not even start: an extension that does not load."""
    seconds: float = 0.0
    """Of importing the package."""

    @property
    def red(self) -> bool:
        return self.broken is not None or any(row.status.red for row in self.checks)


class VisibleGpu(Struct, frozen=True, kw_only=True):
    """One GPU that torch saw."""

    name: str
    arch: str
    memory_mb: int


class Hardware(Struct, frozen=True, kw_only=True):
    """The machine that it ran on. None: unknown."""

    system: str
    machine: str
    kernel: str
    cores: int
    cpu: str | None = None
    memory_mb: int | None = None
    glibc: str | None = None
    driver: str | None = None
    gpus: tuple[VisibleGpu, ...] = ()


class InstalledPackage(Struct, frozen=True, kw_only=True):
    """A package as an interpreter has it."""

    name: str
    version: str
    sha256: str | None = None
    """Of the archive it was made from, where the installer noted it."""
    faults: tuple[str, ...] = ()
    """Files that are missing or changed."""


class Probe(Struct, frozen=True, kw_only=True):
    """What an interpreter says of itself."""

    python: str
    """`3.11.7`."""
    minor: str
    """As locks spell it: `3.11`, `3.13t`."""
    implementation: str
    prefix: str
    packages: Mapping[str, InstalledPackage]
    hardware: Hardware
    torch: str | None = None
    torch_cuda: str | None = None
    torch_error: str | None = None
    """Why torch cannot be imported."""


class DifferenceKind(StrEnum):
    """In what an interpreter differs from a lock."""

    PYTHON = "python"
    MISSING = "missing"  # a locked package
    VERSION = "version"
    BYTES = "bytes"  # installed from an archive that is not in the lock
    FILES = "files"  # an installed file is missing or was changed
    EXTRA = "extra"  # a package that is not in the lock


class Difference(Struct, frozen=True, kw_only=True):
    """Something in which an interpreter differs from the lock."""

    kind: DifferenceKind
    package: str
    locked: str | None = None
    """The version in the lock; for `python`, of Python."""
    installed: str | None = None
    """What is there instead: a version, or for `bytes` the sha256 of an archive."""
    detail: str | None = None
    """For `files`: which one, and what is wrong with it."""

    @property
    def red(self) -> bool:
        """Whether it fails a validation: all but packages that the lock does not know of."""
        return self.kind is not DifferenceKind.EXTRA


class ConcernKind(StrEnum):
    """Why a validation did not pass."""

    TORCH = "torch"  # it cannot be used
    DIFFERENCE = "difference"  # what is installed is not what is locked
    LOADING = "loading"  # a package does not load
    CHECK = "check"  # a kernel failed
    NOTHING_RAN = "nothing-ran"  # no kernel did
    OFF_TARGET = "off-target"  # not on hardware that the lock is for
    IDLE_SUITE = "idle-suite"  # no kernel of a package


class Concern(Struct, frozen=True, kw_only=True):
    """One reason why a validation did not pass; what it is about is in the field that fits its kind."""

    kind: ConcernKind
    difference: Difference | None = None
    suite: SuiteRun | None = None
    check: CheckRow | None = None
    detail: str | None = None
    """What an import said."""


class CoreWheel(Struct, frozen=True, kw_only=True):
    """A package that the core solver decided, with the file it came as."""

    package: str
    version: str
    files: tuple[tuple[str, str], ...]
    """Names and sha256."""


class Verdict(Struct, frozen=True, kw_only=True):
    """What ran, on what, and how far it was from the references. `conclude` says why it is not PASSED."""

    result: Result
    lock_digest: Digest
    stack: str
    target: tuple[str, ...]
    """The devices that the lock is for."""
    device: KernelDevice
    """What the kernels ran on."""
    on_target: bool
    """Whether that is a device the lock is for."""
    python: str
    packages: Mapping[str, str]
    """Version of every package that was there."""
    environment: Mapping[str, str]
    hardware: Hardware
    differences: tuple[Difference, ...]
    suites: tuple[SuiteRun, ...]
    kernels_digest: Digest
    """Of the check files that ran."""
    seed: int
    fresh: bool
    """Whether the lock was installed for this, and not already installed."""
    started: Moment
    """ISO 8601 in UTC."""
    torch: str | None = None
    torch_error: str | None = None
    """Why torch could not be used."""
    core_wheels: tuple[CoreWheel, ...] = ()
    """With these in the place of its steps, the lock before it was sealed is the one that this is about."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Of each stage: `install`, `probe`, `checks`."""
    tool: str = ""
