"""Record what PyPI serves for the packages the matrix knows.

    python scripts/capture_pypi.py                  # all packages
    python scripts/capture_pypi.py --only torch     # one of them

Writes `files/PACKAGE.json` (names, URLs, hashes, sizes) and, for packages whose releases are decided by
the core solver, `requires/PACKAGE.json` (requirements as their wheels declare them, read by range).
Which releases are recorded follows from the other files of the matrix, so run `import_facts.py` first.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import matrix_files
import pypi_pages
from pypi_read import Reader, Unreadable

from mmlock.core.names import PackageName, Platform
from mmlock.core.versions import is_prerelease
from mmlock.matrix.layout import SECTIONS
from mmlock.matrix.model import File

INDEX = "https://pypi.org/simple"
CONCURRENCY = 6

TOOLKIT = ("nvidia-cuda-nvcc", "nvidia-nvvm", "nvidia-cuda-crt", "nvidia-cuda-runtime", "nvidia-cuda-cccl")
"""Wheels that together are a CUDA toolkit an extension can be built with; only Linux, only finals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to record of one package."""

    package: PackageName
    wanted: Callable[[File], bool]
    requires: str | None
    """Where requirements are read: `wheel`, `sdist`, or None."""


def among(releases: Iterable[str]) -> Callable[[File], bool]:
    """Files of these releases."""
    known = frozenset(releases)
    return lambda file: pypi_pages.release_of(file.name) in known


def any_release(file: File) -> bool:
    """Files of every release."""
    return pypi_pages.release_of(file.name) is not None


def toolkit_wheel(file: File) -> bool:
    """Final Linux wheels of the CUDA toolkit."""
    release = pypi_pages.release_of(file.name)
    return release is not None and not is_prerelease(release) and "linux" in file.name.rpartition("-")[2]


def plans(root: Path) -> Iterator[Plan]:
    """One plan for each package the matrix knows."""

    def rows(schema: str, package: str | None = None) -> tuple[Any, ...]:
        document = matrix_files.read(root, schema, package)
        return document.rows if document else ()

    def packages(schema: str) -> list[str]:
        return sorted(path.stem for path in (root / SECTIONS[schema].path_for("x")).parent.glob("*.json"))

    builds = rows("torch-builds")
    yield Plan(package=PackageName("torch"), wanted=among(row.torch for row in builds), requires="wheel")
    for package in packages("binaries"):
        known = {row.version for row in rows("binaries", package)}
        # A package whose wheels are nowhere but at a URL of their own has sdists on PyPI.
        sdists = all(row.url for row in rows("binaries", package))
        yield Plan(
            package=PackageName(package),
            wanted=any_release if sdists else among(known),
            requires="sdist" if sdists else "wheel",
        )
    for package in packages("releases"):
        known = {row.version for row in rows("releases", package)}
        yield Plan(package=PackageName(package), wanted=among(known), requires=None)
    for package in TOOLKIT:
        yield Plan(package=PackageName(package), wanted=toolkit_wheel, requires=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Carries out plans and writes their files."""

    reader: Reader
    out: Path
    date: str

    def record(self, plan: Plan, pool: ThreadPoolExecutor) -> None:
        """Write the files of one package."""
        base = f"{INDEX}/{plan.package}/"
        page = self.reader.page(base)
        project = self.reader.page(f"https://pypi.org/pypi/{plan.package}/json")
        served = [
            file
            for file in pypi_pages.files(page, base, project, "pypi")
            if plan.wanted(file) and not pypi_pages.is_old_wheel(file.name)
        ]
        self.write("files", plan.package, served, {"pypi": f"{base} ({self.date})"})
        if plan.requires:
            self.write(
                "requires",
                plan.package,
                self.requirements(plan, served, pool),
                {plan.requires: f"{_WHERE[plan.requires]} on {base} ({self.date})"},
            )

    def requirements(self, plan: Plan, served: Iterable[File], pool: ThreadPoolExecutor) -> list[Any]:
        """Requires rows of all releases."""
        by_release: dict[str, list[File]] = {}
        for file in served:
            by_release.setdefault(pypi_pages.release_of(file.name) or "", []).append(file)
        jobs: list[tuple[str, Platform | None, File]] = []
        for release, found in by_release.items():
            if plan.requires == "sdist":
                jobs += [(release, None, file) for file in found if not file.name.endswith(".whl")][:1]
            else:
                jobs += [(release, platform, file) for platform, file in pypi_pages.pick(found).items()]
        read: Callable[[File], bytes | None] = (
            self.reader.sdist_metadata if plan.requires == "sdist" else self.reader.wheel_metadata
        )
        told: dict[str, dict[Platform | None, pypi_pages.Metadata]] = {}
        for (release, platform, file), data in zip(
            jobs, pool.map(read, (job[2] for job in jobs)), strict=True
        ):
            if data is None:
                print(f"warning: {file.name} has no METADATA; left out", file=sys.stderr)
                continue
            told.setdefault(release, {})[platform] = pypi_pages.metadata(data)
        source = (plan.requires or "",)
        return [
            row for release, found_ in told.items() for row in pypi_pages.collapse(release, found_, source)
        ]

    def write(self, schema: str, package: str, rows: list[Any], sources: dict[str, str]) -> None:
        """Write one file, unless only the date of reading would change."""
        data = matrix_files.encode(schema, rows, sources)
        document = matrix_files.decode(schema, data)
        old = matrix_files.read(self.out, schema, package)
        name = SECTIONS[schema].path_for(package)
        if old is not None and old.rows == document.rows:
            print(f"{name}: {len(rows)} rows, unchanged")
            return
        matrix_files.replace(self.out / name, data)
        print(f"{name}: {len(rows)} rows, written")


_WHERE = {"wheel": "METADATA of one wheel per platform", "sdist": "PKG-INFO of the sdist"}


def main(arguments: list[str] | None = None) -> int:
    """Record all packages; the exit code is 1 when one could not be read."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--only", action="append", metavar="PACKAGE", help="record this package only; repeatable"
    )
    parser.add_argument("--out", type=Path, default=Path("matrices"), help="the matrix folder")
    parser.add_argument("--cache", type=Path, help="keep answers in this folder")
    options = parser.parse_args(arguments)
    chosen = [plan for plan in plans(options.out) if not options.only or plan.package in options.only]
    if not chosen:
        parser.error(f"the matrix in `{options.out}` knows no such package; run import_facts.py first")
    today = dt.datetime.now(tz=dt.timezone.utc).date().isoformat()
    with (
        httpx.Client(timeout=60, follow_redirects=True) as client,
        ThreadPoolExecutor(CONCURRENCY) as pool,
    ):
        recorder = Recorder(reader=Reader(client, options.cache), out=options.out, date=today)
        failed = [plan for plan in chosen if not attempt(recorder, plan, pool)]
    return 1 if failed else 0


def attempt(recorder: Recorder, plan: Plan, pool: ThreadPoolExecutor) -> bool:
    """Record one package; False, with a word to the user, when that fails."""
    try:
        recorder.record(plan, pool)
    except (Unreadable, pypi_pages.Disagreement) as fault:
        print(f"error: {plan.package}: {fault}", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
