"""Names that must not be mixed, and closed vocabularies."""

from __future__ import annotations

import sys
from enum import Enum
from functools import lru_cache
from typing import NewType

if sys.version_info >= (3, 11):
    from enum import StrEnum
else:

    class StrEnum(str, Enum):
        """`enum.StrEnum` for Python 3.10."""

        __str__ = str.__str__


__all__ = [
    "Confidence",
    "DeviceKind",
    "Form",
    "OpNeeds",
    "PackageName",
    "Platform",
    "Sha256",
    "StrEnum",
    "ToolchainProvider",
    "WheelDetail",
    "normalize",
    "requirement_name",
]

PackageName = NewType("PackageName", str)
"""A distribution name in PEP 503 normal form (`mmcv-full`, never `mmcv_full`)."""

Sha256 = NewType("Sha256", str)
"""64 lower-case hex digits."""


@lru_cache(maxsize=16384)
def normalize(name: str) -> PackageName:
    """The PEP 503 normal form of a distribution name.

    Source: https://peps.python.org/pep-0503/#normalized-names
    """
    lowered = name.lower().replace("_", "-").replace(".", "-")
    while "--" in lowered:
        lowered = lowered.replace("--", "-")
    return PackageName(lowered)


def requirement_name(text: str) -> PackageName:
    """The distribution that a requirement line is about."""
    end = next((at for at, char in enumerate(text) if not (char.isalnum() or char in "._-")), len(text))
    return normalize(text[:end])


class Confidence(StrEnum):
    """How a fact is known, best first."""

    MEASURED = "measured"  # executed or read from the very file
    CAPTURED = "captured"  # seen on a real page, log or lock file
    DOCUMENTED = "documented"  # said by its maintainers
    INFERRED = "inferred"  # concluded from the others; may be wrong


class AdvisorySeverity(StrEnum):
    """How bad a known vulnerability is, least first: the words of GitHub's advisories."""

    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Higher is worse."""
        return list(AdvisorySeverity).index(self)


class Platform(StrEnum):
    """Operating system and machine of the target."""

    LINUX_X86_64 = "linux_x86_64"
    LINUX_AARCH64 = "linux_aarch64"
    MACOS_ARM64 = "macosx_arm64"
    MACOS_X86_64 = "macosx_x86_64"
    WINDOWS_X86_64 = "win_amd64"

    @property
    def is_linux(self) -> bool:
        """Whether glibc floors matter there."""
        return self in {Platform.LINUX_X86_64, Platform.LINUX_AARCH64}


class DeviceKind(StrEnum):
    """What the kernels run on."""

    CUDA = "cuda"
    ROCM = "rocm"
    CPU = "cpu"
    MPS = "mps"
    NPU = "npu"
    MLU = "mlu"
    GCU = "gcu"
    MUSA = "musa"
    XPU = "xpu"
    TPU = "tpu"
    IPU = "ipu"
    DIPU = "dipu"


class Form(StrEnum):
    """How a node of the solution comes into the environment."""

    WHEEL = "wheel"  # a prebuilt wheel
    BUILD = "build"  # a build step makes the wheel
    TORCH_OPS = "torch-ops"  # a step makes a wheel with slower ops in plain PyTorch: --allow-torch-ops
    SDIST = "sdist"  # pure Python without a wheel: built at install time, no extension inside
    WITHOUT_OPS = "without-ops"  # mmcv without compiled ops, only with --allow-lite
    LEFT_OUT = "left-out"  # optional and not taken
    CONDA = "conda"  # a package of a conda channel
    GIVEN = "given"  # part of the target: a Python, a toolchain


class ToolchainProvider(StrEnum):
    """Who brings a CUDA toolkit."""

    PIP = "pip"  # wheels from PyPI
    SYSTEM = "system"  # what the user has installed
    CONDA = "conda"
    NONE = "none"  # a build that needs none


class WheelDetail(StrEnum):
    """What only the files inside a wheel tell."""

    ARCHS = "archs"  # GPU code
    CXX11_ABI = "cxx11-abi"
    CUDART = "cudart"  # the libcudart it needs or brings


class OpNeeds(StrEnum):
    """What an op of mmcv needs where it runs."""

    TORCH = "torch"  # plain PyTorch: no compiled code is called
    FALLBACK = "fallback"  # compiled code on CUDA, plain PyTorch on the CPU
    CPU = "cpu"  # compiled code, for the CPU and for CUDA
    CPU_ONLY = "cpu-only"  # compiled code for the CPU; tensors of a GPU are copied
    CUDA = "cuda"  # compiled code for CUDA alone
