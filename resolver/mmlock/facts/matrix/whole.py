"""What was read whole, so that what it does not list is not there. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mmlock.facts.matrix.load import Matrix

__all__ = ["listed_whole"]

_DAY = re.compile(r"\b20\d\d-\d\d-\d\d\b")


def listed_whole(matrix: Matrix, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The lists that show which versions of these packages there are: (package, key of `files/PACKAGE.json`).

    A refresh reads PyPI's page of a package whole. Other indexes, and builds by torch variant, may hold more:
    then there is none. A list that does not say when it was read shows nothing either.
    """
    elsewhere = {row.package for row in matrix.index_rows}
    lists: list[tuple[str, str]] = []
    for name in sorted(names):
        more = any(row.url or row.same_variant for row in matrix.binaries(name))
        texts = matrix.sources("files", name)
        dated = [key for key, text in texts.items() if _DAY.search(text)]
        if name in elsewhere or name == "torch" or more or not matrix.files(name) or not dated:
            return ()
        lists += [(name, key) for key in dated]
    return tuple(lists)
