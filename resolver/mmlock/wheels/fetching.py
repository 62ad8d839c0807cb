"""Runs one fetch step: downloads the wheel, compares it with what is known, checks it, records its hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mmlock.binary.model import PtxDriver
from mmlock.binary.tables import SymbolStore, TorchBuildId, TorchSymbols
from mmlock.core.errors import EnvironmentFault, MmlockError
from mmlock.core.names import Form, PackageName
from mmlock.core.progress import Progress, silent
from mmlock.core.versions import InvalidVersion, allows, version
from mmlock.facts.matrix.load import Matrix
from mmlock.files.locking import hold
from mmlock.lock.fields import url_file_name
from mmlock.lock.model import FetchStep, HashTrust, LockedEnv
from mmlock.net.credentials import bare
from mmlock.net.download import Downloader, FetchedFile, Wanted
from mmlock.wheels.accepted import note_accepted
from mmlock.wheels.fetched import Beside, examine_fetched, refuse_fetched
from mmlock.wheels.model import WheelTest
from mmlock.wheels.recorded import RecordedHashes
from mmlock.wheels.sources import safe_name
from mmlock.wheels.wheel_file import read_wheel

__all__ = ["FetchedWheel", "WheelFetcher", "beside"]

_FILE = re.compile(r"file:.*\.so")


class FetchedWheel(Struct, frozen=True, kw_only=True):
    """A downloaded wheel that passed its checks."""

    file: FetchedFile
    requires: tuple[str, ...]
    """Requires-Dist, as the wheel declares it."""
    checks: tuple[WheelTest, ...]
    hashes: HashTrust
    remote: bool
    """Whether the bytes are those of its URL; else they are of a folder of this machine."""
    recorded: Path | None = None
    """The file in which its hash was recorded now."""


class WheelFetcher(Struct, frozen=True, kw_only=True):
    """Runs fetch steps."""

    downloader: Downloader
    recorded: RecordedHashes
    beside: Callable[[LockedEnv, FetchStep], Beside]
    progress: Progress = silent

    def fetch(self, env: LockedEnv, step: FetchStep) -> FetchedWheel:
        """The wheel of a step. Raises EnvironmentFault, and then nothing of it is kept."""
        urls = (step.url, *step.alternatives)
        # Download, checks, removal and record are one act: nobody is to take what is about to be refused.
        with self._alone(step):
            return self._fetch(env, step, urls)

    @contextmanager
    def _alone(self, step: FetchStep) -> Iterator[None]:
        folder = self.downloader.store / "steps"
        name = hashlib.sha256(bare(step.url).encode()).hexdigest()

        def waiting(holder: str) -> None:
            who = f"process {holder}" if holder else "another process"
            self.progress(f"waiting for {who}, which fetches {step.package} {step.version}")

        with ExitStack() as stack:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(hold(folder / f"{name}.lock", waiting=waiting))
            except OSError as error:
                raise EnvironmentFault(
                    f"cannot write to `{folder}`",
                    causes=[error.strerror or str(error)],
                    hints=["set MMLOCK_CACHE_DIR to a folder that you can write to"],
                ) from error
            yield

    def _fetch(self, env: LockedEnv, step: FetchStep, urls: tuple[str, ...]) -> FetchedWheel:
        known = self.recorded.known(urls)
        file = self.downloader.get(Wanted(name=safe_name(url_file_name(step.url)), urls=urls, sha256=known))
        remote = file.path.resolve().is_relative_to(self.downloader.store.resolve())
        if remote and file.origin not in {bare(url) for url in urls}:
            file = replace(file, origin=bare(step.url))  # it lay in the store already
        try:
            self.progress(f"checking {file.name}")
            facts = read_wheel(file.path)
            checks = examine_fetched(facts, step, self.beside(env, step)).checks
            refuse_fetched(facts, checks, bare(file.origin))
        except MmlockError:
            if remote:
                self.downloader.forget(file)
            raise
        trusted = HashTrust.STATED if known else HashTrust.UNVERIFIED
        first = remote and not known
        if first:
            self.recorded.add(file.origin, file.sha256, file.size)
        if remote:
            note_accepted(self.downloader.store, step, env.torch, file)
        return FetchedWheel(
            file=file,
            requires=facts.requires,
            checks=checks,
            hashes=trusted,
            remote=remote,
            recorded=self.recorded.path if first else None,
        )


# ---------------------------------------------------------------- what the facts say


def beside(env: LockedEnv, step: FetchStep, matrix: Matrix, cache: Path) -> Beside:
    """What the facts tell about a wheel that is to be downloaded."""
    owners: dict[str, set[PackageName]] = {}
    for row in matrix.modules:
        owners.setdefault(row.module, set()).update((*row.packages, *row.on_request))
    store = SymbolStore(matrix.root, cache)
    drivers = {
        row.ptx_isa: PtxDriver(cuda=row.cuda, driver=row.driver)
        for row in sorted(matrix.toolkits, key=lambda row: version(row.cuda), reverse=True)
    }
    return Beside(
        env=env,
        patterns=_patterns(matrix, step),
        owners=owners,
        torch=_symbols(matrix, store, env),
        drivers=drivers,
    )


def _patterns(matrix: Matrix, step: FetchStep) -> tuple[str, ...]:
    """The compiled files that every recipe of this release expects: a wheel without them is another one."""
    wanted: list[set[str]] = []
    for recipe in matrix.recipes:
        try:
            compiles = recipe.package == step.package and recipe.form is Form.BUILD
            fits = compiles and allows(recipe.versions, version(step.version).public)
        except InvalidVersion:
            continue
        if fits:
            wanted.append({check for check in recipe.check if _FILE.fullmatch(check)})
    return tuple(sorted(set.intersection(*wanted))) if wanted else ()


def _symbols(matrix: Matrix, store: SymbolStore, env: LockedEnv) -> TorchSymbols | None:
    release, _, variant = env.torch.partition("+")
    for row in matrix.torch_builds:
        here = row.torch == release and row.platform is env.target.platform
        if here and (row.variant == variant or (not variant and row.on_pypi)):
            return store.load(TorchBuildId(torch=row.torch, variant=row.variant, platform=row.platform))
    return None
