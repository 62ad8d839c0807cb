"""OpenMMLab's index: pages as captured, and everything that is none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlock.core.names import Platform
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.scrape.openmmlab import (
    BASE,
    DirectoryPage,
    directories,
    home,
    page_url,
    parse_old_page,
    parse_page,
    rows_of,
)
from mmlock.net.simple import PageProblem, ParseFault

if TYPE_CHECKING:
    from loopback_web import Replica

ROOT = Path(__file__).parents[3]
URL = "https://download.openmmlab.com/mmcv/dist/cu121/torch2.2.0/index.html"

LINUX = [f"mmcv-2.2.0-cp{v}-cp{v}-manylinux1_x86_64.whl" for v in (310, 311, 312, 38, 39)]
WINDOWS = [f"mmcv-2.2.0-cp{v}-cp{v}-win_amd64.whl" for v in (310, 311, 38, 39)]


def page(names: list[str], folder: str = "./") -> bytes:
    return "".join(f'<a href="{folder}{n}">{folder}{n}</a><br>\n' for n in sorted(names)).encode()


def parsed(data: bytes, url: str = URL) -> DirectoryPage:
    found = parse_page(data, url)
    assert isinstance(found, DirectoryPage), found
    return found


def test_the_captured_page_has_its_captured_size_and_says_what_the_rows_say() -> None:
    data = page(LINUX + WINDOWS)
    assert len(data) == 928
    rows = rows_of(parsed(data).wheels, "page")
    known = [row for row in Matrix(ROOT / "matrices").index_rows if row.directory == "cu121/torch2.2.0"]
    told = {(row.package, row.platform, row.versions, row.pythons_seen) for row in rows}
    assert told == {(row.package, row.platform, row.versions, row.pythons_seen) for row in known}


def test_the_alias_page_has_its_captured_size_and_names_the_same_wheels() -> None:
    data = page(LINUX + WINDOWS, "../torch2.2.0/")
    assert len(data) == 1144
    url = "https://download.openmmlab.com/mmcv/dist/cu121/torch2.2/index.html"
    assert parsed(data, url).wheels == parsed(page(LINUX + WINDOWS)).wheels


def test_a_replica_of_the_rows_has_both_captured_sizes(whole_replica: Replica) -> None:
    replies = whole_replica.web.replies
    assert len(replies["/mmcv/dist/cu121/torch2.2.0/index.html"][0].body) == 928
    assert len(replies["/mmcv/dist/cu118/torch2.2.0/index.html"][0].body) == 928


@pytest.mark.slow
def test_every_page_of_the_replica_reads_back_into_its_names(whole_replica: Replica) -> None:
    for directory, names in whole_replica.pages.items():
        url = page_url("https://x.example/mmcv/dist", directory)
        found = parsed(whole_replica.web.replies[whole_replica.path(directory)][0].body, url)
        assert (len(found.wheels), found.strangers) == (len(names), ())


def test_a_torch_of_today_is_looked_for_first() -> None:
    matrix = Matrix(ROOT / "matrices")
    asked = directories(matrix.torch_builds, ())
    newest = max(
        (row.torch for row in matrix.torch_builds), key=lambda text: tuple(map(int, text.split(".")))
    )
    assert asked[0].endswith(f"/torch{'.'.join(newest.split('.')[:2])}.0")
    assert len(set(asked)) == len(asked)


def test_devices_without_a_variant_are_looked_for_with_every_torch_of_their_plugin() -> None:
    asked = directories((), (), ["ascend/torch1.8.0"], ["2.1.0.post3", "2.1.0", "2.12.0rc1"])
    assert asked == ("ascend/torch2.12.0", "ascend/torch2.1.0", "ascend/torch1.8.0")


@pytest.mark.parametrize(
    ("url", "base", "at_home"),
    [
        ("http://m.example/d/cpu/a.whl", "http://m.example/d/", f"{BASE}/cpu/a.whl"),
        (f"{BASE}/cpu/a.whl", BASE, f"{BASE}/cpu/a.whl"),
        (BASE.replace("https", "http") + "/cpu/a.whl", BASE, f"{BASE}/cpu/a.whl"),
        ("http://m.example/other/a.whl", "http://m.example/d", "http://m.example/other/a.whl"),
        ("https://m.example/dd/a.whl", "https://m.example/d", "https://m.example/dd/a.whl"),
    ],
)
def test_a_file_is_at_home_on_the_index_whichever_mirror_was_read(url: str, base: str, at_home: str) -> None:
    assert home(url, base) == at_home


def test_macos_wheels_serve_both_machines_and_only_one_is_proved() -> None:
    url = "https://download.openmmlab.com/mmcv/dist/cpu/torch2.1.0/index.html"
    rows = rows_of(parsed(page(["mmcv-2.1.0-cp311-cp311-macosx_10_9_universal2.whl"]), url).wheels, "page")
    assert {row.platform: str(row.confidence) for row in rows} == {
        Platform.MACOS_X86_64: "captured",
        Platform.MACOS_ARM64: "inferred",
    }


def test_old_python_tags_carry_an_m() -> None:
    rows = rows_of(parsed(page(["mmcv_full-1.7.0-cp37-cp37m-manylinux1_x86_64.whl"])).wheels, "page")
    assert [(row.package, row.pythons_seen) for row in rows] == [("mmcv-full", ("3.7",))]


@pytest.mark.parametrize(
    "name",
    [
        "mmdet-3.3.0-py3-none-any.whl",  # another package
        "mmcv-2.2.0-cp312-cp312-manylinux_2_28_aarch64.whl",  # a tag no URL of a lock would have
        "mmcv-2.2.0-cp310-cp39-manylinux1_x86_64.whl",  # one Python in its tag, another in its ABI
        "mmcv-two-cp310-cp310-manylinux1_x86_64.whl",  # no version
        "mmcv-2.2.0+cu121-cp310-cp310-manylinux1_x86_64.whl",  # a local version, which this index has not
        "..%2f..%2fmmcv-2.2.0-cp310-cp310-manylinux1_x86_64.whl",  # a name that would leave its folder
        "mmcv-2.2.0-cp310-cp310-manylinux1_x86_64.whl/../../x.whl",
    ],
)
def test_a_name_that_keeps_to_no_rule_is_counted_and_not_taken(name: str) -> None:
    found = parsed(page([*LINUX, name]))
    assert len(found.wheels) == len(LINUX)
    assert len(found.strangers) == 1


def test_a_link_to_another_directory_is_no_wheel_of_this_one() -> None:
    data = page(LINUX) + b'<a href="https://evil.example/mmcv-2.2.0-cp310-cp310-win_amd64.whl">x</a><br>\n'
    assert len(parsed(data).wheels) == len(LINUX)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", PageProblem.EMPTY),
        (b" \n", PageProblem.EMPTY),
        (b"<html><body><h1>503 Service Unavailable</h1></body></html>", PageProblem.NOT_INDEX),
        (b"<html><form><input type='password'></form></html>", PageProblem.LOGIN),
        (b"\x00\xff\xfe\x01", PageProblem.NOT_INDEX),
        (page(LINUX)[:200], PageProblem.BROKEN),
    ],
)
def test_what_is_no_page_is_named(data: bytes, problem: PageProblem) -> None:
    found = parse_page(data, URL)
    assert isinstance(found, ParseFault)
    assert (found.problem, URL in found.text) == (problem, True)


def test_the_page_of_2020_tells_torch_and_cuda_in_the_name() -> None:
    inside = "1.0.0/torch1.3.0/cu101/mmcv_full-1.0.0+torch1.3.0+cu101-cp37-cp37m-manylinux1_x86_64.whl"
    data = f'<a href="./{inside}">x</a><br>\n<a href="./{inside.replace("/cu101/", "/cu92/")}">lie</a><br>\n'
    (file,) = parse_old_page(data.encode(), "https://x.example/mmcv/dist/index.html", "page")
    assert file.name == inside.rpartition("/")[2]
    assert file.url == f"https://x.example/mmcv/dist/{inside}".replace("+", "%2B")
    assert file.sha256 is None


@given(st.binary(max_size=400))
def test_no_bytes_break_the_parser(data: bytes) -> None:
    found = parse_page(data, URL)
    assert isinstance(found, ParseFault) or found.wheels


@given(st.sets(st.sampled_from(LINUX + WINDOWS), min_size=1), st.integers(min_value=0))
def test_a_page_cut_inside_a_row_is_never_taken_for_whole(names: set[str], at: int) -> None:
    data = page(sorted(names))
    cut = data[: at % len(data)]
    found = parse_page(cut, URL)
    rows = cut.count(b"</a>")
    if isinstance(found, DirectoryPage):
        # Cut between two rows it looks whole: then it holds those rows, and the merge must doubt it.
        assert len(found.wheels) == rows
    elif cut.strip():
        assert found.problem in {PageProblem.BROKEN, PageProblem.NOT_INDEX}
