"""New facts for a service that runs: a copy of those in use is refreshed, and takes their place.

STATE/service/facts/BASE/NEXT      the copy that is being refreshed
STATE/service/facts/BASE/DIGEST/   refreshed facts; `current` beside them names those in use

BASE is the digest of the facts that this installation came with: those of another mmlock are never taken up.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Sha256
from mmlock.core.state import state_root
from mmlock.facts.matrix.load import ENVIRONMENT_VARIABLE, Matrix, find_root
from mmlock.files.atomic import write_aside
from mmlock.files.names import UnsafeNameError, bare_file_name
from mmlock.files.private import private_folder
from mmlock.files.reading import UnreadableError, read_bounded

__all__ = ["FreshFacts", "using"]

_CURRENT = "current"
_LIMIT = 3600.0
_LAST_WORDS = 2_000

Refresh = Callable[[Path, threading.Event], None]
"""Reads the indexes again, and writes what differs into a folder; the event ends it. Raises MmlockError."""


class FreshFacts:
    """The facts of a service, refreshed in a folder of their own."""

    def __init__(self, environ: Mapping[str, str], refresh: Refresh | None = None) -> None:
        """`refresh`: None is `mmlock matrix refresh` as a process."""
        self.stopping = threading.Event()
        self._base = find_root(None, environ)
        self.folder = state_root(environ) / "service" / "facts" / Matrix(self._base).digest[:32]
        self._refresh = refresh or _by_process

    def current(self) -> Path:
        """The folder of facts to use: the newest refreshed one, else what the installation came with."""
        try:
            digest = bare_file_name(read_bounded(self.folder / _CURRENT, 200).decode())
        except (UnreadableError, UnsafeNameError, UnicodeDecodeError):
            return self._base
        place = self.folder / digest
        return place if place.is_dir() and Matrix(place).digest == digest else self._base

    def renew(self) -> Sha256 | None:
        """Refresh a copy of the facts in use; their digest, or None where nothing changed.

        Raises MmlockError, and then the facts in use stay.
        """
        used = self.current()
        copy = self.folder / "next"
        try:
            private_folder(self.folder)
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(used, copy)
            self._refresh(copy, self.stopping)
            digest = Matrix(copy).digest
            if digest == Matrix(used).digest:
                return None
            place = self.folder / digest
            shutil.rmtree(place, ignore_errors=True)
            copy.rename(place)
            write_aside(self.folder / _CURRENT, digest.encode())
        except OSError as error:
            raise EnvironmentFault(
                f"cannot write to `{self.folder}`", causes=[error.strerror or str(error)]
            ) from error
        finally:
            shutil.rmtree(copy, ignore_errors=True)
        self._forget({used, place})
        return Sha256(digest)

    def _forget(self, kept: set[Path]) -> None:
        """Remove older facts; those that running jobs may still read stay until the next time."""
        for old in self.folder.iterdir():
            if old.is_dir() and old not in kept:
                shutil.rmtree(old, ignore_errors=True)


def _by_process(folder: Path, stopping: threading.Event) -> None:
    """`mmlock matrix refresh`, which ends when the service does."""
    words = [sys.executable, "-m", "mmlock", "matrix", "refresh", "--matrices", str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        said: list[bytes] = []
        reader = threading.Thread(target=lambda: said.append(_tail(process)), daemon=True)
        reader.start()
        until = time.monotonic() + _LIMIT
        while reader.is_alive() and time.monotonic() < until and not stopping.is_set():
            reader.join(1.0)
        if reader.is_alive():
            process.kill()
        reader.join()
    if process.returncode:
        text = b"".join(said).decode("utf-8", "replace").strip()
        raise EnvironmentFault("the facts could not be refreshed", causes=text.splitlines()[-5:])


def _tail(process: subprocess.Popen[bytes]) -> bytes:
    """The last that a process says, however much that is."""
    assert process.stdout is not None
    tail = b""
    while block := process.stdout.read(65536):
        tail = (tail + block)[-_LAST_WORDS:]
    return tail


@contextmanager
def using(folder: Path) -> Iterator[None]:
    """Within it, this process and those that it starts use a folder of facts."""
    before = os.environ.get(ENVIRONMENT_VARIABLE)
    os.environ[ENVIRONMENT_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(ENVIRONMENT_VARIABLE, None)
        else:
            os.environ[ENVIRONMENT_VARIABLE] = before
