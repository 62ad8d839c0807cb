"""Known vulnerabilities: what PyPI says of releases (as pip-audit reads it), and the ranges that OSV has.

PyPI's JSON of one release lists the advisories that concern it; OSV's record of an advisory has its ranges,
and often a severity. Either can be down: what is known stays, and a version that PyPI names is added alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.names import AdvisorySeverity, Confidence, PackageName, normalize
from mmlock.core.versions import is_version, version
from mmlock.facts.matrix.advisories import Advisory, concerning
from mmlock.facts.matrix.merge import Facts
from mmlock.facts.matrix.provenance import dated, seen_on
from mmlock.facts.scrape.fetch_page import Answer, Get, Scrape, Scraped
from mmlock.net.credentials import bare
from mmlock.net.fetching import FetchFault, FetchProblem

__all__ = ["NAME", "OSV", "OSV_BASE", "PYPI_BASE", "scrape", "scrape_osv"]

NAME = "advisories"
OSV = "osv"
PYPI_BASE = "https://pypi.org/pypi"
OSV_BASE = "https://api.osv.dev/v1"
_PAGE = "https://osv.dev/vulnerability/{}"

_ID = re.compile(r"[A-Za-z][A-Za-z0-9]{1,15}(?:-[A-Za-z0-9]{1,20}){1,5}")
_DATABASES = ("GHSA-", "PYSEC-")
"""Whose records have ranges by version; a CVE's own are of commits."""
_FIRST = PackageName("torch")
"""Whose releases are asked about before those of others: PyPI certainly has them."""
_LONGEST = 160
_RATINGS = {**{one.value.upper(): one for one in AdvisorySeverity}, "MEDIUM": AdvisorySeverity.MODERATE}

Known = Mapping[PackageName, Sequence[Advisory]]
Held = Mapping[PackageName, Iterable[str]]
"""Versions that are asked about."""


def scrape(*, held: Held, known: Known, day: str, base: str = PYPI_BASE) -> Scrape:
    """What PyPI says of these versions. One of them is asked first: some mirrors have no such pages."""
    asked = [
        (name, text)
        for name in sorted(held, key=lambda one: (one != _FIRST, one))
        for text in sorted({version(one).public for one in held[name] if is_version(one)})
    ]
    if not asked:
        return Scraped()
    first, *rest = asked
    (answer,) = yield [_release(base, first)]
    if isinstance(answer, FetchFault):
        absent = answer.problem is FetchProblem.NOT_FOUND
        why = f"`{bare(base)}` has no JSON page of a release" if absent else answer.text
        return Scraped(stale=(why,))
    answers = [answer, *((yield [_release(base, one) for one in rest]) if rest else ())]
    return _of_pypi(asked, answers, known, day, base)


def _release(base: str, asked: tuple[PackageName, str]) -> Get:
    return Get(url=f"{base.rstrip('/')}/{asked[0]}/{asked[1]}/json", accept="application/json")


def _of_pypi(
    asked: Sequence[tuple[PackageName, str]], answers: Sequence[Answer], known: Known, day: str, base: str
) -> Scraped:
    source = dated(NAME, day)
    rows: dict[PackageName, dict[str, Advisory]] = {}
    stale: list[str] = []
    warnings: list[str] = []
    read = 0
    for (name, text), answer in zip(asked, answers, strict=True):
        if isinstance(answer, FetchFault):
            if answer.problem is not FetchProblem.NOT_FOUND:  # a release that only another index has
                stale.append(f"{name} {text}: {answer.text}")
            continue
        told = _object(answer.body).get("vulnerabilities")
        if not isinstance(told, list):
            stale.append(f"{name} {text}: the page does not say which vulnerabilities it knows")
            continue
        read += 1
        mine = rows.setdefault(name, {})
        for item in told:
            one = _told(item, source)
            if one is None:
                warnings.append(f"{name} {text}: an entry that is no advisory")
            elif not one.withdrawn:
                row = _with_version(
                    _same(one.row, (*mine.values(), *known.get(name, ()))), one.row, text, source
                )
                mine[row.id] = row
    page = {source: f"{bare(base)}/NAME/VERSION/json, read {day}"}
    facts = tuple(
        Facts(schema="advisories", package=name, rows=tuple(found.values()), sources=page)
        for name, found in rows.items()
        if found
    )
    return Scraped(facts=facts, stale=tuple(stale), warnings=tuple(warnings), read=read)


class _Told(Struct, frozen=True, kw_only=True):
    row: Advisory
    """Without the versions that it concerns."""
    withdrawn: bool


def _told(item: Any, source: str) -> _Told | None:
    """One entry of PyPI's list; None for anything else."""
    if not isinstance(item, dict):
        return None
    said = (item.get("id"), *_texts(item.get("aliases")))
    names = [text for text in said if isinstance(text, str) and _ID.fullmatch(text)]
    if not names:
        return None
    own = next((text for text in names if text.startswith("CVE-")), names[0])
    summary = _line(item.get("summary")) or _line(item.get("details")) or "no summary"
    fixed = tuple(sorted({text for text in _texts(item.get("fixed_in")) if is_version(text)}, key=version))
    row = Advisory(
        id=own,
        aliases=tuple(sorted(set(names) - {own})),
        summary=summary,
        affected=(),
        fixed_in=fixed,
        severity=None,
        url=_PAGE.format(names[0]),
        source=(source,),
        confidence=Confidence.CAPTURED,
    )
    return _Told(row=row, withdrawn=bool(item.get("withdrawn")))


def _same(row: Advisory, others: Iterable[Advisory]) -> Advisory | None:
    """The row that is known of the same vulnerability."""
    names = {row.id, *row.aliases}
    return next((one for one in others if names & {one.id, *one.aliases}), None)


def _with_version(known: Advisory | None, told: Advisory, text: str, source: str) -> Advisory:
    """The row, which concerns this version too."""
    row = known or told
    if next(concerning((row,), text), None) is not None:
        return row
    affected = (*row.affected, f"=={text}")
    still = tuple(one for one in row.fixed_in if one != text)
    return seen_on(replace(row, affected=affected, fixed_in=still), source)


# ---------------------------------------------------------------- OSV


def scrape_osv(*, known: Known, day: str, base: str = OSV_BASE) -> Scrape:
    """The ranges and severities of advisories that are known."""
    asked = [(name, row, one) for name in sorted(known) for row in known[name] for one in _records(row)]
    if not asked:
        return Scraped()
    answers = yield [
        Get(url=f"{base.rstrip('/')}/vulns/{one}", accept="application/json") for *_, one in asked
    ]
    by_row: dict[tuple[PackageName, str], list[Answer]] = {}
    for (name, row, _), answer in zip(asked, answers, strict=True):
        by_row.setdefault((name, row.id), []).append(answer)
    source = dated(OSV, day)
    facts: list[Facts] = []
    stale: list[str] = []
    gone: set[str] = set()
    for name in sorted(known):
        rows = []
        for row in known[name]:
            mine = by_row.get((name, row.id), [])
            if down := [
                a for a in mine if isinstance(a, FetchFault) and a.problem is not FetchProblem.NOT_FOUND
            ]:
                stale.append(f"{row.id}: {down[0].text}")
                continue
            records = [record for a in mine if not isinstance(a, FetchFault) and (record := _object(a.body))]
            if records and all(record.get("withdrawn") for record in records):
                gone.add(row.id)
            elif (new := _ranged(row, name, records)) != row:
                rows.append(seen_on(new, source))
        page = {source: f"{bare(base)}/vulns/ID, read {day}"}
        withdrawn = frozenset(gone & {row.id for row in known[name]})
        if rows or withdrawn:
            facts.append(
                Facts(
                    schema="advisories",
                    package=name,
                    rows=tuple(rows),
                    sources=page,
                    scope=lambda row, withdrawn=withdrawn: row.id in withdrawn,  # type: ignore[misc]
                )
            )
    read = sum(not isinstance(answer, FetchFault) for answer in answers)
    return Scraped(facts=tuple(facts), stale=tuple(stale), read=read)


def _records(row: Advisory) -> Iterator[str]:
    """The names under which OSV has records of it with ranges."""
    named = [one for one in (row.id, *row.aliases) if one.startswith(_DATABASES)]
    yield from named or [row.id]


def _ranged(row: Advisory, package: PackageName, records: Sequence[dict[str, Any]]) -> Advisory:
    """The row with what OSV's records of it say. Where they differ, all of their ranges count."""
    spans: list[str] = []
    fixed: set[str] = set()
    for record in records:
        if record.get("withdrawn"):
            continue
        for affected in _objects(record.get("affected")):
            about = affected.get("package")
            if isinstance(about, dict) and _is_about(about, package):
                for one in _objects(affected.get("ranges")):
                    spans += _spans(one, fixed)
    if not spans:
        return _rated(row, records)
    seen = [one for one in row.affected if one.startswith("==")]
    bare_row = replace(row, affected=tuple(dict.fromkeys(spans)))
    # What PyPI named by itself stays, unless a range has it.
    extra = [one for one in seen if next(concerning((bare_row,), one.removeprefix("==")), None) is None]
    whole = replace(bare_row, affected=(*bare_row.affected, *extra))
    mended = {one for one in fixed if next(concerning((whole,), one), None) is None}
    return _rated(replace(whole, fixed_in=tuple(sorted(mended, key=version))), records)


def _is_about(about: Mapping[str, Any], package: PackageName) -> bool:
    name = about.get("name")
    return about.get("ecosystem") == "PyPI" and isinstance(name, str) and normalize(name) == package


def _spans(one: Mapping[str, Any], fixed: set[str]) -> Iterator[str]:
    """The specifiers of a range; its ends are added to `fixed`. What is no PEP 440 version ends nothing."""
    if one.get("type") != "ECOSYSTEM":
        return
    start: str | None = None
    for event in _objects(one.get("events")):
        for what, text in event.items():
            if not isinstance(text, str) or not is_version(text):
                continue
            if what == "introduced":
                start = "" if version(text) == version("0") else f">={text},"
            elif start is not None and what in {"fixed", "last_affected"}:
                if what == "fixed":
                    fixed.add(text)
                yield f"{start}{'<' if what == 'fixed' else '<='}{text}"
                start = None
    if start is not None:
        yield start.rstrip(",") or ">=0"


def _rated(row: Advisory, records: Sequence[dict[str, Any]]) -> Advisory:
    """The row with the worst rating of its records; what nobody rates now keeps the one it has."""
    told = [record.get("database_specific") for record in records]
    words = [one.get("severity") for one in told if isinstance(one, dict)]
    found = [_RATINGS[word] for word in words if isinstance(word, str) and word in _RATINGS]
    return replace(row, severity=max(found, key=lambda one: one.rank)) if found else row


# ---------------------------------------------------------------- bytes from outside


def _object(body: bytes) -> dict[str, Any]:
    """A JSON object; empty for anything else."""
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    yield from (one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()


def _texts(value: Any) -> Iterator[str]:
    yield from (one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _line(value: Any) -> str:
    """The first words of a text, on one line, with nothing in it that a terminal obeys."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    shown = "".join(letter for letter in text[:_LONGEST] if letter.isprintable())
    return f"{shown}..." if len(text) > _LONGEST else shown
