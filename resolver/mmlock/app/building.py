"""`mmlock build`: the steps of an unsealed lock are run, one after another, and the lock is sealed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmlock.core.build_arguments import BuildArguments, InstallArguments
from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Sha256
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.core.state import state_root
from mmlock.files.private import open_cache
from mmlock.lock.folders import lock_folder
from mmlock.lock.model import BuildStep, FetchStep, LockedEnv
from mmlock.lock.read import read_lock
from mmlock.lock.view import in_order

if TYPE_CHECKING:
    from mmlock.wheels.buildenv import Uv
    from mmlock.wheels.fetching import WheelFetcher
    from mmlock.wheels.model import BuiltWheel
    from mmlock.wheels.runner import Builder
    from mmlock.wheels.seal import Placement
    from mmlock.wheels.symptoms import Explained
    from mmlock.wheels.wheelhouse import Wheelhouse


def wheelhouse_root(told: Path | None, environ: Mapping[str, str]) -> Path:
    """The wheelhouse to use: the one named, `MMLOCK_WHEELHOUSE`, else one in mmlock's cache."""
    if told is not None:
        return told
    if own := environ.get("MMLOCK_WHEELHOUSE"):
        return Path(own)
    return open_cache(environ) / "wheelhouse"


def own_folders(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """What of mmlock's own nothing in a sandbox may see: keys, the database of a service, other builds."""
    return (state_root(environ), open_cache(environ).absolute())


def build(request: BuildArguments, *, progress: Progress = silent, every_line: Progress = silent) -> Page:
    """Run the steps of a lock and seal it. What is done stays done when a later step fails.

    `every_line` hears all that a compile prints. Raises EnvironmentFault or UsageError.
    """
    folder = lock_folder(request.lock)
    read_lock(folder)
    with _only_one(folder, progress):
        return _sealed(request, folder, progress, every_line)


@contextmanager
def _only_one(folder: Path, progress: Progress) -> Iterator[None]:
    """One process at a time seals a lock: the next one then finds it sealed."""
    import hashlib

    from mmlock.files.locking import hold

    def waiting(holder: str) -> None:
        progress(
            f"another mmlock{f' (process {holder})' if holder else ''} is sealing `{folder}`: waiting for it"
        )

    place = open_cache(os.environ).absolute() / "sealing"
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:32]
    with ExitStack() as stack:
        try:
            place.mkdir(parents=True, exist_ok=True)
            stack.enter_context(hold(place / f"{name}.lock", waiting=waiting))
        except OSError as error:
            raise EnvironmentFault(
                f"cannot write to `{place}`",
                causes=[error.strerror or str(error)],
                hints=["set MMLOCK_CACHE_DIR to a folder that you can write to"],
            ) from error
        yield


def _sealed(request: BuildArguments, folder: Path, progress: Progress, every_line: Progress) -> Page:
    env = read_lock(folder)
    if env.sealed:
        return Page(
            text=f"`{folder}` is sealed already: there is nothing to build or download\n",
            data={"lock": str(folder), "sealed": True, "steps": []},
        )
    run = _BuildRun(request, folder, progress, every_line)
    rows = []
    for step in in_order([*env.fetch, *env.build]):
        env, row = run.fetch(env, step) if isinstance(step, FetchStep) else run.build(env, step)
        write(env, folder)
        rows.append(row)
    return Page(text=_text(folder, rows), data={"lock": str(folder), "sealed": env.sealed, "steps": rows})


def projects(told: Path | None, folder: Path) -> tuple[Path, ...]:
    """Where in-tree extensions may lie, best first: the project told, else here and around the lock."""
    return (told,) if told is not None else (Path.cwd(), *folder.absolute().parents)


def write(env: LockedEnv, folder: Path) -> None:
    """Write the lock again, in the formats that the folder has."""
    from mmlock.lock.formats import FORMATS
    from mmlock.lock.write import write_lock

    formats = [item.name for item in FORMATS.values() if item.optional and (folder / item.file).exists()]
    write_lock(env, folder, formats)


class _BuildRun:
    """The steps of one lock."""

    def __init__(
        self, request: BuildArguments, folder: Path, progress: Progress, every_line: Progress = silent
    ) -> None:
        from mmlock.wheels.seal import Placement
        from mmlock.wheels.wheelhouse import Wheelhouse

        self.request = request
        self.progress = progress
        self.every_line = every_line
        self.folder = folder
        self.wheelhouse: Wheelhouse = Wheelhouse(
            root=wheelhouse_root(request.wheelhouse, os.environ).absolute()
        )
        self.placement: Placement = Placement(folder=folder, base_url=request.base_url)
        self.local: dict[str, Path] = {}
        self._builder: Builder | None = None

    def fetch(self, env: LockedEnv, step: FetchStep) -> tuple[LockedEnv, dict[str, Any]]:
        from mmlock.lock.model import HashTrust
        from mmlock.net.credentials import bare
        from mmlock.wheels.seal import seal_fetched

        self.progress(f"downloading {step.package} {step.version}")
        wheel = self.fetcher.fetch(env, step)
        self.local[wheel.file.sha256] = wheel.file.path
        return seal_fetched(env, step, wheel, self.placement), {
            "kind": "fetch",
            "package": step.package,
            "version": step.version,
            "file": wheel.file.name,
            "sha256": wheel.file.sha256,
            "from": bare(wheel.file.origin),
            "unverified": wheel.hashes is HashTrust.UNVERIFIED,
            "recorded": str(wheel.recorded) if wheel.recorded else None,
            "checks": [{"name": c.name, "status": c.status.value, "detail": c.detail} for c in wheel.checks],
        }

    @property
    def fetcher(self) -> WheelFetcher:
        from mmlock.facts.matrix.load import open_matrix
        from mmlock.wheels.fetching import WheelFetcher, beside
        from mmlock.wheels.recorded import RecordedHashes, place_of

        matrix = open_matrix()
        return WheelFetcher(
            downloader=self.builder.downloader,
            recorded=RecordedHashes(path=self.request.record or place_of(self.folder), matrix=matrix),
            beside=lambda env, step: beside(env, step, matrix, open_cache(os.environ).absolute()),
            progress=self.progress,
        )

    def build(self, env: LockedEnv, step: BuildStep) -> tuple[LockedEnv, dict[str, Any]]:
        from mmlock.wheels.seal import seal_built

        wheel: BuiltWheel = self.builder.build(env, step, self._local(env))
        self.local[wheel.sha256] = wheel.path
        sealed = seal_built(env, step, wheel, self.placement)
        return sealed, {
            "kind": step.form.value,
            "package": step.package,
            "version": wheel.version,
            "file": wheel.path.name,
            "sha256": wheel.sha256,
            "key": wheel.key,
            "from": "wheelhouse" if wheel.hit else "new build",
            "checks": [{"name": c.name, "status": c.status.value, "detail": c.detail} for c in wheel.checks],
        }

    def _local(self, env: LockedEnv) -> dict[str, Path]:
        """Files of this disk by hash: of the wheelhouse, and beside the lock, from an earlier run."""
        from mmlock.wheels.local_files import held_by

        found = held_by((self.wheelhouse.root,), env)
        held: dict[str, Path] = {sha256: wheel.path for sha256, wheel in found.items()}
        beside = {
            Sha256(file.sha256): self.folder / file.url
            for package in env.packages
            for file in package.files
            if file.sha256 and "://" not in file.url
        }
        near: dict[str, Path] = {digest: path for digest, path in beside.items() if path.is_file()}
        return held | near | self.local

    @property
    def builder(self) -> Builder:
        if self._builder is None:
            self._builder = self._make_builder()
        return self._builder

    def _make_builder(self) -> Builder:
        from mmlock.files.sandbox import sandbox_for
        from mmlock.net.download import Downloader
        from mmlock.wheels.runner import Builder

        asked = self.request
        return Builder(
            wheelhouse=self.wheelhouse,
            builds=open_cache(os.environ) / "builds",
            uv=find_uv(offline=asked.offline, index_url=asked.index_url, progress=self.progress),
            downloader=Downloader(
                store=self.wheelhouse.files,
                find_links=tuple(path.absolute() for path in asked.find_links),
                offline=asked.offline,
                progress=self.progress,
                environ=os.environ,
            ),
            projects=projects(asked.project, self.folder),
            options=asked,
            environ=os.environ,
            progress=self.progress,
            explain=explain_log,
            sandbox=sandbox_for(asked.sandbox, own_folders(os.environ), self.progress),
            every_line=self.every_line,
        )


def explain_log(lines: Sequence[str]) -> Explained:
    """What the doctor knows of the log of a failed build: its causes in a sentence each, and what to do."""
    import io

    from mmlock.binary.tables import SymbolStore
    from mmlock.doctor.context import DiagnosisContext
    from mmlock.doctor.diagnose import diagnose
    from mmlock.doctor.log import read_log
    from mmlock.doctor.log_entities import find_log_entities
    from mmlock.doctor.patterns import patterns_of
    from mmlock.facts.matrix.load import open_matrix
    from mmlock.wheels.symptoms import Explained

    matrix = open_matrix()
    patterns = patterns_of(matrix)
    log = read_log(io.BytesIO("\n".join(lines).encode()), patterns.loud)
    symbols = SymbolStore(matrix.root, open_cache(os.environ))
    entities = find_log_entities(log, matrix)
    found = diagnose(
        DiagnosisContext(log=log, entities=entities, matrix=matrix, symbols=symbols, patterns=patterns)
    )
    causes = [one for one in found if one.rank == min((other.rank for other in found), default=0)]
    return Explained(
        causes=tuple(one.title for one in causes),
        hints=tuple(dict.fromkeys(text for one in causes for text in one.advice)),
    )


def install(request: InstallArguments, *, progress: Progress = silent) -> Page:
    """Put a sealed lock into a virtual environment."""
    from mmlock.wheels.activation import write_activation
    from mmlock.wheels.install import install as put

    folder = lock_folder(request.lock)
    env = read_lock(folder)
    uv = find_uv(offline=request.offline, progress=progress)
    done = put(env, folder, request.prefix.absolute(), uv, python=request.python, exact=request.exact)
    write_activation(done.prefix, env.environment)
    lines = [f"installed {len(env.packages)} packages into {done.prefix}"]
    if env.environment:
        lines += ["environment variables to set (its activate scripts and `mmlock run` do so):"]
        lines += [f"  {name}={value}" for name, value in sorted(env.environment.items())]
    lines.append(f"next: mmlock run {folder} --prefix {request.prefix} -- python -c 'import torch'")
    data = {
        "prefix": str(done.prefix),
        "python": done.python,
        "made": done.made,
        "environment": dict(env.environment),
    }
    return Page(text="\n".join(lines) + "\n", data=data)


def find_uv(*, offline: bool = False, index_url: str | None = None, progress: Progress = silent) -> Uv:
    """uv as the builds use it. Raises EnvironmentFault where there is none."""
    from mmlock.resolve.closure.uv_find import find_uv as look
    from mmlock.wheels.buildenv import Uv

    found = look(os.environ)
    if found is None:
        raise EnvironmentFault(
            "uv was not found",
            causes=["mmlock creates environments with it"],
            hints=["install it (`pip install uv`), or set MMLOCK_UV to its path"],
        )
    return Uv(
        path=found.path,
        offline=offline,
        index_url=index_url,
        environ=os.environ,
        progress=progress,
    )


def _text(folder: Path, rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        lines += [f"{row['package']} {row['version']} ({row['from']})", f"  {row['file']}"]
        lines.append(f"  sha256 {row['sha256']}")
        if row.get("unverified"):
            lines.append("  UNVERIFIED: its index publishes no hash, so nothing could be compared with it")
        if row.get("recorded"):
            lines.append(
                f"  the hash is recorded in {row['recorded']}: commit it, and later builds insist on it"
            )
        lines += [f"  {c['status']}: {c['name']}: {c['detail']}" for c in row.get("checks", ())]
    lines += [
        "",
        f"sealed: {folder}",
        f"next: mmlock install {folder}, or uv pip sync {folder / 'pylock.toml'}",
    ]
    return "\n".join(lines) + "\n"
