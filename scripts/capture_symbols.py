"""Record which names torch builds export, for the releases of PyPI's default variant.

    python scripts/capture_symbols.py 2.1.2 2.11.0      # those releases
    python scripts/capture_symbols.py --whole 2.1.2     # with the large CUDA libraries (3-5 times the bytes)
    python scripts/capture_symbols.py --wheel FILE.whl  # a local wheel
    python scripts/capture_symbols.py --pack            # join what was read into matrices/symbols/

A release costs 130-160 MB by range requests. Each is kept in `--work` as soon as it is read, so that an
interrupted run goes on where it stopped; `--pack` writes one file for every five minor releases.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packaging.utils import parse_wheel_filename
from show_symbols import write_summary

from mmlock.binary.archive import Archive
from mmlock.binary.reading import MappedFile, Unreadable
from mmlock.binary.remote import Remote
from mmlock.binary.tables import (
    FOLDER,
    SUFFIX,
    SymbolStore,
    TorchBuildId,
    TorchSymbols,
    read_symbol_file,
    write_symbols,
)
from mmlock.binary.torch_wheel import read_torch
from mmlock.binary.trees import Tree, WheelTree
from mmlock.core.names import Platform
from mmlock.core.versions import version
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.files.atomic import write_aside
from mmlock.net.http import Client

PLATFORM = Platform.LINUX_X86_64
BUDGET = 2_000_000_000
SPAN = 5
"""Minor releases in one file: a new release rewrites the newest file only."""
PYTHONS = ("cp311", "cp310", "cp39", "cp38", "cp37", "cp36")
"""The wheel to read is that of the first of these Pythons; what torch exports to C++ is the same in all."""


def say(text: str) -> None:
    """One line of progress."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def wheel_of(matrix: Matrix, torch: str) -> Iterator[tuple[Tree, str, str | None, Remote]]:
    """PyPI's wheel of a release, by ranges."""
    files = {
        file.name.split("-")[2]: file
        for file in matrix.files("torch")
        if file.name.split("-")[1] == torch and "manylinux" in file.name and file.name.endswith("x86_64.whl")
    }
    file = next(files[python] for python in PYTHONS if python in files)
    with Client() as client:
        remote = Remote(client, file.url, budget=BUDGET)
        yield WheelTree(Archive(remote)), file.name, file.sha256, remote


def capture(matrix: Matrix, store: SymbolStore, torch: str, *, whole: bool) -> None:
    """Read one release of PyPI."""
    row = next(
        row for row in matrix.torch_builds if row.torch == torch and row.on_pypi and row.platform is PLATFORM
    )
    build = TorchBuildId(torch=torch, variant=row.variant, platform=PLATFORM)
    known = store.facts(build)
    if known and not (whole and known.unread):
        say(f"{build}: at hand")
        return
    start = time.monotonic()
    with wheel_of(matrix, torch) as (tree, name, sha256, remote):
        table = read_torch(tree, build, wheel=name, sha256=sha256, whole=whole, progress=say)
        report(
            table,
            f"{remote.asked / 1e6:.0f} MB in {remote.requests} requests, {time.monotonic() - start:.0f} s",
        )
    store.keep(table)


def capture_local(store: SymbolStore, path: Path, *, whole: bool) -> None:
    """Read a wheel on disk; its variant is its local version."""
    _, parsed, *_ = parse_wheel_filename(path.name)
    if not parsed.local:
        raise SystemExit(f"error: `{path.name}` has no local version that would tell its variant")
    build = TorchBuildId(torch=parsed.public, variant=parsed.local, platform=PLATFORM)
    with MappedFile(path) as source:
        table = read_torch(WheelTree(Archive(source)), build, wheel=path.name, whole=whole, progress=say)
    report(table, "local")
    store.keep(table)


def report(table: TorchSymbols, cost: str) -> None:
    """Say what a table holds."""
    facts = table.facts
    archs = " ".join(facts.archs or ()) or "none told"
    say(
        f"{facts.build}: {len(table.names)} names, ABI {facts.cxx11_abi}, archs {archs}, "
        f"unread {', '.join(facts.unread) or 'none'}; {cost}"
    )


def pack(work: Path, out: Path) -> None:
    """Join the tables of neighbouring releases into one file: they share most names."""
    series: dict[str, list[TorchSymbols]] = defaultdict(list)
    for path in sorted((work / FOLDER).glob(f"*{SUFFIX}")):
        file = read_symbol_file(path)
        for facts in file.builds:
            parsed = version(facts.build.torch)
            names = file.names_of(facts.build)
            first = parsed.minor // SPAN * SPAN
            name = f"{parsed.major}.{first}-{parsed.major}.{first + SPAN - 1}"
            series[name].append(TorchSymbols(facts=facts, names=names))
    total = 0
    for name, tables in sorted(series.items(), key=lambda item: version(item[0].partition("-")[0])):
        data = write_symbols(tables)
        path = out / FOLDER / f"torch-{name}{SUFFIX}"
        write_aside(path, data)
        path.chmod(0o644)
        total += len(data)
        say(f"{name}: {len(tables)} builds, {len(data)} bytes")
    write_summary(out / FOLDER)  # what a diff shows of it
    say(f"{len(series)} files, {total} bytes")


def main() -> None:
    """Read the command line and capture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("releases", nargs="*", metavar="RELEASE")
    parser.add_argument("--wheel", type=Path, action="append", default=[])
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--pack", action="store_true")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "mmlock-capture")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "matrices")
    arguments = parser.parse_args()
    matrix = open_matrix(arguments.out)
    store = SymbolStore(arguments.work, arguments.work)
    for path in arguments.wheel:
        capture_local(store, path, whole=arguments.whole)
    for torch in arguments.releases:
        try:
            capture(matrix, store, torch, whole=arguments.whole)
        except Unreadable as error:
            say(f"error: torch {torch}: {error}")
    if arguments.pack:
        pack(arguments.work, arguments.out)


if __name__ == "__main__":
    main()
