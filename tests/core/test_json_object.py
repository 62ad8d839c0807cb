"""JSON from outside: one kind of error for all that can be wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmlock.core.json_object import json_object
from mmlock.net.download import Downloader
from mmlock.net.page_cache import PageCache
from mmlock.wheels.wheelhouse import ENTRY, Damaged, Wheelhouse

DEEP = b'{"a":' * 200_000
HUGE = b'{"size":' + b"9" * 6000 + b"}"


@pytest.mark.parametrize(
    "data",
    [DEEP, HUGE, b"[]", b"7", b"", b"\xff\xfe", b'{"a":'],
    ids=["deep", "huge", "list", "number", "nothing", "bytes", "cut"],
)
def test_whatever_is_wrong_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_object(data)


def test_an_object_is_read() -> None:
    assert json_object('{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}


@pytest.mark.parametrize("data", [DEEP, HUGE, b"[]"], ids=["deep", "huge", "list"])
def test_what_the_cache_holds_is_no_reason_to_fail(tmp_path: Path, data: bytes) -> None:
    cache = PageCache(folder=tmp_path / "pages")
    page = cache._path("https://index.example/simple/", "text/html")
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_bytes(data + b"\nbody")
    assert cache.load("https://index.example/simple/", "text/html") is None

    wheel = tmp_path / "a-1-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    store = tmp_path / "files"
    loader = Downloader(store=store, environ={})
    loader._url_file(str(wheel), ".json").parent.mkdir(parents=True)
    loader._url_file(str(wheel), ".json").write_bytes(data)
    assert loader._noted(str(wheel)) is None

    entry = tmp_path / "house" / "wheels" / "key" / ENTRY
    entry.parent.mkdir(parents=True)
    entry.write_bytes(data)
    (found,) = Wheelhouse(root=tmp_path / "house").entries()
    assert isinstance(found, Damaged)
    assert json.dumps(found.why)
