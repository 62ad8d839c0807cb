"""The oldest glibc and libstdc++ a file runs with, from the versions it asks of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_FLOOR = re.compile(r"(GLIBC|GLIBCXX|CXXABI)_(\d+(?:\.\d+)*)")


def floors_of(versions: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """`GLIBC`, `GLIBCXX`, `CXXABI` -> the highest version that is needed."""
    floors: dict[str, str] = {}
    for names in versions.values():
        for name in names:
            if found := _FLOOR.fullmatch(name):
                floors = highest(floors, {found[1]: found[2]})
    return floors


def highest(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    """The higher version of each."""
    joined = dict(first)
    for kind, text in second.items():
        if kind not in joined or dotted(text) > dotted(joined[kind]):
            joined[kind] = text
    return joined


def dotted(text: str) -> tuple[int, ...]:
    """`2.17` as numbers that compare."""
    return tuple(int(part) for part in text.split("."))
