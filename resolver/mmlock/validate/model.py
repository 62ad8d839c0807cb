"""What a validation finds, as values."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from mmlock.core.names import StrEnum


class Status(StrEnum):
    """How one check ended. Only `passed` is passed."""

    PASSED = "passed"
    FAILED = "failed"  # it ran and the values are wrong, or it raised
    CRASHED = "crashed"  # its process died
    TIMEOUT = "timeout"  # its process was stopped
    SKIPPED = "skipped"  # it cannot run here, for the reason that is told

    @property
    def red(self) -> bool:
        return self in {Status.FAILED, Status.CRASHED, Status.TIMEOUT}


class Result(StrEnum):
    """The outcome of a whole validation, in in-toto's words."""

    PASSED = "PASSED"
    WARNED = "WARNED"  # nothing failed, and something a lock promises was not shown
    FAILED = "FAILED"


class Case(Struct, frozen=True, kw_only=True):
    """One comparison with a reference."""

    name: str
    ok: bool
    error: float | None = None
    """Largest absolute error; None where equality is asked."""
    rtol: float | None = None
    atol: float | None = None
    note: str | None = None


class CheckRow(Struct, frozen=True, kw_only=True):
    """One check, run or not."""

    suite: str
    name: str
    status: Status
    device: str
    reason: str | None = None
    """Why it is not passed."""
    seed: int | None = None
    seconds: float | None = None
    error: float | None = None
    """Largest absolute error of all cases."""
    ratio: float | None = None
    """Largest error as a part of what is allowed there."""
    cases: tuple[Case, ...] = ()
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


class Gpu(Struct, frozen=True, kw_only=True):
    """One GPU that torch saw."""

    name: str
    arch: str
    memory_mb: int


class Hardware(Struct, frozen=True, kw_only=True):
    """The machine that it ran on. None: it did not tell."""

    system: str
    machine: str
    kernel: str
    cores: int
    cpu: str | None = None
    memory_mb: int | None = None
    glibc: str | None = None
    driver: str | None = None
    gpus: tuple[Gpu, ...] = ()


class InstalledPackage(Struct, frozen=True, kw_only=True):
    """A package as it lies in an interpreter."""

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


class Difference(Struct, frozen=True, kw_only=True):
    """Something an interpreter has otherwise than the lock."""

    kind: str
    """`python`, `missing`, `version`, `bytes`, `files`, `extra`."""
    package: str
    text: str

    @property
    def red(self) -> bool:
        """Packages that the lock does not know of may be there; nothing else may differ."""
        return self.kind != "extra"


class Decided(Struct, frozen=True, kw_only=True):
    """A package that was decided on purpose, with the file it came as."""

    package: str
    version: str
    files: tuple[tuple[str, str], ...]
    """Names and sha256."""


class Verdict(Struct, frozen=True, kw_only=True):
    """What ran, on what, and how far it was from the references."""

    result: Result
    reasons: tuple[str, ...]
    """Why the result is not PASSED; empty if it is."""
    lock_digest: str
    stack: str
    target: tuple[str, ...]
    """The devices that the lock is for."""
    device: str
    """What the kernels ran on: `cpu`, `cuda`."""
    on_target: bool
    """Whether that is a device the lock is for."""
    python: str
    packages: Mapping[str, str]
    """Version of every package that was there."""
    environment: Mapping[str, str]
    hardware: Hardware
    differences: tuple[Difference, ...]
    suites: tuple[SuiteRun, ...]
    kernels_digest: str
    """Of the check files that ran."""
    seed: int
    fresh: bool
    """Whether the lock was installed for this, and not found installed."""
    started: str
    """ISO 8601 in UTC."""
    torch: str | None = None
    torch_error: str | None = None
    """Why torch could not be used."""
    decided: tuple[Decided, ...] = ()
    """With these in the place of its steps, the lock before it was sealed is the one that this is about."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Of each stage: `install`, `probe`, `checks`."""
    tool: str = ""
