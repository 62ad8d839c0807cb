"""Files from folders and from the network: hashed, locked, noted down."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from mirror import BODY, Mirror, mirror

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import Sha256
from mmlock.net.download import Downloader, FetchedFile, Wanted, file_name
from mmlock.net.http import Client

__all__ = ["mirror"]

DIGEST = Sha256(hashlib.sha256(BODY).hexdigest())


CLIENTS: list[Client] = []


def loader(tmp_path: Path, **options: object) -> Downloader:
    client = Client(environ={}, sleep=lambda _: None, offline=bool(options.get("offline")))
    CLIENTS.append(client)
    return Downloader(store=tmp_path / "files", client=client, environ={}, **options)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while CLIENTS:
        CLIENTS.pop().__exit__(None, None, None)


def wanted(mirror: Mirror, sha256: Sha256 | None = None, size: int | None = None) -> Wanted:
    return Wanted(name=file_name(mirror.url), urls=(mirror.url,), sha256=sha256, size=size)


def files(tmp_path: Path) -> list[str]:
    """What of files is in the store, apart from locks."""
    return sorted(path.name for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock")


def test_a_file_is_fetched_hashed_and_kept(tmp_path: Path, mirror: Mirror) -> None:
    got = loader(tmp_path).get(wanted(mirror))
    assert (got.name, got.sha256, got.size, got.seen_before) == ("p-1+x.whl", DIGEST, len(BODY), False)
    assert got.path.read_bytes() == BODY
    assert got.origin == mirror.url
    again = loader(tmp_path, offline=True).get(wanted(mirror))
    assert (again.sha256, again.origin, again.seen_before) == (DIGEST, mirror.url, True)
    assert len(mirror.asked) == 1


def test_a_cut_connection_is_gone_on_with(tmp_path: Path, mirror: Mirror) -> None:
    mirror.cuts = [300_000]
    assert loader(tmp_path).get(wanted(mirror, DIGEST)).sha256 == DIGEST
    assert mirror.spans == [None, "bytes=300000-"]
    assert files(tmp_path)[1:] == ["p-1+x.whl"]


def test_what_is_not_there_is_told_at_once(tmp_path: Path, mirror: Mirror) -> None:
    mirror.statuses = [404] * 9
    with pytest.raises(EnvironmentFault) as error:
        loader(tmp_path).get(wanted(mirror))
    assert "answered 404" in error.value.causes[0]
    assert len(mirror.asked) == 1
    assert "--find-links" in error.value.hints[-1]


@pytest.mark.parametrize("known", ["0" * 64, None])
def test_other_bytes_than_the_known_ones_are_refused_and_removed(
    tmp_path: Path, mirror: Mirror, known: Sha256 | None
) -> None:
    if known is None:  # it is known from an earlier download of the same URL
        first = loader(tmp_path).get(wanted(mirror))
        first.path.unlink()
        mirror.body, known = BODY[::-1], None
    with pytest.raises(EnvironmentFault, match="not the file that it should be"):
        loader(tmp_path).get(wanted(mirror, known))
    assert not [name for name in files(tmp_path) if not name.endswith(".json")]
    noted = list((tmp_path / "files" / "urls").glob("*.json"))
    assert [json.loads(path.read_bytes())["sha256"] for path in noted] == ([DIGEST] if known is None else [])


def test_a_kept_file_that_rotted_is_fetched_again(tmp_path: Path, mirror: Mirror) -> None:
    first = loader(tmp_path).get(wanted(mirror, DIGEST))
    first.path.write_bytes(b"rotten")
    assert loader(tmp_path).get(wanted(mirror, DIGEST)).path.read_bytes() == BODY


def test_a_folder_comes_first(tmp_path: Path, mirror: Mirror) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "p-1+x.whl").write_bytes(b"local")
    got = loader(tmp_path, find_links=(links,)).get(wanted(mirror))
    assert got.path == (links / "p-1+x.whl").resolve()
    assert got.origin == str(links / "p-1+x.whl")
    assert mirror.asked == []
    with pytest.raises(EnvironmentFault):
        loader(tmp_path, find_links=(links,)).get(wanted(mirror, DIGEST))


def test_offline_tells_every_place_it_looked(tmp_path: Path, mirror: Mirror) -> None:
    with pytest.raises(EnvironmentFault) as error:
        loader(tmp_path, offline=True, find_links=(tmp_path,)).get(wanted(mirror))
    assert len(error.value.causes) == 2
    assert mirror.asked == []


def test_a_file_url_is_taken_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "with space.whl"
    path.write_bytes(BODY)
    got = loader(tmp_path).get(Wanted(name=path.name, urls=(path.as_uri(),), sha256=DIGEST))
    assert got.path == path


# ---------------------------------------------------------------- names, sizes, checks


@pytest.mark.parametrize("name", ["../up.whl", "/srv/up.whl", "a\\b.whl", "C:up.whl", "..", "", "a\nb"])
def test_a_name_that_reaches_out_of_the_store_is_refused_before_anything_is_asked(
    tmp_path: Path, mirror: Mirror, name: str
) -> None:
    with pytest.raises(UsageError, match="not a safe file name"):
        loader(tmp_path, find_links=(tmp_path,)).get(Wanted(name=name, urls=(mirror.url,)))
    assert (mirror.asked, files(tmp_path)) == ([], [])


def test_a_declared_size_that_is_not_the_known_one_is_refused_at_its_head(
    tmp_path: Path, mirror: Mirror
) -> None:
    with pytest.raises(EnvironmentFault) as error:
        loader(tmp_path).get(wanted(mirror, size=5))
    assert f"is {len(BODY)} bytes large, not 5" in error.value.causes[0]
    assert files(tmp_path) == []


def test_what_a_check_refuses_is_neither_kept_nor_noted(tmp_path: Path, mirror: Mirror) -> None:
    seen: list[tuple[str, bytes]] = []

    def check(path: Path) -> None:
        seen.append((path.name, path.read_bytes()))
        raise UsageError("it is no wheel")

    for _ in range(2):
        with pytest.raises(UsageError, match="no wheel"):
            loader(tmp_path).get(wanted(mirror), check)
    assert seen == [("p-1+x.whl", BODY)] * 2
    assert len(mirror.asked) == 2
    assert files(tmp_path) == []


def test_a_kept_file_is_checked_too_and_can_be_forgotten(tmp_path: Path, mirror: Mirror) -> None:
    got = loader(tmp_path).get(wanted(mirror))
    seen: list[Path] = []
    loader(tmp_path).get(wanted(mirror), seen.append)
    loader(tmp_path).get(wanted(mirror, DIGEST), seen.append)
    assert seen == [got.path] * 2
    loader(tmp_path).forget(got)
    assert files(tmp_path) == []


# ---------------------------------------------------------------- several at once


def test_two_builds_at_once_download_once_and_both_have_the_file(tmp_path: Path, mirror: Mirror) -> None:
    begun, waits, results, told = threading.Event(), threading.Event(), [], []

    def said(text: str) -> None:
        told.append(text)
        waits.set()

    def hold() -> None:
        begun.set()
        waits.wait(10)  # the first is in the middle until the second waits for it

    mirror.hold = hold
    first = threading.Thread(target=lambda: results.append(loader(tmp_path).get(wanted(mirror))))
    first.start()
    begun.wait()
    results.append(loader(tmp_path, progress=said).get(wanted(mirror)))
    first.join()
    assert [(got.sha256, got.path.read_bytes() == BODY) for got in results] == [(DIGEST, True)] * 2
    assert len(mirror.asked) == 1
    assert len(told) == 1
    assert "waiting for process" in told[0]


PROCESS = """
import sys
from pathlib import Path
from mmlock.net.download import Downloader, Wanted, file_name
url = sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
got = Downloader(store=Path(sys.argv[1]), environ={}).get(Wanted(name=file_name(url), urls=(url,)))
print(got.sha256)
"""


@pytest.mark.slow
@pytest.mark.parametrize("without", ["", "etag", "ranges"])
def test_processes_that_start_together_all_get_the_right_bytes(
    tmp_path: Path, mirror: Mirror, without: str
) -> None:
    mirror.etag = None if without == "etag" else mirror.etag
    mirror.ranges = without != "ranges"
    mirror.cuts = [200_000, 100_000]
    words = [sys.executable, "-c", PROCESS, str(tmp_path / "files"), mirror.url]
    running = [
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    answers = [process.communicate("go\n")[0].strip() for process in running]
    assert answers == [DIGEST] * 4
    assert len(mirror.asked) == 3


# ---------------------------------------------------------------- logins


def test_a_login_in_the_url_is_used_and_stays_out_of_every_file_and_message(
    tmp_path: Path, mirror: Mirror
) -> None:
    mirror.login = "Basic dXNlcjpzM2NyM3Q="
    url = mirror.url.replace("http://", "http://user:s3cr3t@")
    got: FetchedFile = loader(tmp_path).get(Wanted(name="p.whl", urls=(url,)))
    assert (got.sha256, got.origin) == (DIGEST, mirror.url)
    again = loader(tmp_path, offline=True).get(Wanted(name="p.whl", urls=(mirror.url,)))
    assert again.path == got.path
    mirror.body = b"other"
    got.path.unlink()
    with pytest.raises(EnvironmentFault) as refused:
        loader(tmp_path).get(Wanted(name="p.whl", urls=(url,)))
    mirror.statuses = [500] * 9
    with pytest.raises(EnvironmentFault) as failed:
        loader(tmp_path).get(Wanted(name="p.whl", urls=(url,)))
    told = "\n".join([*refused.value.lines(), *failed.value.lines()])
    kept = b"".join(path.read_bytes() + str(path).encode() for path in tmp_path.rglob("*") if path.is_file())
    assert "s3cr3t" not in told
    assert b"s3cr3t" not in kept


def test_a_netrc_login_works_for_a_download_as_it_does_for_a_page(tmp_path: Path, mirror: Mirror) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password s3cr3t\n", encoding="utf-8")
    mirror.login = "Basic dXNlcjpzM2NyM3Q="
    environ = {"NETRC": str(tmp_path / "netrc")}
    downloader = Downloader(store=tmp_path / "files", environ=environ)
    assert downloader.get(wanted(mirror)).sha256 == DIGEST
    with Client(environ=environ) as client:
        assert not hasattr(client.get(mirror.url), "problem")


def test_a_login_that_is_wanted_and_not_there_comes_with_a_hint(tmp_path: Path, mirror: Mirror) -> None:
    mirror.login = "Basic x"
    with pytest.raises(EnvironmentFault) as error:
        loader(tmp_path).get(wanted(mirror))
    assert "answered 401" in error.value.causes[0]
    assert "netrc" in error.value.hints[0]


def test_a_disk_that_cannot_be_written_is_one_clear_error(tmp_path: Path, mirror: Mirror) -> None:
    (tmp_path / "files").write_bytes(b"in the way")
    with pytest.raises(EnvironmentFault, match="cannot write") as error:
        loader(tmp_path).get(wanted(mirror))
    assert error.value.exit_code == 2
    assert mirror.asked == []
