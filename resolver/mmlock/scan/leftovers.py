"""What earlier builds left in a tree: compiled files and eggs, and for which Python and torch they are."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from mmlock.binary.inspect import Uninspected, inspect_folder
from mmlock.binary.model import CompiledExtension
from mmlock.core.names import StrEnum

__all__ = ["BuildLeftover", "UnknownReason", "leftovers"]

_MADE = re.compile(r"\.(?:so|pyd)$")
_EGG = re.compile(
    r"(?<![^/])(?P<name>[^/]+?)-(?P<version>[^-/]+)-py(?P<python>3\.\d+)(?:-[^/]{1,60})?\.egg(?=/|$)"
)
_TAG = re.compile(r"(?:cpython-|cp)(\d)(\d+)")
_MOST = 50
_LARGEST = 512 * 2**20
"""Bytes of an egg that is opened."""


class UnknownReason(StrEnum):
    """Why a compiled file is named and no more is known of it."""

    TOO_MANY = "too-many"  # only so many are read
    TOO_LARGE = "too-large"
    UNREADABLE = "unreadable"
    NOT_COMPILED = "not-compiled"  # its name says so, its bytes do not
    EGG = "egg"  # an archive: its members are named, not unpacked


class BuildLeftover(Struct, frozen=True, kw_only=True):
    """A compiled file that is in the tree and that no lock vouches for."""

    path: str
    modules: tuple[str, ...]
    """What it can be imported as."""
    python: str | None
    """The Python it was made for (`3.8`); None: its name does not tell."""
    needs: tuple[str, ...]
    """Libraries of torch and CUDA that it wants."""
    cxx11_abi: int | None
    why: UnknownReason | None = None
    """Why nothing more is known of it."""
    detail: str = ""
    """What its reader says."""


def leftovers(root: Path, files: Iterable[str]) -> Iterator[BuildLeftover]:
    """Compiled files and eggs; only so many are read."""
    match = [file for file in files if _MADE.search(file) or file.endswith(".egg")]
    for file in match[:_MOST]:
        if file.endswith(".egg"):
            yield _egg(root / file, file)
        else:
            yield _compiled(root, file)
    for file in match[_MOST:]:
        yield _unknown(file, UnknownReason.TOO_MANY)


def _unknown(file: str, why: UnknownReason, modules: tuple[str, ...] = (), detail: str = "") -> BuildLeftover:
    return BuildLeftover(
        path=file, modules=modules, python=_python(file), needs=(), cxx11_abi=None, why=why, detail=detail
    )


def _compiled(root: Path, file: str) -> BuildLeftover:
    read = inspect_folder(root, only=[file])
    if isinstance(read, Uninspected):
        return _unknown(file, UnknownReason.UNREADABLE, detail=read.why)
    if not read.extensions:
        detail = next((one.why for one in read.not_read), "")
        return _unknown(
            file, UnknownReason.UNREADABLE if detail else UnknownReason.NOT_COMPILED, detail=detail
        )
    return _of(file, read.extensions[0])


def _of(file: str, one: CompiledExtension) -> BuildLeftover:
    needs = tuple(name for name in one.needed if re.match(r"lib(?:torch|c10|cudart)", name))
    return BuildLeftover(
        path=file,
        modules=one.modules,
        python=_python(one.python or file),
        needs=needs,
        cxx11_abi=one.cxx11_abi,
    )


def _egg(path: Path, file: str) -> BuildLeftover:
    """An egg that is one file: its compiled members are named, not unpacked."""
    try:
        if path.stat().st_size > _LARGEST:
            return _unknown(file, UnknownReason.TOO_LARGE)
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if _MADE.search(name)]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return _unknown(file, UnknownReason.UNREADABLE)
    modules = tuple(sorted({Path(name).name.partition(".")[0] for name in names}))
    return _unknown(file, UnknownReason.EGG, modules)


def _python(text: str) -> str | None:
    if egg := _EGG.search(text):
        return egg["python"]
    match = _TAG.search(text)
    return f"{match[1]}.{match[2]}" if match else None
