"""What a build is made of and what comes out of it, as values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from mmlock.core.artifact import Artifact
from mmlock.core.names import PackageName, Platform, Sha256, StrEnum
from mmlock.lock.model import BuildStep, CondaPackage

TORCH_OPS_LABEL = "torchops"
"""The local version of a wheel whose extension is plain PyTorch."""


class CheckStatus(StrEnum):
    """What is known after a check of a wheel."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


class WheelTest(Struct, frozen=True, kw_only=True):
    """One question put to a built wheel, and the answer."""

    name: str
    status: CheckStatus
    detail: str


class Pin(Struct, frozen=True, kw_only=True):
    """A package of the build environment, as one very file."""

    name: PackageName
    version: str
    file: Artifact
    """With its sha256; the URL may be a `file://` one."""


class BuildPlan(Struct, frozen=True, kw_only=True):
    """A build step with everything that the lock knows about its inputs."""

    step: BuildStep
    python: str
    platform: Platform
    torch: str
    """With its variant."""
    pins: tuple[Pin, ...]
    """Build requirements and toolchain that the lock holds by hash, sorted by name."""
    loose: tuple[str, ...]
    """Build requirements that the lock does not hold: pinned when the build starts, and recorded."""
    archs: tuple[str, ...]
    """GPU archs the wheel must hold code for, as `TORCH_CUDA_ARCH_LIST` spells them; empty without CUDA."""
    label: str
    """Local version of the wheel: `pt2.11.0cu130`."""
    conda: tuple[CondaPackage, ...] = ()
    """What the build is on, where torch is a channel's; `pins` come on top of it."""

    @property
    def pinned_names(self) -> frozenset[PackageName]:
        return frozenset(pin.name for pin in self.pins)


class Compiler(Struct, frozen=True, kw_only=True):
    """A host compiler that was asked who it is."""

    cxx: str
    cc: str
    identity: str
    """First line of `--version`."""
    gcc: int | None
    """Major version where it is a gcc."""
    machine: str
    """`x86_64-linux-gnu`."""


class BuiltWheel(Struct, frozen=True, kw_only=True):
    """A wheel in the wheelhouse."""

    package: PackageName
    version: str
    """With its local part: `2.1.0+pt2.11.0cu130`."""
    key: str
    """Of the build that made it: 64 hex digits."""
    path: Path
    sha256: Sha256
    size: int
    checks: tuple[WheelTest, ...]
    record: Mapping[str, object]
    """What the wheelhouse noted down about it."""
    hit: bool
    """Whether it was there already."""
