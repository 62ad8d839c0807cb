"""Asking a library for single names, as the loader does: by its hash table, without reading all of them.

libtorch has a hundred thousand names; an extension wants some hundreds. Source: the GNU hash section as
`do_lookup_x` of glibc reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cached_property

from mmlock.binary.elf import (
    MAX_NAME,
    MAX_SYMBOLS,
    SYMBOL,
    gnu_hash,
    placed,
    read_dynamic,
    read_elf,
    read_header,
    read_segments,
)
from mmlock.binary.reading import Source, Unreadable

_NEEDED, _STRTAB, _SYMTAB, _SONAME, _GNU_HASH = 1, 5, 6, 14, 0x6FFFFEF5
_EXPORTING = frozenset({1, 2, 10})
_VISIBLE = frozenset({0, 3})
_STEP = 256


class Exports:
    """The dynamic section of a library, and its names on demand. Everything raises Unreadable."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._segments = read_segments(source, read_header(source))
        self._entries = read_dynamic(source, self._segments)
        self._tags = {tag: value for tag, value in reversed(self._entries)}  # noqa: C416 - the first counts
        if _STRTAB not in self._tags or _SYMTAB not in self._tags:
            raise Unreadable("has no dynamic symbols: it is not a shared object")
        self._strings = placed(self._segments, self._tags[_STRTAB])
        self._symbols = placed(self._segments, self._tags[_SYMTAB])

    @property
    def needed(self) -> tuple[str, ...]:
        """Sonames it needs, in the order the loader seeks them."""
        return tuple(self._text(value) for tag, value in self._entries if tag == _NEEDED)

    @property
    def soname(self) -> str | None:
        return self._text(self._tags[_SONAME]) if _SONAME in self._tags else None

    def among(self, names: Iterable[str]) -> frozenset[str]:
        """Those of the names that it offers."""
        if _GNU_HASH not in self._tags:  # as old linkers leave it: then all names are read
            return read_elf(self._source).symbols.defined & frozenset(names)
        return frozenset(name for name in names if self._offers(name.encode("ascii", "replace")))

    @cached_property
    def _table(self) -> tuple[int, int, int, int, int]:
        """Buckets, first hashed symbol, words of the Bloom filter, its shift, and where the words begin."""
        at = placed(self._segments, self._tags[_GNU_HASH])
        buckets, first, bloom, shift = struct.unpack("<IIII", self._source.read(at, 16))
        plausible = 0 < buckets <= MAX_SYMBOLS and 0 < bloom <= MAX_SYMBOLS and shift < 64  # noqa: PLR2004
        if not plausible or first > MAX_SYMBOLS:
            raise Unreadable("has no plausible GNU hash table")
        return buckets, first, bloom, shift, at + 16

    def _offers(self, name: bytes) -> bool:
        buckets, first, bloom, shift, words = self._table
        wanted = gnu_hash(name)
        (word,) = struct.unpack("<Q", self._source.read(words + (wanted // 64 % bloom) * 8, 8))
        if not (word >> wanted % 64 & 1 and word >> (wanted >> shift) % 64 & 1):
            return False
        heads = words + bloom * 8
        (at,) = struct.unpack("<I", self._source.read(heads + wanted % buckets * 4, 4))
        chains = heads + buckets * 4
        for symbol in range(at, at + MAX_SYMBOLS) if at >= first else ():
            (value,) = struct.unpack("<I", self._source.read(chains + (symbol - first) * 4, 4))
            if value | 1 == wanted | 1 and self._is(symbol, name):
                return True
            if value & 1:
                return False
        return False

    def _is(self, symbol: int, name: bytes) -> bool:
        raw = self._source.read(self._symbols + symbol * SYMBOL.size, SYMBOL.size)
        at, info, other, section, _, _ = SYMBOL.unpack(raw)
        if section == 0 or info >> 4 not in _EXPORTING or other & 3 not in _VISIBLE:
            return False
        try:
            return self._source.read(self._strings + at, len(name) + 1) == name + b"\0"
        except Unreadable:
            return False

    def _text(self, at: int) -> str:
        """The name at an offset of the strings."""
        found = b""
        start = self._strings + at
        while b"\0" not in found and len(found) < MAX_NAME:
            size = min(_STEP, self._source.size - start - len(found))
            if size <= 0:
                raise Unreadable("has a name that does not end")
            found += self._source.read(start + len(found), size)
        return found.partition(b"\0")[0].decode("ascii", "backslashreplace")
