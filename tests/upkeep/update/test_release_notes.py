"""Where the notes of a release are, as the page of an index tells it."""

from __future__ import annotations

import json

import pytest

from mmlock.upkeep.update.release_notes import parse_notes_link


def page(urls: object, home: object = None) -> bytes:
    return json.dumps({"info": {"project_urls": urls, "home_page": home}, "vulnerabilities": []}).encode()


@pytest.mark.parametrize(
    ("urls", "home", "link"),
    [
        ({"Changelog": "https://x.org/changes"}, None, "https://x.org/changes"),
        ({"Release Notes": "https://x.org/n", "Changelog": "https://x.org/c"}, None, "https://x.org/n"),
        ({"What's New": "https://x.org/n"}, None, "https://x.org/n"),
        (
            {"Source": "https://github.com/tox-dev/filelock"},
            None,
            "https://github.com/tox-dev/filelock/releases",
        ),
        (
            {"Homepage": "https://github.com/a/b/tree/main/docs"},
            None,
            "https://github.com/a/b/releases",
        ),
        (None, "https://gitlab.com/a/b.git", "https://gitlab.com/a/b/-/releases"),
        ({"Homepage": "https://pytorch.org"}, "https://pytorch.org", None),
        ({"Changelog": "javascript:alert(1)"}, None, None),
        ({"Changelog": "https://x.org/" + "a" * 600}, None, None),
        ({"Source": "https://[x"}, None, None),
        ({"Source": "https://github.com/only"}, None, None),
        ({"Changelog": None}, None, None),
    ],
)
def test_the_best_page_that_is_named_is_taken(urls: object, home: object, link: str | None) -> None:
    assert parse_notes_link(page(urls, home)) == link


@pytest.mark.parametrize(
    "data", [b"", b"<html>", b'{"info": 3}', b"[" * 100_000, b"\xff", b'{"info": {"home_page": 3}}']
)
def test_a_page_of_another_kind_names_none(data: bytes) -> None:
    assert parse_notes_link(data) is None
