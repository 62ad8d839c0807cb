"""What Renovate reads of the facts: one JSON document per thing that has versions. Pure.

The form is that of Renovate's custom data sources: https://docs.renovatebot.com/modules/datasource/custom/
A version is once in a document, the newest first. What is not known (the day of a torch) is left out.

    torch.json                      releases of torch that have a build
    torch-cu128.json                builds of one variant: `2.9.1+cu128`
    mmcv-cu121-torch2.1.0.json      wheels in one directory of OpenMMLab's index
    verdict-openmmlab-cpu.json      validations of a stack on a kind of device; a version is a day
    index.json                      the names of all of them
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from packaging.version import InvalidVersion, Version

from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import IndexRow, TorchBuild, Validation

__all__ = ["INDEX", "documents"]

INDEX = "index"
_PLAIN = re.compile(r"[^a-z0-9.+_-]+")
Document = Mapping[str, Any]


def documents(matrix: Matrix) -> dict[str, Document]:
    """All documents by the names of their files, without `.json`."""
    found = dict(
        sorted(
            [
                *_torch(matrix.torch_builds),
                *_directories(matrix.index_rows),
                *_verdicts(matrix.validations),
            ]
        )
    )
    return {**found, INDEX: {"facts": matrix.digest, "feeds": list(found)}}


def _torch(builds: Iterable[TorchBuild]) -> Iterator[tuple[str, Document]]:
    whole: dict[str, bool] = {}
    by_variant: dict[str, dict[str, str]] = {}
    for build in builds:
        whole[build.torch] = True
        by_variant.setdefault(build.variant, {})[build.torch] = build.index
    yield "torch", _document(({"version": one} for one in whole), homepage="https://pytorch.org")
    for variant, indexes in by_variant.items():
        rows = [{"version": f"{torch}+{variant}", "sourceUrl": index} for torch, index in indexes.items()]
        yield _name("torch", variant), _document(rows, homepage="https://pytorch.org")


def _directories(rows: Iterable[IndexRow]) -> Iterator[tuple[str, Document]]:
    """Wheels of every platform together: which one fits is what a solve tells."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        found.setdefault((row.package, row.directory), set()).update(row.versions)
    for (package, directory), versions in found.items():
        yield _name(package, *directory.split("/")), _document({"version": one} for one in versions)


def _verdicts(rows: Iterable[Validation]) -> Iterator[tuple[str, Document]]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        for device in row.archs or (row.kind.value,):
            value = {
                "version": row.day.partition("T")[0].replace("-", "."),
                "digest": str(row.lock),
                "releaseTimestamp": f"{row.day.partition('T')[0]}T00:00:00Z",
                "isStable": True,
            }
            found.setdefault((row.stack, device), []).append(value)
    for (stack, device), releases in found.items():
        yield _name("verdict", stack, device), _document(releases)


def _document(releases: Iterable[Mapping[str, Any]], *, homepage: str | None = None) -> Document:
    by_version = {str(one["version"]): dict(one) for one in releases}
    ordered = [by_version[version] for version in sorted(by_version, key=_order, reverse=True)]
    document: dict[str, Any] = {"releases": ordered}
    if homepage is not None:
        document["homepage"] = homepage
    return document


def _order(text: str) -> tuple[int, Version | str]:
    try:
        return 1, Version(text)
    except InvalidVersion:
        return 0, text


def _name(*parts: str) -> str:
    return "-".join(_PLAIN.sub("-", part.lower()) for part in parts)
