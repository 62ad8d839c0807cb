"""What torch builds export: compact files, one per torch series, each build's names on demand.

A file is one line of JSON (what was read, from where), then xz: names sorted in groups, one group for every
set of builds that share them. Patch releases differ little, so that the second costs almost nothing.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from mmlock.core.errors import MatrixError
from mmlock.core.names import Platform
from mmlock.core.versions import version

SCHEMA = "torch-symbols"
SUFFIX = ".symbols"
FOLDER = "symbols"
MAX_BYTES = 256 * 1024 * 1024
MAX_HEAD = 4 * 1024 * 1024

_PRESET = 9 | lzma.PRESET_EXTREME
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": _PRESET, "lc": 4, "lp": 0, "pb": 0, "dict_size": 1 << 24}]


class TorchBuildId(Struct, frozen=True, kw_only=True):
    """One build of torch."""

    torch: str
    """Without the local part: `2.9.1`."""
    variant: str
    """`cu128`, `cpu`."""
    platform: Platform

    def __str__(self) -> str:
        return f"{self.torch}+{self.variant}"


class TorchFacts(Struct, frozen=True, kw_only=True):
    """What was read of a torch build besides its names."""

    build: TorchBuildId
    wheel: str
    """The file that was read, by name."""
    sha256: str | None
    """As its index states it."""
    libraries: tuple[str, ...]
    """File names and sonames that `import torch` loads from the wheel."""
    needs: tuple[str, ...]
    """Sonames its libraries need from elsewhere, so that they are loaded too."""
    unread: tuple[str, ...]
    """Libraries among `libraries` whose names were not read."""
    cxx11_abi: int | None
    archs: tuple[str, ...] | None
    """What it says it was built for (`sm_90`, `compute_90`); None when it says nothing."""
    floors: Mapping[str, str] = field(default_factory=dict)
    """`GLIBC`, `GLIBCXX`, `CXXABI` -> the highest version needed."""


class TorchSymbols(Struct, frozen=True, kw_only=True):
    """A torch build as an extension meets it at load time."""

    facts: TorchFacts
    names: frozenset[str]
    """Every torch name its read libraries export."""


# ---------------------------------------------------------------- one file


class SymbolFile(Struct, frozen=True):
    """One file of names. Its head is read at once, its names when they are requested."""

    path: Path
    builds: tuple[TorchFacts, ...]
    groups: tuple[tuple[int, int], ...]
    """(bit mask of builds, number of names)."""

    def names_of(self, build: TorchBuildId) -> frozenset[str]:
        """What that build exports. Raises KeyError when it is not in this file."""
        place = next((at for at, facts in enumerate(self.builds) if facts.build == build), None)
        if place is None:
            raise KeyError(build)
        names: list[str] = []
        for mask, group in self._groups():
            if mask >> place & 1:
                names += group
        return frozenset(names)

    def exporting(self, name: str) -> tuple[TorchBuildId, ...]:
        """The builds of this file that export a name."""
        at = self._line_of(name)
        for mask, count in self.groups:
            if 0 <= at < count:
                return tuple(facts.build for at, facts in enumerate(self.builds) if mask >> at & 1)
            at -= count
        return ()

    def _line_of(self, name: str) -> int:
        """Where a name is among all names of this file; -1: nowhere. The text is not split for it."""
        body = _body(self.path)
        self._check(body.count("\n") + bool(body))
        if not name or "\n" in name:
            return -1
        if body.startswith(f"{name}\n") or body == name:
            return 0
        at = body.find(f"\n{name}\n")
        if at < 0 and body.endswith(f"\n{name}"):
            at = len(body) - len(name) - 1
        return -1 if at < 0 else body.count("\n", 0, at + 1)

    def _check(self, lines: int) -> None:
        if lines != (told := sum(count for _, count in self.groups)):
            raise _broken(self.path, f"it holds {lines} names, not {told}")

    def _groups(self) -> Iterator[tuple[int, Sequence[str]]]:
        body = _body(self.path)
        lines = body.split("\n") if body else []
        self._check(len(lines))
        at = 0
        for mask, count in self.groups:
            yield mask, lines[at : at + count]
            at += count


def read_symbol_file(path: Path) -> SymbolFile:
    """Open a file of names. Raises MatrixError when it is broken."""
    try:
        with path.open("rb") as stream:
            head = json.loads(stream.readline(MAX_HEAD))
        if head["schema"] != SCHEMA:
            raise _broken(path, f"it states schema `{head['schema']}`, not `{SCHEMA}`")
        builds = tuple(_facts(row) for row in head["builds"])
        groups = tuple((int(mask), int(count)) for mask, count in head["groups"])
    except OSError as error:
        raise _broken(path, error.strerror or str(error)) from error
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise _broken(path, f"its first line cannot be read: {error}") from error
    if any(count < 0 or mask < 0 for mask, count in groups):
        raise _broken(path, "its groups have negative sizes")
    return SymbolFile(path, builds, groups)


def write_symbols(tables: Iterable[TorchSymbols]) -> bytes:
    """The bytes of a file with those builds. Equal input gives equal bytes."""
    ordered = sorted(tables, key=lambda table: _build_key(table.facts.build))
    masks: dict[str, int] = {}
    for at, table in enumerate(ordered):
        for name in table.names:
            masks[name] = masks.get(name, 0) | 1 << at
    groups: dict[int, list[str]] = {}
    for name, mask in masks.items():
        groups.setdefault(mask, []).append(name)
    head = {
        "schema": SCHEMA,
        "builds": [_row(table.facts) for table in ordered],
        "groups": [[mask, len(groups[mask])] for mask in sorted(groups)],
    }
    body = "\n".join("\n".join(sorted(groups[mask])) for mask in sorted(groups))
    line = json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
    return line + b"\n" + lzma.compress(body.encode(), check=lzma.CHECK_CRC32, filters=_FILTERS)


@lru_cache(maxsize=8)
def _body(path: Path) -> str:
    """The names of a file; they stay in memory, since every file is searched for who exports a name."""
    try:
        with path.open("rb") as stream:
            stream.readline(MAX_HEAD)
            engine = lzma.LZMADecompressor()
            data = engine.decompress(stream.read(), MAX_BYTES)
    except (OSError, lzma.LZMAError, EOFError) as error:
        raise _broken(path, f"its names cannot be unpacked: {error}") from error
    if not engine.eof:
        raise _broken(path, "its names are cut short or too many")
    return data.decode("ascii", "backslashreplace")


def _row(facts: TorchFacts) -> dict[str, Any]:
    return {
        "torch": facts.build.torch,
        "variant": facts.build.variant,
        "platform": str(facts.build.platform),
        "wheel": facts.wheel,
        "sha256": facts.sha256,
        "libraries": list(facts.libraries),
        "needs": list(facts.needs),
        "unread": list(facts.unread),
        "cxx11_abi": facts.cxx11_abi,
        "archs": None if facts.archs is None else list(facts.archs),
        "floors": dict(facts.floors),
    }


def _facts(row: dict[str, Any]) -> TorchFacts:
    build = TorchBuildId(torch=row["torch"], variant=row["variant"], platform=Platform(row["platform"]))
    version(build.torch)
    return TorchFacts(
        build=build,
        wheel=row["wheel"],
        sha256=row["sha256"],
        libraries=tuple(row["libraries"]),
        needs=tuple(row["needs"]),
        unread=tuple(row["unread"]),
        cxx11_abi=row["cxx11_abi"],
        archs=None if row["archs"] is None else tuple(row["archs"]),
        floors=dict(row["floors"]),
    )


def _build_key(build: TorchBuildId) -> tuple[object, ...]:
    return version(build.torch), build.variant, build.platform


def _broken(path: Path, why: str) -> MatrixError:
    return MatrixError(
        f"the table of torch names `{path}` is broken",
        causes=[why],
        hints=["delete it if it is in the cache; else take the file of an mmlock release"],
    )


# ---------------------------------------------------------------- all files


class SymbolStore:
    """All tables at hand: those of the matrix folder, and those made on this machine."""

    def __init__(self, root: Path, cache: Path | None = None) -> None:
        self._folders = [root / FOLDER, *([cache / FOLDER] if cache else [])]
        self._files: list[SymbolFile] | None = None

    def builds(self) -> tuple[TorchBuildId, ...]:
        """Every build there is a table for, in the order of versions."""
        found = {facts.build for file in self._read() for facts in file.builds}
        return tuple(sorted(found, key=_build_key))

    def facts(self, build: TorchBuildId) -> TorchFacts | None:
        """What is known of a build besides its names."""
        return next((facts for file in self._read() for facts in file.builds if facts.build == build), None)

    def load(self, build: TorchBuildId) -> TorchSymbols | None:
        """The table of one build; None when there is none."""
        for file in self._read():
            for facts in file.builds:
                if facts.build == build:
                    return _loaded(file, facts)
        return None

    def exporting(self, name: str) -> tuple[TorchBuildId, ...]:
        """Every build whose libraries export that (mangled) name."""
        found = {build for file in self._read() for build in file.exporting(name)}
        return tuple(sorted(found, key=_build_key))

    def keep(self, table: TorchSymbols) -> Path:
        """Write a table into the cache. Raises OSError."""
        from mmlock.files.atomic import write_aside

        build = table.facts.build
        path = self._folders[-1] / f"torch-{build.torch}-{build.variant}-{build.platform}{SUFFIX}"
        write_aside(path, write_symbols([table]))
        self._files = None
        return path

    def _read(self) -> list[SymbolFile]:
        if self._files is None:
            paths = (path for folder in self._folders for path in sorted(folder.glob(f"*{SUFFIX}")))
            self._files = [read_symbol_file(path) for path in paths]
        return self._files


_KEPT: dict[tuple[Path, TorchBuildId], TorchSymbols] = {}


def _loaded(file: SymbolFile, facts: TorchFacts) -> TorchSymbols:
    """A build's table; the last few stay in memory, for a solve asks for the same one again and again."""
    key = (file.path, facts.build)
    known = _KEPT.get(key)
    if known is not None and known.facts == facts:
        return known
    table = TorchSymbols(facts=facts, names=file.names_of(facts.build))
    while len(_KEPT) >= 8:  # noqa: PLR2004 - some 10 MB each
        _KEPT.pop(next(iter(_KEPT)))
    _KEPT[key] = table
    return table
