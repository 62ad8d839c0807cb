"""Logins: whom they are for, and that they are never shown."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlock.net.connection import GaveUpError
from mmlock.net.credentials import Credentials, bare, redact
from mmlock.net.fetching import Fetched, FetchFault, FetchProblem
from mmlock.net.http import Client
from mmlock.net.links import links
from mmlock.net.lookup import LookupFault, LookupKind, index_page, page_url
from mmlock.net.ranged import RangeFault, member_of, read_member
from mmlock.net.simple import PageProblem, ParseFault, parse_page


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://user:pw@host/a", "https://host/a"),
        ("https://token@host:8080/a?b#c", "https://host:8080/a?b#c"),
        ("https://u:p@w@host/a", "https://host/a"),
        ("https://u:p%2Fw@host/a", "https://host/a"),
        ("https://u:p/w@host/a", "https://host/a"),
        ("https://u:p#w@host/a", "https://host/a"),
        ("https://:p?w@host/a", "https://host/a"),
        ("https://:8080/@scope", "https://:8080/@scope"),
        ("http://[bad:u:p@[host/", "http://[host/"),
        ("git+ssh://git@host/a.git@v1", "git+ssh://host/a.git@v1"),
        ("//u:p@host/a", "//host/a"),
        ("u:p@host/simple", "host/simple"),
        ("mmcv @ https://u:p@host/m.whl", "mmcv @ https://host/m.whl"),
        ("https://host/@scope/a@1", "https://host/@scope/a@1"),
        ("https://host:8080/@scope/a", "https://host:8080/@scope/a"),
        ("https://[::1]/@scope", "https://[::1]/@scope"),
        ("https://[::1]:80/@scope", "https://[::1]:80/@scope"),
        ("/home/me@work/a", "/home/me@work/a"),
        ("C:\\me@work", "C:\\me@work"),
        ("file:///home/me@work", "file:///home/me@work"),
        ("", ""),
    ],
)
def test_a_url_loses_its_login_and_nothing_else(url: str, plain: str) -> None:
    assert bare(url) == plain


SECRET = "s3cr3t"  # noqa: S105
odd = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n"), max_size=8)


@st.composite
def secret_urls(draw: st.DrawFn) -> str:
    """URLs with a password that is quoted as it should be, or not."""
    word = draw(odd) + SECRET + draw(odd)
    # `user:12/34@host` is the host `user` with port 12 to everybody, `user@host/@a` the host `host`.
    unclear = word[0].isdecimal() or ("@" in word and not set(word).isdisjoint("/?#\\"))
    raw = draw(st.booleans()) and not unclear
    shown = word if raw else quote(word, safe="")
    scheme = draw(st.sampled_from(["http", "https", "git+https", "HTTPS"]))
    user = quote(draw(st.text("abc%.", max_size=3)), safe="")
    host = draw(st.sampled_from(["host", "host:8080", "[::1]", "[::1", "127.0.0.1:9", "h\u00f6st", "x y"]))
    path = draw(st.sampled_from(["", "/", "/a/b.whl", "/a@b", "?q=1", "#f"]))
    return f"{scheme}://{user}:{shown}@{host}{path}"


@given(secret_urls())
def test_no_password_survives_in_a_bare_url(url: str) -> None:
    assert SECRET not in bare(url)
    assert bare(bare(url)) == bare(url)


class Refusing:
    """A client to which every URL is unreachable, in words that name it."""

    def get(self, url: str, *, accept: str = "*/*") -> Fetched | FetchFault:
        del accept
        return FetchFault(problem=FetchProblem.UNREACHABLE, url=url, text=f"`{url}` could not be reached")

    def get_range(self, url: str, start: int, end: int) -> Fetched | FetchFault:
        return self.get(f"{url}#{start}-{end}")


@given(
    secret_urls().filter(
        lambda url: not set(url) & set(" \t\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0") and url.split() == [url]
    )
)
def test_no_password_survives_in_any_message_of_this_room(url: str) -> None:
    text = f"it is about `{url}` and {url}, twice"
    lookup = index_page(Refusing(), url, "six")  # type: ignore[arg-type]
    told: list[object] = [
        redact(text),
        FetchFault(problem=FetchProblem.STATUS, url=url, text=text),
        RangeFault(url=url, text=text),
        LookupFault(kind=LookupKind.BAD_PAGE, text=text),
        ParseFault(problem=PageProblem.BROKEN, url=url, text=text),
        GaveUpError(FetchProblem.INSECURE, text),
        GaveUpError(FetchProblem.INSECURE, text).text,
        lookup,
        read_member(Refusing(), url, "x"),
        member_of(b"no zip", url, "x"),
        parse_page(b"", "text/html", url),
        parse_page(b"{}", "application/json", url),
        parse_page(b"<html>no</html>", "text/html", url),
        parse_page(f'<a href="{escape(url)}/a-1.whl">a</a>'.encode(), "text/html", "http://x/"),
        links(f'<a href="{escape(url)}/a-1.whl">a</a>'.encode(), "http://x/"),
    ]
    for one in told:
        assert SECRET not in repr(one)
        assert SECRET not in str(one)


@given(secret_urls())
def test_no_password_survives_in_what_a_client_says(url: str) -> None:
    with Client(environ={}, offline=True) as client:
        for answer in (client.get(url), client.get_range(url, 0, 1)):
            assert isinstance(answer, FetchFault)
            assert SECRET not in repr(answer)
            assert SECRET not in page_url(answer.url, "six")  # type: ignore[arg-type]


def test_a_login_is_for_its_scheme_host_and_port() -> None:
    known = Credentials(environ={"NETRC": "/nowhere"})
    known.learn("https://u:p@host/a")
    known.learn("http://v:q@other/a")
    known.learn("http://w:r@third:8080/a")
    assert known.given("https://host/b") == ("u", "p")
    assert known.given("https://host:443/b") == ("u", "p")
    assert known.given("http://host/b") is None
    assert known.given("https://host:8443/b") is None
    assert known.given("https://host.evil/b") is None
    assert known.given("https://other/b") == ("v", "q")
    assert known.given("https://third:8080/b") is None
    assert known.given("http://other:8080/b") is None
    assert known.given("https://other:8443/b") is None
    assert known.given("ftp://host/b") is None
    assert known.given("http://[bad/") is None


def test_a_login_is_decoded_once() -> None:
    known = Credentials(environ={"NETRC": "/nowhere"})
    assert known.learn("https://a%40b:c%252F@host/") == "https://host/"
    assert known.given("https://host/") == ("a@b", "c%2F")


@pytest.mark.slow
def test_a_text_with_many_slashes_takes_time_in_proportion() -> None:
    """Halves of what must take minutes if it were quadratic come back at all."""
    for text in ("//a:x" * 100_000 + " @", "a:" * 200_000 + "@", "//" + "@" * 200_000):
        assert redact(text) is not None
        assert bare(text) is not None
