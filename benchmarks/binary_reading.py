"""What reading compiled files costs: seconds and bytes, against pyelftools on the same files.

python benchmarks/binary_reading.py FILE.so...        # files on disk
python benchmarks/binary_reading.py --remote SPEC...  # wheels of PyPI, by range requests
python benchmarks/binary_reading.py --verdict         # one verdict, its table at hand
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from mmlock.binary.elf import read_elf
from mmlock.binary.fatbin import SECTION, read_gpu_code
from mmlock.binary.inspect import Effort, inspect_wheel
from mmlock.binary.model import Inspected
from mmlock.binary.reading import MappedFile
from mmlock.binary.tables import SymbolStore
from mmlock.binary.verdict import verdict
from mmlock.core.device import Device
from mmlock.core.names import DeviceKind
from mmlock.facts.locate import locate
from mmlock.facts.matrix.load import open_matrix
from mmlock.net.http import Client

ROUNDS = 7


def median(work: Callable[[], object]) -> float:
    """Median seconds of some rounds, the first left out."""
    times = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def theirs(path: Path) -> None:
    """The same names with pyelftools."""
    from elftools.elf.elffile import ELFFile  # type: ignore[import-untyped]

    with path.open("rb") as stream:
        elf = ELFFile(stream)
        symbols = elf.get_section_by_name(".dynsym")
        {symbol.name for symbol in symbols.iter_symbols() if symbol["st_shndx"] == "SHN_UNDEF"}
        {symbol.name for symbol in symbols.iter_symbols() if symbol["st_shndx"] != "SHN_UNDEF"}
        [
            tag.needed
            for tag in elf.get_section_by_name(".dynamic").iter_tags()
            if tag.entry.d_tag == "DT_NEEDED"
        ]


def ours(path: Path) -> None:
    """Names, libraries, versions."""
    with MappedFile(path) as source:
        read_elf(source)


def gpu(path: Path) -> str:
    """Archs of the file's GPU code."""
    with MappedFile(path) as source:
        section = next((s for s in read_elf(source).sections or () if s.name == SECTION), None)
        code = read_gpu_code(source, section.offset, section.size) if section else None
        return " ".join((*code.archs, *code.ptx)) if code else "none"


def local(path: Path) -> None:
    """One file on disk."""
    mine, other, archs = median(lambda: ours(path)), median(lambda: theirs(path)), median(lambda: gpu(path))
    size, ratio = path.stat().st_size / 1e6, other / mine
    print(
        f"{path.name}, {size:.0f} MB: ELF {mine * 1e3:.1f} ms, pyelftools {other * 1e3:.1f} ms ({ratio:.0f}x)"
    )
    print(f"  GPU code {archs * 1e3:.1f} ms: {gpu(path)}")


def remote(spec: str) -> None:
    """One wheel on PyPI: symbols only, then with the first kernels."""
    with Client() as client:
        place = locate(open_matrix(), client, spec, None)
        for label, effort in (("symbols", Effort(gpu=False)), ("with GPU sample", Effort())):
            start = time.perf_counter()
            found = inspect_wheel(place.where, client=client, effort=effort)
            spent = time.perf_counter() - start
            assert isinstance(found, Inspected), found
            assert found.size
            print(
                f"{place.name}, {label}: {found.bytes_read / 1e6:.2f} of {found.size / 1e6:.1f} MB "
                f"({found.bytes_read / found.size:.2%}) in {spent:.2f} s"
            )


def one_verdict() -> None:
    """A verdict on a remote wheel that was read, with a committed table."""
    store = SymbolStore(open_matrix().root)
    build = next(build for build in store.builds() if build.torch == "2.1.2")
    start = time.perf_counter()
    torch = store.load(build)
    cold = time.perf_counter() - start
    assert torch is not None
    with Client() as client:
        place = locate(open_matrix(), client, "xformers==0.0.22.post7", "3.11")
        found = inspect_wheel(place.where, client=client, effort=Effort(gpu=False))
    assert isinstance(found, Inspected), found
    device = Device(kind=DeviceKind.CUDA, name="sm_90", arch="sm_90")
    warm = median(lambda: verdict(found, store.load(build) or torch, [device]))
    print(f"table of torch {build}: {cold * 1e3:.0f} ms; one verdict, warm: {warm * 1e3:.2f} ms")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--remote", nargs="+", default=[], metavar="SPEC")
    parser.add_argument("--verdict", action="store_true")
    arguments = parser.parse_args()
    for path in arguments.files:
        local(path)
    for spec in arguments.remote:
        remote(spec)
    if arguments.verdict:
        one_verdict()


if __name__ == "__main__":
    main()
