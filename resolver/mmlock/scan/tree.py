"""The files of a project: which there are, which are left out, and their bytes.

A project may be a stranger's. So the walk never follows a link: one that leads out of the project is left
out, one that stays inside is another name of what is read anyway. Only ordinary files are opened, each only
as the very file that was listed, and entries, depth and bytes are bounded.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from posixpath import dirname

from msgspec import Struct

from mmlock.core.errors import UsageError
from mmlock.files.reading import ReadProblem, UnreadableError, read_stream
from mmlock.scan.left_out import LeftOut, LeftOutReason, UnreadSourceError
from mmlock.scan.source import to_text

__all__ = ["LARGEST", "NO_LINKS", "Links", "ProjectTree", "leads_out", "list_files"]

LARGEST = 8_000_000
"""Bytes of the largest file that is read; generated tables can be larger."""
MOST_ENTRIES = 200_000
"""Files and folders that are listed."""
MOST_DEPTH = 100
"""Folders in each other that are entered."""
MOST_BYTES = 1_000_000_000
"""Bytes that one scan reads, each time it reads them."""

_SKIPPED = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        ".tox",
        ".nox",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".ipynb_checkpoints",
    }
    | {"__pycache__", "node_modules", "site-packages", ".eggs", ".cache"}
)
"""Folders that hold no sources of the project."""

_HOPS = 40
"""Links that are followed from one path, as the kernel does."""

Identity = tuple[int, int]
"""Device and inode of a file."""


class Links(Struct, frozen=True):
    """Links inside a project: path -> what they lead to, both from its root."""

    targets: Mapping[str, str] = {}

    def resolve(self, path: str) -> str:
        """The path with every link on the way replaced. One that leads back to itself stays as it is."""
        if not self.targets:
            return path
        for _ in range(_HOPS):
            prefix = next((part for part in _prefixes(path) if part in self.targets), None)
            if prefix is None:
                return path
            path = "/".join(filter(None, (self.targets[prefix], path[len(prefix) + 1 :])))
        return path


NO_LINKS = Links()


class ProjectTree:
    """What is in a project: paths relative to its root, with `/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        """As the user named it."""
        self.files: list[str] = []
        """Ordinary files, sorted; each under one name."""
        self.left_out: list[LeftOut] = []
        self.links = NO_LINKS
        self.real = os.path.realpath(root)
        """Without links."""
        self._identities: dict[str, Identity] = {}
        self._bytes_left = MOST_BYTES

    def add(self, path: str, state: os.stat_result) -> None:
        """A file that was seen."""
        self.files.append(path)
        self._identities[path] = (state.st_dev, state.st_ino)

    def has(self, path: str) -> bool:
        """Whether a path means a file that was listed, links followed."""
        return self.links.resolve(path) in self._identities

    def inside(self, path: str) -> str | None:
        """What an absolute path without links is from the root; None: it is not in the project."""
        if path == self.real:
            return ""
        start = self.real.rstrip(os.sep) + os.sep
        return path[len(start) :].replace(os.sep, "/") if path.startswith(start) else None

    def read(self, file: str) -> bytes:
        """The bytes of a file that was listed. Raises UnreadSourceError for every other path."""
        name = self.links.resolve(file)
        identity = self._identities.get(name)
        if identity is None:
            reason = LeftOutReason.OUTSIDE if leads_out(file) else LeftOutReason.MISSING
            raise UnreadSourceError(reason, file)
        try:
            # A pipe that came in place of the file would wait for a writer without O_NONBLOCK.
            flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            handle = os.open(f"{self.real}{os.sep}{name}", flags)
        except (OSError, ValueError) as error:
            raise UnreadSourceError(LeftOutReason.UNREADABLE, _words(error)) from error
        with os.fdopen(handle, "rb", buffering=0) as stream:
            state = os.fstat(handle)
            if not stat.S_ISREG(state.st_mode) or (state.st_dev, state.st_ino) != identity:
                raise UnreadSourceError(LeftOutReason.CHANGED)
            if state.st_size > LARGEST:
                raise UnreadSourceError(LeftOutReason.TOO_LARGE, str(LARGEST))
            if state.st_size > self._bytes_left:
                raise UnreadSourceError(LeftOutReason.TOO_MUCH, str(MOST_BYTES))
            try:
                data = read_stream(stream, LARGEST)
            except UnreadableError as error:
                if error.problem is ReadProblem.TOO_BIG:
                    raise UnreadSourceError(LeftOutReason.TOO_LARGE, str(LARGEST)) from error
                raise UnreadSourceError(LeftOutReason.UNREADABLE, error.text) from error
        self._bytes_left -= len(data)
        return data

    def text(self, file: str) -> str:
        """The text of a file that was listed. Raises UnreadSourceError."""
        return to_text(self.read(file))


def list_files(root: Path) -> ProjectTree:
    """All files below a folder. Raises UsageError for what is no readable folder."""
    _refuse(root)
    tree = ProjectTree(root)
    walker = _Walker(tree)
    walker.walk()
    tree.files.sort()
    walker.name_links()
    tree.left_out.sort(key=lambda one: one.path)
    return tree


def leads_out(path: str) -> bool:
    """Whether a normal path that a file of the project names leaves the project, by its words alone."""
    return path.startswith(("/", "\\", "~", "../")) or path == ".." or path[1:2] == ":"


def _refuse(root: Path) -> None:
    hint = "name the folder of a project: `mmlock scan .`"
    try:
        if not root.exists():
            raise UsageError(f"`{root}`: no such folder", hints=[hint])
        if not root.is_dir():
            raise UsageError(f"`{root}` is a file, not a folder", hints=[hint])
        with os.scandir(root):
            pass
        whole = root.resolve().parent == root.resolve()
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a link to itself, before Python 3.13
        raise UsageError(f"`{root}` cannot be read", causes=[_words(error)], hints=[hint]) from error
    if whole:
        raise UsageError(f"`{root}` is the root of the file system, not a project", hints=[hint])
    if _is_environment(str(root)):
        raise UsageError(
            f"`{root}` is a Python environment, not a project",
            hints=[f"`mmlock doctor --python {root}` looks at an environment", hint],
        )


class _Walker:
    """Goes through the plain folders of a project, and looks at its links afterwards."""

    def __init__(self, tree: ProjectTree) -> None:
        self.tree = tree
        self.room = MOST_ENTRIES
        self.folders: set[str] = set()
        self.links: list[str] = []

    def walk(self) -> None:
        """Every plain folder, files listed."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            if folder.count("/") >= MOST_DEPTH:
                self.leave(folder, LeftOutReason.TOO_DEEP, str(MOST_DEPTH))
                continue
            self.folders.add(folder)
            for entry in self.entries(folder):
                path = f"{folder}/{entry.name}" if folder else entry.name
                try:
                    if self.entry(entry, path):
                        waiting.append(path)
                except OSError as error:
                    self.leave(path, LeftOutReason.UNREADABLE, _words(error))

    def entries(self, folder: str) -> list[os.DirEntry[str]]:
        """What a folder holds, as far as there is room."""
        try:
            with os.scandir(self.full(folder)) as listed:
                entries = list(islice(listed, self.room + 1))
        except OSError as error:
            self.leave(folder or ".", LeftOutReason.UNREADABLE, _words(error))
            return []
        if len(entries) > self.room:
            self.leave(folder or ".", LeftOutReason.TOO_MANY, str(MOST_ENTRIES))
            entries = entries[: self.room]
        self.room -= len(entries)
        return sorted(entries, key=lambda entry: entry.name)

    def entry(self, entry: os.DirEntry[str], path: str) -> bool:
        """Take one entry in; whether it is a folder to look into."""
        if _is_link(entry):
            self.links.append(path)
            return False
        if entry.is_dir(follow_symlinks=False):
            if entry.name in _SKIPPED:
                return False
            if _is_environment(entry.path):
                self.leave(path, LeftOutReason.ENVIRONMENT)
                return False
            return True
        state = os.lstat(entry.path)
        if stat.S_ISREG(state.st_mode):
            self.tree.add(path, state)
        else:
            self.leave(path, LeftOutReason.NOT_A_FILE)
        return False

    def name_links(self) -> None:
        """Links that stay inside become other names; the rest is left out."""
        targets: dict[str, str] = {}
        files = set(self.tree.files)
        for path in sorted(self.links):
            real = os.path.realpath(self.full(path))
            target = self.tree.inside(real)
            if target is None:
                self.leave(path, LeftOutReason.LINK_OUTSIDE, real)
            elif target in files or target in self.folders:
                targets[path] = target
                self.leave(path, LeftOutReason.LINK_REPEATED, target or ".")
            else:
                self.leave(path, _why_unlisted(real))
        self.tree.links = Links(targets)

    def full(self, path: str) -> str:
        """The path on this machine."""
        return f"{self.tree.real}{os.sep}{path}" if path else self.tree.real

    def leave(self, path: str, reason: LeftOutReason, detail: str = "") -> None:
        """Remember what is left out."""
        self.tree.left_out.append(LeftOut(path=path, reason=reason, detail=detail))


def _why_unlisted(real: str) -> LeftOutReason:
    """Why a link inside the project leads to nothing that was listed."""
    try:
        mode = os.lstat(real).st_mode
    except OSError:
        return LeftOutReason.LINK_BROKEN
    if stat.S_ISLNK(mode):  # a circle: nothing real is at its end
        return LeftOutReason.LINK_BROKEN
    ordinary = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
    return LeftOutReason.LINK_SKIPPED if ordinary else LeftOutReason.NOT_A_FILE


def _is_link(entry: os.DirEntry[str]) -> bool:
    """Whether an entry leads elsewhere: a link, or a junction of Windows."""
    junction = getattr(entry, "is_junction", None)  # since Python 3.12
    return entry.is_symlink() or bool(junction and junction())


def _is_environment(folder: str) -> bool:
    return Path(folder, "pyvenv.cfg").is_file() or Path(folder, "conda-meta").is_dir()


def _prefixes(path: str) -> Iterator[str]:
    """The path itself and the folders above it, nearest to the root first."""
    above = [path]
    while above[-1]:
        above.append(dirname(above[-1]))
    return reversed(above[:-1])


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
