"""The wire to a forge: limits, retries, pages, ETags, and where a token may go."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from msgspec import Struct

from mmlock.net.page_cache import PageCache
from mmlock.upkeep.forges.github import app_token, headers
from mmlock.upkeep.forges.model import ForgeFault, ForgeProblem, Login
from mmlock.upkeep.forges.open import place_of
from mmlock.upkeep.forges.rest import LIMITS, HttpVerb, Rest, decoded, require_safe

ROOT = "https://forge.example.org/api"
NOW = 1_000_000.0
Answers = Callable[[httpx.Request], httpx.Response]


class Row(Struct, frozen=True):
    number: int


class Wire:
    """Answers in turn, and what was asked and slept."""

    def __init__(self, *answers: httpx.Response | Exception | Answers, cache: Path | None = None) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.slept: list[float] = []
        self.rest = Rest(
            root=ROOT,
            headers=lambda: {"Authorization": "Bearer secret"},
            environ={},
            cache=PageCache(cache) if cache else None,
            transport=httpx.MockTransport(self.answer),
            sleep=self.slept.append,
            clock=lambda: NOW,
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, httpx.Response) else found(request)


def fault(run: Callable[[], object]) -> ForgeFault:
    with pytest.raises(ForgeFault) as raised:
        run()
    assert "secret" not in "\n".join(raised.value.lines())
    return raised.value


OK = httpx.Response(200, json={"number": 1})


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_a_server_that_fails_is_asked_again(status: int) -> None:
    wire = Wire(httpx.Response(status), httpx.ConnectError("no route"), OK)
    assert decoded(wire.rest.get("/x"), Row) == Row(1)
    assert len(wire.slept) == 2


def test_what_cannot_be_done_twice_is_not_tried_again_and_nobody_knows_whether_it_was_done() -> None:
    wire = Wire(httpx.ReadTimeout("timed out"), OK)
    error = fault(lambda: wire.rest.send(HttpVerb.POST, "/x", {}, again=False))
    assert (error.problem, len(wire.asked)) == (ForgeProblem.UNREACHABLE, 1)


@pytest.mark.parametrize(
    ("status", "told", "waits"),
    [
        (429, {"Retry-After": "30"}, 30.0),
        (403, {"Retry-After": "30"}, 30.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 20)}, 21.0),
        (429, {"ratelimit-remaining": "0", "ratelimit-reset": str(int(NOW) + 20)}, 21.0),
        (429, {}, 60.0),
    ],
)
def test_a_rate_limit_is_waited_for_as_long_as_it_asks(
    status: int, told: dict[str, str], waits: float
) -> None:
    wire = Wire(httpx.Response(status, headers=told), OK)
    wire.rest.send(HttpVerb.POST, "/x", {}, again=False)  # it was not done, so it may be done now
    assert wire.slept == [waits]


def test_a_limit_that_lasts_longer_than_a_run_ends_it() -> None:
    wire = Wire(httpx.Response(429, headers={"Retry-After": "3600"}))
    error = fault(lambda: wire.rest.get("/x"))
    assert (error.problem, wire.slept) == (ForgeProblem.LIMITED, [])
    assert "3600 seconds" in error.causes[0]


def test_a_forbidden_that_is_no_limit_is_told_at_once() -> None:
    told = {"message": "Resource not accessible by integration"}
    wire = Wire(httpx.Response(403, json=told, headers={"x-ratelimit-remaining": "4999"}))
    error = fault(lambda: wire.rest.get("/x"))
    assert (error.problem, error.causes) == (ForgeProblem.DENIED, (told["message"],))


def test_a_refusal_tells_what_the_forge_says_of_each_fault() -> None:
    told = {
        "message": "Validation Failed",
        "errors": [{"code": "custom", "message": "No commits"}, {"code": "x"}],
    }
    wire = Wire(httpx.Response(422, json=told))
    error = fault(lambda: wire.rest.send(HttpVerb.POST, "/x", {}))
    assert error.causes == ("Validation Failed; No commits; x",)


@pytest.mark.parametrize("text", ["[" * 100_000, "\xff", '{"message": 3}', "<html>"])
def test_a_refusal_that_is_no_json_is_a_refusal(text: str) -> None:
    wire = Wire(httpx.Response(422, content=text.encode("latin-1")))
    assert fault(lambda: wire.rest.get("/x")).problem is ForgeProblem.REFUSED


@pytest.mark.parametrize("content", [b"", b"[]", b'{"number": "1"}', b"{", b"\xff", b"[" * 100_000])
def test_an_answer_of_another_kind_is_told(content: bytes) -> None:
    wire = Wire(httpx.Response(200, content=content))
    assert fault(lambda: decoded(wire.rest.get("/x"), Row)).problem is ForgeProblem.STRANGE


def test_a_redirect_is_not_followed_with_the_token() -> None:
    wire = Wire(httpx.Response(301, headers={"Location": "https://evil.example/"}))
    assert fault(lambda: wire.rest.get("/x")).problem is ForgeProblem.STRANGE
    assert len(wire.asked) == 1


@pytest.mark.slow
def test_an_endless_answer_is_cut_off() -> None:
    big = httpx.Response(200, content=b" " * (LIMITS.max_bytes + 1))
    wire = Wire(*[big] * LIMITS.attempts)
    assert "sent more than" in fault(lambda: wire.rest.get("/x")).causes[0]


# ---------------------------------------------------------------- pages


def page(numbers: list[int], following: str | None = None) -> httpx.Response:
    link = {"Link": f'<{ROOT}/x?page=9>; rel="prev", <{following}>; rel="next"'} if following else {}
    return httpx.Response(200, json=[{"number": one} for one in numbers], headers=link)


def test_pages_are_followed_to_the_last() -> None:
    wire = Wire(page([1, 2], f"{ROOT}/x?page=2"), page([3], "/api/x?page=3"), page([4]))
    assert [row.number for row in wire.rest.pages("/x", Row)] == [1, 2, 3, 4]
    assert [str(one.url) for one in wire.asked[1:]] == [f"{ROOT}/x?page=2", f"{ROOT}/x?page=3"]


def test_a_next_page_on_another_host_gets_no_token() -> None:
    wire = Wire(page([1], "https://evil.example/x?page=2"))
    assert fault(lambda: list(wire.rest.pages("/x", Row))).problem is ForgeProblem.STRANGE
    assert len(wire.asked) == 1


def test_pages_that_never_end_do() -> None:
    wire = Wire(*[lambda _: page([1], f"{ROOT}/x?page=2")] * 30)
    assert "more than 20 pages" in fault(lambda: list(wire.rest.pages("/x", Row))).message


# ---------------------------------------------------------------- ETags


def tagged(number: int, tag: str) -> httpx.Response:
    return httpx.Response(200, json={"number": number}, headers={"ETag": tag})


def test_what_did_not_change_is_not_sent_again(tmp_path: Path) -> None:
    first = Wire(tagged(1, '"a"'), cache=tmp_path)
    first.rest.get("/x")
    second = Wire(httpx.Response(304), tagged(2, '"b"'), cache=tmp_path)
    assert decoded(second.rest.get("/x"), Row) == Row(1)
    assert second.asked[0].headers["If-None-Match"] == '"a"'
    assert decoded(second.rest.get("/x"), Row) == Row(2)  # it changed, and the tag is stale


def test_a_broken_cache_is_no_cache(tmp_path: Path) -> None:
    Wire(tagged(1, '"a"'), cache=tmp_path).rest.get("/x")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-3])
    wire = Wire(tagged(3, '"c"'), cache=tmp_path)
    assert decoded(wire.rest.get("/x"), Row) == Row(3)
    assert "If-None-Match" not in wire.asked[0].headers


def test_a_list_of_several_pages_is_not_kept_for_its_links_are_not(tmp_path: Path) -> None:
    def pages() -> list[httpx.Response]:
        first = page([1], f"{ROOT}/x?page=2")
        first.headers["ETag"] = '"p"'
        return [first, page([2])]

    for _ in range(2):
        wire = Wire(*pages(), cache=tmp_path)
        assert [row.number for row in wire.rest.pages("/x", Row)] == [1, 2]
        assert "If-None-Match" not in wire.asked[0].headers


# ---------------------------------------------------------------- tokens


@pytest.mark.parametrize(
    "url", ["http://forge.example.org/api", "ftp://x/", "https://user:word@forge.example.org"]
)
def test_a_token_goes_over_https_and_never_beside_a_login(url: str) -> None:
    error = fault(lambda: require_safe(url))
    assert "word" not in error.message


@pytest.mark.parametrize("url", ["http://127.0.0.1:3000/api/v1/", "http://localhost/api", "https://x/api"])
def test_this_machine_may_be_asked_without_tls(url: str) -> None:
    assert require_safe(url) == url.rstrip("/")


def test_a_login_does_not_show_itself() -> None:
    assert "secret" not in repr(Login(user="u", token="secret"))  # noqa: S106


@pytest.mark.slow  # it makes a key
def test_an_app_signs_its_statement_and_gets_a_token_for_that_repository_alone() -> None:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()
    wire = Wire(httpx.Response(200, json={"id": 7}), httpx.Response(201, json={"token": "ghs_x"}))
    words: list[str] = []

    def rest(word: str) -> Rest:
        words.append(word)
        wire.rest.headers = lambda: headers(word)
        return wire.rest

    assert app_token("123", key, "team/locks", rest, NOW) == "ghs_x"
    head, claims, signature = words[0].split(".")
    private.public_key().verify(
        unpadded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    assert json.loads(unpadded(head)) == {"alg": "RS256", "typ": "JWT"}
    told = json.loads(unpadded(claims))
    assert told["iss"] == "123"
    assert told["iat"] < NOW < told["exp"] <= told["iat"] + 600
    assert json.loads(wire.asked[1].content) == {"repositories": ["locks"]}


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_key_that_is_none_is_told_by_its_variable() -> None:
    error = fault(lambda: app_token("1", "not a secret key", "a/b", lambda _: Wire().rest, NOW))
    assert "MMLOCK_GITHUB_APP_KEY" in error.message


# ---------------------------------------------------------------- where a remote is


@pytest.mark.parametrize(
    ("url", "host", "name"),
    [
        ("https://github.com/team/locks.git", "https://github.com", "team/locks"),
        ("https://u:secret@github.com/team/locks", "https://github.com", "team/locks"),
        ("git@github.com:team/locks.git", "https://github.com", "team/locks"),
        ("ssh://git@git.example.org:2222/team/locks.git", "https://git.example.org", "team/locks"),
        ("https://gitlab.com/group/sub/locks.git", "https://gitlab.com", "group/sub/locks"),
        ("http://127.0.0.1:3000/team/locks", "http://127.0.0.1:3000", "team/locks"),
    ],
)
def test_a_remote_tells_host_and_name_without_its_login(url: str, host: str, name: str) -> None:
    found = place_of(url)
    assert found is not None
    assert (found.host, found.name) == (host, name)


@pytest.mark.parametrize(
    "url", ["/srv/locks.git", "../locks", ".", "file:///srv/x/y", "https://host", "https://h/../../x y"]
)
def test_a_path_is_at_no_forge(url: str) -> None:
    assert place_of(url) is None
