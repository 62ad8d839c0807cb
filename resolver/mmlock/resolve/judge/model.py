"""What the judge says."""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.names import StrEnum


class Severity(StrEnum):
    """How much an objection weighs."""

    REFUSE = "refuse"  # a fact contradicts the lock
    UNKNOWN = "unknown"  # no fact decides it; not a yes


class Rule(StrEnum):
    """What an objection is about."""

    ABI = "abi"  # the C++ ABI of extensions
    ACCELERATORS = "accelerators"  # no CUDA build without need, none but CUDA where it is needed
    ARCHS = "archs"  # code for every device
    ASSERTS = "asserts"  # checks at import
    BREAKS = "breaks"  # known breakages
    BUILDS = "builds"  # build steps
    CUDA = "cuda"  # one CUDA across the environment
    CUDNN = "cudnn"  # kernels of the bundled cuDNN
    DOUBLES = "doubles"  # each package and each module once
    DRIVERS = "drivers"
    EXTRAS = "extras"  # requested extras
    GLIBC = "glibc"
    HASHES = "hashes"
    INDEX = "index"  # wheels of OpenMMLab's index
    OPS = "ops"  # mmcv with its compiled ops
    PAIRS = "pairs"  # extensions made for the lock's torch
    PYTHONS = "pythons"  # Requires-Python
    REQUIRES = "requires"  # Requires-Dist
    SDISTS = "sdists"  # no extension from bare sources
    TAGS = "tags"  # wheels that fit the target
    TORCH = "torch"  # the torch of the lock
    VARIANTS = "variants"  # companions of the torch variant


class Objection(Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a lock, or that nobody knows."""

    severity: Severity
    rule: Rule
    subject: str
    """The package, device or variable it is about."""
    text: str
    source: tuple[str, ...] = ()
    """Readable; empty where the lock itself is the evidence."""
