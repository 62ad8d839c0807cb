"""An ELF file as the loader sees it: what it needs, what it gives.

Little-endian 64-bit files of any machine are read. Source: the ELF-64 object file format (version 1.5) and
the GNU extensions of the Linux Standard Base, part "Symbol Versioning".
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from msgspec import Struct

from mmlock.binary.reading import OutOfReach, Source, Unreadable, check_span

MAX_SYMBOLS = 4_000_000
MAX_STRINGS = 512 * 1024 * 1024
MAX_NAME = 64 * 1024
MAX_TEXT = 1024 * 1024 * 1024
"""All names of one table together: overlapping strings must not multiply."""
MAX_TABLE = 16 * 1024 * 1024
"""Section headers, program headers, the dynamic section: each far smaller in real files."""

MACHINES: Mapping[int, str] = {3: "i386", 20: "ppc", 21: "ppc64", 22: "s390", 40: "arm", 62: "x86_64"} | {
    183: "aarch64",
    243: "riscv64",
    258: "loongarch64",
}

_LOAD, _DYNAMIC = 1, 2
_DYNSYM = 11
_NEEDED, _HASH, _STRTAB, _SYMTAB, _STRSZ, _SONAME, _RPATH, _RUNPATH = 1, 4, 5, 6, 10, 14, 15, 29
_GNU_HASH, _VERNEED, _VERNEEDNUM = 0x6FFFFEF5, 0x6FFFFFFE, 0x6FFFFFFF
SYMBOL = struct.Struct("<IBBHQQ")
_WEAK = 2
_EXPORTING = frozenset({1, 2, 10})  # global, weak, unique
_VISIBLE = frozenset({0, 3})  # default, protected


class Header(Struct, frozen=True, kw_only=True):
    """The first 64 bytes."""

    machine: str
    phoff: int
    phnum: int
    shoff: int
    shnum: int
    shstrndx: int


class Segment(Struct, frozen=True, kw_only=True):
    """A program header."""

    kind: int
    offset: int
    address: int
    size: int


class ElfSection(Struct, frozen=True, kw_only=True):
    """A section header."""

    name: str
    kind: int
    offset: int
    size: int


class Symbols(Struct, frozen=True, kw_only=True):
    """The names of a dynamic symbol table."""

    undefined: frozenset[str]
    """Must be found at load time."""
    weak: frozenset[str]
    """Wanted, and may stay unfound."""
    defined: frozenset[str]
    """Offered to others."""


class Elf(Struct, frozen=True, kw_only=True):
    """What an ELF file asks of its surroundings and offers to them."""

    machine: str
    soname: str | None
    needed: tuple[str, ...]
    """Sonames in the order the loader seeks them."""
    runpath: tuple[str, ...]
    """RUNPATH, else RPATH."""
    symbols: Symbols
    versions: Mapping[str, tuple[str, ...]] | None
    """Library -> version names it must have (`libc.so.6` -> `GLIBC_2.17`); None: not read."""
    sections: tuple[ElfSection, ...] | None
    """None: the file's end was not read."""


# ---------------------------------------------------------------- the whole file


def read_elf(source: Source) -> Elf:
    """Read a shared object. Raises Unreadable when it is not one or cannot be made sense of."""
    header = read_header(source)
    segments = read_segments(source, header)
    sections = _sections(source, header)
    entries = read_dynamic(source, segments)
    tags = {tag: value for tag, value in reversed(entries)}  # noqa: C416 - the first of each tag counts
    if _STRTAB not in tags or _SYMTAB not in tags:
        raise Unreadable("has no dynamic symbols: it is not a shared object")
    at = placed(segments, tags[_STRTAB])
    size = tags.get(_STRSZ, 0)
    if size > MAX_STRINGS:
        raise Unreadable(f"claims {size} bytes of names")
    strings = source.read(at, size)
    count = _symbol_count(source, segments, sections, tags)
    table = source.read(placed(segments, tags[_SYMTAB]), count * SYMBOL.size)
    paths = next((_text(strings, tags[tag]) for tag in (_RUNPATH, _RPATH) if tag in tags), "")
    return Elf(
        machine=header.machine,
        soname=_text(strings, tags[_SONAME]) if _SONAME in tags else None,
        needed=tuple(_text(strings, value) for tag, value in entries if tag == _NEEDED),
        runpath=tuple(part for part in paths.split(":") if part),
        symbols=sort_symbols(table, strings),
        versions=_versions(source, segments, tags, strings),
        sections=sections,
    )


def read_header(source: Source) -> Header:
    """The file header. Raises Unreadable for what is not little-endian 64-bit ELF."""
    if source.size < 64:  # noqa: PLR2004 - its size
        raise Unreadable(f"is no ELF file: it has only {source.size} bytes")
    raw = source.read(0, 64)
    if raw[:4] != b"\x7fELF":
        raise Unreadable("is no ELF file")
    machine = int.from_bytes(raw[18:20], "big" if raw[5] == 2 else "little")  # noqa: PLR2004
    name = MACHINES.get(machine, f"machine {machine}")
    if raw[4] != 2 or raw[5] != 1:  # noqa: PLR2004
        bits, order = {1: "32-bit", 2: "64-bit"}.get(raw[4], "?"), {1: "little"}.get(raw[5], "big")
        raise Unreadable(f"is a {bits} {order}-endian ELF file for {name}; only 64-bit little-endian is read")
    phoff, shoff, _, _, phsize, phnum, shsize, shnum, shstrndx = struct.unpack_from("<QQIHHHHHH", raw, 32)
    if (phnum and phsize != 56) or (shnum and shsize != 64):  # noqa: PLR2004
        raise Unreadable("has headers of an unknown size")
    return Header(machine=name, phoff=phoff, phnum=phnum, shoff=shoff, shnum=shnum, shstrndx=shstrndx)


def read_segments(source: Source, header: Header) -> tuple[Segment, ...]:
    """The program headers."""
    raw = source.read(header.phoff, header.phnum * 56)
    return tuple(
        Segment(kind=kind, offset=offset, address=address, size=size)
        for kind, _, offset, address, _, size, _, _ in struct.iter_unpack("<IIQQQQQQ", raw)
    )


def _sections(source: Source, header: Header) -> tuple[ElfSection, ...]:
    """The section headers; a file can do without them, so what is broken here counts as absent."""
    if not header.shnum or header.shstrndx >= header.shnum:
        return ()
    try:
        raw = source.read(header.shoff, header.shnum * 64)
        rows = list(struct.iter_unpack("<IIQQQQIIQQ", raw))
        names_at, names_size = rows[header.shstrndx][4:6]
        if names_size > MAX_TABLE:
            return ()
        names = source.read(names_at, names_size)
    except OutOfReach:
        raise
    except Unreadable:
        return ()
    return tuple(
        ElfSection(
            name=_text(names, row[0]) if row[0] < len(names) else "", kind=row[1], offset=row[4], size=row[5]
        )
        for row in rows
    )


def read_dynamic(source: Source, segments: Sequence[Segment]) -> list[tuple[int, int]]:
    """(tag, value) of the dynamic section up to its end."""
    found = next((segment for segment in segments if segment.kind == _DYNAMIC), None)
    if found is None:
        raise Unreadable("has no dynamic section: it is not a shared object")
    if found.size > MAX_TABLE:
        raise Unreadable(f"claims a dynamic section of {found.size} bytes")
    entries: list[tuple[int, int]] = []
    for tag, value in struct.iter_unpack("<QQ", source.read(found.offset, found.size // 16 * 16)):
        if tag == 0:
            break
        entries.append((tag, value))
    return entries


def placed(segments: Sequence[Segment], address: int) -> int:
    """The file offset of a virtual address."""
    for segment in segments:
        if segment.kind == _LOAD and segment.address <= address < segment.address + segment.size:
            return segment.offset + address - segment.address
    raise Unreadable(f"points to address {address:#x}, which no segment holds")


def _symbol_count(
    source: Source, segments: Sequence[Segment], sections: Sequence[ElfSection], tags: Mapping[int, int]
) -> int:
    """How many symbols there are. ELF states it nowhere directly."""
    at = placed(segments, tags[_SYMTAB])
    count = next((s.size // SYMBOL.size for s in sections if s.kind == _DYNSYM and s.offset == at), None)
    if count is None and _HASH in tags:
        count = struct.unpack("<II", source.read(placed(segments, tags[_HASH]), 8))[1]
    if count is None and _GNU_HASH in tags:
        count = read_gnu_hash(source, placed(segments, tags[_GNU_HASH])).symbols
    if count is None:
        raise Unreadable("does not say how many symbols it has")
    if count > MAX_SYMBOLS:
        raise Unreadable(f"claims {count} symbols")
    return count


# ---------------------------------------------------------------- tables


class GnuHash(Struct, frozen=True, kw_only=True):
    """A GNU hash table, as far as it tells about the symbol table."""

    first: int
    """The first hashed symbol; those before it are undefined."""
    symbols: int
    """How many symbols there are in all."""
    hashes: tuple[int, ...]
    """Of the hashed symbols in order, the lowest bit being no part of the hash."""
    end: int
    """Where the table ends in the file."""


def read_gnu_hash(source: Source, at: int) -> GnuHash:
    """Read the table at an offset. Raises Unreadable when there is none."""
    buckets, first, bloom, shift = struct.unpack("<IIII", source.read(at, 16))
    plausible = 0 < buckets <= MAX_SYMBOLS and 0 < first <= MAX_SYMBOLS and shift < 64  # noqa: PLR2004
    if not plausible or not 0 < bloom <= MAX_SYMBOLS or bloom & (bloom - 1):
        raise Unreadable("has no plausible GNU hash table")
    chains = at + 16 + bloom * 8
    heads = struct.unpack(f"<{buckets}I", source.read(chains, buckets * 4))
    chains += buckets * 4
    last = max(heads)
    if last < first:  # nothing is hashed
        return GnuHash(first=first, symbols=first, hashes=(), end=chains)
    if last > MAX_SYMBOLS:
        raise Unreadable("has no plausible GNU hash table")
    hashes = list(struct.unpack(f"<{last - first}I", source.read(chains, (last - first) * 4)))
    while True:  # the last chain ends where the lowest bit is set
        (value,) = struct.unpack("<I", source.read(chains + len(hashes) * 4, 4))
        hashes.append(value)
        if value & 1:
            break
        if len(hashes) > MAX_SYMBOLS:
            raise Unreadable("has no plausible GNU hash table")
    return GnuHash(
        first=first, symbols=first + len(hashes), hashes=tuple(hashes), end=chains + len(hashes) * 4
    )


def gnu_hash(name: bytes) -> int:
    """The hash of a symbol's name in such a table."""
    value = 5381
    for byte in name:
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


def sort_symbols(table: bytes, strings: bytes) -> Symbols:
    """The symbols of a table by what they mean to a loader."""
    undefined: set[str] = set()
    weak: set[str] = set()
    defined: set[str] = set()
    total = 0
    for name_at, info, other, section, _, _ in SYMBOL.iter_unpack(table):
        binding = info >> 4
        if not name_at or binding not in _EXPORTING:
            continue
        name = _text(strings, name_at)
        total += len(name)
        if total > MAX_TEXT:
            raise Unreadable("has names that add up to more than a file can need")
        if section == 0:
            (weak if binding == _WEAK else undefined).add(name)
        elif other & 3 in _VISIBLE:
            defined.add(name)
    return Symbols(undefined=frozenset(undefined - defined), weak=frozenset(weak), defined=frozenset(defined))


def _versions(
    source: Source, segments: Sequence[Segment], tags: Mapping[int, int], strings: bytes
) -> dict[str, tuple[str, ...]]:
    if _VERNEED not in tags:
        return {}
    return read_versions(source, placed(segments, tags[_VERNEED]), tags.get(_VERNEEDNUM, 0), strings)


def read_versions(source: Source, at: int, count: int, strings: bytes) -> dict[str, tuple[str, ...]]:
    """The version needs at an offset: library -> version names. `count` 0 reads to the end of the chain."""
    needs: dict[str, tuple[str, ...]] = {}
    steps = 0
    while True:
        structure, entries, file, first, following = struct.unpack("<HHIII", source.read(at, 16))
        if structure != 1:
            raise Unreadable("has version needs of an unknown structure")
        names: list[str] = []
        here = at + first
        for _ in range(entries):
            _, _, _, name, onward = struct.unpack("<IHHII", source.read(here, 16))
            names.append(_text(strings, name))
            steps += 1
            if steps > MAX_NAME:
                raise Unreadable("has endless version needs")
            if not onward:
                break
            here += onward
        needs[_text(strings, file)] = tuple(sorted(names))
        if not following or len(needs) == count:
            return needs
        at += following
        steps += 1


def _text(strings: bytes, at: int) -> str:
    check_span(at, 1, len(strings), "the name at")
    end = strings.find(b"\0", at, at + MAX_NAME)
    if end < 0:
        raise Unreadable(f"has a name that does not end, at {at} of its strings")
    return strings[at:end].decode("ascii", "backslashreplace")
