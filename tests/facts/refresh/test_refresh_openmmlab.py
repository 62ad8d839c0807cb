"""A refresh of OpenMMLab's part against a replica over a real socket, sound and with every fault."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.facts.matrix.lint import lint
from mmlock.facts.matrix.load import Matrix
from mmlock.net.fetching import Limits

if TYPE_CHECKING:
    from loopback_web import Replica, Reply

Run = Callable[..., Any]
Snapshot = Callable[[], dict[str, bytes]]

DIRECTORY = "cu121/torch2.2.0"


@pytest.fixture
def run(refreshed: Run, replica: Replica) -> Run:
    return lambda **asked: refreshed(only=("openmmlab",), places={"openmmlab": replica.base}, **asked)


def bare_page(names: set[str]) -> bytes:
    return "".join(f'<a href="./{name}">./{name}</a><br>\n' for name in sorted(names)).encode()


def rows(matrices: Path, directory: str) -> set[tuple[str, ...]]:
    return {
        (row.package, str(row.platform), version, python, str(row.confidence))
        for row in Matrix(matrices).index_rows
        if row.directory == directory
        for version in row.versions
        for python in (*row.pythons_seen, *row.pythons_inferred)
    }


def index(report: Any) -> Any:
    (found,) = report["indexes"]
    return found


@pytest.mark.slow
def test_a_first_refresh_makes_told_rows_seen_and_a_second_changes_no_byte(
    run: Run, matrices: Path, snapshot: Snapshot
) -> None:
    first = run()
    assert index(first)["state"] == "read"
    assert first["written"] == ["openmmlab/index.json"]
    assert [fault for fault in lint(matrices) if fault.file == "openmmlab/index.json"] == []
    assert {row.confidence for row in Matrix(matrices).index_rows} <= {"captured", "inferred"}
    before = snapshot()
    second = run()
    assert (second["changes"], second["written"]) == ([], [])
    assert snapshot() == before


@pytest.mark.slow
def test_a_row_the_page_only_confirms_keeps_its_source(run: Run, matrices: Path) -> None:
    run()
    kept = [row for row in Matrix(matrices).index_rows if row.directory == DIRECTORY]
    assert all("cap-A" in row.source for row in kept)


@pytest.mark.slow
def test_a_new_directory_is_found_the_day_it_appears(run: Run, replica: Replica, matrices: Path) -> None:
    newest = max(
        (row.torch for row in Matrix(matrices).torch_builds), key=lambda t: [int(p) for p in t.split(".")]
    )
    build = next(row for row in Matrix(matrices).torch_builds if row.torch == newest and row.cuda)
    directory = f"{build.variant}/torch{'.'.join(newest.split('.')[:2])}.0"
    replica.pages = {directory: {"mmcv-2.3.0-cp312-cp312-manylinux1_x86_64.whl"}}
    replica.serve()
    assert any(change["key"].startswith(directory) for change in run()["changes"])
    assert rows(matrices, directory) == {("mmcv", "linux_x86_64", "2.3.0", "3.12", "captured")}


@pytest.mark.slow
def test_a_dry_run_tells_all_and_writes_nothing(run: Run, snapshot: Snapshot) -> None:
    before = snapshot()
    report = run(dry_run=True)
    assert report["changes"]
    assert (report["written"], snapshot()) == ([], before)


@pytest.mark.slow
def test_facts_written_by_hand_are_never_touched(run: Run, snapshot: Snapshot) -> None:
    def curated() -> dict[str, bytes]:
        return {path: data for path, data in snapshot().items() if path.endswith(".toml")}

    before = curated()
    run()
    assert curated() == before


# ---------------------------------------------------------------- faults


def faulty(kind: str, reply: type[Reply], whole: bytes) -> Reply:
    bomb = gzip.compress(b"<br>" * 2_000_000)
    return {
        "empty": reply(body=b""),
        "truncated in a row": reply(body=whole[:500]),
        "truncated between rows": reply(body=b"".join(whole.splitlines(keepends=True)[:5])),
        "shorter than promised": reply(body=whole[:400], promised=len(whole)),
        "an error page with 200": reply(body=b"<html><h1>503 Service Unavailable</h1></html>"),
        "a login page": reply(body=b"<html><form><input type='password'></form></html>"),
        "the wrong type": reply(body=b"\x89PNG\r\n\x1a\n", headers={"Content-Type": "image/png"}),
        "not an index": reply(body=b'<html><a href="https://example.com/">home</a></html>'),
        "500 that stays": reply(status=500),
        "denied": reply(status=403),
        "a giant": reply(body=b"<br>" * 2_000_000),
        "a gzip bomb": reply(body=bomb, headers={"Content-Encoding": "gzip"}),
        "a double gzip bomb": reply(body=gzip.compress(bomb), headers={"Content-Encoding": "gzip, gzip"}),
        "no gzip at all": reply(body=b"plain", headers={"Content-Encoding": "gzip"}),
        "a redirect to a login": reply(status=302, headers={"Location": "/login"}),
        "a redirect for ever": reply(status=302, headers={"Location": "/loop"}),
        "slow drip": reply(body=whole, pieces=40),
    }[kind]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "empty",
        "truncated in a row",
        "truncated between rows",
        "shorter than promised",
        "an error page with 200",
        "a login page",
        "the wrong type",
        "not an index",
        "500 that stays",
        "denied",
        "a giant",
        "a gzip bomb",
        "a double gzip bomb",
        "no gzip at all",
        "a redirect to a login",
        "a redirect for ever",
        "slow drip",
    ],
)
def test_one_bad_page_keeps_its_facts_and_the_others_are_read(
    run: Run, replica: Replica, reply: type[Reply], matrices: Path, kind: str
) -> None:
    before = rows(matrices, DIRECTORY)
    replica.web.put("/login", b"<html><form><input type=password></form></html>")
    replica.web.put("/loop", reply(status=302, headers={"Location": "/loop"}))
    whole = replica.web.replies[replica.path(DIRECTORY)][0].body
    replica.web.put(replica.path(DIRECTORY), faulty(kind, reply, whole))
    report = run(limits=Limits(attempts=2, fresh_seconds=0.0, max_bytes=1_000_000, total_seconds=0.3))
    assert rows(matrices, DIRECTORY) == before
    assert rows(matrices, "cu121/torch2.1.0")
    told = index(report)["stale"] + index(report)["warnings"]
    assert [text for text in told if DIRECTORY in text], report["indexes"]
    assert report["written"] == ["openmmlab/index.json"]


@pytest.mark.slow
def test_a_wheel_whose_name_lies_is_counted(run: Run, replica: Replica, matrices: Path) -> None:
    replica.pages[DIRECTORY].add("mmcv-2.2.0-cp310-cp39-manylinux1_x86_64.whl")
    replica.serve()
    before = rows(matrices, DIRECTORY)
    assert any("1 links are no wheels" in text for text in index(run())["warnings"])
    assert rows(matrices, DIRECTORY) == before


@pytest.mark.slow
def test_wheels_that_vanish_are_kept_until_that_is_trusted(
    run: Run, replica: Replica, matrices: Path
) -> None:
    replica.pages[DIRECTORY] = {name for name in replica.pages[DIRECTORY] if "cp38" not in name}
    replica.serve()
    before = rows(matrices, DIRECTORY)
    assert any("too many to believe" in text for text in index(run())["warnings"])
    assert rows(matrices, DIRECTORY) == before
    run(trust_removals=True)
    assert len(rows(matrices, DIRECTORY)) == len(before) - 2


@pytest.mark.slow
def test_an_index_of_404s_takes_nothing_away(run: Run, replica: Replica, snapshot: Snapshot) -> None:
    before = snapshot()
    replica.web.replies.clear()
    assert index(run())["state"] == "outage"
    assert snapshot() == before


# ---------------------------------------------------------------- outages


@pytest.mark.slow
def test_an_outage_keeps_the_facts_and_says_their_age(refreshed: Run, snapshot: Snapshot) -> None:
    before = snapshot()
    report = refreshed(only=("openmmlab",), places={"openmmlab": "http://127.0.0.1:9/mmcv/dist"})
    found = index(report)
    assert (found["state"], found["last_read"]) == ("outage", "2026-06-30")
    assert snapshot() == before


@pytest.mark.slow
def test_a_host_that_is_down_is_asked_once(refreshed: Run) -> None:
    report = refreshed(only=("openmmlab",), places={"openmmlab": "http://127.0.0.1:9/mmcv/dist"})
    assert index(report)["requests"] == 2  # the attempts of the first page


@pytest.mark.slow
def test_only_strict_makes_an_outage_an_error(refreshed: Run, snapshot: Snapshot) -> None:
    before = snapshot()
    with pytest.raises(EnvironmentFault, match="1 of 1 indexes could not be read completely"):
        refreshed(only=("openmmlab",), places={"openmmlab": "http://127.0.0.1:9/x"}, strict=True)
    assert snapshot() == before


@pytest.mark.slow
def test_offline_reads_what_was_fetched_before(run: Run, replica: Replica, snapshot: Snapshot) -> None:
    run()
    before, asked = snapshot(), len(replica.web.asked)
    report = run(offline=True)
    assert (index(report)["requests"], report["changes"]) == (0, [])
    assert (snapshot(), len(replica.web.asked)) == (before, asked)


# ---------------------------------------------------------------- hashes


NAME = "mmcv-2.2.0-cp312-cp312-manylinux1_x86_64.whl"


def wheel(filler: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("mmcv/_ext.so", filler * 64)
        archive.writestr("mmcv-2.2.0.dist-info/METADATA", "Name: mmcv\nVersion: 2.2.0\n\n")
    return stream.getvalue()


@pytest.mark.slow
def test_a_hash_is_recorded_once_and_a_download_goes_on_where_it_broke(
    run: Run, replica: Replica, reply: type[Reply], matrices: Path
) -> None:
    replica.pages = {DIRECTORY: {NAME}}
    replica.serve()
    path = f"/mmcv/dist/{DIRECTORY}/{NAME}"
    body = wheel(bytes(range(256)))
    tag = {"ETag": '"one"'}
    replica.web.put(path, reply(body=body[:6000], promised=len(body), headers=tag), reply(body, headers=tag))
    report = run(hashes=(DIRECTORY,), trust_removals=True)
    hashed = report["indexes"][-1]
    assert (hashed["name"], hashed["pages"], hashed["stale"]) == ("hashes", 1, [])
    ranges = [headers.get("Range") for asked, headers in replica.web.asked if asked == path]
    assert ranges == [None, "bytes=6000-"]
    (row,) = [row for row in Matrix(matrices).files("openmmlab-index") if DIRECTORY in row.url]
    from hashlib import sha256

    assert (row.sha256, row.size) == (sha256(body).hexdigest(), len(body))
    assert row.url == f"https://download.openmmlab.com{path}"
    assert run(hashes=(DIRECTORY,))["indexes"][-1]["pages"] == 0


@pytest.mark.slow
def test_one_name_in_two_directories_is_two_files(run: Run, replica: Replica, matrices: Path) -> None:
    both = ("cu118/torch2.1.0", "cu121/torch2.2.0")
    for directory in both:
        replica.web.put(replica.path(directory), bare_page({NAME}))
        replica.web.put(f"/mmcv/dist/{directory}/{NAME}", wheel(directory.encode()))
    for directory in both:
        report = run(hashes=(directory,))
        assert report["written"][0] == "files/openmmlab-index.json"
    rows = {row.url: row for row in Matrix(matrices).files("openmmlab-index") if row.name == NAME}
    hashes = [
        rows[f"https://download.openmmlab.com/mmcv/dist/{directory}/{NAME}"].sha256 for directory in both
    ]
    assert len(set(hashes)) == 2
    assert [fault for fault in lint(matrices) if fault.file == "files/openmmlab-index.json"] == []


@pytest.mark.slow
def test_a_wheel_that_http_alone_serves_is_told_and_not_recorded(run: Run, snapshot: Snapshot) -> None:
    run()
    before = snapshot()
    report = run(hashes=(f"http://elsewhere.example/{NAME}",))
    assert report["indexes"][-1]["stale"] == [
        f"`http://elsewhere.example/{NAME}` is no https URL, and a lock would hold it; it is not recorded"
    ]
    assert snapshot() == before


@pytest.mark.slow
def test_the_official_index_is_recorded_by_https_however_it_is_named(
    run: Run, replica: Replica, matrices: Path
) -> None:
    replica.web.put(f"/mmcv/dist/{DIRECTORY}/{NAME}", wheel(b"x"))
    url = f"{replica.base}/{DIRECTORY}/{NAME}"
    assert url.startswith("http://127.0.0.1")
    run(hashes=(url,))
    (row,) = [row for row in Matrix(matrices).files("openmmlab-index") if DIRECTORY in row.url]
    assert row.url == f"https://download.openmmlab.com/mmcv/dist/{DIRECTORY}/{NAME}"


@pytest.mark.slow
@pytest.mark.parametrize("text", ["../../secret", "cu118", "cu118/torch2.1", "cu118/torch2.1.0/../x", ""])
def test_what_names_no_directory_is_a_usage_error(run: Run, text: str) -> None:
    with pytest.raises(UsageError, match="is neither a directory"):
        run(hashes=(text,))


# ---------------------------------------------------------------- other devices


@pytest.mark.slow
def test_ascend_directories_are_asked_for_and_read(run: Run, replica: Replica, matrices: Path) -> None:
    name = "mmcv_full-1.7.0-cp38-cp38-linux_aarch64.whl"
    replica.web.put(replica.path("ascend/torch1.8.0"), bare_page({name}))
    report = run()
    assert index(report)["warnings"] == []
    (row,) = [row for row in Matrix(matrices).index_rows if row.directory == "ascend/torch1.8.0"]
    assert (row.package, row.platform, row.versions) == ("mmcv-full", "linux_aarch64", ("1.7.0",))
    assert [fault for fault in lint(matrices) if fault.file == "openmmlab/index.json"] == []
    before = index(report)["requests"]
    assert (run()["changes"], index(report)["requests"]) == ([], before)


@pytest.mark.slow
def test_the_report_can_be_told_as_json(run: Run) -> None:
    assert json.loads(json.dumps(run(dry_run=True)))["indexes"][0]["name"] == "openmmlab"
