"""Small files made for tests: ELF, fatbins, wheels. What is in them is known by construction."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Made:
    """An ELF file to be."""

    undefined: Sequence[str] = ()
    weak: Sequence[str] = ()
    defined: Sequence[str] = ()
    needed: Sequence[str] = ()
    soname: str | None = None
    runpath: str | None = None
    versions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    gpu: bytes = b""
    rodata: bytes = b""
    machine: int = 62
    gap: int = 0
    """Bytes that cannot be packed, between the symbols and what follows them."""
    sections: bool = True


def gnu_hash(name: str) -> int:
    value = 5381
    for byte in name.encode():
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


class Strings:
    def __init__(self) -> None:
        self.data = bytearray(b"\0")
        self.at: dict[str, int] = {"": 0}

    def __call__(self, text: str) -> int:
        if text not in self.at:
            self.at[text] = len(self.data)
            self.data += text.encode() + b"\0"
        return self.at[text]


def pad(data: bytearray, to: int = 8) -> int:
    data += b"\0" * (-len(data) % to)
    return len(data)


def elf(made: Made) -> bytes:
    """Laid out as GNU ld does: headers, hash, symbols, strings, versions, then the rest."""
    strings = Strings()
    hashed = sorted(made.defined, key=gnu_hash)
    first = 1 + len(made.undefined) + len(made.weak)
    table = bytearray(24)
    for name in made.undefined:
        table += struct.pack("<IBBHQQ", strings(name), 0x12, 0, 0, 0, 0)
    for name in made.weak:
        table += struct.pack("<IBBHQQ", strings(name), 0x22, 0, 0, 0, 0)
    for name in hashed:
        table += struct.pack("<IBBHQQ", strings(name), 0x12, 0, 7, 0x1000, 0)
    for name in (*made.needed, *(text for text in (made.soname, made.runpath) if text)):
        strings(name)
    for library, names in made.versions.items():
        strings(library)
        for name in names:
            strings(name)

    out = bytearray(64 + 2 * 56)
    pad(out)
    at = {"hash": len(out)}
    out += struct.pack("<IIII", 1, first, 1, 6) + b"\xff" * 8
    out += struct.pack("<I", first if hashed else 0)
    for place, name in enumerate(hashed, start=1):
        out += struct.pack("<I", gnu_hash(name) & ~1 | (place == len(hashed)))
    at["symbols"] = pad(out)
    out += table
    at["strings"] = len(out)
    out += strings.data
    pad(out, 2)
    out += b"\0\0" * (len(table) // 24)
    at["versions"] = pad(out)
    out += version_needs(made.versions, strings)
    out += random.Random(0).randbytes(made.gap)  # noqa: S311
    at["gpu"] = pad(out)
    out += made.gpu
    at["rodata"] = pad(out)
    out += made.rodata
    at["dynamic"] = pad(out)
    entries = [(1, strings(name)) for name in made.needed]
    entries += [(14, strings(made.soname))] if made.soname else []
    entries += [(29, strings(made.runpath))] if made.runpath else []
    entries += [(5, at["strings"]), (10, len(strings.data)), (6, at["symbols"]), (0x6FFFFEF5, at["hash"])]
    if made.versions:
        entries += [(0x6FFFFFFE, at["versions"]), (0x6FFFFFFF, len(made.versions))]
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in (*entries, (0, 0)))
    out += dynamic
    headers = section_headers(made, at, len(table), len(strings.data), out) if made.sections else (0, 0, 0)
    out[:64] = (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack(
            "<HHIQQQIHHHHHH", 3, made.machine, 1, 0, 64, headers[0], 0, 64, 56, 2, 64, headers[1], headers[2]
        )
    )
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, len(out), len(out), 4096)
    dyn = struct.pack("<IIQQQQQQ", 2, 6, at["dynamic"], at["dynamic"], 0, len(dynamic), len(dynamic), 8)
    out[64 : 64 + 112] = load + dyn
    return bytes(out)


def version_needs(versions: Mapping[str, Sequence[str]], strings: Strings) -> bytes:
    out = bytearray()
    for at, (library, names) in enumerate(versions.items()):
        last = at == len(versions) - 1
        out += struct.pack("<HHIII", 1, len(names), strings(library), 16, 0 if last else 16 + 16 * len(names))
        for place, name in enumerate(names):
            onward = 0 if place == len(names) - 1 else 16
            out += struct.pack("<IHHII", 0, 0, place + 2, strings(name), onward)
    return bytes(out)


def section_headers(
    made: Made, at: Mapping[str, int], symbols: int, strings: int, out: bytearray
) -> tuple[int, int, int]:
    names = b"\0.dynsym\0.dynstr\0.nv_fatbin\0.rodata\0.shstrtab\0"
    names_at = len(out)
    out += names
    rows = [
        (0, 0, 0, 0),
        (names.index(b".dynsym"), 11, at["symbols"], symbols),
        (names.index(b".dynstr"), 3, at["strings"], strings),
        (names.index(b".shstrtab"), 3, names_at, len(names)),
    ]
    if made.gpu:
        rows.append((names.index(b".nv_fatbin"), 1, at["gpu"], len(made.gpu)))
    if made.rodata:
        rows.append((names.index(b".rodata"), 1, at["rodata"], len(made.rodata)))
    start = pad(out)
    for name, kind, offset, size in rows:
        link = 2 if kind == 11 else 0
        entry = 24 if kind == 11 else 0
        out += struct.pack("<IIQQQQIIQQ", name, kind, 2, offset, offset, size, link, 1, 8, entry)
    return start, len(rows), 3


# ---------------------------------------------------------------- GPU code


def cubin(sm: int, *, kernels: bool = True, flags: int = 0x11, size: int = 128) -> bytes:
    """An uncompressed cubin entry; it has kernels if it has a section of their code."""
    body = (b".text.kernel\0" if kernels else b".nv.info\0").ljust(size, b"\0")
    return entry(2, sm, flags, body)


def ptx(sm: int, *, isa: str = "7.8", kernels: bool = True, flags: int = 0x11) -> bytes:
    text = f".version {isa}\n.target sm_{sm}\n{'.visible .entry k()' if kernels else ''}\n".encode()
    return entry(1, sm, flags, text.ljust(128, b"\0"))


def packed(kind: int, sm: int, size: int, *, flags: int = 0x2011) -> bytes:
    """A compressed entry of so many bytes."""
    return entry(kind, sm, flags, b"\xaa" * (-(-size // 8) * 8), compressed=size)


def entry(kind: int, sm: int, flags: int, body: bytes, *, compressed: int = 0) -> bytes:
    head = struct.pack(
        "<HHIQIIHHIIIQQQ", kind, 0x101, 64, len(body), compressed, 0, 8, 7, sm, 0, 0, flags, 0, 0
    )
    return head + body


def container(*entries: bytes) -> bytes:
    body = b"".join(entries)
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


def fatbin(containers: Iterable[bytes]) -> bytes:
    out = bytearray()
    for one in containers:
        pad(out)
        out += one
    return bytes(out)


# ---------------------------------------------------------------- wheels


def wheel(
    files: Mapping[str, bytes], *, name: str = "ext", version: str = "1.0", requires: Sequence[str] = ()
) -> bytes:
    buffer = io.BytesIO()
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {one}\n" for one in requires)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
        archive.writestr(f"{name}-{version}.dist-info/METADATA", metadata)
    return buffer.getvalue()
