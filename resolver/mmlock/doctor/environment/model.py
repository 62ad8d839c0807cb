"""An environment as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct, field

from mmlock.binary.model import Inspected
from mmlock.binary.tables import TorchSymbols
from mmlock.core.device import Device
from mmlock.core.names import Platform, StrEnum


class Interpreter(Struct, frozen=True, kw_only=True):
    """A Python, as it says itself or as its files say."""

    path: Path
    """What would be run."""
    python: str | None
    """`3.11`, `3.13t`; None when nothing tells."""
    full: str | None
    """`3.11.7`."""
    prefix: Path
    sites: tuple[Path, ...]
    """Folders that packages are imported from, first come first served."""
    platform: Platform | None
    glibc: str | None
    virtual: bool
    """Whether it is a virtual environment."""
    fault: str | None = None
    """Why it does not run, as a clause; then the rest comes from the files beside it."""


class Record(StrEnum):
    """How a distribution is recorded."""

    WHEEL = "wheel"  # a dist-info folder
    EGG_INFO = "egg-info"  # setup.py install or develop, or the system's packages
    EGG_LINK = "egg-link"  # setup.py develop


class Distribution(Struct, frozen=True, kw_only=True):
    """One installed distribution, as its own metadata records it."""

    name: str
    """In normal form."""
    version: str
    site: Path
    record: str
    """Name of its dist-info folder or egg file."""
    kind: Record
    requires: tuple[str, ...] = ()
    requires_python: str | None = None
    tags: tuple[str, ...] = ()
    """`cp311-cp311-linux_x86_64`; empty when it is not told."""
    compiled: tuple[str, ...] = ()
    """Compiled files, relative to the site folder."""
    tops: tuple[str, ...] = ()
    """First parts of its files' paths, metadata left out."""
    inits: tuple[str, ...] = ()
    """`PACKAGE/__init__.py` of its packages."""
    requested: bool = False
    """Whether a person asked for it by name."""
    origin: str | None = None
    """Where it came from when not from an index."""
    editable: bool = False
    missing: tuple[str, ...] = ()
    """Of `tops` and `compiled`, what is not there."""
    fault: str | None = None
    """Why its metadata cannot be read, as a clause."""


class Leftover(Struct, frozen=True, kw_only=True):
    """Something in a site folder that no installation owns."""

    path: Path
    why: str


class Lacking(Struct, frozen=True, kw_only=True):
    """A library that cannot be found."""

    library: str
    """Its soname."""
    package: str
    file: str
    """Who needs it."""


class Environment(Struct, frozen=True, kw_only=True):
    """Everything that is looked at."""

    interpreter: Interpreter
    distributions: tuple[Distribution, ...]
    """In the order of the site folders, then by name."""
    leftovers: tuple[Leftover, ...]
    torch: TorchSymbols | None
    """The installed torch, by its own files."""
    torch_fault: str | None
    cuda: str | None
    """CUDA of the installed torch."""
    inspected: Mapping[str, Inspected]
    """Name of a distribution -> its compiled files, of those that need torch."""
    lacking: tuple[Lacking, ...]
    """Libraries that compiled files need and that nothing here brings."""
    devices: tuple[Device, ...]
    device_fault: str | None
    """Why no device is known, as a clause."""
    driver: str | None
    environ: Mapping[str, str] = field(default_factory=dict)
    """Variables that cures may set."""

    def all(self, name: str) -> Iterator[Distribution]:
        """Every record of a distribution."""
        return (dist for dist in self.distributions if dist.name == name)

    def first(self, name: str) -> Distribution | None:
        """The one that is imported."""
        return next(self.all(name), None)

    @property
    def installed(self) -> Mapping[str, Distribution]:
        """Name -> the distribution that is imported."""
        found: dict[str, Distribution] = {}
        for dist in self.distributions:
            found.setdefault(dist.name, dist)
        return found


# ---------------------------------------------------------------- what is wrong


class Gravity(StrEnum):
    """How sure it is that something does not work."""

    FAILS = "fails"
    RISK = "risk"
    NOTE = "note"


class Trouble(Struct, frozen=True, kw_only=True):
    """One thing that is wrong with an environment."""

    check: str
    gravity: Gravity
    title: str
    evidence: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    """Distributions that a cure has to change."""
    remove: tuple[str, ...] = ()
    """Distributions that a cure has to remove."""
    source: tuple[str, ...] = ()
