"""The spellings of the facts folder, translated to those of the matrix."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mmlock.core.versions import version
from mmlock.facts.scrape.binaries import arch_words
from mmlock.facts.scrape.tags import (
    cuda_of_variant,
    glibc_of_tag,
    minor,
    newest,
    platform_of_tag,
    platforms_of,
    python_of_tag,
    pythons_of,
    sorted_archs,
)

__all__ = [
    "arch_words",
    "as_list",
    "by_version",
    "clean_source",
    "clean_sources",
    "cuda_of_variant",
    "glibc_of_tag",
    "in_range",
    "minor",
    "newest",
    "platform_of_tag",
    "platforms_of",
    "python_of_tag",
    "pythons_of",
    "soname_major",
    "sorted_archs",
]

Facts = dict[str, Any]
"""A table of the facts folder as json.load gives it."""

_ARCH = re.compile(r"(sm_|compute_|gfx)?(\w+)$")
_SONAME = re.compile(r"libcudart\.so\.(\d+)(?:\.\d+)?")


def as_list(value: Iterable[Any] | None) -> list[Any]:
    """A list that may be absent."""
    return list(value or ())


def in_range(release: str, text: str) -> bool:
    """Whether the minor of a release lies in `2.1-2.5`, `1.13`, `2.9+`, `<=2.10` or `>=2.11`."""
    number = version(minor(release))
    if text.startswith(("<=", ">=")):
        bound = version(text[2:])
        return number <= bound if text[0] == "<" else number >= bound
    if text.endswith("+"):
        return number >= version(text[:-1])
    first, _, last = text.partition("-")
    return version(first) <= number <= version(last or first)


def by_version(rows: Iterable[Facts], field: str = "torch") -> list[Facts]:
    """Rows in version order."""
    return sorted(rows, key=lambda row: version(row[field]))


def soname_major(text: str) -> tuple[str, str] | None:
    """CUDA major and soname in a text: `libcudart.so.11.0 (...)` -> (11, libcudart.so.11.0)."""
    match = _SONAME.search(text)
    return (match[1], match[0]) if match else None


_STORED = (
    (re.compile(r",? stored cop(?:y|ies) in "), ", read in "),
    (re.compile(r"\s*\((?:a public repository, )?stored cop(?:y|ies)\)"), ""),
    (re.compile(r",?\s*\(?a public repository, stored copy\)?"), ""),
    (re.compile(r" in the stored documentation pages"), ", captured"),
    (re.compile(r"\.github/own reading excerpts \(text search\)"), ".github workflows, excerpts"),
    (re.compile(r" \(see observed_urls\.json\)"), ""),
    (re.compile(r" \(cuda\.json\)"), ""),
)


def clean_source(text: str) -> str:
    """A source text without words on where a copy was kept while it was read."""
    for pattern, instead in _STORED:
        text = pattern.sub(instead, text)
    return text.strip()


def clean_sources(table: Mapping[str, str]) -> dict[str, str]:
    """The `sources` table of a facts file for a matrix file."""
    return {key: clean_source(text) for key, text in table.items()}
