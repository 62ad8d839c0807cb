"""The dynamic symbols of an ELF file from its first bytes alone.

The tables of positions are at the end of a file, but linkers put the symbols first: GNU ld,
gold and mold lay out `.gnu.hash`, `.dynsym`, `.dynstr`, `.gnu.version`, `.gnu.version_r` one after the other.
So the hash table is looked for, and what follows is believed only if the hashes of the names are those in
the table. Files that were rewritten (auditwheel, patchelf) or laid out otherwise are given up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec.structs import replace

from mmlock.binary.elf import (
    MAX_NAME,
    SYMBOL,
    Elf,
    GnuHash,
    gnu_hash,
    read_gnu_hash,
    read_header,
    read_versions,
    sort_symbols,
)
from mmlock.binary.reading import OutOfReach, Source, Unreadable

_SEARCHED = 8192
"""The hash table follows the headers and notes, which are some hundred bytes."""
_LIBRARY = re.compile(r"(?:lib[\w.+-]+|ld-linux[\w-]*)\.so(?:\.\w+){0,6}")
_ORIGIN = re.compile(r"\$(?:ORIGIN|\{ORIGIN\})")
_STEP = 64 * 1024


def read_elf_prefix(source: Source) -> Elf:
    """What the beginning of a shared object tells. `needed` is every library name among its strings.

    Raises Unreadable; BeyondPrefix when more would have to be read than the source gives.
    """
    header = read_header(source)
    for at in range(-(-(header.phoff + header.phnum * 56) // 8) * 8, _SEARCHED, 8):
        try:
            table = read_gnu_hash(source, at)
        except OutOfReach:
            raise
        except Unreadable:
            continue
        if table.hashes and (found := _symbols_after(source, table)):
            raw, strings = found
            return replace(_read(source, table, raw, strings), machine=header.machine)
    raise Unreadable("does not begin with its symbols")


def _symbols_after(source: Source, table: GnuHash) -> tuple[bytes, bytes] | None:
    """The symbol table and the strings that follow a hash table; None when they do not fit it."""
    at = -(-table.end // 8) * 8
    size = table.symbols * SYMBOL.size
    if any(source.read(at, SYMBOL.size)):  # the first symbol is empty
        return None
    raw = source.read(at, size)
    rows = list(SYMBOL.iter_unpack(raw))
    strings = _strings(source, at + size, max(row[0] for row in rows))
    if strings is None:
        return None
    for row, wanted in zip(rows[table.first :], table.hashes, strict=True):
        end = strings.find(b"\0", row[0])
        if (gnu_hash(strings[row[0] : end]) ^ wanted) & ~1:
            return None
    return raw, strings


def _strings(source: Source, at: int, last: int) -> bytes | None:
    """The strings from an offset on: at least the name at `last`, up to the first empty one."""
    if source.read(at, 1) != b"\0":
        return None
    size = min(last + _STEP, source.size - at)
    data = source.read(at, size)
    while True:
        end = data.find(b"\0\0", last + 1 if last else 0)
        if end >= 0:
            return data[: end + 1]
        if len(data) > last + MAX_NAME + _STEP or at + len(data) >= source.size:
            return None
        data += source.read(at + len(data), min(_STEP, source.size - at - len(data)))


def _read(source: Source, table: GnuHash, raw: bytes, strings: bytes) -> Elf:
    symbols = sort_symbols(raw, strings)
    texts = {text.decode("ascii", "backslashreplace") for text in strings.split(b"\0") if text}
    libraries = sorted(text for text in texts if _LIBRARY.fullmatch(text))
    end = -(-table.end // 8) * 8 + len(raw) + len(strings)
    return Elf(
        machine="",
        soname=None,
        needed=tuple(libraries),
        runpath=tuple(sorted(text for text in texts if _ORIGIN.match(text))),
        symbols=symbols,
        versions=_versions_after(source, end, table.symbols, strings),
        sections=None,
    )


def _versions_after(
    source: Source, end: int, symbols: int, strings: bytes
) -> Mapping[str, tuple[str, ...]] | None:
    """Version needs after the strings: one number per symbol comes first. None when they are not there."""
    try:
        for at in (-(-end // 2) * 2, -(-end // 2) * 2 + 2):
            if source.read(at, 2) != b"\0\0":
                continue
            needs_at = -(-(at + symbols * 2) // 8) * 8
            if source.read(needs_at, 2) == b"\1\0":
                return read_versions(source, needs_at, 0, strings)
    except OutOfReach:
        raise
    except Unreadable:
        return None
    return None
