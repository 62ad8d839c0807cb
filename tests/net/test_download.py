"""Files from folders and from the network: hashed, resumed, noted down."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Sha256
from mmlock.net.download import Downloader, Wanted, file_name

BODY = bytes(range(256)) * 4000
DIGEST = Sha256(hashlib.sha256(BODY).hexdigest())


@dataclass
class Served:
    """What a loopback server sends, and what it was asked."""

    url: str = ""
    body: bytes = BODY
    cut: int | None = None
    """Close the connection after this many bytes, once."""
    ranges: bool = True
    statuses: list[int] = field(default_factory=list)
    """Sent first, one for each request."""
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def served() -> Iterator[Served]:
    state = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append(wanted)
            if state.statuses:
                self.send_response(state.statuses.pop(0))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and state.ranges else 0
            if start >= len(state.body):
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = state.body[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            cut, state.cut = state.cut, None
            self.wfile.write(body if cut is None else body[:cut])
            if cut is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/a/p-1%2Bx.whl"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def loader(tmp_path: Path, **options: object) -> Downloader:
    return Downloader(store=tmp_path / "files", pause=0.0, environ={}, **options)  # type: ignore[arg-type]


def wanted(served: Served, sha256: Sha256 | None = None) -> Wanted:
    return Wanted(name=file_name(served.url), urls=(served.url,), sha256=sha256)


def test_a_file_is_fetched_hashed_and_kept(tmp_path: Path, served: Served) -> None:
    found = loader(tmp_path).get(wanted(served))
    assert (found.name, found.sha256, found.size) == ("p-1+x.whl", DIGEST, len(BODY))
    assert found.path.read_bytes() == BODY
    assert found.origin == served.url
    again = loader(tmp_path, offline=True).get(wanted(served))
    assert again.sha256 == DIGEST
    assert len(served.asked) == 1


def test_a_cut_connection_is_gone_on_with(tmp_path: Path, served: Served) -> None:
    served.cut = 300_000
    found = loader(tmp_path).get(wanted(served, DIGEST))
    assert found.sha256 == DIGEST
    assert served.asked == [None, "bytes=300000-"]


def test_a_server_without_ranges_starts_over(tmp_path: Path, served: Served) -> None:
    served.cut, served.ranges = 300_000, False
    assert loader(tmp_path).get(wanted(served, DIGEST)).sha256 == DIGEST
    assert len(served.asked) == 2


def test_a_busy_server_is_asked_again(tmp_path: Path, served: Served) -> None:
    served.statuses = [503, 429]
    assert loader(tmp_path).get(wanted(served)).sha256 == DIGEST


def test_what_is_not_there_is_told_at_once(tmp_path: Path, served: Served) -> None:
    served.statuses = [404] * 9
    with pytest.raises(EnvironmentFault) as error:
        loader(tmp_path).get(wanted(served))
    assert "answered 404" in error.value.causes[0]
    assert len(served.asked) == 1
    assert "--find-links" in error.value.hints[0]


def test_other_bytes_than_the_known_ones_are_refused(tmp_path: Path, served: Served) -> None:
    with pytest.raises(EnvironmentFault, match="not the file that it should be"):
        loader(tmp_path).get(wanted(served, Sha256("0" * 64)))
    assert not list((tmp_path / "files").rglob("*.whl"))
    assert not list((tmp_path / "files").rglob("*.part"))


def test_a_url_whose_bytes_changed_is_refused(tmp_path: Path, served: Served) -> None:
    first = loader(tmp_path).get(wanted(served))
    first.path.unlink()
    served.body = BODY[::-1]
    with pytest.raises(EnvironmentFault, match="not the file that it should be"):
        loader(tmp_path).get(wanted(served))


def test_a_kept_file_that_rotted_is_fetched_again(tmp_path: Path, served: Served) -> None:
    first = loader(tmp_path).get(wanted(served, DIGEST))
    first.path.write_bytes(b"rotten")
    assert loader(tmp_path).get(wanted(served, DIGEST)).path.read_bytes() == BODY


def test_a_folder_comes_first(tmp_path: Path, served: Served) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "p-1+x.whl").write_bytes(b"local")
    found = loader(tmp_path, find_links=(links,)).get(wanted(served))
    assert found.path == (links / "p-1+x.whl").resolve()
    assert found.origin == str(links / "p-1+x.whl")
    assert served.asked == []
    with pytest.raises(EnvironmentFault):
        loader(tmp_path, find_links=(links,)).get(wanted(served, DIGEST))


def test_offline_tells_every_place_it_looked(tmp_path: Path, served: Served) -> None:
    with pytest.raises(EnvironmentFault) as error:
        loader(tmp_path, offline=True, find_links=(tmp_path,)).get(wanted(served))
    assert len(error.value.causes) == 2
    assert served.asked == []


def test_a_file_url_is_taken_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "with space.whl"
    path.write_bytes(BODY)
    found = loader(tmp_path).get(Wanted(name=path.name, urls=(path.as_uri(),), sha256=DIGEST))
    assert found.path == path
