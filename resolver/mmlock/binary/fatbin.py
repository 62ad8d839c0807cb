"""GPU code in a file: for which archs, told from the headers, without NVIDIA's tools.

The section `.nv_fatbin` is a run of containers, each with entries of PTX or of cubin code. NVIDIA documents
none of it; the layout was found by measuring, and counts were compared with cuobjdump.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from mmlock.binary.reading import BeyondPrefix, OutOfReach, Source, Unreadable, check_span

MAGIC = 0xBA55ED50
MAGIC_BYTES = MAGIC.to_bytes(4, "little")
SECTION = ".nv_fatbin"
MAX_CONTAINERS = 100_000
MAX_ENTRIES = 4096
"""Of one container; real ones hold about a dozen."""

_CONTAINER = struct.Struct("<IHHQ")
_ENTRY = struct.Struct("<HHIQIIHHIIIQQQ")
_PTX, _CUBIN = 1, 2
_LZ4, _ZSTD, _SPECIFIC, _FAMILY = 0x2000, 0x8000, 0x100000, 0x200000
_EMPTY_COMPRESSED = 1100
"""nvcc leaves containers without kernels; compressed, their entries are smaller than this."""
_HEAD = 4096
_ISA = re.compile(rb"\.version (\d+\.\d+)")


class FatbinEntry(Struct, frozen=True, kw_only=True):
    """One piece of code of a container."""

    ptx: bool
    arch: str
    """`sm_90a`, `compute_80`."""
    size: int
    kernels: bool
    """False when there is surely none inside."""
    isa: str | None
    """Version of the PTX language it is written in, where it can be read (`7.8`)."""


class GpuCode(Struct, frozen=True, kw_only=True):
    """The archs a file has code for."""

    archs: tuple[str, ...]
    """Archs that *every* container with kernels has a cubin for."""
    ptx: tuple[str, ...]
    """The same of PTX (`compute_90`)."""
    some_archs: tuple[str, ...]
    """Archs that only some of the containers have cubins for."""
    some_ptx: tuple[str, ...]
    containers: int
    """With kernels, as far as they were read."""
    empty: int
    """Without kernels: left out of the count and of the archs."""
    complete: bool
    """Whether all containers were read, or only the first ones."""
    isa: str | None
    """The highest version of the PTX language in it (`7.8`), where it can be read."""


def read_gpu_code(source: Source, at: int, size: int, *, sample: int | None = None) -> GpuCode | None:
    """The GPU code in a span of a file; None when there is none.

    With `sample`, reading stops after so many containers with kernels. Raises Unreadable.
    """
    found: list[tuple[FatbinEntry, ...]] = []
    empty = 0
    complete = True
    walk = _containers(source, at, size)
    while True:
        try:
            entries = next(walk, None)
        except (BeyondPrefix, OutOfReach):
            raise
        except Unreadable:
            # A sample is taken where nobody said how far the code goes.
            if sample is None or not (found or empty):
                raise
            break
        if entries is None:
            break
        if any(entry.kernels for entry in entries):
            found.append(entries)
        else:
            empty += 1
        if sample is not None and len(found) == sample:
            complete = False
            break
    return _joined(found, empty, complete=complete)


def _joined(found: list[tuple[FatbinEntry, ...]], empty: int, *, complete: bool) -> GpuCode | None:
    if not found and not empty:
        return None
    cubins = [{entry.arch for entry in entries if not entry.ptx} for entries in found]
    texts = [{entry.arch for entry in entries if entry.ptx} for entries in found]
    everywhere = set.intersection(*cubins) if cubins else set()
    text_everywhere = set.intersection(*texts) if texts else set()
    return GpuCode(
        archs=_ordered(everywhere),
        ptx=_ordered(text_everywhere),
        some_archs=_ordered(set().union(*cubins) - everywhere),
        some_ptx=_ordered(set().union(*texts) - text_everywhere),
        containers=len(found),
        empty=empty,
        complete=complete,
        isa=max(
            (entry.isa for entries in found for entry in entries if entry.isa),
            key=lambda text: tuple(map(int, text.split("."))),
            default=None,
        ),
    )


def _ordered(archs: set[str]) -> tuple[str, ...]:
    return tuple(sorted(archs, key=lambda arch: (int(re.sub(r"\D", "", arch)), arch)))


def _containers(source: Source, at: int, size: int) -> Iterator[tuple[FatbinEntry, ...]]:
    """The entries of each container of a span."""
    end = at + size
    for _ in range(MAX_CONTAINERS):
        at = _next_container(source, at, end)
        if at < 0:
            return
        magic, _, header, length = _CONTAINER.unpack(source.read(at, _CONTAINER.size))
        if magic != MAGIC or header < _CONTAINER.size:
            raise Unreadable("has GPU code in a container of an unknown form")
        check_span(at, header + length, end, "the GPU code")
        yield tuple(islice(_entries(source, at + header, length), MAX_ENTRIES))
        at = -(-(at + header + length) // 8) * 8
    raise Unreadable(f"has more than {MAX_CONTAINERS} containers of GPU code")


def _next_container(source: Source, at: int, end: int) -> int:
    """Where the next container starts; zeros between containers are padding. -1 at the end."""
    for _ in range(_HEAD):
        if at + _CONTAINER.size > end:
            return -1
        if any(source.read(at, 8)):
            return at
        at += 8
    return -1


def _entries(source: Source, at: int, length: int) -> Iterator[FatbinEntry]:
    end = at + length
    while at + _ENTRY.size <= end:
        row = _ENTRY.unpack(source.read(at, _ENTRY.size))
        kind, _, header, padded, compressed, _, _, _, sm, _, _, flags, _, raw = row
        if header < _ENTRY.size or padded > end - at - header:
            raise Unreadable("has GPU code whose entries run over their container")
        if kind in {_PTX, _CUBIN}:
            packed = bool(flags & (_LZ4 | _ZSTD))
            size = compressed if packed and compressed else padded
            kernels, isa = _content(source, at + header, padded, size, packed=packed, ptx=kind == _PTX)
            suffix = "a" if flags & _SPECIFIC else "f" if flags & _FAMILY else ""
            prefix = "compute" if kind == _PTX else "sm"
            yield FatbinEntry(
                ptx=kind == _PTX, arch=f"{prefix}_{sm}{suffix}", size=raw or size, kernels=kernels, isa=isa
            )
        at += header + padded


def _content(
    source: Source, at: int, padded: int, size: int, *, packed: bool, ptx: bool
) -> tuple[bool, str | None]:
    """Whether a payload may hold kernels, and the PTX version."""
    if packed and not ptx:
        return size > _EMPTY_COMPRESSED, None
    try:
        head = source.read(at, min(padded, _HEAD))
    except BeyondPrefix:
        return True, None
    # LZ4 leaves the first lines as they are; zstd does not.
    found = _ISA.search(head) if ptx else None
    isa = found[1].decode() if found else None
    if packed:
        return size > _EMPTY_COMPRESSED, isa
    mark = (b".entry", b".func") if ptx else (b".text.",)
    if any(word in head for word in mark):
        return True, isa
    if padded <= _HEAD:
        return False, isa
    # The names of sections may stand at the far end of a large cubin.
    rest = source.read(at, min(padded, 64 * 1024 * 1024))
    return any(word in rest for word in mark), isa
