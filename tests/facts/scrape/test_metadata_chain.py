"""Where what a wheel requires is read, place by place, over a real socket."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlock.core.names import Confidence, Sha256
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import File, Requires
from mmlock.facts.scrape.fetch_page import Get, WheelMember, WholeFile
from mmlock.facts.scrape.metadata import metadata
from mmlock.facts.scrape.metadata_chain import (
    WHOLE_LIMIT,
    Origin,
    leads_on,
    places,
    release_metadata,
    weakest,
)
from mmlock.net.fetching import FetchProblem

if TYPE_CHECKING:
    from loopback_web import Reply, Web

Run = Callable[..., Any]

ROOT = Path(__file__).parents[3]
WHEEL = "torchaudio-9.9.0-cp312-cp312-manylinux_2_28_x86_64.whl"
SDIST = "torchaudio-9.9.0.tar.gz"
INFO = "Metadata-Version: 2.1\nName: torchaudio\nVersion: 9.9.0\n"


def wheel(metadata: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("torchaudio/lib.so", bytes(200_000))
        archive.writestr("torchaudio-9.9.0.dist-info/METADATA", metadata)
    return stream.getvalue()


def sdist(info: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        member = tarfile.TarInfo("torchaudio-9.9.0/PKG-INFO")
        member.size = len(info)
        archive.addfile(member, io.BytesIO(info.encode()))
    return stream.getvalue()


@pytest.fixture
def ask(web: Web, refreshed: Run, matrices: Path) -> Callable[..., tuple[Any, Requires | None, list[str]]]:
    """A refresh of an index with one new release: report, its row, and the paths that were asked for."""
    known = Matrix(matrices).files("torchaudio")
    shutil.copy(ROOT / "matrices/requires/torchaudio.json", matrices / "requires")

    def asked(*links: str) -> tuple[Any, Requires | None, list[str]]:
        old = (f'<a href="{row.url}#sha256={row.sha256}">{row.name}</a>' for row in known)
        web.put("/simple/torchaudio/", f"<html><body>{''.join((*old, *links))}</body></html>".encode())
        web.asked.clear()
        report = refreshed(only=("torchaudio",), index_url=f"{web.root}/simple")
        rows = [row for row in Matrix(matrices).requires("torchaudio") if row.version == "9.9.0"]
        paths = list(dict.fromkeys(path for path, _ in web.asked if "9.9.0" in path))
        return report, rows[0] if rows else None, paths

    return asked


def link(name: str, data: bytes, extra: str = "") -> str:
    digest = sha256(data).hexdigest()
    return f'<a href="https://files.example/{name}#sha256={digest}" {extra}>{name}</a>'


def put(web: Web, name: str, data: bytes) -> str:
    web.put(f"/{name}", data)
    return link(name, data)


@pytest.mark.slow
def test_metadata_beside_the_wheel_comes_first(ask: Run, web: Web) -> None:
    metadata = f"{INFO}Requires-Dist: torch==9.9\n\n".encode()
    web.put(f"/{WHEEL}.metadata", metadata)
    extra = f'data-core-metadata="sha256={sha256(metadata).hexdigest()}"'
    _, row, paths = ask(link(WHEEL, b"", extra))
    assert paths == [f"/{WHEEL}.metadata"]
    assert row is not None
    assert (row.requires, row.source, row.confidence) == (("torch==9.9",), ("wheel-2",), Confidence.MEASURED)


@pytest.mark.slow
def test_metadata_beside_with_another_hash_is_not_believed(ask: Run, web: Web) -> None:
    web.put(f"/{WHEEL}.metadata", f"{INFO}Requires-Dist: evil\n\n".encode())
    put(web, WHEEL, wheel(f"{INFO}Requires-Dist: torch==9.9\n\n"))
    _, row, paths = ask(link(WHEEL, b"", f'data-core-metadata="sha256={"0" * 64}"'))
    assert paths == [f"/{WHEEL}.metadata", f"/{WHEEL}"]
    assert row is not None
    assert row.requires == ("torch==9.9",)


@pytest.mark.slow
def test_without_ranges_the_sdist_is_read_before_a_whole_wheel(ask: Run, web: Web) -> None:
    web.ranges = False
    links = put(web, WHEEL, wheel(INFO + "\n")), put(web, SDIST, sdist(f"{INFO}Requires-Dist: six\n\n"))
    _, row, paths = ask(*links)
    assert paths == [f"/{WHEEL}", f"/{SDIST}"]
    assert row is not None
    assert (row.requires, row.source, row.confidence) == (("six",), ("sdist",), Confidence.INFERRED)


def api(web: Web, **info: Any) -> None:
    told = {"name": "torchaudio", "version": "9.9.0", "requires_dist": ["torch==9.9"], **info}
    web.put("/pypi/torchaudio/9.9.0/json", json.dumps({"info": told}).encode())


@pytest.mark.slow
def test_the_json_api_follows_where_there_is_no_sdist(ask: Run, web: Web) -> None:
    web.ranges = False
    api(web, requires_python=">=3.9")
    report, row, paths = ask(put(web, WHEEL, wheel(INFO + "\n")))
    assert paths == [f"/{WHEEL}", "/pypi/torchaudio/9.9.0/json"]
    assert row is not None
    assert (row.requires, row.source, row.confidence) == (("torch==9.9",), ("json",), Confidence.CAPTURED)
    assert row.requires_python == ">=3.9"
    assert report["indexes"][0]["stale"] == []


@pytest.mark.slow
def test_no_requirements_in_the_json_api_are_no_answer(ask: Run, web: Web) -> None:
    web.ranges = False
    api(web, requires_dist=None)
    _, row, paths = ask(put(web, WHEEL, wheel(f"{INFO}Requires-Dist: torch==9.9\n\n")))
    assert paths == [f"/{WHEEL}", "/pypi/torchaudio/9.9.0/json"]
    assert row is not None
    assert (row.requires, row.source) == (("torch==9.9",), ("wheel-2",))


@pytest.mark.slow
def test_the_json_api_of_another_package_is_not_believed(ask: Run, web: Web) -> None:
    web.ranges = False
    api(web, name="evil")
    report, row, _ = ask(put(web, WHEEL, wheel(INFO + "\n")))
    assert row is None
    assert report["indexes"][0]["warnings"] == [f"{WHEEL}: inside it is evil 9.9.0; the release is left out"]


@pytest.mark.slow
def test_when_no_place_tells_each_reason_is_told(ask: Run) -> None:
    report, row, _ = ask(link(WHEEL, b"x"))
    assert row is None
    (text,) = report["indexes"][0]["stale"]
    assert text.startswith(f"{WHEEL}: `https://files.example/{WHEEL}` answered 404; ")
    assert "/pypi/torchaudio/9.9.0/json` answered 404" in text


@pytest.mark.slow
def test_an_outage_is_waited_for_and_no_worse_place_is_asked(ask: Run, web: Web, reply: type[Reply]) -> None:
    web.put(f"/{WHEEL}", reply(status=503))
    api(web)
    report, row, paths = ask(link(WHEEL, b""), put(web, SDIST, sdist(INFO + "\n")))
    assert (row, paths) == (None, [f"/{WHEEL}"])
    assert len(report["indexes"][0]["stale"]) == 1
    put(web, WHEEL, wheel(f"{INFO}Requires-Dist: torch==9.9\n\n"))
    _, later, _ = ask(link(WHEEL, b""))
    assert later is not None
    assert later.confidence is Confidence.MEASURED


# ---------------------------------------------------------------- pure


def file(name: str, size: int | None = 10) -> File:
    return File(
        name=name,
        url=f"https://x.example/{name}",
        sha256=Sha256("0" * 64),
        size=size,
        requires_python=None,
        yanked=False,
        source=("pypi",),
        confidence=Confidence.CAPTURED,
    )


def order(*files: File, api: str | None = "https://x.example/pypi") -> list[type]:
    found = places(files[0], "9.9.0", files, package=Any, served={}, api=api)  # type: ignore[arg-type]
    return [type(place.request) for place in found]


def test_the_places_and_their_order() -> None:
    assert order(file(WHEEL), file(SDIST)) == [WheelMember, WholeFile, Get, WheelMember]
    assert order(file(WHEEL), api=None) == [WheelMember, WheelMember]


def test_a_large_wheel_is_never_read_whole() -> None:
    assert order(file(WHEEL, WHOLE_LIMIT + 1)) == [WheelMember, Get]


def test_only_what_stays_as_it_is_leads_on() -> None:
    assert [problem for problem in FetchProblem if not leads_on(problem)] == [
        FetchProblem.UNREACHABLE,
        FetchProblem.TOO_SLOW,
        FetchProblem.OFFLINE,
    ]


def test_a_row_of_several_platforms_names_the_weakest_origin() -> None:
    assert weakest([Origin.WHEEL, Origin.SDIST, Origin.JSON]) is Origin.SDIST
    assert weakest([Origin.WHEEL, Origin.JSON]) is Origin.JSON


@pytest.mark.parametrize(
    "info",
    [
        {"name": "a", "version": "1", "requires_dist": None},
        {"name": "a", "version": "1"},
        {"name": "a", "version": "1", "requires_dist": ["b\nName: c"]},
        {"name": "a", "version": 1, "requires_dist": []},
        [],
    ],
)
def test_what_could_be_something_else_is_no_answer(info: object) -> None:
    assert release_metadata(json.dumps({"info": info}).encode()) is None
    assert release_metadata(b"<html>") is None


@pytest.mark.slow
@given(
    st.dictionaries(
        st.sampled_from(["name", "version", "requires_dist", "requires_python"]),
        st.none() | st.text() | st.lists(st.text()) | st.integers(),
    )
)
def test_whatever_the_json_api_tells_it_names_one_release_or_none(info: dict[str, object]) -> None:
    made = release_metadata(json.dumps({"info": info}).encode())
    if made is not None:
        assert made.count(b"\nName: ") == 1
        assert len(metadata(made).requires) <= len(info["requires_dist"])  # type: ignore[arg-type]
