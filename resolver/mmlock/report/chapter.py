"""Chapters of what is known about a package: sentences with their sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from mmlock.core.names import Confidence
from mmlock.core.versions import version
from mmlock.facts.matrix.load import Matrix

__all__ = ["Chapter", "Fact", "cited_sources", "fact", "is_wanted"]

_ORDER = {confidence: rank for rank, confidence in enumerate(Confidence)}


class Fact(Struct, frozen=True, kw_only=True):
    """One sentence, where it comes from and how sure it is."""

    text: str
    source: tuple[str, ...]
    """What the source keys mean, in full."""
    confidence: Confidence
    """The weakest of the rows it is made of."""
    rows: tuple[Mapping[str, Any], ...]
    """Those rows as plain values."""


class Chapter(Struct, frozen=True, kw_only=True):
    """Facts of one kind; without facts there was nothing to say."""

    name: str
    title: str
    facts: tuple[Fact, ...]


def fact(text: str, rows: Sequence[Any], sources: Mapping[str, str]) -> Fact:
    """A sentence about rows, with what they cite."""
    keys = dict.fromkeys(key for row in rows for key in row.source)
    return Fact(
        text=text,
        source=tuple(sources.get(key, key) for key in keys),
        confidence=max((row.confidence for row in rows), key=_ORDER.__getitem__),
        rows=tuple(msgspec.to_builtins(row) for row in rows),
    )


def cited_sources(
    matrix: Matrix, section: str, rows: Sequence[Any], package: str | None = None
) -> dict[str, str]:
    """What the source keys of rows mean, those of rows that are in another file as well."""
    elsewhere = (key for row in rows for key in row.source if "#" in key)
    return {**matrix.sources(section, package), **{key: matrix.meaning(key) for key in elsewhere}}


def is_wanted(candidate: str, wanted: str | None) -> bool:
    """Whether a version is the one that is asked about; None: all are."""
    return wanted is None or version(candidate) == version(wanted)
