"""Fuzz the readers of compiled files: `python tests/fuzz/fuzz_binary.py -max_total_time=60 CORPUS`.

Needs atheris. Whatever the bytes are, the readers give a value or raise Unreadable.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from mmlock.binary.archive import Archive, Limits
from mmlock.binary.demangle import demangle
from mmlock.binary.elf import read_elf
from mmlock.binary.elf_prefix import read_elf_prefix
from mmlock.binary.fatbin import read_gpu_code
from mmlock.binary.reading import Memory, Unreadable

LIMITS = Limits(entry=4 * 1024 * 1024, ratio_from=1024 * 1024)


def one(data: bytes) -> None:
    """Read the same bytes as everything they could be."""
    source = Memory(data)
    for read in (read_elf, read_elf_prefix):
        try:
            read(source)
        except Unreadable:
            continue
    with suppress(Unreadable):
        read_gpu_code(source, 0, len(data))
    with suppress(Unreadable):
        archive = Archive(source, LIMITS)
        for member in archive.members.values():
            for _ in archive.chunks(member):
                pass
    demangle(data[:200].decode("latin-1"))


def seeds() -> list[bytes]:
    """Sound files to start from."""
    from made_files import Made, container, cubin, elf, fatbin, ptx, wheel

    code = fatbin([container(cubin(80), ptx(80)), container(cubin(90))])
    made = elf(Made(undefined=["_ZN2at1aEv"], defined=["PyInit__C"], needed=["libc.so.6"], gpu=code))
    return [code, made, wheel({"a/_C.so": made}), b"_ZN2at4_ops5zeros4callEv"]


def main() -> None:
    """Run under atheris."""
    import atheris  # type: ignore[import-not-found]

    folder = next((Path(word) for word in sys.argv[1:] if not word.startswith("-")), None)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(seeds()):
            (folder / f"seed-{number}").write_bytes(data)
    atheris.instrument_all()
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
