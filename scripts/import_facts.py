"""Write the matrix files that come from a folder of research facts.

    python scripts/import_facts.py ../shared/facts            # write
    python scripts/import_facts.py ../shared/facts --check    # exit 1 when the committed bytes differ

What a package index says is read by `mmlock matrix refresh --only pypi`; the importer reads its files
(`files/torch.json`, `files/xformers.json`, ..., `requires/torch-npu.json`), because facts and captures meet
in some rows. On a first import run: import, refresh, import. A row that a refresh wrote or changed (one of
its sources ends in a day) is newer than the facts: the importer leaves it as it is.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import facts_binaries
import facts_flash_attn
import facts_hardware
import facts_openmmlab
import facts_ops
import facts_torch
import matrix_files
from facts_words import Facts, clean_sources

from mmlock.core.names import normalize
from mmlock.facts.matrix.layout import SECTIONS, section_of
from mmlock.facts.matrix.provenance import lay_over

_ELF = "fatbin and dynamic sections read from the PyPI wheel"
_PAIRS = "table of releases published together (pytorch.org previous-versions page, release notes)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The facts as loaded, and the captures committed beside the output."""

    root: Path
    out: Path

    def facts(self, name: str) -> Facts:
        """One JSON file of the facts."""
        loaded: Facts = json.loads((self.root / name).read_bytes())
        return loaded

    def captured(self, schema: str, package: str) -> tuple[Any, ...]:
        """Rows of a captured file; empty before the first capture."""
        document = matrix_files.read(self.out, schema, package)
        return document.rows if document else ()


Output = tuple[str, bytes]
"""Relative path and bytes of a matrix file."""


def under_refreshed(folder: Folder, produced: Iterable[Output]) -> Iterator[Output]:
    """Each file with the committed rows that a refresh wrote laid over it."""
    for name, data in produced:
        found, path = section_of(PurePosixPath(name)), folder.out / name
        if found is None or not path.is_file():
            yield name, data
            continue
        schema = found[0].name
        made = matrix_files.decode(schema, data)
        committed = matrix_files.decode(schema, path.read_bytes())
        rows, sources = lay_over(committed, schema, made.rows, made.sources)
        yield name, matrix_files.encode(schema, rows, sources, made.note)


def output(
    schema: str,
    rows: Iterable[Any],
    sources: Mapping[str, str],
    *,
    package: str | None = None,
    note: str | None = None,
) -> Output:
    """One file, encoded and read back strictly."""
    data = matrix_files.encode(schema, rows, sources, note)
    matrix_files.decode(schema, data)
    return SECTIONS[schema].path_for(package), data


def hardware(folder: Folder) -> Iterator[Output]:
    """GPUs, capabilities, toolkits."""
    gpus, cuda = folder.facts("pytorch/gpus.json"), folder.facts("pytorch/cuda.json")
    gpu_sources = clean_sources(gpus["sources"])
    yield output("gpus", facts_hardware.gpus(gpus), gpu_sources)
    yield output("capabilities", facts_hardware.capabilities(gpus, cuda), gpu_sources)
    yield output("toolkits", facts_hardware.toolkits(cuda), clean_sources(cuda["sources"]))


def torch(folder: Folder) -> Iterator[Output]:
    """Torch builds and cpp_extension."""
    builds, cuda = folder.facts("pytorch/torch_builds.json"), folder.facts("pytorch/cuda.json")
    rows = facts_torch.torch_builds(builds, folder.captured("files", "torch"))
    yield output("torch-builds", rows, facts_torch.sources(clean_sources(builds["sources"])))
    yield output("cpp-extension", facts_hardware.cpp_extensions(cuda, builds), clean_sources(cuda["sources"]))


def binaries(folder: Folder) -> Iterator[Output]:
    """Prebuilt extensions."""
    pairs, builds = folder.facts("pytorch/pairs.json"), folder.facts("pytorch/torch_builds.json")
    measured = facts_binaries.measured_archs((folder.root / "pytorch/report.md").read_text("utf-8"))
    sources = clean_sources({**pairs["sources"], "elf": _ELF, "pairs": _PAIRS})

    def document(package: str, rows: Iterable[Any], note: str | None = None) -> Output:
        return output("binaries", rows, sources, package=package, note=note)

    torch_rows = facts_torch.torch_builds(builds, ())
    for package in ("torchvision", "torchaudio"):
        files = folder.captured("files", package)
        yield document(package, facts_binaries.companions(pairs, package, measured, torch_rows, files))
    yield document(
        "xformers", facts_binaries.xformers(pairs, torch_rows, folder.captured("files", "xformers"))
    )
    gpus, cuda = folder.facts("pytorch/gpus.json"), folder.facts("pytorch/cuda.json")
    first_cuda = {row.sm: row.first_cuda for row in facts_hardware.capabilities(gpus, cuda)}
    yield document("flash-attn", facts_flash_attn.flash_attn(pairs, first_cuda), facts_flash_attn.NOTE)
    for package in sorted({row["package"] for row in pairs["spconv"]}):
        files = folder.captured("files", package)
        yield document(package, facts_binaries.spconv(pairs, package, measured, files))
    yield document("torch-npu", facts_binaries.npu(pairs, folder.captured("requires", "torch-npu")))


def openmmlab(folder: Folder) -> Iterator[Output]:
    """The wheel index, the scanned releases, the known hashes of the index.

    Raises SystemExit when the index tells another hash than the scan.
    """
    index, scan = folder.facts("openmmlab/mmcv_prebuilt.json"), folder.facts("openmmlab/constraints.json")
    yield output("openmmlab-index", facts_openmmlab.index_rows(index), clean_sources(index["sources"]))
    faults: list[str] = []
    for name, package in scan["packages"].items():
        if files := folder.captured("files", normalize(name)):
            faults += facts_openmmlab.disagreements(package, files)
        yield output(
            "releases",
            facts_openmmlab.releases(package),
            facts_openmmlab.ARCHIVE,
            package=normalize(name),
            note=facts_openmmlab.skipped_note(package),
        )
    if faults:
        raise SystemExit(
            "error: the scan and the index disagree\n" + "\n".join(f"  {fault}" for fault in faults)
        )
    rows, sources = facts_openmmlab.observed(folder.facts("openmmlab/observed_urls.json"))
    yield output("files", rows, sources, package="openmmlab-index")
    catalog = folder.facts("build/ops_catalog.json")
    yield output("ops", facts_ops.ops(catalog), facts_ops.SOURCES, note=facts_ops.NOTE)


STEPS: tuple[Callable[[Folder], Iterator[Output]], ...] = (hardware, torch, binaries, openmmlab)


def difference(path: Path, data: bytes) -> str | None:
    """How the committed file differs from what the facts say; None when it does not."""
    if not path.is_file():
        return "missing"
    if path.read_bytes() == data:
        return None
    old, new = set(path.read_text("utf-8").splitlines()), set(data.decode().splitlines())
    return f"{len(old - new)} lines not in the facts, {len(new - old)} lines missing"


def main(arguments: list[str] | None = None) -> int:
    """Write or check all files; the exit code is 1 when a check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("facts", type=Path, help="folder with pytorch/ and openmmlab/")
    parser.add_argument("--out", type=Path, default=Path("matrices"), help="the matrix folder")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args(arguments)
    if not (options.facts / "pytorch").is_dir():
        parser.error(f"`{options.facts}` has no `pytorch` folder; give the folder of the facts")
    folder = Folder(root=options.facts, out=options.out)
    # All of them are made before the first is written: a fault leaves no half import.
    made = [produced for step in STEPS for produced in under_refreshed(folder, step(folder))]
    changed = 0
    for name, data in made:
        path = options.out / name
        said = difference(path, data)
        if said is None:
            continue
        changed += 1
        print(f"{name}: {said}" if options.check else f"{name}: written")
        if not options.check:
            matrix_files.replace(path, data)
    print(f"{len(made)} files, {changed} {'differ' if options.check else 'written'}", file=sys.stderr)
    return 1 if options.check and changed else 0


if __name__ == "__main__":
    raise SystemExit(main())
