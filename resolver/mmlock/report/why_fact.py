"""`mmlock matrix why FACT`: what a fact says, who says so, how sure it is, and which locks rest on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from mmlock.core.errors import UsageError
from mmlock.core.report import Page
from mmlock.facts.matrix.concerned import LockContents, rests_on
from mmlock.facts.matrix.diff import Change, ChangeKind, package_of
from mmlock.facts.matrix.layout import SECTIONS, key_text
from mmlock.facts.matrix.model import Document
from mmlock.facts.matrix.store import row_text

__all__ = ["KnownFact", "find_facts", "why_page"]

_MOST = 6
"""Facts that are shown whole; of more, only where they are."""
_LISTED = 20
_WORD = re.compile(r"[^\s=]+")


class KnownFact(Struct, frozen=True, kw_only=True):
    """A row of a matrix file, and where it is."""

    path: str
    key: str
    row: Any
    sources: Mapping[str, str]
    """What its source keys mean."""


def find_facts(documents: Mapping[str, Document[Any]], text: str) -> tuple[KnownFact, ...]:
    """The facts that a text names: by words of their key, and of the file or package they are about.

    A fact whose whole key is the text comes alone. Raises UsageError where there is none.
    """
    words = tuple(word.lower() for word in _WORD.findall(text))
    found = [fact for fact in _all(documents, words) if set(words) <= _words(fact)] if words else []
    wanted = " ".join(words)
    exact = [fact for fact in found if wanted in {fact.key.lower(), f"{fact.path} {fact.key}".lower()}]
    if not found:
        raise UsageError(
            f"no fact is called `{text}`",
            hints=[
                "name it as `mmlock matrix diff` does, `torch/builds.json 2.11.0 cu130 linux_x86_64`",
                "or by its name alone: `CVE-2025-3000`, `mmengine-pkg-resources`, `T4`",
            ],
        )
    return tuple(exact or found)


def _all(documents: Mapping[str, Document[Any]], words: Sequence[str]) -> Iterator[KnownFact]:
    """The facts in whose key, file, package or other names all words occur somewhere."""
    for path, document in documents.items():
        keys = SECTIONS[document.schema].key
        elsewhere = [word for word in words if word not in path.lower()]
        for row in document.rows:
            names = [*(str(getattr(row, key)) for key in keys), *getattr(row, "aliases", ())]
            text = "\n".join((*names, getattr(row, "package", None) or "")).lower()
            if all(word in text for word in elsewhere):
                yield KnownFact(path=path, key=key_text(keys, row), row=row, sources=document.sources)


def _words(fact: KnownFact) -> set[str]:
    """Everything that a user may call a fact by."""
    names = [*_WORD.findall(fact.key), fact.path, fact.path.rpartition("/")[2].rpartition(".")[0]]
    names += [fact.key, *getattr(fact.row, "aliases", ())]
    package = package_of(fact.path, fact.row)
    return {name.lower() for name in (*names, *([package] if package else []))}


def why_page(facts: Sequence[KnownFact], locks: Iterable[LockContents]) -> Page:
    """What these facts say, with their sources and the committed locks that rest on each."""
    held = tuple(locks)
    data = [_data(fact, held) for fact in facts]
    if len(facts) > _MOST:
        lines = [f"{len(facts)} facts have that name; name one of them:"]
        lines += [f"  {fact.path} {fact.key}" for fact in facts[:_LISTED]]
        lines += [f"  and {len(facts) - _LISTED} more"] if len(facts) > _LISTED else []
    else:
        lines = [line for one in data for line in (*_lines(one), "")][:-1]
    return Page(text="\n".join(lines), data={"facts": data})


def _data(fact: KnownFact, locks: Sequence[LockContents]) -> dict[str, Any]:
    package = package_of(fact.path, fact.row)
    change = Change(path=fact.path, kind=ChangeKind.REMOVED, key=fact.key, package=package, old=fact.row)
    return {
        "file": fact.path,
        "key": fact.key,
        "confidence": fact.row.confidence,
        "sources": {key: fact.sources.get(key, key) for key in fact.row.source},
        "row": msgspec.json.decode(row_text(fact.row)),
        "locks": [lock.name for lock in locks if rests_on(lock, change)],
    }


def _lines(data: Mapping[str, Any]) -> Iterator[str]:
    yield f"{data['file']}: {data['key']}"
    for name, value in data["row"].items():
        if name not in {"source", "confidence"} and value not in (None, [], {}):
            yield f"  {name}: {_short(value)}"
    yield f"  confidence: {data['confidence']}"
    yield from (f"  source: {text}" for text in data["sources"].values())
    names = data["locks"]
    yield f"  locks that rest on it: {', '.join(names) or 'none of those here'}"


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_short(one) for one in value)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 2 * _WIDTH else f"{text[: 2 * _WIDTH]}..."


_WIDTH = 110
