from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import httpx
import pytest

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.net import egress
from mmlock.net.egress import EgressGuard, EgressPolicy, guarded


@pytest.fixture
def secret() -> Iterator[str]:
    """A server of the private network; `/away` leads to another one."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302 if self.path == "/away" else 200)
            if self.path == "/away":
                self.send_header("Location", "http://metadata.test/latest")
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"secret")

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",
        "::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "224.0.0.1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert EgressPolicy().refusal("some.host", address)


@pytest.mark.parametrize("address", ["151.101.0.223", "2a04:4e42::223"])
def test_a_public_address_is_reached(address: str) -> None:
    assert EgressPolicy().refusal("some.host", address) is None


def test_an_operator_may_allow_hosts_and_networks() -> None:
    policy = EgressPolicy.allowing(["pypi.internal", "10.1.0.0/16", ""])
    assert policy.refusal("PyPI.internal", "10.0.0.1") is None
    assert policy.refusal("other", "10.1.2.3") is None
    assert policy.refusal("other", "10.2.2.3")
    with pytest.raises(UsageError, match="neither a host nor a network"):
        EgressPolicy.allowing(["10.1.0.0/99"])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "not an http"),
        ("http://127.0.0.1:1/simple", "not a public address"),
        ("http://[::1]/simple", "not a public address"),
        ("http://2130706433/simple", "not a public address"),
        ("http://localhost/simple", "not a public address"),
        ("https://me:word@pypi.example/simple", "came with a login"),
        ("http://a..b/", "no such host"),
    ],
)
def test_a_url_of_a_request_is_looked_at_before_anything_is_asked(url: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as raised:
        EgressPolicy().require(url)
    assert "word@" not in "\n".join(raised.value.lines())


@pytest.mark.slow
def test_the_guard_refuses_what_is_private_and_says_why(secret: str) -> None:
    with EgressGuard(EgressPolicy()) as guard, httpx.Client(proxy=guard.url) as client:
        answer = client.get(f"http://{secret}/")
        assert answer.status_code == 403
        assert "secret" not in answer.text
        with pytest.raises(httpx.ProxyError):
            client.get(f"https://{secret}/")
        assert "not a public address" in guard.refused["127.0.0.1"]


@pytest.mark.slow
def test_a_redirect_is_looked_at_like_any_other_address(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = egress._lookup
    monkeypatch.setattr(
        egress,
        "_lookup",
        lambda host, port: ("169.254.169.254",) if host == "metadata.test" else looked(host, port),
    )
    policy = EgressPolicy.allowing(["127.0.0.1/32"])
    with EgressGuard(policy) as guard, httpx.Client(proxy=guard.url, follow_redirects=True) as client:
        assert client.get(f"http://{secret}/").text == "secret"
        assert client.get(f"http://{secret}/away").status_code == 403
        assert "169.254.169.254" in guard.refused["metadata.test"]


@pytest.mark.slow
def test_nobody_else_uses_the_guard(secret: str) -> None:
    with EgressGuard(EgressPolicy.allowing(["127.0.0.1/32"])) as guard:
        url = guard.url.replace("mmlock:", "mmlock:x")
        with httpx.Client(proxy=url) as client:
            assert client.get(f"http://{secret}/").status_code == 407


def test_the_environment_is_as_it_was_afterwards() -> None:
    environ = {"NO_PROXY": "*", "PATH": "/bin"}
    with guarded(environ, wanted=True):
        assert "NO_PROXY" not in environ
        assert environ["https_proxy"].startswith("http://mmlock:")
    assert environ == {"NO_PROXY": "*", "PATH": "/bin"}
    with guarded(environ, wanted=False) as guard:
        assert guard is None
    with pytest.raises(EnvironmentFault), guarded({"https_proxy": "http://other"}, wanted=True):
        pass
