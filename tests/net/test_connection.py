"""Redirects, logins and certificates, against real sockets."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mmlock.net.credentials import Credentials
from mmlock.net.fetching import Fetched, FetchFault, FetchProblem, Limits
from mmlock.net.http import Client

CERTIFICATES = Path(__file__).parent / "certificates"
CA = CERTIFICATES / "loopback.pem"
BASIC = "Basic dXNlcjpzM2NyM3Q="  # user:s3cr3t


@dataclass
class Host:
    """One origin: what it answers to a path, and the logins it was sent."""

    root: str = ""
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    private: bool = False
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def page(self, path: str, body: bytes = b"page") -> str:
        self.answers[path] = (200, {}, body)
        return self.root + path

    def redirect(self, path: str, target: str, status: int = 302) -> str:
        self.answers[path] = (status, {"Location": target}, b"moved")
        return self.root + path

    def with_login(self, path: str, login: str = "user:s3cr3t") -> str:
        return self.root.replace("://", f"://{login}@") + path


def _serve(tls: bool) -> tuple[Host, Callable[[], None]]:  # noqa: FBT001
    host = Host()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            login = self.headers.get("Authorization")
            host.asked.append((self.path, login))
            status, headers, body = host.answers.get(self.path, (404, {}, b""))
            if host.private and login != BASIC:
                status, headers, body = 401, {}, b""
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CA, CERTIFICATES / "loopback.key")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    host.root = f"http{'s' * tls}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return host, stop


def _fixture(*, tls: bool) -> Iterator[Host]:
    host, stop = _serve(tls)
    yield host
    stop()


@pytest.fixture
def here() -> Iterator[Host]:
    yield from _fixture(tls=False)


@pytest.fixture
def there() -> Iterator[Host]:
    yield from _fixture(tls=False)


@pytest.fixture
def secure() -> Iterator[Host]:
    yield from _fixture(tls=True)


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(environ={"SSL_CERT_FILE": str(CA)}, sleep=lambda _: None) as made:
        yield made


def body(answer: Fetched | FetchFault) -> bytes:
    assert isinstance(answer, Fetched), answer
    return answer.body


def problem(answer: Fetched | FetchFault) -> FetchProblem:
    assert isinstance(answer, FetchFault), answer
    return answer.problem


# ---------------------------------------------------------------- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_to_another_host(here: Host, there: Host, client: Client, status: int) -> None:
    target = there.page("/page")
    answer = client.get(here.redirect("/", target, status))
    assert body(answer) == b"page"
    assert isinstance(answer, Fetched)
    assert answer.url == target


def test_a_redirect_for_ever_is_a_value_and_asked_eleven_times(here: Host, client: Client) -> None:
    answer = client.get(here.redirect("/", "/"))
    assert problem(answer) is FetchProblem.REDIRECTS
    assert len(here.asked) == 11
    assert client.traffic.requests == 11


def test_as_many_redirects_as_are_allowed_are_followed(here: Host) -> None:
    for number in range(3):
        here.redirect(f"/{number}", f"/{number + 1}")
    here.page("/3")
    for most, expected in ((3, None), (2, FetchProblem.REDIRECTS)):
        with Client(environ={}, limits=Limits(redirects=most)) as client:
            answer = client.get(f"{here.root}/0")
            assert (answer.problem if isinstance(answer, FetchFault) else None) is expected


def test_https_never_becomes_http(here: Host, secure: Host, client: Client) -> None:
    answer = client.get(secure.redirect("/", here.page("/page")))
    assert problem(answer) is FetchProblem.INSECURE
    assert here.asked == []


def test_http_may_become_https(here: Host, secure: Host, client: Client) -> None:
    assert body(client.get(here.redirect("/", secure.page("/page")))) == b"page"


@pytest.mark.parametrize(
    "target", ["ftp://127.0.0.1/x", "file:///etc/passwd", "http://[bad/", "javascript:1"]
)
def test_a_redirect_to_what_is_no_page_is_a_value(here: Host, client: Client, target: str) -> None:
    assert problem(client.get(here.redirect("/", target))) in {
        FetchProblem.NOT_FOUND,
        FetchProblem.UNREACHABLE,
    }


def test_a_redirect_without_a_target_is_a_value(here: Host, client: Client) -> None:
    here.answers["/"] = (302, {}, b"")
    assert problem(client.get(f"{here.root}/")) is FetchProblem.STATUS


def test_ranges_survive_a_redirect(here: Host, there: Host, client: Client) -> None:
    there.answers["/file"] = (206, {"Content-Range": "bytes 1-2/9"}, b"ab")
    answer = client.get_range(here.redirect("/", f"{there.root}/file"), 1, 2)
    assert body(answer) == b"ab"


# ---------------------------------------------------------------- logins


def test_a_login_of_a_url_goes_to_its_own_origin_only(here: Host, there: Host, client: Client) -> None:
    here.redirect("/", there.page("/page"))
    assert body(client.get(here.with_login("/"))) == b"page"
    assert here.asked == [("/", BASIC)]
    assert there.asked == [("/page", None)]


def test_a_login_comes_back_after_a_way_over_another_host(here: Host, there: Host, client: Client) -> None:
    here.page("/page")
    there.redirect("/over", f"{here.root}/page")
    here.redirect("/", f"{there.root}/over")
    assert body(client.get(here.with_login("/"))) == b"page"
    assert here.asked == [("/", BASIC), ("/page", BASIC)]
    assert there.asked == [("/over", None)]


def test_the_login_that_a_redirect_names_is_not_used(here: Host, there: Host, client: Client) -> None:
    there.page("/page")
    answer = client.get(here.redirect("/", there.with_login("/page")))
    assert body(answer) == b"page"
    assert there.asked == [("/page", None)]
    assert isinstance(answer, Fetched)
    assert "s3cr3t" not in answer.url


def test_each_host_of_a_redirect_gets_its_own_netrc_login(here: Host, tmp_path: Path) -> None:
    port = here.root.rpartition(":")[2]
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login user password s3cr3t\n", encoding="utf-8")
    here.page("/page")
    here.redirect("/", f"http://localhost:{port}/page")
    with Client(environ={"NETRC": str(netrc)}) as client:
        assert body(client.get(f"{here.root}/")) == b"page"
    assert here.asked == [("/", None), ("/page", BASIC)]


def test_a_keyring_is_asked_once_and_only_after_a_refusal(here: Host) -> None:
    here.private = True
    here.page("/a"), here.page("/b")
    asked: list[str] = []

    def keyring(url: str) -> tuple[str, str]:
        asked.append(url)
        return "user", "s3cr3t"

    with Client(environ={}, credentials=Credentials(environ={}, keyring=keyring)) as client:
        assert body(client.get(f"{here.root}/a")) == b"page"
        assert body(client.get(f"{here.root}/b")) == b"page"
    assert asked == [f"{here.root}/a"]
    assert here.asked == [("/a", None), ("/a", BASIC), ("/b", BASIC)]


def test_a_wrong_login_of_the_keyring_is_tried_once(here: Host) -> None:
    here.private = True
    credentials = Credentials(environ={}, keyring=lambda _: ("user", "wrong"))
    with Client(environ={}, credentials=credentials) as client:
        assert problem(client.get(f"{here.root}/a")) is FetchProblem.DENIED
    assert len(here.asked) == 2


# ---------------------------------------------------------------- certificates, heads


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "PIP_CERT"])
def test_the_certificates_of_the_environment_are_trusted(secure: Host, name: str) -> None:
    url = secure.page("/")
    with Client(environ={name: str(CA)}) as client:
        assert body(client.get(url)) == b"page"
    with Client(environ={}, sleep=lambda _: None) as client:
        assert problem(client.get(url)) is FetchProblem.UNREACHABLE


@pytest.mark.parametrize("content", [None, b"not a certificate"])
def test_certificates_that_cannot_be_read_are_told_once_and_as_such(
    here: Host, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    slept: list[float] = []
    with Client(environ={"SSL_CERT_FILE": str(path)}, sleep=slept.append) as client:
        assert problem(client.get(here.page("/"))) is FetchProblem.SETTINGS
    assert slept == []


@pytest.mark.parametrize("proxy", ["nonsense://user:s3cr3t@proxy", "http://user:s3cr3t@127.0.0.1:9"])
def test_a_proxy_that_cannot_be_used_is_a_value_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with Client(environ={}, sleep=lambda _: None) as client:
        answer = client.get("http://index.example/")
    assert problem(answer) in {FetchProblem.SETTINGS, FetchProblem.UNREACHABLE}
    assert isinstance(answer, FetchFault)
    assert "s3cr3t" not in answer.text


@pytest.fixture
def silent() -> Iterator[tuple[str, threading.Event, list[int]]]:
    """A server that drips its head for ever, and how often it did."""
    stopped, listener = threading.Event(), socket.create_server(("127.0.0.1", 0))
    drips: list[int] = []

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-")
            while not stopped.wait(0.01):
                try:
                    connection.sendall(b"a")
                    drips.append(1)
                except OSError:
                    return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/", stopped, drips
    stopped.set()
    listener.close()
    thread.join()


def test_a_head_that_drips_is_not_waited_for(silent: tuple[str, threading.Event, list[int]]) -> None:
    url, stopped, drips = silent
    with Client(environ={}, limits=Limits(total_seconds=0.2)) as client:
        answer = client.get(url)
        assert problem(answer) is FetchProblem.TOO_SLOW
        stopped.set()
    assert len(drips) < 2000  # at most a hundred a second
