"""The locks of one `mmlock.toml` as a service shows them: what is in each folder, by its pair."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from mmlock.core.catalogue import Catalogue
from mmlock.core.errors import MmlockError
from mmlock.core.names import StrEnum
from mmlock.files.reading import UnreadableError, read_bounded
from mmlock.lock.folders import VERDICT
from mmlock.lock.formats import FORMATS
from mmlock.lock.model import LockedEnv
from mmlock.lock.refused import NAME as REFUSED
from mmlock.lock.refused import Refused
from mmlock.upkeep.catalogue.locking import read_catalogue
from mmlock.upkeep.catalogue.state import entries
from mmlock.upkeep.catalogue.table import mmcv_of, run, todo
from mmlock.validate.attest.trust import Trust
from mmlock.validate.evidence import trust_for
from mmlock.validate.model import Result

__all__ = ["Committed", "CommittedLocks", "CommittedState"]

_FRESH = 30.0
"""Seconds for which committed locks are not read again."""


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
        names = (*(item.file for item in FORMATS.values()), REFUSED, VERDICT)
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
        catalogue = read_catalogue(self._file)
        trust = trust_for((), self._file)
        found = []
        for pair in catalogue.pairs:
            only = Catalogue(folder=catalogue.folder, table=None, pairs=(pair,))
            assert pair.request.out is not None
            found.append(_committed(pair.stack, pair.target, pair.request.out, only, trust))
        return found


def _committed(stack: str, target: str, folder: Path, catalogue: Catalogue, trust: Trust) -> Committed:
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
