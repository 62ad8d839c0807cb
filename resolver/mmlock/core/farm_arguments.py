"""What a user can ask of `mmlock sweep` and `mmlock farm`."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from mmlock.core.names import StrEnum

__all__ = [
    "SWEEP_FILE",
    "BatchExecutor",
    "Execution",
    "ExportKind",
    "FarmPlanArguments",
    "FarmPublishArguments",
    "FarmRunArguments",
    "SweepArguments",
    "SweepDiffArguments",
]

SWEEP_FILE = "sweep.toml"


class ExportKind(StrEnum):
    """Who carries a plan out, elsewhere."""

    GITHUB = "github"  # a workflow of GitHub Actions
    GITLAB = "gitlab"  # a pipeline of GitLab CI
    KUBERNETES = "kubernetes"  # a Job for each build


class BatchExecutor(StrEnum):
    """Who does the tasks of a sweep or a farm."""

    LOCAL = "local"  # processes of this machine
    RAY = "ray"  # a Ray cluster


class Execution(Struct, frozen=True, kw_only=True):
    """How the tasks are done."""

    kind: BatchExecutor = BatchExecutor.LOCAL
    ray_address: str | None = None
    """`HOST:PORT` of the head of a Ray cluster; None: one is started here, and ends with the command."""


class SweepArguments(Struct, frozen=True, kw_only=True):
    """One sweep. What is given here replaces the axis of the file."""

    file: Path | None = None
    """None: `sweep.toml` where there is one, else all that the facts know."""
    gpus: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()
    torches: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    out: Path | None = None
    """The folder that the files are written into; None: nothing is written."""
    jobs: int | None = None
    """Processes; None: as many as there are processors."""
    execution: Execution = Execution()
    fresh: bool = False
    """Ask again what an earlier sweep has kept."""
    matrices: Path | None = None


class SweepDiffArguments(Struct, frozen=True, kw_only=True):
    """Two sweeps: `sweep.json` files, or the folders that hold them."""

    old: Path
    new: Path


class FarmPlanArguments(Struct, frozen=True, kw_only=True):
    """Which builds serve most targets."""

    sweep: SweepArguments = SweepArguments()
    """What is asked where no sweep is named."""
    source: Path | None = None
    """A `sweep.json`, or its folder; None: `sweep` is asked now."""
    catalogue: Path | None = None
    """A `mmlock.toml`: only its stacks and devices count."""
    per_torch: bool = False
    """Whether each torch is a target of its own; else one will do."""
    most: int | None = None
    """How many builds at most."""
    hours: float | None = None
    """How many CPU hours at most; builds whose cost nobody knows count as the dearest known one."""
    wheelhouse: Path | None = None
    """Where the records of earlier builds are; None: the user's own."""
    out: Path | None = None
    """The file that the plan is written into."""
    export: ExportKind | None = None
    """Write a pipeline that carries the plan out, instead of the plan."""


class FarmRunArguments(Struct, frozen=True, kw_only=True):
    """Builds of a plan that are carried out here."""

    plan: Path
    only: tuple[str, ...] = ()
    """Names of builds; empty: all."""
    wheelhouse: Path | None = None
    jobs: int = 1
    """Builds at the same time."""
    build_jobs: int | None = None
    """Files that one build compiles at the same time; None: what processors and memory allow."""
    find_links: tuple[Path, ...] = ()
    """Folders with files that need not be fetched, on every node."""
    execution: Execution = Execution()
    offline: bool = False
    exclude_newer: str | None = None


class FarmPublishArguments(Struct, frozen=True, kw_only=True):
    """A wheelhouse as a folder of files."""

    target: Path
    wheelhouse: Path | None = None
    variants: bool = True
