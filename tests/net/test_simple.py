"""Index pages of both standards, and pages that are none."""

from __future__ import annotations

import json

import pytest

from mmlock.core.artifact import Artifact
from mmlock.net.simple import IndexPage, PageProblem, ParseFault, parse_page, parse_simple

URL = "https://example.org/simple/torch/"
SHA = "0123456789abcdef" * 4
JSON = "application/vnd.pypi.simple.v1+json"


def html(body: str, head: str = "") -> bytes:
    return f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode()


def one(data: bytes, content_type: str = "text/html", url: str = URL) -> Artifact:
    files = parse_simple(data, content_type, url)
    assert not isinstance(files, ParseFault), files
    (file,) = files
    return file


def test_an_anchor_says_everything_about_its_file() -> None:
    file = one(
        html(
            f'<a href="../../files/torch-2.1.2%2Bcpu-cp38-cp38-linux_x86_64.whl#sha256={SHA.upper()}"'
            ' data-requires-python="&gt;=3.8" data-yanked="broken"'
            ' data-upload-time="2024-01-01T00:00:00Z">torch</a>'
        )
    )
    assert file.name == "torch-2.1.2+cpu-cp38-cp38-linux_x86_64.whl"
    assert file.url == "https://example.org/files/torch-2.1.2%2Bcpu-cp38-cp38-linux_x86_64.whl"
    assert file.sha256 == SHA
    assert file.requires_python == ">=3.8"
    assert file.upload_time == "2024-01-01T00:00:00Z"
    assert file.yanked


def test_an_anchor_may_say_nothing_but_its_address() -> None:
    file = one(html('<a href="https://cdn.example.org/a/mmcv-2.1.0-cp310-cp310-manylinux1_x86_64.whl">x</a>'))
    assert file.url == "https://cdn.example.org/a/mmcv-2.1.0-cp310-cp310-manylinux1_x86_64.whl"
    assert (file.sha256, file.requires_python, file.yanked) == (None, None, False)


def test_a_hash_of_another_kind_is_none() -> None:
    assert one(html('<a href="a-1.tar.gz#md5=abc">a</a>')).sha256 is None
    assert one(html('<a href="a-1.tar.gz#sha256=abc">a</a>')).sha256 is None


def test_base_moves_relative_addresses() -> None:
    page = html('<a href="a-1.tar.gz">a</a>', head='<base href="/other/">')
    assert one(page).url == "https://example.org/other/a-1.tar.gz"


def test_other_anchors_are_no_files() -> None:
    body = '<a href="../">up</a><a href="mailto:a-1.whl">m</a><a>no</a><a href="a-1-py3-none-any.whl">a</a>'
    assert one(html(body)).name == "a-1-py3-none-any.whl"


@pytest.mark.parametrize("attribute", ["data-core-metadata", "data-dist-info-metadata"])
def test_metadata_served_apart_is_told(attribute: str) -> None:
    links = (
        f'<a href="a-1-py3-none-any.whl" {attribute}="sha256={SHA}">a</a><a href="b-1.tar.gz">b</a>',
        f'<a href="c-1-py3-none-any.whl" {attribute}="true">c</a>',
        f'<a href="d-1-py3-none-any.whl" {attribute}="false">d</a>',
    )
    page = parse_page(html("".join(links)), "text/html; charset=utf-8", URL)
    assert isinstance(page, IndexPage)
    told = {url.rpartition("/")[2]: digest for url, digest in page.with_metadata.items()}
    assert told == {"a-1-py3-none-any.whl": SHA, "c-1-py3-none-any.whl": None}


def document(**changes: object) -> bytes:
    row = {"filename": "a-1-py3-none-any.whl", "url": "/f/a-1-py3-none-any.whl", "hashes": {"sha256": SHA}}
    return json.dumps({"meta": {"api-version": "1.1"}, "name": "a", "files": [row | changes]}).encode()


def test_json_says_everything_about_a_file() -> None:
    told = {"size": 7, "upload-time": "2024-01-01T00:00:00.5Z", "requires-python": ">=3.8", "yanked": ""}
    file = one(document(**told), JSON)
    assert file.url == "https://example.org/f/a-1-py3-none-any.whl"
    assert (file.sha256, file.size, file.upload_time) == (SHA, 7, "2024-01-01T00:00:00.5Z")
    assert file.requires_python == ">=3.8"
    assert file.yanked  # an empty reason is a reason


def test_json_may_leave_out_what_it_does_not_know() -> None:
    file = one(document(hashes={}), JSON)
    assert (file.sha256, file.size, file.upload_time, file.yanked) == (None, None, None, False)


@pytest.mark.parametrize("key", ["core-metadata", "dist-info-metadata"])
def test_json_tells_of_metadata_served_apart(key: str) -> None:
    page = parse_page(document(**{key: {"sha256": SHA}}), JSON, URL)
    assert isinstance(page, IndexPage)
    assert list(page.with_metadata.values()) == [SHA]


@pytest.mark.parametrize(
    "body",
    [
        html("<h1>Links for torch</h1>"),
        html("", head='<meta name="pypi:repository-version" content="1.0">'),
        html("", head="<title>Simple index</title>"),
    ],
)
def test_an_index_page_without_files_is_no_fault(body: bytes) -> None:
    assert parse_simple(body, "text/html", URL) == ()


LOGIN = html('<form><input name="u"><input TYPE="Password"></form>', head="<title>Sign in</title>")


@pytest.mark.parametrize(
    ("data", "content_type", "problem", "word"),
    [
        (b"", "text/html", PageProblem.EMPTY, "empty"),
        (b" \n", JSON, PageProblem.EMPTY, "empty"),
        (LOGIN, "text/html", PageProblem.LOGIN, "login"),
        (html("<h1>It works!</h1>"), "text/html", PageProblem.NOT_INDEX, "It works!"),
        (html('<a href="/about">about</a>'), "text/html", PageProblem.NOT_INDEX, "no files"),
        (
            html('<a href="torch/">torch</a>', "<title>Simple index</title>"),
            "text/html",
            PageProblem.NOT_INDEX,
            "",
        ),
        (b"\x00\xff\xfe", "application/octet-stream", PageProblem.NOT_INDEX, "no files"),
        (b"{", JSON, PageProblem.BROKEN, "no JSON"),
        (b"[]", JSON, PageProblem.NOT_INDEX, "files"),
        (b'{"message": "not found"}', "application/json", PageProblem.NOT_INDEX, "files"),
        (b'{"meta": {"api-version": "2.0"}, "files": []}', JSON, PageProblem.BROKEN, "2.0"),
        (b'{"meta": {"api-version": "1.0"}, "files": [{"url": "x"}]}', JSON, PageProblem.BROKEN, "files[0]"),
        (b'{"meta": [], "files": []}', JSON, PageProblem.BROKEN, "unknown"),
    ],
)
def test_pages_that_are_none_are_values(
    data: bytes, content_type: str, problem: PageProblem, word: str
) -> None:
    fault = parse_simple(data, content_type, URL)
    assert isinstance(fault, ParseFault)
    assert fault.problem is problem
    assert word in fault.text
    assert URL in fault.text


def test_other_encodings_are_read() -> None:
    page = html('<h1>Größe</h1><a href="a-1.tar.gz" data-requires-python="&gt;=3">ä</a>').decode()
    assert one(page.encode("latin-1"), "text/html; charset=ISO-8859-1").requires_python == ">=3"
    assert one(page.encode(), "text/html; charset=no-such").requires_python == ">=3"


@pytest.mark.parametrize("odd", [b"<![what is this>", b"<![if IE]>", b"<!-", b"<!>", b"<![CDATA["])
def test_declarations_of_no_standard_are_passed_over(odd: bytes) -> None:
    page = odd + b'<html><a href="a-1.tar.gz">a</a></html>'
    found = parse_simple(page, "text/html", "https://x.example/simple/a/")
    assert isinstance(found, ParseFault) or [file.name for file in found] == ["a-1.tar.gz"]


def test_links_that_are_no_urls_are_passed_over() -> None:
    page = b'<html><base href="//["><a href="//[">x</a><a href="a-1.tar.gz">a</a></html>'
    found = parse_simple(page, "text/html", "https://x.example/simple/a/")
    assert not isinstance(found, ParseFault)
    assert [file.url for file in found] == ["https://x.example/simple/a/a-1.tar.gz"]


def test_a_file_of_a_json_page_that_is_at_no_url_is_a_fault_with_its_place() -> None:
    files = [{"filename": "a-1.tar.gz", "url": "//[", "hashes": {}}]
    data = json.dumps({"meta": {"api-version": "1.0"}, "files": files}).encode()
    found = parse_simple(data, "application/json", "https://x.example/simple/a/")
    assert isinstance(found, ParseFault)
    assert "files[0]" in found.text
