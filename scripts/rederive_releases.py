"""Read all OpenMMLab releases again and compare with what is recorded; exit 1 at a difference not argued.

    python scripts/rederive_releases.py [--cache FOLDER]

Downloads 581 archives (340 MB) once. `scripts/argued_differences.toml` argues the differences there are.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import tomllib

from mmlock.app.refresh_indexes import Overlay, providers
from mmlock.core.names import PackageName
from mmlock.matrix.load import Matrix
from mmlock.matrix.model import File, Release
from mmlock.scrape.drive import Driver, driver
from mmlock.scrape.fetching import Fetched
from mmlock.scrape.http import Client
from mmlock.scrape.page_cache import PageCache
from mmlock.scrape.releases import About, Unreadable, read_release
from mmlock.scrape.steps import Archive
from mmlock.scrape.tags import release_of

ARGUED = Path(__file__).with_name("argued_differences.toml")

Difference = tuple[str, str, str, str]
"""Field, package, `gone` or `new`, what."""


def archive_of(files: tuple[File, ...], release: str) -> File | None:
    """The sdist of a release, else its wheel."""
    own = [file for file in files if release_of(file.name) == release and file.sha256]
    return min(own, key=lambda file: (file.name.endswith(".whl"), file.name.endswith(".zip")), default=None)


def differences(old: Release, new: Release, package: str) -> Iterator[Difference]:
    """Each single difference of two readings of a release."""
    for field in ("requires", "requires_python", "mim", "asserts", "missing"):
        if getattr(old, field) != getattr(new, field):
            yield field, package, "changed", old.version
    for kind, names in (
        ("gone", {*old.undeclared} - {*new.undeclared}),
        ("new", {*new.undeclared} - {*old.undeclared}),
    ):
        yield from (("undeclared", package, kind, name) for name in names)
    for name in {*old.probes} | {*new.probes}:
        if old.probes.get(name) != new.probes.get(name):
            kind = "new" if name not in old.probes else "gone" if name not in new.probes else "changed"
            yield "probes", package, kind, name


def package_differences(matrix: Matrix, drive: Driver, package: PackageName) -> Iterator[Difference]:
    """All releases of a package, read again."""
    modules = {name: row.module for row in matrix.modules for name in row.packages}
    found = [(row, archive_of(matrix.files(package), row.version)) for row in matrix.releases(package)]
    wanted = [(row, file) for row, file in found if file is not None]
    wishes = [Archive(url=file.url, sha256=file.sha256) for _, file in wanted if file.sha256]
    for (row, file), answer in zip(wanted, drive.grant(package, wishes), strict=True):
        if not isinstance(answer, Fetched):
            yield "unread", package, "changed", row.version
            continue
        about = About(
            package=package,
            version=row.version,
            module=modules.get(package) or package.replace("-", "_"),
            upload=row.upload,
            yanked=row.yanked,
            has_wheel=row.has_wheel,
        )
        try:
            yield from differences(
                row, read_release(file.name, answer.body, about, providers(matrix)), package
            )
        except Unreadable:
            yield "unread", package, "changed", row.version


def argued() -> dict[Difference, int]:
    """Difference -> in how many releases."""
    rows = tomllib.loads(ARGUED.read_text("utf-8"))["rows"]
    return {
        (row["field"], row["package"], kind, row[kind]): row["count"]
        for row in rows
        for kind in ("gone", "new")
        if kind in row
    }


def main() -> int:
    """Read, compare, tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path(".cache") / "releases")
    options = parser.parse_args()
    matrix, known = Matrix(Path("matrices")), argued()
    counted: Counter[Difference] = Counter()
    with driver(Client(cache=PageCache(options.cache))) as drive:
        for package in Overlay(matrix.root).packages("releases"):
            counted.update(package_differences(matrix, drive, package))
    wrong = 0
    for one in sorted({*counted, *known}):
        state = "argued" if counted[one] == known.get(one) else "NOT ARGUED"
        wrong += state != "argued"
        print(f"{counted[one]:4d} {' '.join(one)}: {state}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
