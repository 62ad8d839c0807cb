"""Files by path, whether they lie in a wheel or in a folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from mmlock.binary.archive import Archive, Member
from mmlock.binary.reading import MappedFile, Memory, Source, Unreadable

_IN_MEMORY = 16 * 1024 * 1024
_MAX_FILES = 1_000_000
_MAX_TEXT = 8 * 1024 * 1024


class Tree(Protocol):
    """A set of files. All of it raises Unreadable."""

    @property
    def files(self) -> Mapping[str, int]:
        """Path -> bytes that must be read to have it whole."""
        ...

    def text(self, path: str) -> bytes:
        """A small file."""
        ...

    def open(self, path: str) -> AbstractContextManager[Source]:
        """A file of any size, at hand as long as the context lasts."""
        ...


class WheelTree:
    """The files of a wheel."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.files: Mapping[str, int] = {
            path: member.packed for path, member in archive.members.items() if not path.endswith("/")
        }

    def text(self, path: str) -> bytes:
        """A small file, unpacked."""
        return self.archive.text(path)

    def open(self, path: str) -> AbstractContextManager[Source]:
        """A file, unpacked: in memory when it is small, else on disk."""
        return _unpacked(self.archive, self.archive.members[path])


class FolderTree:
    """The files below a folder; symbolic links to folders are not followed."""

    def __init__(self, root: Path, only: Mapping[str, int] | None = None) -> None:
        self.root = root
        self.files: Mapping[str, int] = dict(_walk(root)) if only is None else only

    def text(self, path: str) -> bytes:
        """A small file."""
        if self.files.get(path, 0) > _MAX_TEXT:
            raise Unreadable(f"`{path}` is larger than such a file can be")
        try:
            return (self.root / path).read_bytes()
        except OSError as error:
            raise Unreadable(f"`{path}` cannot be read: {error.strerror or error}") from error

    def open(self, path: str) -> AbstractContextManager[Source]:
        """A file, mapped."""
        return MappedFile(self.root / path)


def _walk(root: Path) -> Iterator[tuple[str, int]]:
    count = 0
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            for entry in sorted(folder.iterdir()):
                if entry.is_dir() and not entry.is_symlink():
                    waiting.append(entry)
                elif entry.is_file():
                    yield entry.relative_to(root).as_posix(), entry.stat().st_size
                    count += 1
        except OSError as error:
            raise Unreadable(f"`{folder}` cannot be listed: {error.strerror or error}") from error
        if count > _MAX_FILES:
            raise Unreadable(f"`{root}` has more than {_MAX_FILES} files")


@contextmanager
def _unpacked(archive: Archive, member: Member) -> Iterator[Source]:
    if member.size <= _IN_MEMORY:
        yield Memory(b"".join(archive.chunks(member)))
        return
    with tempfile.TemporaryDirectory(prefix="mmlock-") as folder:
        path = Path(folder) / "member"
        try:
            with path.open("wb") as stream:
                for chunk in archive.chunks(member):
                    stream.write(chunk)
        except OSError as error:
            raise Unreadable(f"`{member.path}` cannot be unpacked: {error.strerror or error}") from error
        with MappedFile(path) as source:
            yield source
