"""Conda channels read as they are now: real channels, in each form that channels are served in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
import pytest
import zstandard
from conda_channel import serve
from msgspec.structs import replace
from rattler.index import index_fs
from rattler_build import assemble_package

from mmlock.core.names import Confidence, Sha256
from mmlock.facts.matrix.model import CondaRecord
from mmlock.facts.scrape.conda_channel import BASE, scrape, wanted
from mmlock.facts.scrape.conda_repodata import (
    UnreadableRepodata,
    read_repodata,
    read_shard,
    read_shard_index,
    unpacked,
)
from mmlock.facts.scrape.fetch_page import Answer, FetchPage, Scraped
from mmlock.net.fetching import Fetched, FetchFault, FetchProblem

SUBDIR = "linux-64"


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases of a library in two variants, and what the newer one needs."""
    folder = tmp_path_factory.mktemp("channel")
    for name, version, build, day, depends in (
        ("lib", "1.0", "py311_h1234567_0", 1, ["python >=3.11"]),
        ("lib", "2.0", "py311_h1234567_0", 2, ["base >=1", "__glibc >=2.17"]),
        ("lib", "2.0", "py312_h1234567_0", 3, ["base >=1"]),
        ("lib", "2.0", "py312_h7654321_1", 4, ["base >=1"]),
        ("base", "1.0", "h1234567_0", 1, []),
        ("other", "1.0", "h1234567_0", 1, []),
    ):
        staged = folder.parent / "staged"
        staged.mkdir(exist_ok=True)
        (staged / "name").write_text(name)
        assemble_package(
            name=name,
            version=version,
            target_platform=SUBDIR,
            build_string=build,
            build_number=int(build[-1]),
            output_dir=folder / SUBDIR,
            files_dir=staged,
            depends=depends,
            timestamp=datetime(2026, 1, day, tzinfo=timezone.utc),
        )
    asyncio.run(index_fs(folder, write_zst=True, write_shards=True))
    return folder


def row(name: str, version: str, build: str, **changes: object) -> CondaRecord:
    made = CondaRecord(
        name=name,
        version=version,
        build=build,
        build_number=0,
        channel=BASE,
        file=f"{name}-{version}-{build}.conda",
        sha256=None,
        md5=None,
        size=None,
        depends=(),
        source=("x",),
        confidence=Confidence.CAPTURED,
    )
    return replace(made, **changes)


def answered(folder: Path, known: dict[str, Sequence[CondaRecord]], *, without: str = "") -> Scraped:
    """What the scraper makes of a channel whose files are answered from the disk."""

    def answer(request: FetchPage) -> Answer:
        path = folder / unquote(urlsplit(request.url).path).lstrip("/")
        if not path.is_file() or (without and without in path.name):
            return FetchFault(problem=FetchProblem.NOT_FOUND, url=request.url, text="not found")
        return Fetched(url=request.url, content_type="", body=path.read_bytes())

    run = scrape(known=known, day="2026-11-29", base="https://mirror.example")
    try:
        requests = next(run)
        while True:
            requests = run.send([answer(one) for one in requests])
    except StopIteration as stop:
        found: Scraped = stop.value
        return found


@pytest.mark.slow
@pytest.mark.parametrize("without", ["", "repodata_shards", ".zst"], ids=["sharded", "zst", "json"])
def test_a_channel_is_read_in_every_form_with_the_same_answer(channel: Path, without: str) -> None:
    known = {SUBDIR: (row("lib", "1.0", "py311_h1234567_0"),)}
    found = answered(channel, known, without=without)
    assert found.stale == ()
    (facts,) = found.facts
    held = {(one.name, one.version, one.build) for one in facts.rows}
    assert held == {
        ("lib", "1.0", "py311_h1234567_0"),  # known, and still there
        ("lib", "2.0", "py311_h1234567_0"),  # of the newest release the newest build of each variant
        ("lib", "2.0", "py312_h7654321_1"),
        ("base", "1.0", "h1234567_0"),  # what these need
    }
    assert all(one.sha256 and one.md5 and one.size and one.timestamp for one in facts.rows)
    assert {one.channel for one in facts.rows} == {BASE}
    newest = next(one for one in facts.rows if one.build == "py311_h1234567_0" and one.version == "2.0")
    assert newest.depends == ("__glibc >=2.17", "base >=1")
    gone = row("lib", "0.5", "py311_h1234567_0")
    assert facts.scope(gone)
    assert not facts.scope(row("never-read", "1.0", "h1234567_0"))


def test_a_changed_hash_is_told_and_not_believed(channel: Path) -> None:
    before = row("lib", "1.0", "py311_h1234567_0", sha256=Sha256("0" * 64), md5="0" * 32)
    found = answered(channel, {SUBDIR: (before,)})
    assert "has another sha256 than on record" in found.warnings[0]
    (facts,) = found.facts
    assert before in facts.rows


def test_a_channel_without_pages_keeps_the_old_facts(tmp_path: Path) -> None:
    found = answered(tmp_path, {SUBDIR: (row("lib", "1.0", "h_0"),)})
    assert found.facts == ()
    assert found.stale == (f"{SUBDIR}: no repodata",)


def packed(document: object) -> bytes:
    return zstandard.ZstdCompressor().compress(msgspec.msgpack.encode(document))


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{", b"\xff", b'{"info": {"subdir": "osx-64"}}', b"[" * 100_000],
)
def test_what_is_no_repodata_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableRepodata):
        read_repodata(data, BASE, SUBDIR, "x")


def test_what_is_no_shard_is_refused() -> None:
    for data in (b"", b"plain", packed([1]), packed(3), zstandard.ZstdCompressor().compress(b"\xc1")):
        with pytest.raises(UnreadableRepodata):
            read_shard(data, BASE, SUBDIR, "x")
    with pytest.raises(UnreadableRepodata):
        read_shard_index(packed({"info": {}, "shards": []}))


@pytest.mark.slow
def test_a_small_file_never_becomes_a_huge_one() -> None:
    bomb = zstandard.ZstdCompressor().compress(b"\0" * (80 << 20))
    with pytest.raises(UnreadableRepodata, match="MB when it is unpacked"):
        unpacked(bomb)


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("../../etc-1.0-h_0.conda", {}),
        ("lib-1.0-h_0.conda", {"name": "other"}),
        ("lib-1.0-h_0.conda", {"version": "2.0"}),
        ("lib-1.0-h_0.conda", {"sha256": None}),
        ("lib-1.0-h_0.conda", {"md5": "short"}),
        ("lib-1.0-h_0.exe", {}),
    ],
)
def test_a_row_that_is_not_what_its_file_says_is_no_record(file: str, changes: dict[str, object]) -> None:
    good = {"name": "lib", "version": "1.0", "build": "h_0", "sha256": "a" * 64, "md5": "b" * 32}
    whole = {"packages.conda": {"lib-1.0-h_0.conda": good}}
    assert len(read_repodata(json.dumps(whole).encode(), BASE, SUBDIR, "x")) == 1
    bad = {"packages.conda": {file: {**good, **changes}}}
    assert read_repodata(json.dumps(bad).encode(), BASE, SUBDIR, "x") == ()
    removed = {**whole, "removed": ["lib-1.0-h_0.conda"]}
    assert read_repodata(json.dumps(removed).encode(), BASE, SUBDIR, "x") == ()


def test_newest_is_what_was_built_last() -> None:
    old = row("a", "2.0", "py311_h1234567_0", timestamp=5)
    new = row("a", "1.9", "py311_h7654321_0", timestamp=9)
    assert list(wanted({"a": [old, new]}, ["a", "b"])) == [new]


@pytest.mark.slow
def test_a_refresh_reads_the_channel_over_loopback_and_writes_what_differs(
    channel: Path, tmp_path: Path
) -> None:
    import shutil

    from mmlock.app.refreshing import refresh
    from mmlock.core.refreshing import RefreshArguments
    from mmlock.facts.matrix import store
    from mmlock.facts.matrix.load import Matrix

    root = tmp_path / "matrices"
    shutil.copytree("matrices", root)
    known = row("lib", "1.0", "py311_h1234567_0", sha256=None)
    for name in (SUBDIR, "noarch"):
        rows = (known,) if name == SUBDIR else ()
        (root / "conda" / f"{name}.json").write_bytes(
            store.encode("conda", rows, {"x": "a lock (2026-01-01)"}, None)
        )
    with serve(channel) as url:
        arguments = RefreshArguments(matrices=root, only=("conda-forge",), places={"conda-forge": url})
        page = refresh(
            arguments, environ={"MMLOCK_CACHE_DIR": str(tmp_path / "cache"), "HOME": str(tmp_path)}
        )
        again = refresh(
            arguments, environ={"MMLOCK_CACHE_DIR": str(tmp_path / "cache"), "HOME": str(tmp_path)}
        )
    assert {one.name for one in Matrix(root).conda(SUBDIR)} == {"lib", "base"}
    assert page.data["written"] == ["conda/linux-64.json"]
    assert again.data["written"] == []
    assert "conda-forge less than a day old" in page.text or "conda-forge of unknown age" not in page.text
