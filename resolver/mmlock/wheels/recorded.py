"""Hashes of files whose index states none, recorded when they were first downloaded, keyed by URL.

They are in one file that is committed: `mmlock-files.json` beside the `mmlock.toml` of the project that
the lock is in, else in the lock folder; `mmlock build --record FILE` names another one. It is a matrix file
of the section `files`: this repository records its own in `matrices/files/openmmlab-index.json`, and a row
that others may rely on can be moved there as it is. A later build, on any machine, takes that file or none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault, MatrixError
from mmlock.core.names import Confidence, Sha256
from mmlock.facts.matrix.layout import SECTIONS
from mmlock.facts.matrix.load import Matrix, decode
from mmlock.facts.matrix.model import Document, File
from mmlock.facts.matrix.store import encode
from mmlock.files.atomic import write_aside
from mmlock.files.locking import hold
from mmlock.lock.fields import url_file_name
from mmlock.net.credentials import bare

__all__ = ["NAME", "RecordedHashes", "place_of"]

NAME = "mmlock-files.json"
_PROJECT = "mmlock.toml"
_SCHEMA = "files"


def place_of(lock: Path) -> Path:
    """Where the hashes of a lock folder are recorded."""
    lock = lock.absolute()
    project = next((folder for folder in (lock, *lock.parents) if (folder / _PROJECT).is_file()), lock)
    return project / NAME


def _today() -> str:
    return datetime.now(timezone.utc).date().isoformat()


class RecordedHashes(Struct, frozen=True, kw_only=True):
    """What is known of the bytes at a URL, from the facts and from the file of the project."""

    path: Path
    matrix: Matrix | None = None
    today: Callable[[], str] = _today

    def known(self, urls: Iterable[str]) -> Sha256 | None:
        """The hash that a file had or must have. Raises EnvironmentFault when the record cannot be read."""
        wanted = {bare(url) for url in urls}
        rows = [*self._read().rows, *(row for rows in self._facts() for row in rows)]
        return next((row.sha256 for row in rows if row.sha256 and bare(row.url) in wanted), None)

    def add(self, url: str, sha256: Sha256, size: int) -> None:
        """Record a first download. What is recorded already stays. Raises EnvironmentFault."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with hold(self.path.with_name(f".{self.path.name}.lock"), waiting=lambda _: None, remove=True):
                document = self._read()
                if any(bare(row.url) == bare(url) for row in document.rows):
                    return
                write_aside(self.path, self._with(document, bare(url), sha256, size), mode=None, durable=True)
        except OSError as error:
            raise EnvironmentFault(
                f"the hash of `{url_file_name(bare(url))}` cannot be recorded in `{self.path}`",
                causes=[error.strerror or str(error)],
                hints=["name a file that you can write to with `--record FILE`"],
            ) from error

    def _with(self, document: Document[File], url: str, sha256: Sha256, size: int) -> bytes:
        key = f"first-download-{self.today()}"
        row = File(
            name=url_file_name(url),
            url=url,
            sha256=sha256,
            size=size,
            requires_python=None,
            yanked=False,
            source=(key,),
            confidence=Confidence.CAPTURED,
        )
        said = f"sha256 of the first download by mmlock, {self.today()}; its index states none"
        return encode(_SCHEMA, (*document.rows, row), {**document.sources, key: said}, document.note)

    def _read(self) -> Document[File]:
        try:
            return decode(SECTIONS[_SCHEMA], str(self.path), self.path.read_bytes())
        except FileNotFoundError:
            return Document(schema=_SCHEMA, sources={}, rows=())
        except (OSError, MatrixError) as error:
            raise EnvironmentFault(
                f"the recorded hashes in `{self.path}` cannot be read",
                causes=[str(error)],
                hints=["restore the file from version control: it says which downloads to accept"],
            ) from error

    def _facts(self) -> Iterable[tuple[File, ...]]:
        if self.matrix is not None:
            yield from (self.matrix.files(package) for package in self.matrix.file_packages)
