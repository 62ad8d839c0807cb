"""A refresh of PyPI's part: cold, with news, warm; in seconds, requests and bytes, next to the floor and pip.

    python benchmarks/refresh_pypi.py [--newest 3] [--pip]

"With news" forgets the newest releases of every package, reads them again, and compares the rows with those
that were forgotten. The floor is one page for each package and one read for each release. `--pip` downloads a
few of the same releases with `pip download`: what reading them takes without a client for the index.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmlock.app.refreshing import refresh
from mmlock.core.refreshing import RefreshArguments
from mmlock.core.versions import version
from mmlock.facts.matrix import store
from mmlock.facts.matrix.layout import SECTIONS
from mmlock.facts.scrape.tags import release_of

ROOT = Path(__file__).parents[1]
SAMPLE = ("mmdet==3.3.0", "mmengine==0.10.7", "mmsegmentation==1.2.2", "torchaudio==2.9.0")


def run(matrices: Path, cache: Path, only: Iterable[str] = ("pypi",)) -> Mapping[str, Any]:
    environ = {"MMLOCK_CACHE_DIR": str(cache), "HOME": str(cache)}
    for name in ("PIP_CERT", "SSL_CERT_FILE", "PIP_INDEX_URL", "UV_DEFAULT_INDEX"):
        if value := _environ(name):
            environ[name] = value
    report = refresh(RefreshArguments(matrices=matrices, only=tuple(only)), environ=environ)
    assert isinstance(report.data, dict)
    return report.data


def _environ(name: str) -> str | None:
    import os

    return os.environ.get(name)


def tell(what: str, data: Mapping[str, Any]) -> None:
    megabytes = data["received"] / 1e6
    traffic = f"{data['requests']:5d} requests  {megabytes:7.2f} MB"
    print(f"{what:<28} {data['seconds']:6.2f} s  {traffic}  {len(data['changes'])} changes")


def forget(matrices: Path, newest: int) -> tuple[dict[str, tuple[Any, ...]], int]:
    """Drop the newest releases of every package; the rows that are gone, by file, and how many releases."""
    gone: dict[str, tuple[Any, ...]] = {}
    releases = 0
    for schema in ("releases", "requires", "files"):
        for path in sorted((matrices / SECTIONS[schema].path).parent.glob("*.json")):
            package = path.stem
            document = store.read(matrices, schema, package)
            if document is None or package == "openmmlab-index" or package.startswith("nvidia-"):
                continue
            dropped = _newest(matrices, package, newest)
            rows = [row for row in document.rows if _release(row) not in dropped]
            lost = tuple(row for row in document.rows if _release(row) in dropped)
            if not lost:
                continue
            gone[str(path.relative_to(matrices))] = lost
            releases += len(dropped) if schema == "files" else 0
            data = store.encode(schema, rows, document.sources, document.note)
            store.replace(path, data)
    return gone, releases


_NEWEST: dict[str, frozenset[str]] = {}


def _newest(matrices: Path, package: str, count: int) -> frozenset[str]:
    if package not in _NEWEST:
        found: set[str] = set()
        for schema in ("releases", "requires"):
            document = store.read(matrices, schema, package)
            found |= {row.version for row in document.rows} if document else set()
        _NEWEST[package] = frozenset(sorted(found, key=version)[-count:])
    return _NEWEST[package]


def _release(row: Any) -> str | None:
    return getattr(row, "version", None) or release_of(row.name)


def compare(matrices: Path, gone: Mapping[str, tuple[Any, ...]]) -> None:
    """Say how many of the forgotten rows came back as they were."""
    same = total = 0
    for name, rows in gone.items():
        schema = name.split("/")[-2]
        document = store.read(matrices, schema, Path(name).stem)
        now = {_said(row) for row in document.rows} if document else set()
        came = [row for row in rows if _said(row) in now]
        same, total = same + len(came), total + len(rows)
        for row in rows:
            if _said(row) not in now:
                print(f"  differs: {name} {_release(row)}", file=sys.stderr)
    print(f"{same} of {total} forgotten rows came back as they were")


def _said(row: Any) -> str:
    """What a row says, whoever read it on whichever day."""
    return store.row_text(dataclasses.replace(row, source=()))


def pip(folder: Path) -> None:
    for requirement in SAMPLE:
        started = time.perf_counter()
        words = ["-m", "pip", "download", "--no-deps", "--no-cache-dir", "-q", "-d", str(folder), requirement]
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
        size = sum(path.stat().st_size for path in folder.iterdir())
        state = "" if done.returncode == 0 else f"  failed: {done.stderr.strip().splitlines()[-1][:80]}"
        seconds = time.perf_counter() - started
        print(f"pip download {requirement:<22} {seconds:6.2f} s  {size / 1e6:7.2f} MB{state}")
        for path in folder.iterdir():
            path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--newest", type=int, default=3)
    parser.add_argument("--pip", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        matrices = Path(shutil.copytree(ROOT / "matrices", folder / "matrices"))
        tell("cold, first", run(matrices, folder / "a"))
        tell("cold cache, nothing new", run(matrices, folder / "b"))
        tell("warm, nothing new", run(matrices, folder / "b"))
        gone, releases = forget(matrices, options.newest)
        packages = len({Path(path).stem for path in gone})
        tell(f"cold, {releases} releases anew", run(matrices, folder / "c"))
        compare(matrices, gone)
        print(f"floor: {packages} pages and {releases} reads")
        tell("warm after that", run(matrices, folder / "c"))
        if options.pip:
            target = folder / "pip"
            target.mkdir()
            pip(target)


if __name__ == "__main__":
    main()
