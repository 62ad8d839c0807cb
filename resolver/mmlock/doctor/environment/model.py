"""An environment as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct, field

from mmlock.binary.model import Inspected
from mmlock.binary.tables import TorchSymbols
from mmlock.core.device import Device
from mmlock.core.names import Platform, StrEnum


class LocatedBy(StrEnum):
    """How the environment that is looked at was chosen."""

    NAMED = "named"
    VIRTUAL_ENV = "VIRTUAL_ENV"
    UV = "UV_PROJECT_ENVIRONMENT"
    CONDA = "CONDA_PREFIX"
    PROJECT = "project"  # a folder of the project
    PATH = "PATH"  # the first Python on it
    OWN = "own"  # the Python that runs mmlock


class Located(Struct, frozen=True, kw_only=True):
    """An interpreter, and why it is the one."""

    path: Path
    how: LocatedBy


class InterpreterProblem(StrEnum):
    """Why an interpreter does not run, or is of no use."""

    TIMED_OUT = "timed-out"  # `detail`: the seconds it had
    LINK_BROKEN = "link-broken"  # `detail`: where it points
    REFUSED = "refused"  # `detail`: what the system says
    CRASHED = "crashed"  # `detail`: its last words, or its exit code
    TOO_OLD = "too-old"  # a Python before 3.4
    NOT_CPYTHON = "not-cpython"  # `detail`: its implementation


class InterpreterFault(Struct, frozen=True, kw_only=True):
    """A problem, and what there is to say of it."""

    problem: InterpreterProblem
    detail: str = ""
    base: str | None = None
    """The folder of the base interpreter, where that does not exist."""


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
    fault: InterpreterFault | None = None
    """Why it does not run; then the rest comes from the files beside it."""


class Record(StrEnum):
    """How a distribution is recorded."""

    WHEEL = "wheel"  # a dist-info folder
    EGG_INFO = "egg-info"  # setup.py install or develop, or the system's packages
    EGG_LINK = "egg-link"  # setup.py develop


class RecordProblem(StrEnum):
    """Why a record tells less than it has to."""

    NO_METADATA = "no-metadata"
    NO_RECORD = "no-record"  # the list of its files
    NO_PKG_INFO = "no-pkg-info"


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
    fault: RecordProblem | None = None
    """Why its metadata cannot be read."""
    fault_detail: str = ""
    """What the system says of it."""


class LeftoverReason(StrEnum):
    """Why something in a site folder belongs to no installation, or cannot be looked at."""

    UNLISTABLE = "unlistable"  # the folder itself; `detail`: what the system says
    TOO_MANY = "too-many"  # entries of the folder; `detail`: how many were read
    RENAMED_BY_PIP = "renamed-by-pip"  # `~orch`: an installation was interrupted
    LINK_BROKEN = "link-broken"  # `detail`: where it leads
    EGG_LINK_UNREADABLE = "egg-link-unreadable"
    EGG_LINK_BROKEN = "egg-link-broken"  # `detail`: the folder that is gone
    PTH_UNREADABLE = "pth-unreadable"  # `detail`: what the system says
    PTH_BROKEN = "pth-broken"  # `detail`: the folder that is gone; `others`: lines that are in use


class SiteLeftover(Struct, frozen=True, kw_only=True):
    """Something in a site folder that no installation owns."""

    path: Path
    reason: LeftoverReason
    detail: str = ""
    others: int = 0
    """What else is in that file, and must stay."""


class FollowedLinkKind(StrEnum):
    """What leads out of an environment and is followed: what Python itself would follow."""

    INTERPRETER = "interpreter"  # `bin/python`, to the base interpreter: it is run
    SITE_FOLDER = "site-folder"  # a folder of packages; those of the base interpreter, too
    PACKAGE = "package"  # an entry of a site folder
    EDITABLE = "editable"  # an egg-link: only the metadata beside the sources is read


class FollowedLink(Struct, frozen=True, kw_only=True):
    """A place of the environment and what was read in its stead."""

    kind: FollowedLinkKind
    path: Path
    target: Path


class OwnedState(StrEnum):
    """What became of a distribution that conda installed."""

    KEPT = "kept"  # byte for byte the record that conda laid down
    CHANGED = "changed"  # the same release, installed again by something else
    GONE = "gone"  # its record is not there
    UNKNOWN = "unknown"  # conda recorded no hash to compare with


class CondaOwned(Struct, frozen=True, kw_only=True):
    """A Python distribution that a conda package brought."""

    distribution: str
    """In normal form."""
    version: str
    record: str
    """Name of its dist-info folder."""
    state: OwnedState


class CondaInstalled(Struct, frozen=True, kw_only=True):
    """A conda package, as `conda-meta` records it."""

    name: str
    version: str
    build: str
    channel: str | None
    depends: tuple[str, ...]
    """Names of what it depends on."""
    owns: tuple[CondaOwned, ...] = ()


class CondaRecordFault(Struct, frozen=True, kw_only=True):
    """A file of `conda-meta` that tells nothing."""

    path: Path
    detail: str


class Lacking(Struct, frozen=True, kw_only=True):
    """A library that cannot be found."""

    library: str
    """Its soname."""
    package: str
    file: str
    """Who needs it."""


class TorchProblem(StrEnum):
    """Why an installed torch cannot be read."""

    NO_VERSION = "no-version"  # its record exists, `torch/version.py` does not
    VERSION_NO_FILE = "version-no-file"  # `torch/version.py` is a pipe or a folder
    UNREADABLE = "unreadable"  # `detail`: what stands in the way


class TorchFault(Struct, frozen=True, kw_only=True):
    """A problem of the installed torch."""

    problem: TorchProblem
    place: str
    detail: str = ""


class InstalledDeviceProblem(StrEnum):
    """Why no device of the machine is known."""

    UNSEEN = "unseen"  # `detail`: why the driver cannot be asked
    UNKNOWN = "unknown"  # `detail`: the name that no fact knows


class DeviceFault(Struct, frozen=True, kw_only=True):
    """A problem with the devices of the machine."""

    problem: InstalledDeviceProblem
    detail: str


class Environment(Struct, frozen=True, kw_only=True):
    """Everything that is looked at."""

    interpreter: Interpreter
    distributions: tuple[Distribution, ...]
    """In the order of the site folders, then by name."""
    leftovers: tuple[SiteLeftover, ...]
    torch: TorchSymbols | None
    """The installed torch, by its own files."""
    torch_fault: TorchFault | None
    cuda: str | None
    """CUDA of the installed torch."""
    inspected: Mapping[str, Inspected]
    """Name of a distribution -> its compiled files, of those that need torch."""
    lacking: tuple[Lacking, ...]
    """Libraries that compiled files need and that nothing here brings."""
    devices: tuple[Device, ...]
    device_fault: DeviceFault | None
    """Why no device is known."""
    driver: str | None
    links: tuple[FollowedLink, ...] = ()
    """What leads out of it and was followed."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """Variables that cures may set."""
    how: LocatedBy = LocatedBy.NAMED
    """Why it is this one."""
    conda: tuple[CondaInstalled, ...] = ()
    """Conda packages of its prefix, by name; none where it is no conda environment."""
    conda_faults: tuple[CondaRecordFault, ...] = ()

    def all(self, name: str) -> Iterator[Distribution]:
        """Every record of a distribution."""
        return (dist for dist in self.distributions if dist.name == name)

    def first(self, name: str) -> Distribution | None:
        """The one that is imported."""
        return next(self.all(name), None)

    @property
    def installed(self) -> Mapping[str, Distribution]:
        """Name -> the distribution that is imported."""
        result: dict[str, Distribution] = {}
        for dist in self.distributions:
            result.setdefault(dist.name, dist)
        return result


# ---------------------------------------------------------------- what is wrong


class TroubleSeverity(StrEnum):
    """How sure it is that something does not work."""

    FAILS = "fails"
    RISK = "risk"
    NOTE = "note"


class TroubleKind(StrEnum):
    """Which check found it."""

    ASSERTS = "asserts"  # a version that a package refuses at import
    BREAKAGES = "breakages"  # a combination that is known to fail
    CODE = "code"  # kernels for the GPU
    CONDA = "conda"  # what pip did to packages of conda
    DECLARED = "declared"  # requirements of metadata
    DOUBLES = "doubles"  # one distribution recorded twice
    DRIVER = "driver"  # the driver against CUDA
    GLIBC = "glibc"
    INTERPRETER = "interpreter"
    LEFTOVERS = "leftovers"  # of broken installations
    LIBRARIES = "libraries"  # shared ones that are missing
    LOADS = "loads"  # compiled files against torch
    LOCK = "lock"  # where the environment differs from a lock
    OPS = "ops"  # of mmcv
    PROVIDERS = "providers"  # two distributions of one module
    TAGS = "tags"  # wheels of another Python
    TORCH = "torch"
    UNDECLARED = "undeclared"  # modules that are imported and not declared


class Trouble(Struct, frozen=True, kw_only=True):
    """One thing that is wrong with an environment."""

    check: TroubleKind
    severity: TroubleSeverity
    title: str
    evidence: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    """Distributions that a cure has to change."""
    remove: tuple[str, ...] = ()
    """Distributions that a cure has to remove."""
    source: tuple[str, ...] = ()
