"""A conda channel as it is now: records that are known, checked against it, and what is newer.

Of each package on record, and of what newer ones depend on, the newest release is taken: of every variant of
its build the newest one. All of conda-forge would be a million records; a solve wants these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import urljoin

from msgspec import Struct

from mmlock.core.names import PackageName
from mmlock.facts.matrix.merge import Facts
from mmlock.facts.matrix.model import CondaRecord
from mmlock.facts.scrape.conda_repodata import (
    UnreadableRepodata,
    read_repodata,
    read_shard,
    read_shard_index,
    unpacked,
)
from mmlock.facts.scrape.fetch_page import Answer, FetchPage, Get, Scrape, Scraped, WholeFile
from mmlock.net.credentials import bare
from mmlock.net.fetching import FetchFault, FetchProblem

__all__ = ["BASE", "NAME", "scrape", "wanted"]

NAME = "conda-forge"
BASE = "https://conda.anaconda.org/conda-forge"
_SHARDS, _PACKED, _PLAIN = "repodata_shards.msgpack.zst", "repodata.json.zst", "repodata.json"
_VARIANT = re.compile(r"_?h[0-9a-f]{7,}.*|(?:_|(?<![\d_]))\d+$")
_MOST_NAMES = 5_000
_MOST_ROUNDS = 12


class _Page(Struct):
    """One platform of the channel, as far as it was read."""

    subdir: str
    base: str
    source: str
    channel: str
    shards: dict[str, WholeFile] = {}
    """By package; empty where the channel is not sharded."""
    rows: dict[str, list[CondaRecord]] = {}
    read: bool = False


def scrape(
    *, known: Mapping[str, Sequence[CondaRecord]], day: str, base: str = BASE, channel: str = BASE
) -> Scrape:
    """What the channel says of the records of each platform (`linux-64`, `noarch`).

    `base` is where the channel or a mirror of it is, `channel` what its records call it.
    """
    pages = [
        _Page(
            subdir=subdir, base=f"{base.rstrip('/')}/{subdir}/", source=f"{NAME}-{day}", channel=channel,
            shards={}, rows={},
        )
        for subdir in known
    ]  # fmt: skip
    stale: list[str] = []
    count = 0
    for file in (_SHARDS, _PACKED, _PLAIN):
        waiting = [page for page in pages if not page.read and not page.shards]
        answers = yield [Get(url=f"{page.base}{file}") for page in waiting]
        for page, answer in zip(waiting, answers, strict=True):
            count += _take(page, file, answer, stale)
    stale += [f"{page.subdir}: no repodata" for page in pages if not page.read and not page.shards]
    names = {row.name for rows in known.values() for row in rows if row.channel == channel}
    asked: set[str] = set()
    for _ in range(_MOST_ROUNDS):
        new = sorted(names - asked)[: max(0, _MOST_NAMES - len(asked))]
        if not new:
            break
        asked |= set(new)
        requests = [(page, name) for page in pages for name in new if name in page.shards]
        wholes: list[FetchPage] = [page.shards[name] for page, name in requests]
        answers = yield wholes
        for (page, name), answer in zip(requests, answers, strict=True):
            count += _take_shard(page, name, answer, stale)
        names |= {name for page in pages for row in wanted(page.rows, new) for name in _needs(row)}
    warnings: list[str] = []
    facts = [
        _facts(page, known[page.subdir], day, bare(base), asked, warnings) for page in pages if not stale
    ]
    return Scraped(facts=tuple(facts), stale=tuple(stale), warnings=tuple(warnings), read=count)


def _take(page: _Page, file: str, answer: Answer, stale: list[str]) -> int:
    """Take the first page of a platform; how many were read."""
    if isinstance(answer, FetchFault):
        if answer.problem is not FetchProblem.NOT_FOUND:
            stale.append(f"{page.subdir}: {answer.text}")
        return 0
    try:
        if file == _SHARDS:
            index = read_shard_index(answer.body)
            place = urljoin(
                page.base, index.base if index.base.endswith("/") or not index.base else f"{index.base}/"
            )
            page.shards = {
                name: WholeFile(url=f"{place}{digest}.msgpack.zst", sha256=digest)
                for name, digest in index.shards.items()
                if re.fullmatch(r"[0-9a-f]{64}", digest)
            }
        else:
            data = unpacked(answer.body) if file == _PACKED else answer.body
            for row in read_repodata(data, page.channel, page.subdir, page.source):
                page.rows.setdefault(row.name, []).append(row)
            page.read = True
    except UnreadableRepodata as fault:
        stale.append(f"{page.subdir}/{file}: {fault}")
        return 0
    return 1


def _take_shard(page: _Page, name: str, answer: Answer, stale: list[str]) -> int:
    if isinstance(answer, FetchFault):
        stale.append(f"{page.subdir}/{name}: {answer.text}")
        return 0
    try:
        page.rows[name] = list(read_shard(answer.body, page.channel, page.subdir, page.source))
    except UnreadableRepodata as fault:
        stale.append(f"{page.subdir}/{name}: {fault}")
        return 0
    return 1


def wanted(rows: Mapping[str, Sequence[CondaRecord]], names: Iterable[str]) -> Iterator[CondaRecord]:
    """Of each package the newest build of every variant of its newest release."""
    for name in names:
        found = rows.get(name, ())
        newest = max(found, key=_age, default=None)
        by_variant: dict[str, CondaRecord] = {}
        for row in found:
            if newest is not None and row.version == newest.version:
                variant = _VARIANT.sub("", row.build)
                if variant not in by_variant or _age(row) > _age(by_variant[variant]):
                    by_variant[variant] = row
        yield from by_variant.values()


def _age(row: CondaRecord) -> tuple[int, int, str]:
    """When it was built; a channel of a day ago has a date in each record."""
    return row.timestamp or 0, row.build_number, row.file


def _needs(row: CondaRecord) -> Iterator[str]:
    for spec in row.depends:
        name = re.split(r"[\s=<>!~]", spec.strip(), maxsplit=1)[0]
        if name and not name.startswith("__"):
            yield name


def _facts(
    page: _Page,
    known: Sequence[CondaRecord],
    day: str,
    place: str,
    asked: Iterable[str],
    warnings: list[str],
) -> Facts:
    """Rows for the platform's file: what is known and still there, and what is newer."""
    there = {(row.name, row.version, row.build): row for rows in page.rows.values() for row in rows}
    rows = {(row.name, row.version, row.build): row for row in wanted(page.rows, asked)}
    for row in known:
        key = (row.name, row.version, row.build)
        now = there.get(key)
        if row.channel != page.channel or now is None:
            continue
        if row.sha256 is not None and now.sha256 != row.sha256:
            warnings.append(
                f"{row.file} has another sha256 than on record; it was changed, and stays as it was"
            )
            rows.pop(key, None)
            rows[key] = row
        else:
            rows[key] = now
    read = frozenset(page.rows)
    return Facts(
        schema="conda",
        package=PackageName(page.subdir),
        rows=tuple(rows.values()),
        sources={page.source: f"{place}/{page.subdir}, read {day}"},
        scope=lambda row: row.channel == page.channel and row.name in read,
    )
