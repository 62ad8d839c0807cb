"""The wheelhouse as a server: what it gives, to whom, and what it does not let happen to itself."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urljoin

import httpx
import pytest
from children import Start, start
from made_house import KEY, house, make_wheel

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.resolve.closure.uv_find import find_uv
from mmlock.wheels import bounded_http
from mmlock.wheels.model import BuiltWheel
from mmlock.wheels.serve import IndexServer
from mmlock.wheels.simple_index import JSON
from mmlock.wheels.wheelhouse import Wheelhouse

__all__ = ["house", "start"]


@pytest.fixture
def served(house: Wheelhouse) -> Iterator[IndexServer]:
    server = IndexServer(house, "127.0.0.1", 0)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    yield server
    server.stop()
    thread.join(30)
    assert not thread.is_alive()


def held(house: Wheelhouse) -> BuiltWheel:
    found = house.get(KEY)
    assert found is not None
    return found


def root(server: IndexServer) -> str:
    return f"http://127.0.0.1:{server.port}"


def wheel_url(server: IndexServer, house: Wheelhouse) -> str:
    return f"{root(server)}/wheels/{KEY}/{held(house).path.name}"


def connections(server: IndexServer) -> set[object]:
    return set(server.server.server_state.connections)


def until(holds: Callable[[], bool]) -> None:
    """Wait for another thread; the test ends by its own limit if that never comes."""
    tick = Event()
    for _ in range(3000):
        if holds():
            return
        tick.wait(0.01)
    pytest.fail("it never came")


def told(server: IndexServer, raw: bytes) -> bytes:
    """All that comes back on one connection, until the server closes it."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as wire:
        wire.sendall(raw)
        answer = b""
        while data := wire.recv(65536):
            answer += data
    return answer


# ---------------------------------------------------------------- the index


@pytest.mark.slow
def test_it_is_an_index_in_both_forms(served: IndexServer, house: Wheelhouse) -> None:
    wheel = held(house)
    with httpx.Client() as client:
        assert 'href="tinyext/"' in client.get(served.url).text
        for path in ("TinyExt/", "tinyext"):
            page = client.get(served.url + path)
            assert f"#sha256={wheel.sha256}" in page.text
            assert page.headers["vary"] == "Accept"
        answer = client.get(f"{served.url}tinyext/", headers={"Accept": JSON})
        assert answer.headers["content-type"] == JSON
        (file,) = answer.json()["files"]
        assert (file["filename"], file["hashes"]) == (wheel.path.name, {"sha256": wheel.sha256})
        assert client.get(urljoin(f"{served.url}tinyext/", file["url"])).content == wheel.path.read_bytes()


@pytest.mark.slow
def test_nothing_else_is_there(served: IndexServer) -> None:
    with httpx.Client() as client:
        paths = (
            "/",
            "/simple/absent/",
            f"/wheels/{KEY}/entry.json",
            "/wheels/..%2f..%2fentry.json",
            "/x" * 2000,
        )
        for path in paths:
            assert client.get(root(served) + path).status_code == 404
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert client.request(method, served.url).status_code == 405


@pytest.mark.slow
def test_parts_of_a_wheel(served: IndexServer, house: Wheelhouse) -> None:
    data = held(house).path.read_bytes()
    size = len(data)
    url = wheel_url(served, house)
    with httpx.Client() as client:
        tag = client.head(url).headers["etag"]
        for asked, want in {
            "bytes=0-9": data[:10],
            "bytes=5-": data[5:],
            "bytes=-7": data[-7:],
            f"bytes=0-{size * 9}": data,
            f"bytes=-{size * 9}": data,
        }.items():
            answer = client.get(url, headers={"Range": asked, "If-Range": tag})
            assert answer.content == want, asked
            if len(want) < size:
                assert answer.status_code == 206
                assert answer.headers["content-range"].endswith(f"/{size}")
        for asked in ("bytes=", "bytes=-", "bytes=9-1", "bytes=a-b", "lines=1-2", "bytes=0-1,4-5"):
            assert client.get(url, headers={"Range": asked}).content == data, asked
        for asked in (f"bytes={size}-", "bytes=-0"):
            assert client.get(url, headers={"Range": asked}).status_code == 416
        assert client.get(url, headers={"Range": "bytes=0-9", "If-Range": '"other"'}).content == data
        assert client.get(url, headers={"If-None-Match": tag}).status_code == 304
        head = client.head(url)
        assert (head.headers["content-length"], head.content) == (str(size), b"")


# ---------------------------------------------------------------- whose bytes


@pytest.mark.slow
def test_bytes_that_are_not_those_of_the_digest_are_not_served(
    served: IndexServer, house: Wheelhouse
) -> None:
    path = held(house).path
    url = wheel_url(served, house)
    assert httpx.get(url).status_code == 200
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    answer = httpx.get(url)
    assert (answer.status_code, answer.text) == (500, "this wheel is damaged")


@pytest.mark.slow
def test_a_link_out_of_the_wheelhouse_is_not_followed(
    served: IndexServer, house: Wheelhouse, tmp_path: Path
) -> None:
    path = held(house).path
    url = wheel_url(served, house)
    path.rename(tmp_path / "elsewhere.whl")
    path.symlink_to(tmp_path / "elsewhere.whl")
    assert httpx.get(url).status_code == 404
    path.unlink()
    (tmp_path / "elsewhere.whl").rename(path)
    assert httpx.get(url).status_code == 200
    path.parent.rename(tmp_path / "folder")
    path.parent.symlink_to(tmp_path / "folder")
    assert httpx.get(url).status_code == 404


# ---------------------------------------------------------------- who asks


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "LOCALHOST.", "[::1]:80", "192.168.1.7:8098"])
def test_addresses_and_its_own_names_are_answered(served: IndexServer, host: str) -> None:
    assert httpx.get(served.url, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "a b"]
)
def test_a_name_that_a_web_page_rebinds_is_not_answered(served: IndexServer, host: str) -> None:
    answer = told(served, f"GET /simple/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert answer.split(b" ")[1] in {b"421", b"400"}
    assert b"tinyext" not in answer


def test_a_body_is_never_taken_for_the_next_request(served: IndexServer) -> None:
    inner = b"GET /simple/tinyext/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
    chunk = b"%x\r\n" % len(inner) + inner + b"\r\n0\r\n\r\n"
    length = b"Content-Length: %d\r\n" % len(inner)
    for head, body in (
        (length, inner),
        (b"Transfer-Encoding: chunked\r\n", chunk),
        (length + b"Transfer-Encoding: chunked\r\n", chunk),
        (b"Content-Length: 0\r\n" + length, inner),
    ):
        answer = told(served, b"GET /simple/ HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n" + body)
        assert answer.startswith(b"HTTP/1.1 400 "), answer
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"tinyext" not in answer


# ---------------------------------------------------------------- patience


@pytest.mark.slow
def test_a_client_that_sends_no_request_is_closed(
    served: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_http, "HEADER_SECONDS", 0.2)
    assert told(served, b"") == b""
    assert told(served, b"GET /simple/ HTTP/1.1\r\nHost: loc") == b""
    assert httpx.get(served.url).status_code == 200


@pytest.mark.slow
def test_a_client_that_takes_nothing_is_closed(
    served: IndexServer, house: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_http, "STALL_SECONDS", 0.2)
    big = make_wheel(tmp_path / "big", "big-1.0-py3-none-any.whl", {"big.bin": os.urandom(16 << 20)})
    about = {"package": "big", "version": "1.0", "created": "x"}
    house.put("cd" * 32, big, about, checks=(), provenance=b"{}", log=None)
    with socket.socket() as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.settimeout(30)
        wire.connect(("127.0.0.1", served.port))
        wire.sendall(f"GET /wheels/{'cd' * 32}/{big.name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        until(lambda: bool(connections(served)))
        until(lambda: not connections(served))
    assert httpx.get(served.url).status_code == 200


def test_more_connections_than_it_bears_are_closed(
    served: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_http, "CONNECTIONS", 3)
    wires = [socket.create_connection(("127.0.0.1", served.port), timeout=30) for _ in range(3)]
    try:
        until(lambda: len(connections(served)) == 3)
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as one_more:
            try:
                assert one_more.recv(1) == b""
            except ConnectionResetError:
                return
    finally:
        for wire in wires:
            wire.close()


def test_a_port_in_use_is_told(house: Wheelhouse, served: IndexServer) -> None:
    with pytest.raises(EnvironmentFault, match="cannot serve on 127"):
        IndexServer(house, "127.0.0.1", served.port)
    with pytest.raises(UsageError, match="is not a port"):
        IndexServer(house, "127.0.0.1", 99999)


# ---------------------------------------------------------------- as a process, with real clients


@pytest.fixture
def process(house: Wheelhouse, start: Start) -> tuple[str, subprocess.Popen[str]]:
    words = [
        sys.executable,
        "-m",
        "mmlock",
        "wheelhouse",
        "serve",
        "--port",
        "0",
        "--wheelhouse",
        str(house.root),
    ]
    run = start(words)
    assert run.stderr is not None
    run.stderr.readline()
    return run.stderr.readline().strip(), run


@pytest.mark.slow
def test_uv_and_pip_install_from_it(process: tuple[str, subprocess.Popen[str]], tmp_path: Path) -> None:
    url, _ = process
    uv = find_uv(os.environ)
    assert uv is not None
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_"))}
    environ |= {"UV_NO_CONFIG": "1", "PIP_CONFIG_FILE": os.devnull, "UV_CACHE_DIR": str(tmp_path / "uv")}
    wanted = "tinyext==1.0+pt2.13.0cpu"
    first = [
        uv.path,
        "pip",
        "install",
        "--target",
        str(tmp_path / "a"),
        "--default-index",
        url,
        "--no-deps",
        wanted,
    ]
    second = [sys.executable, "-m", "pip", "install", "--target", str(tmp_path / "b"), "--index-url", url]
    for words in (first, [*second, "--no-deps", "--no-cache-dir", wanted]):
        ran = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    for folder in ("a", "b"):
        assert (tmp_path / folder / "tinyext" / "_ext.so").read_text() == "no ELF"


@pytest.mark.slow
def test_a_client_that_goes_away_leaves_no_trace_and_ctrl_c_ends_it(
    process: tuple[str, subprocess.Popen[str]], house: Wheelhouse
) -> None:
    import signal

    url, run = process
    port = int(url.split(":")[2].split("/")[0])
    path = f"/wheels/{KEY}/{held(house).path.name}"
    for cut in (4, 30, 400):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            wire.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()[:cut])
    assert httpx.get(url).status_code == 200
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=30)
    assert "stopped serving" in out
    assert "Traceback" not in err
    assert run.returncode == 0
