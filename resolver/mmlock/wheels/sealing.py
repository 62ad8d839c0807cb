"""The steps of an unsealed lock are run, one after another, and the lock is sealed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmlock.core.build_arguments import BuildArguments
from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Sha256
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.files.private import open_cache
from mmlock.lock.folders import lock_folder
from mmlock.lock.model import BuildStep, FetchStep, LockedEnv
from mmlock.lock.read import read_lock
from mmlock.lock.view import in_order
from mmlock.wheels.find_uv import find_uv
from mmlock.wheels.wheelhouse import wheelhouse_root

if TYPE_CHECKING:
    from mmlock.wheels.fetching import WheelFetcher
    from mmlock.wheels.model import BuiltWheel
    from mmlock.wheels.runner import Builder
    from mmlock.wheels.seal import Placement
    from mmlock.wheels.symptoms import Explain
    from mmlock.wheels.wheelhouse import Wheelhouse


def build(
    request: BuildArguments, explain: Explain, *, progress: Progress = silent, every_line: Progress = silent
) -> Page:
    """Run the steps of a lock and seal it. What is done stays done when a later step fails.

    `explain` says what the log of a failed build means, `every_line` gets all that a compile prints.
    Raises EnvironmentFault or UsageError.
    """
    folder = lock_folder(request.lock)
    read_lock(folder)
    with _only_one(folder, progress):
        return _sealed(request, folder, explain, progress, every_line)


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


def _sealed(
    request: BuildArguments, folder: Path, explain: Explain, progress: Progress, every_line: Progress
) -> Page:
    env = read_lock(folder)
    if env.sealed:
        return Page(
            text=f"`{folder}` is sealed already: there is nothing to build or download\n",
            data={"lock": str(folder), "sealed": True, "steps": []},
        )
    if request.as_conda:
        from mmlock.wheels.conda_package import require_conda

        require_conda(env, folder)
    run = _BuildRun(request, folder, explain, progress, every_line)
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
        self,
        request: BuildArguments,
        folder: Path,
        explain: Explain,
        progress: Progress,
        every_line: Progress = silent,
    ) -> None:
        from mmlock.wheels.seal import Placement
        from mmlock.wheels.wheelhouse import Wheelhouse

        self.request = request
        self.explain = explain
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
        from mmlock.wheels.conda_package import seal_as_conda
        from mmlock.wheels.seal import seal_built

        wheel: BuiltWheel = self.builder.build(env, step, self._local(env))
        self.local[wheel.sha256] = wheel.path
        seal = seal_as_conda if self.request.as_conda else seal_built
        sealed = seal(env, step, wheel, self.placement)
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
        from mmlock.files.sandbox import own_folders, sandbox_for
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
            explain=self.explain,
            sandbox=sandbox_for(asked.sandbox, own_folders(os.environ), self.progress),
            every_line=self.every_line,
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
