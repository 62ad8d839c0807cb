"""What the service shows without solving: facts by name, committed locks, releases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from mmlock.core.errors import MmlockError, UsageError
from mmlock.core.names import StrEnum
from mmlock.core.report import Page
from mmlock.facts.matrix.load import open_matrix
from mmlock.lock.model import LockedEnv

if TYPE_CHECKING:
    from mmlock.lock.refused import Refused

__all__ = [
    "Committed",
    "CommittedLocks",
    "CommittedState",
    "cited",
    "device_names",
    "facts_changed",
    "facts_digest",
    "gpus",
    "lock_of",
    "package_facts",
    "package_names",
    "releases",
    "stack_names",
    "validations",
    "why_in",
]

_FRESH = 30.0
"""Seconds for which committed locks are not read again."""


@cache
def facts_digest() -> str:
    """The digest of the facts that this process uses, as they were when it was first asked."""
    return open_matrix().digest


def facts_changed() -> str:
    """Read the facts anew from where they now are; their digest."""
    for kept in (facts_digest, device_names, stack_names):
        kept.cache_clear()
    return facts_digest()


@cache
def device_names() -> tuple[tuple[str, str], ...]:
    """Every device: the shortest word for it, and its name with its architecture."""
    matrix = open_matrix()
    rows = [
        (min((gpu.name, *gpu.aliases), key=lambda word: (len(word), word)), f"{gpu.name} ({gpu.sm})")
        for gpu in matrix.gpus
    ]
    rows += [(row.name, f"{row.name} ({row.kind})") for row in matrix.accelerators]
    return tuple(rows)


@cache
def stack_names() -> tuple[str, ...]:
    """The named sets of requirements."""
    return tuple(stack.name for stack in open_matrix().stacks)


def cited(sources: Sequence[str]) -> tuple[str, ...]:
    """Sources of facts as a person reads them."""
    from mmlock.resolve.graph.builder import readable

    return tuple(readable(open_matrix(), tuple(sources)))


def package_names() -> tuple[str, ...]:
    """Packages that facts are about."""
    from mmlock.report.matrix import known_packages

    return tuple(sorted(known_packages(open_matrix())))


def gpus(name: str | None = None) -> Page:
    """What is known about one device, or the list of all."""
    from mmlock.app.showing import show_gpus

    report = show_gpus(name, matrices=None)
    return Page(text=report.text, data=report.data)


def package_facts(package: str) -> Page:
    """The facts about `PACKAGE` or `PACKAGE==VERSION`."""
    from mmlock.app.showing import show_package

    report = show_package(package, matrices=None)
    return Page(text=report.text, data=report.data)


def validations() -> tuple[Mapping[str, Any], ...]:
    """The recorded validations."""
    return tuple(msgspec.to_builtins(row) for row in open_matrix().validations)


def releases(package: str) -> Mapping[str, Any]:
    """The releases of a package as Renovate's custom datasources read them. Raises UsageError.

    Also what `mmlock feed` writes: builds of torch for one CUDA, a directory of wheels, verdicts.
    Source: https://docs.renovatebot.com/modules/datasource/custom/
    """
    from mmlock.core.names import normalize
    from mmlock.core.versions import version
    from mmlock.facts.matrix.known_versions import known_versions
    from mmlock.report.matrix import known_packages
    from mmlock.upkeep.feed import documents

    matrix = open_matrix()
    name = normalize(package)
    if name not in known_packages(matrix):
        if (document := documents(matrix).get(package)) is not None:
            return document
        raise UsageError(f"nothing is known of `{package}`", hints=["GET /api/v1/packages lists the names"])
    uploads = {row.version: row.upload for row in matrix.releases(name)}
    yanked = {row.version for row in matrix.releases(name) if row.yanked}
    rows = []
    for text in sorted(known_versions(matrix, name), key=version):
        row: dict[str, Any] = {"version": text, "isStable": not version(text).is_prerelease}
        if uploads.get(text):
            row["releaseTimestamp"] = uploads[text]
        if text in yanked:
            row["isDeprecated"] = True
        rows.append(row)
    return {"releases": rows, "homepage": f"https://pypi.org/project/{name}/"}


def lock_of(files: Mapping[str, str]) -> LockedEnv:
    """The environment in the files of a solve's result."""
    from mmlock.lock.read import read_texts

    return read_texts(files)


def why_in(env: LockedEnv, package: str) -> Page:
    """The argument for one package of an environment. Raises UsageError when it is not in it."""
    from mmlock.app.json_twins import why_data
    from mmlock.lock.text import why_package

    text = why_package(env, package)
    if text is None:
        raise UsageError(f"`{package}` is not in this lock")
    return Page(text=text, data=why_data(env, package))


# ---------------------------------------------------------------- committed locks


class CommittedState(StrEnum):
    """What the folder of a pair holds."""

    SEALED = "sealed"  # a lock whose every package is a file with a hash
    OPEN = "open"  # a lock that must be built or downloaded yet
    REFUSED = "refused"  # the reason why there is no lock
    MISSING = "missing"  # nothing yet
    BROKEN = "broken"  # files that cannot be read


class Committed(Struct, frozen=True, kw_only=True):
    """A pair of the catalogue, and what is in its folder."""

    stack: str
    target: str
    state: CommittedState
    folder: Path
    env: LockedEnv | None = None
    refused: Refused | None = None
    mmcv: str = ""
    todo: str = ""
    ran: str = "no"
    """What was run of it, in words."""
    validated: bool = False
    fault: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.stack}/{self.target}"

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files that are served."""
        from mmlock.lock.formats import FORMATS

        names = (*(item.file for item in FORMATS.values()), "refused.toml", "verdict.json")
        return tuple(name for name in names if (self.folder / name).is_file())


class CommittedLocks:
    """The locks of one `mmlock.toml`, read again when they are older than half a minute."""

    def __init__(self, catalogue: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = catalogue
        self._clock = clock
        self._read: tuple[float, tuple[Committed, ...]] | None = None
        self._turn = threading.Lock()

    def all(self) -> tuple[Committed, ...]:
        """Every pair, in the order of the catalogue; none where there is no catalogue."""
        with self._turn:
            if self._read is None or self._clock() - self._read[0] > _FRESH:
                self._read = (self._clock(), tuple(self._entries()))
            return self._read[1]

    def get(self, stack: str, target: str) -> Committed | None:
        """One pair."""
        return next((one for one in self.all() if (one.stack, one.target) == (stack, target)), None)

    def file(self, stack: str, target: str, name: str) -> bytes | None:
        """One of the files of a pair, by its name: no path of a request reaches the disk."""
        from mmlock.files.reading import UnreadableError, read_bounded

        entry = self.get(stack, target)
        if entry is None or name not in entry.files:
            return None
        try:
            return read_bounded(entry.folder / name)
        except UnreadableError:
            return None

    def _entries(self) -> list[Committed]:
        if self._file is None:
            return []
        from mmlock.app.evidence import trust_for
        from mmlock.app.locking import read_catalogue
        from mmlock.core.catalogue import Catalogue

        catalogue = read_catalogue(self._file)
        trust = trust_for((), self._file)
        found = []
        for pair in catalogue.pairs:
            only = Catalogue(folder=catalogue.folder, table=None, pairs=(pair,))
            assert pair.request.out is not None
            found.append(_committed(pair.stack, pair.target, pair.request.out, only, trust))
        return found


def _committed(stack: str, target: str, folder: Path, catalogue: Any, trust: Any) -> Committed:
    from mmlock.upkeep.catalogue.state import entries
    from mmlock.upkeep.catalogue.table import mmcv_of, run, todo
    from mmlock.validate.model import Result

    try:
        (entry,) = entries(catalogue, trust)
    except MmlockError as error:
        return Committed(
            stack=stack, target=target, folder=folder, state=CommittedState.BROKEN, fault=tuple(error.lines())
        )
    if entry.env is None:
        state = CommittedState.REFUSED if entry.refused else CommittedState.MISSING
        return Committed(stack=stack, target=target, folder=folder, state=state, refused=entry.refused)
    return Committed(
        stack=stack,
        target=target,
        folder=folder,
        state=CommittedState.SEALED if entry.env.sealed else CommittedState.OPEN,
        env=entry.env,
        mmcv=mmcv_of(entry.env),
        todo=todo(entry.env),
        ran=run(entry.verdict),
        validated=entry.verdict is not None
        and entry.verdict.on_target
        and entry.verdict.result is not Result.FAILED,
    )
