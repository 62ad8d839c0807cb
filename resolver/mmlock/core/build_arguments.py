"""The requests of `build`, `install`, `export` and `wheelhouse` as the user states them."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from mmlock.core.names import StrEnum


class SandboxUse(StrEnum):
    """Whether code of other people runs in a sandbox."""

    OFF = "off"
    AUTO = "auto"  # where the system has one
    REQUIRED = "required"  # there, and nowhere else


class BuildOptions(Struct, frozen=True, kw_only=True):
    """What a user may say about how a build runs; none of it shapes the wheel."""

    jobs: int | None = None
    python: str | None = None
    rebuild: bool = False
    """Build even where the wheelhouse has the wheel."""
    keep: bool = False
    """Leave the build folder when all went well."""
    network: bool = False
    """Let the compile use the network."""
    quiet_minutes: float = 15.0
    """How long a build may neither write nor work."""
    precompile: bool = True
    sandbox: SandboxUse = SandboxUse.OFF
    """Whether the compile, and what loads its result, runs apart from this user's files."""


class BuildArguments(BuildOptions, frozen=True, kw_only=True):
    """What a user can ask of `mmlock build`."""

    lock: Path
    find_links: tuple[Path, ...] = ()
    """Folders of this machine with files that need not be fetched."""
    wheelhouse: Path | None = None
    """None: `MMLOCK_WHEELHOUSE`, else the user's own."""
    base_url: str | None = None
    """Where the wheels will be served; None: they are put beside the lock.

    `{sha256}` in it stands for the digest of each.
    """
    index_url: str | None = None
    """The index for build requirements that the lock does not hold."""
    offline: bool = False
    record: Path | None = None
    """Where hashes of first downloads are recorded; None: `mmlock-files.json` of the project or the lock."""
    as_conda: bool = False
    """Built wheels become conda packages in a channel beside the lock."""
    project: Path | None = None
    """The folder that paths of in-tree extensions start from; None: this one, or one around the lock."""


class InstallArguments(Struct, frozen=True, kw_only=True):
    """What a user can ask of `mmlock install`."""

    lock: Path
    prefix: Path
    python: str | None = None
    offline: bool = False
    exact: bool | None = None
    """Remove what the lock does not hold; None: where mmlock made the environment, else it is an error."""


class BundleArguments(Struct, frozen=True, kw_only=True):
    """What a user can ask of `mmlock bundle`."""

    lock: Path
    out: Path
    """The folder that is written: a lock with all its files beside it."""
    find_links: tuple[Path, ...] = ()
    """Folders of this machine with files that need not be downloaded."""
    offline: bool = False


class ExportForm(StrEnum):
    """What a lock can be exported as."""

    SCRIPT = "script"  # a shell script that builds and installs
    DOCKERFILE = "dockerfile"
    NOTEBOOK = "notebook"  # one cell
    UV = "uv"  # parts of a pyproject.toml
    POETRY = "poetry"
    PDM = "pdm"
    # Of locks with conda packages; each holds several of them.
    PIXI = "pixi"  # a pixi.toml
    PIXI_LOCK = "pixi-lock"
    CONDA_LOCK = "conda-lock"


class ExportArguments(Struct, frozen=True, kw_only=True):
    """What a user can ask of `mmlock export`."""

    lock: Path
    form: ExportForm
    out: Path | None = None
    matrices: Path | None = None
    offline: bool = False
    find_links: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()
    """More lock folders that go into the same file."""
    schema: int | None = None
    """Version of the file, where its kind has several."""


class WheelhouseAction(StrEnum):
    """What can be done with a wheelhouse."""

    LIST = "list"
    VERIFY = "verify"
    PRUNE = "prune"
    PUSH = "push"
    SERVE = "serve"


class WheelhouseArguments(Struct, frozen=True, kw_only=True):
    """What a user can ask of `mmlock wheelhouse`."""

    action: WheelhouseAction
    root: Path | None = None
    """None: `MMLOCK_WHEELHOUSE`, else the user's own."""
    days: float | None = None
    """With `prune`: wheels older than this go, too."""
    dry_run: bool = False
    target: Path | None = None
    """With `push`: the folder that a static server serves."""
    host: str = "127.0.0.1"
    port: int = 8098
