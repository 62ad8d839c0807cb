"""Hashes from PyTorch's index, on a page in the form in which it is served.

The rows of 2.7.0+cu128 are quoted in astral-sh/uv#13195, that of 2.11.0 in pytorch/pytorch#181056.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mmlock.core.names import Platform
from mmlock.facts.matrix.lint import lint
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.scrape.pytorch import BASE
from mmlock.facts.scrape.pytorch_files import recorded as at_home
from mmlock.net.simple import IndexPage, parse_page
from mmlock.resolve.plan.files import recorded

if TYPE_CHECKING:
    from loopback_web import Web

Run = Callable[..., Any]

PAGE = (Path(__file__).parent / "pages" / "pytorch-torch.html").read_bytes()
LINUX = "torch-2.7.0+cu128-cp312-cp312-manylinux_2_28_x86_64.whl"
DIGEST = "7c0f08d1c44a02abad389373dddfce75904b969a410be2f4e5109483dd3dc0ce"


@pytest.fixture
def run(refreshed: Run, web: Web) -> Run:
    web.put("/whl/torch/", PAGE)
    return lambda **asked: refreshed(only=("pytorch",), places={"pytorch": f"{web.root}/whl"}, **asked)


def test_the_hash_of_the_metadata_is_not_that_of_the_file() -> None:
    page = parse_page(PAGE, "text/html", "https://download.pytorch.org/whl/torch/")
    assert isinstance(page, IndexPage)
    files = {file.name: file for file in at_home(page.files, {"torch"}, BASE)}
    assert files[LINUX].sha256 == DIGEST
    assert files[LINUX.replace("x86_64", "aarch64")].sha256 is None


def test_files_are_at_home_on_pytorchs_own_index_whatever_the_page_links_to() -> None:
    page = parse_page(PAGE, "text/html", "https://mirror.example/pytorch-wheels/torch/")
    assert isinstance(page, IndexPage)
    urls = {file.url.rpartition("/")[0] for file in at_home(page.files, {"torch"}, BASE)}
    assert urls == {f"{BASE}/cu128"}


def test_nightly_odd_and_unmarked_builds_are_not_recorded() -> None:
    page = parse_page(PAGE, "text/html", f"{BASE}/torch/")
    assert isinstance(page, IndexPage)
    names = [file.name for file in at_home(page.files, {"torch"}, BASE)]
    assert len(names) == 5
    assert all("+cu128-" in name and ".dev" not in name for name in names)


@pytest.mark.slow
def test_a_refresh_records_the_hashes_and_a_second_one_changes_no_byte(
    run: Run, matrices: Path, snapshot: Callable[[], dict[str, bytes]]
) -> None:
    report = run(trust_removals=True)
    assert report["written"] == ["files/pytorch-index.json", "torch/builds.json"]
    files = {row.name: row for row in Matrix(matrices).files("pytorch-index")}
    assert files[LINUX].sha256 == DIGEST
    assert files[LINUX].url == f"{BASE}/cu128/{LINUX.replace('+', '%2B')}"
    assert not [fault for fault in lint(matrices) if fault.file in report["written"]]
    before = snapshot()
    assert run()["changes"] == []
    assert snapshot() == before


@pytest.mark.slow
def test_a_lock_finds_the_hash_of_a_wheel_of_pytorchs_index(run: Run, matrices: Path) -> None:
    run(trust_removals=True)
    (build,) = [
        row
        for row in Matrix(matrices).torch_builds
        if (row.torch, row.variant, row.platform) == ("2.7.0", "cu128", Platform.LINUX_X86_64)
    ]
    assert build.pythons == ("3.12", "3.13t")
    found = recorded(Matrix(matrices).files("pytorch-index"), "2.7.0+cu128")
    assert DIGEST in {file.sha256 for file in found}


@pytest.mark.slow
def test_another_hash_for_a_recorded_wheel_is_not_taken(run: Run, web: Web, matrices: Path) -> None:
    run(trust_removals=True)
    web.put("/whl/torch/", PAGE.replace(DIGEST.encode(), b"0" * 64))
    (index,) = run()["indexes"]
    assert index["warnings"] == [f"{LINUX}: its pages state different hashes; the known one is kept"]
    assert {row.name: row for row in Matrix(matrices).files("pytorch-index")}[LINUX].sha256 == DIGEST


@pytest.mark.slow
def test_a_hash_that_appears_later_is_recorded(run: Run, web: Web, matrices: Path) -> None:
    run(trust_removals=True)
    name = LINUX.replace("x86_64", "aarch64")
    link = f"{name.replace('+', '%2B')}".encode()
    web.put("/whl/torch/", PAGE.replace(link + b'"', link + b"#sha256=" + b"ab" * 32 + b'"'))
    assert run()["written"] == ["files/pytorch-index.json"]
    assert {row.name: row for row in Matrix(matrices).files("pytorch-index")}[name].sha256 == "ab" * 32


@pytest.mark.slow
def test_companions_are_recorded_and_a_broken_page_of_one_keeps_its_files(
    run: Run, web: Web, matrices: Path
) -> None:
    name = "torchaudio-2.7.0+cu128-cp312-cp312-manylinux_2_28_x86_64.whl"
    link = f'<a href="/whl/cu128/{name.replace("+", "%2B")}#sha256={"cd" * 32}">{name}</a><br/>'
    web.put("/whl/torchaudio/", f"<!DOCTYPE html><html><body>{link}</body></html>".encode())
    run(trust_removals=True)
    assert name in {row.name for row in Matrix(matrices).files("pytorch-index")}
    web.put("/whl/torchaudio/", b"<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>")
    report = run(trust_removals=True)
    assert len(report["indexes"][0]["stale"]) == 1
    assert name in {row.name for row in Matrix(matrices).files("pytorch-index")}
