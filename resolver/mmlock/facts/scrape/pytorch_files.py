"""The wheels on PyTorch's index with the hashes it tells, as rows. Pure.

Only names with a local version (`torch-2.9.1+cu128-...`): what has none is on PyPI too, under the same name.
A page tells most hashes and leaves some out; those stay unknown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import quote, urlsplit

from msgspec import structs

from mmlock.core.artifact import Artifact
from mmlock.core.versions import is_prerelease
from mmlock.facts.scrape.tags import wheel_name

__all__ = ["PACKAGE", "named", "recorded"]

PACKAGE = "pytorch-index"
"""Stands for a package in `files/`: the wheels of several that one index serves."""

VARIANT = re.compile(r"cpu|xpu|cu\d{2,3}|rocm\d+(?:\.\d+)*")


def recorded(files: Iterable[Artifact], packages: Collection[str], base: str) -> Iterator[Artifact]:
    """The final releases of some packages, each at its place on PyTorch's own index.

    Pages link to that index, to another host of PyTorch's or to a mirror: a lock is for everybody.
    """
    for file in files:
        name = wheel_name(file.name)
        if name is None or name.name not in packages or name.platform is None or not name.pythons:
            continue
        release, plus, variant = name.version.partition("+")
        place = urlsplit(file.url).path.split("/")[-2:-1]
        if plus and VARIANT.fullmatch(variant) and place == [variant] and not is_prerelease(release):
            yield structs.replace(file, url=f"{base}/{variant}/{quote(file.name)}")


def named(name: str, packages: Collection[str]) -> bool:
    """Whether a file's name is of one of these packages."""
    return name.partition("-")[0] in packages
