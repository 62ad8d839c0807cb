"""Read all OpenMMLab releases again and compare with what is recorded; exit 1 at a difference.

    python scripts/rederive_releases.py [--cache FOLDER] [--write]

Downloads 581 archives (340 MB) once. `--write` takes into the matrix what differs.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from mmlock.core.names import PackageName
from mmlock.facts.matrix import store
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.merge import Facts
from mmlock.facts.matrix.model import File, Release
from mmlock.facts.matrix.provenance import dated, read_on
from mmlock.facts.refresh.drive import Driver, driver
from mmlock.facts.refresh.indexes import Overlay, providers
from mmlock.facts.scrape.fetch_page import WholeFile
from mmlock.facts.scrape.releases import SOURCE, About, BadArchive, read_release
from mmlock.facts.scrape.tags import release_of
from mmlock.net.fetching import Fetched
from mmlock.net.http import Client
from mmlock.net.page_cache import PageCache

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


def read_again(
    matrix: Matrix, drive: Driver, package: PackageName
) -> Iterator[tuple[Release, Release | None]]:
    """Each release as recorded and as read again; None where it could not be read."""
    modules = {name: row.module for row in matrix.modules for name in row.packages}
    found = [(row, archive_of(matrix.files(package), row.version)) for row in matrix.releases(package)]
    wanted = [(row, file) for row, file in found if file is not None]
    requests = [WholeFile(url=file.url, sha256=file.sha256) for _, file in wanted if file.sha256]
    for (row, file), answer in zip(wanted, drive.fetch(package, requests), strict=True):
        about = About(
            package=package,
            version=row.version,
            module=modules.get(package) or package.replace("-", "_"),
            upload=row.upload,
            yanked=row.yanked,
            has_wheel=row.has_wheel,
        )
        try:
            read = isinstance(answer, Fetched)
            yield row, read_release(file.name, answer.body, about, providers(matrix)) if read else None
        except BadArchive:
            yield row, None


def compared(
    package: PackageName, old: dict[str, Release], new: dict[str, Release | None]
) -> Iterator[Difference]:
    """All differences of a package."""
    for name, row in new.items():
        if row is None or name not in old:
            yield "unread", package, "changed", name
        else:
            yield from differences(old[name], row, package)


def taken(package: PackageName, pairs: dict[str, Release | None], old: dict[str, Release], day: str) -> Facts:
    """What was read where it differs, as a refresh of that day would write it."""
    rows = [row for name, row in pairs.items() if row and any(differences(old[name], row, package))]
    text = f"the release's sdist on PyPI, else its wheel, read again without running anything ({day})"
    return Facts(
        schema="releases",
        package=package,
        rows=read_on(day, rows),
        sources={dated(SOURCE, day): f"{text}: metadata, mminstall.txt, asserts and imports"},
    )


def main() -> int:
    """Read, compare, tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path(".cache") / "releases")
    parser.add_argument("--write", action="store_true", help="take what differs into the matrix")
    options = parser.parse_args()
    matrix = Matrix(Path("matrices"))
    counted: Counter[Difference] = Counter()
    overlay, day = Overlay(matrix.root), datetime.now(tz=timezone.utc).date().isoformat()
    with driver(Client(cache=PageCache(options.cache))) as drive:
        for package in overlay.packages("releases"):
            pairs = list(read_again(matrix, drive, package))
            recorded = {row.version: row for row, _ in pairs}
            new = {row.version: read for row, read in pairs}
            counted.update(compared(package, recorded, new))
            if options.write:
                overlay.lay(taken(package, new, recorded, day), trust_removals=False)
    if options.write:
        print("\n".join(store.write_all(matrix.root, overlay.encoded())))
    for one in sorted(counted):
        print(f"{counted[one]:4d} {' '.join(one)}: differs")
    return 1 if counted and not options.write else 0


if __name__ == "__main__":
    sys.exit(main())
