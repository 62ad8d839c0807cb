"""Reading wheels, folders and installed packages. The only module here that opens files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from email.parser import BytesParser
from pathlib import Path, PurePosixPath
from typing import TypeAlias
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from msgspec import Struct
from msgspec.structs import replace

from mmlock.binary.archive import Archive, Prefix
from mmlock.binary.extension import is_compiled, kind_of, read_extension, read_extension_prefix
from mmlock.binary.model import BinaryFormat, CompiledExtension, Inspected, NotRead
from mmlock.binary.reading import MappedFile, Memory, OutOfReach, Source, Unreadable
from mmlock.binary.remote import NoRanges, Remote, unread
from mmlock.binary.trees import FolderTree, Tree, WheelTree
from mmlock.core.progress import Progress, silent
from mmlock.net.fetching import Fetcher, FetchFault

Reader: TypeAlias = Callable[[str], "CompiledExtension | NotRead"]
"""Reads the file at a path of the tree at hand."""

_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
_WHEEL_NAME = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(?:-\d[^-]*)?-(?P<tag>[^-]+-[^-]+-[^-]+)\.whl")
_BUNDLED = re.compile(r"^[^/]+\.libs/")
"""Where auditwheel puts the libraries it copies into a wheel."""


class Effort(Struct, frozen=True, kw_only=True):
    """How much of a remote wheel is read."""

    budget: int = 160 * 1024 * 1024
    """Bytes over the network, in all."""
    small: int = 2 * 1024 * 1024
    """Packed files up to this are read whole."""
    prefix: int = 64 * 1024 * 1024
    """Unpacked bytes that are looked at from the start of a larger file."""
    whole: bool = False
    """Read every file whole, whatever its size (within the budget)."""
    gpu: bool = True
    """Look for GPU code too."""


class Uninspected(Struct, frozen=True, kw_only=True):
    """A wheel that could not be read at all: no wheel, damaged, or out of reach."""

    place: str
    why: str
    """A clause that can follow the place."""
    reached: bool = True
    """False: its bytes did not come over the network, which says nothing of the wheel."""


def inspect_wheel(
    place: str | Path,
    *,
    client: Fetcher | None = None,
    effort: Effort | None = None,
    progress: Progress = silent,
) -> Inspected | Uninspected:
    """Read a wheel at a path or `file://`, or by ranges from `http(s)://`, where `client` fetches them."""
    effort = effort or Effort()
    text = str(place)
    try:
        if "://" in text and not text.startswith("file:"):
            assert client is not None, "a remote wheel needs a client"
            return _remote(text, client, effort, progress)
        path = Path(url2pathname(urlsplit(text).path)) if "://" in text else Path(place)
        with MappedFile(path) as source:
            tree = WheelTree(Archive(source))
            found = _inspected(tree, text, path.name, lambda name: _whole(tree, name), progress)
            return replace(found, size=source.size)
    except Unreadable as fault:
        return Uninspected(place=text, why=str(fault), reached=not isinstance(fault, OutOfReach))


def inspect_folder(
    root: Path, *, only: Iterable[str] | None = None, progress: Progress = silent
) -> Inspected | Uninspected:
    """Read an unpacked wheel or a part of `site-packages`; `only` names its files, relative to the root."""
    try:
        sizes = {name: _size(root / name) for name in only} if only is not None else None
        tree = FolderTree(root, sizes)
        return _inspected(tree, str(root), "", lambda name: _whole(tree, name), progress)
    except Unreadable as fault:
        return Uninspected(place=str(root), why=str(fault))


# ---------------------------------------------------------------- the way of a wheel


def _remote(url: str, client: Fetcher, effort: Effort, progress: Progress) -> Inspected | Uninspected:
    name = unquote(PurePosixPath(urlsplit(url).path).name)
    try:
        remote = Remote(client, url, budget=effort.budget)
    except NoRanges:
        return _downloaded(url, name, client, progress)
    tree = WheelTree(Archive(remote))
    found = _inspected(tree, url, name, lambda path: _in_part(tree, path, effort), progress)
    return replace(found, bytes_read=remote.asked, size=remote.size)


def _downloaded(url: str, name: str, client: Fetcher, progress: Progress) -> Inspected | Uninspected:
    """The whole wheel, from a server that sends nothing less; the client's limit on size holds."""
    progress(f"fetching the whole of {name}: its server sends no parts")
    answer = client.get(url)
    if isinstance(answer, FetchFault):
        raise unread(answer)
    tree = WheelTree(Archive(Memory(answer.body)))
    found = _inspected(tree, url, name, lambda path: _whole(tree, path), progress)
    return replace(found, bytes_read=len(answer.body), size=len(answer.body))


def _inspected(tree: Tree, place: str, wheel_name: str, read: Reader, progress: Progress) -> Inspected:
    compiled = [path for path in sorted(tree.files) if is_compiled(path)]
    extensions: list[CompiledExtension] = []
    not_read: list[NotRead] = []
    for path in compiled:
        if _BUNDLED.match(path):
            continue
        progress(f"reading {path}")
        found = read(path)
        if isinstance(found, CompiledExtension):
            extensions.append(found)
        else:
            not_read.append(found)
    named = _WHEEL_NAME.fullmatch(wheel_name)
    declared = _declared(tree)
    return Inspected(
        place=place,
        name=declared.name or (named["name"] if named else None),
        version=declared.version or (named["version"] if named else None),
        tags=(named["tag"],) if named else (),
        requires=declared.requires,
        requires_python=declared.requires_python,
        extensions=_for_neighbours(extensions),
        bundled=tuple(sorted({PurePosixPath(path).name for path in compiled})),
        not_read=tuple(not_read),
        bytes_read=0,
        size=None,
    )


def _for_neighbours(extensions: list[CompiledExtension]) -> tuple[CompiledExtension, ...]:
    """What a file gives matters only where a neighbour needs it."""
    wanted = {name for extension in extensions for name in extension.torch_needs}
    return tuple(
        replace(one, torch_gives=tuple(name for name in one.torch_gives if name in wanted))
        for one in extensions
    )


# ---------------------------------------------------------------- one file


def _whole(tree: Tree, path: str) -> CompiledExtension | NotRead:
    try:
        with tree.open(path) as source:
            return _understood(path, source)
    except OutOfReach:
        raise  # of the wheel, not of this file
    except Unreadable as fault:
        return NotRead(path=path, kind=BinaryFormat.ELF, why=str(fault))


def _understood(path: str, source: Source) -> CompiledExtension | NotRead:
    kind = kind_of(source)
    if kind is not BinaryFormat.ELF:
        return NotRead(path=path, kind=kind, why=_NOT_READ[kind])
    return read_extension(path, source)


_NOT_READ = {
    BinaryFormat.PE: "is Windows code, which is not read: only ELF files are",
    BinaryFormat.MACH_O: "is macOS code (Mach-O), which is not read: only ELF files are",
    BinaryFormat.OTHER: "is not compiled code, despite its name",
}


def _in_part(tree: WheelTree, path: str, effort: Effort) -> CompiledExtension | NotRead:
    """A file of a remote wheel: its beginning where that tells enough, else all of it."""
    member = tree.archive.members[path]
    if effort.whole or member.packed <= effort.small:
        return _whole(tree, path)
    try:
        prefix = Prefix(tree.archive, member, effort.prefix)
        kind = kind_of(prefix)
        if kind is not BinaryFormat.ELF:
            return NotRead(path=path, kind=kind, why=_NOT_READ[kind])
        return read_extension_prefix(path, prefix, gpu=effort.gpu)
    except OutOfReach:
        raise
    except Unreadable:
        return _whole(tree, path)


# ---------------------------------------------------------------- metadata


class _DeclaredMetadata(Struct, frozen=True, kw_only=True):
    name: str | None = None
    version: str | None = None
    requires: tuple[str, ...] = ()
    requires_python: str | None = None


def _declared(tree: Tree) -> _DeclaredMetadata:
    paths = [path for path in tree.files if _METADATA.fullmatch(path)]
    if len(paths) != 1:
        return _DeclaredMetadata()
    message = BytesParser().parsebytes(tree.text(paths[0]), headersonly=True)
    return _DeclaredMetadata(
        name=_header(message.get("Name")),
        version=_header(message.get("Version")),
        requires=tuple(str(value) for value in message.get_all("Requires-Dist") or ()),
        requires_python=_header(message.get("Requires-Python")),
    )


def _header(value: object) -> str | None:
    return str(value).strip() if value else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
