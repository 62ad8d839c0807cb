"""PyTorch's index, flash-attn's releases, and the wheels of mmcv that others build."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlock.core.artifact import Artifact
from mmlock.core.names import Platform
from mmlock.facts.matrix.lint import lint
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.merge import Facts
from mmlock.facts.scrape import flash_attn, onedl, pytorch, torch_packages
from mmlock.facts.scrape.fetch_page import Scrape, Scraped
from mmlock.net.fetching import Fetched

if TYPE_CHECKING:
    from loopback_web import Web

ROOT = Path(__file__).parents[3]
Run = Callable[..., Any]


def file(name: str, url: str | None = None) -> Artifact:
    return Artifact(name=name, url=url or f"https://x.example/whl/cu126/{name}", sha256=None)


def html(*links: str) -> bytes:
    rows = "".join(f'<a href="{link}">{link.rpartition("/")[2]}</a><br>\n' for link in links)
    return f"<!DOCTYPE html><html><body>{rows}</body></html>".encode()


def answered(scrape: Scrape, *bodies: bytes, kind: str = "text/html") -> Scraped:
    requests = list(next(scrape))
    pages = [
        Fetched(url=request.url, content_type=kind, body=body)
        for request, body in zip(requests, bodies, strict=True)
    ]
    try:
        scrape.send(pages)
    except StopIteration as stop:
        found: Scraped = stop.value
        return found
    raise AssertionError("it wants more")


def only(found: Scraped) -> Facts:
    (facts,) = found.facts
    return facts


# ---------------------------------------------------------------- PyTorch


def test_variant_python_and_platform_come_from_the_name() -> None:
    (one,) = pytorch.wheels_of([file("torch-2.9.1+cu128-cp313-cp313t-manylinux_2_28_x86_64.whl")])
    assert (one.torch, one.variant, one.python) == ("2.9.1", "cu128", "3.13t")
    assert (one.platform, one.tag) == (Platform.LINUX_X86_64, "manylinux_2_28_x86_64")


def test_a_name_without_a_variant_has_that_of_its_folder() -> None:
    (one,) = pytorch.wheels_of([file("torch-2.9.1-cp312-cp312-win_amd64.whl")])
    assert one.variant == "cu126"


def test_nightly_odd_and_foreign_builds_are_left_out() -> None:
    names = (
        "torch-2.16.0.dev20261101+cu130-cp312-cp312-manylinux_2_28_x86_64.whl",
        "torch-2.3.0+cpu.cxx11.abi-cp312-cp312-linux_x86_64.whl",
        "torch-2.0.1+cu118.with.pypi.cudnn-cp311-cp311-linux_x86_64.whl",
        "torchvision-0.20.0+cu118-cp311-cp311-linux_x86_64.whl",
        "torch-2.9.1+cu128-cp312-cp312-manylinux_2_28_s390x.whl",
    )
    assert pytorch.wheels_of(map(file, names)) == ()


def test_a_known_build_keeps_its_archs_and_a_new_one_claims_none() -> None:
    builds = Matrix(ROOT / "matrices").torch_builds
    old = next(
        row for row in builds if not row.on_pypi and row.cuda and row.platform is Platform.LINUX_X86_64
    )
    names = (
        f"/whl/{old.variant}/torch-{old.torch}%2B{old.variant}-cp312-cp312-linux_x86_64.whl",
        "/whl/cu140/torch-99.0.0%2Bcu140-cp312-cp312-manylinux_2_28_x86_64.whl",
    )
    rows = {
        row.torch: row for row in answered(pytorch.scrape(known=builds, day="d"), html(*names)).facts[0].rows
    }
    assert rows[old.torch].archs == old.archs
    assert (rows[old.torch].pythons, rows[old.torch].tag) == (("3.12",), "linux_x86_64")
    new = rows["99.0.0"]
    assert (new.archs, new.cuda, new.glibc, str(new.confidence)) == (None, "14.0", "2.28", "captured")
    assert new.index == "https://download.pytorch.org/whl/cu140"


@pytest.mark.slow
def test_without_a_common_page_each_variant_is_asked(refreshed: Run, web: Web, matrices: Path) -> None:
    newest = max(
        {row.torch for row in Matrix(matrices).torch_builds}, key=lambda t: [int(p) for p in t.split(".")]
    )
    variant = next(
        r.variant for r in Matrix(matrices).torch_builds if not r.on_pypi and r.torch == newest and r.cuda
    )
    name = f"torch-{newest}%2B{variant}-cp312-cp312-manylinux_2_28_x86_64.whl"
    web.put(f"/whl/{variant}/torch/", html(f"/whl/{variant}/{name}"))
    report = refreshed(only=("pytorch",), places={"pytorch": f"{web.root}/whl"}, trust_removals=True)
    assert report["written"] == ["files/pytorch-index.json", "torch/builds.json"]
    rows = [
        r
        for r in Matrix(matrices).torch_builds
        if (r.torch, r.variant, r.on_pypi) == (newest, variant, False)
    ]
    assert [(row.platform, row.pythons) for row in rows] == [(Platform.LINUX_X86_64, ("3.12",))]


def mirror_list(*names: str) -> bytes:
    """A list as PyTorch's index had it first: links by folder, no html around them, no hashes."""
    return "\n".join(f'<a href="{name}">{name}</a><br>' for name in names).encode()


NEW = "torch-99.0.0%2Bcu130-cp312-cp312-linux_x86_64.whl"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "page", "named"),
    [
        ("/pw/torch_stable.html", mirror_list(f"cu130/{NEW}", "cu130/torchaudio-99.0.0-1.whl"), "/pw"),
        ("/pw/torch_stable.html", mirror_list(f"cu130/{NEW}"), "/pw/torch_stable.html"),
        ("/pw/cpu/", html("../", NEW.replace("cu130", "cpu")), "/pw/"),
    ],
    ids=["list found", "list named", "folders of files"],
)
def test_a_mirror_that_is_no_index_adds_builds_and_removes_none(
    refreshed: Run, web: Web, matrices: Path, path: str, page: bytes, named: str
) -> None:
    web.put(path, page)
    before = set(Matrix(matrices).torch_builds)
    report = refreshed(only=("pytorch",), places={"pytorch": f"{web.root}{named}"})
    after = set(Matrix(matrices).torch_builds)
    assert not before - after
    (new,) = after - before
    assert (new.torch, new.platform, new.pythons) == ("99.0.0", Platform.LINUX_X86_64, ("3.12",))
    assert new.index == f"https://download.pytorch.org/whl/{new.variant}"
    again = refreshed(only=("pytorch",), places={"pytorch": f"{web.root}{named}"})
    assert (report["changes"] != [], again["written"]) == (True, [])


@pytest.mark.slow
def test_a_mirror_that_forbids_what_it_lacks_is_asked_for_its_list(
    refreshed: Run, web: Web, reply: Callable[..., Any], matrices: Path
) -> None:
    web.put("/pw/torch/", reply(status=403))
    web.put("/pw/torch_stable.html", mirror_list(f"cu130/{NEW}"))
    refreshed(only=("pytorch",), places={"pytorch": f"{web.root}/pw"})
    assert "99.0.0" in {row.torch for row in Matrix(matrices).torch_builds}


@pytest.mark.slow
def test_a_cut_list_of_a_mirror_is_not_read(refreshed: Run, web: Web, matrices: Path) -> None:
    before = Matrix(matrices).torch_builds
    web.put("/pw/torch_stable.html", mirror_list(f"cu130/{NEW}", f"cu130/{NEW}")[:-30])
    report = refreshed(only=("pytorch",), places={"pytorch": f"{web.root}/pw"})
    assert "breaks off" in str(report["indexes"])
    assert Matrix(matrices).torch_builds == before


# ---------------------------------------------------------------- flash-attn


def releases(*names: str, tag: str = "v9.9.0") -> bytes:
    base = f"https://github.com/Dao-AILab/flash-attention/releases/download/{tag}"
    assets = [{"name": name, "browser_download_url": f"{base}/{name.replace('+', '%2B')}"} for name in names]
    return json.dumps([{"tag_name": tag, "draft": False, "assets": assets}]).encode()


def test_flash_attn_names_tell_torch_cuda_and_abi() -> None:
    data = releases(
        "flash_attn-9.9.0+cu12torch2.9cxx11abiTRUE-cp312-cp312-linux_x86_64.whl",
        "flash_attn-9.9.0+cu122torch2.9cxx11abiFALSE-cp312-cp312-linux_x86_64.whl",
        "flash_attn-9.9.0.tar.gz",
        "flash_attn-9.9.0+cu12torch2.9cxx11abiTRUE-cp312-cp39-linux_x86_64.whl",
    )
    found = flash_attn.assets_of(data)
    assert found is not None
    assert [(one.cuda, one.torch, one.abi, one.python) for one in found] == [
        ("12", "2.9", 1, "3.12"),
        ("12.2", "2.9", 0, "3.12"),
    ]
    assert found[0].url.endswith("flash_attn-9.9.0+cu12torch2.9cxx11abiTRUE-{py}-{py}-linux_x86_64.whl")


def test_the_minor_of_cuda_that_a_name_leaves_out_is_said_to_be_inferred() -> None:
    known = Matrix(ROOT / "matrices").binaries("flash-attn")
    scrape = flash_attn.scrape(known=known, day="d")
    next(scrape)
    body = releases("flash_attn-9.9.0+cu12torch2.9cxx11abiTRUE-cp312-cp312-linux_x86_64.whl")
    page = Fetched(url="https://api.example", content_type="application/json", body=body)
    scrape.send([page])
    try:
        scrape.send([Fetched(url="https://api.example", content_type="application/json", body=b"[]")])
    except StopIteration as stop:
        (row,) = only(stop.value).rows
    newest = max(
        (row for row in known if row.cuda and row.cuda.startswith("12.")),
        key=lambda row: ([int(p) for p in row.version.split(".")[:3]], row.cuda),
    )
    assert (row.cuda, str(row.confidence), row.archs) == (newest.cuda, "inferred", None)


@pytest.mark.slow
@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode()),
    )
)
def test_no_answer_breaks_the_release_reader(data: bytes) -> None:
    assert flash_attn.assets_of(data) in {None, ()}


# ---------------------------------------------------------------- providers


def test_a_local_version_tells_torch_and_cuda() -> None:
    data = html(
        "https://x.example/mmcv-2.2.0+pt2.8.0cu128-cp311-cp311-linux_x86_64.whl",
        "https://x.example/mmcv-2.2.0+a8073c7pt2.8.0cpu-cp311-cp311-win_amd64.whl",
        "https://x.example/mmcv-2.2.0-cp311-cp311-linux_x86_64.whl",
        "https://x.example/evil-2.2.0+pt2.8.0cu128-cp311-cp311-linux_x86_64.whl",
    )
    rows = only(answered(torch_packages.scrape(day="d"), data)).rows
    assert {(row.version, row.torch, row.variant, row.platform) for row in rows} == {
        ("2.2.0+pt2.8.0cu128", "==2.8.0", "cu128", Platform.LINUX_X86_64),
        ("2.2.0+a8073c7pt2.8.0cpu", "==2.8.0", "cpu", Platform.WINDOWS_X86_64),
    }
    assert {(row.provider, row.hashed, row.archs) for row in rows} == {
        ("torch-packages-builder", False, None)
    }


@pytest.mark.slow
def test_onedl_is_asked_by_variant_and_torch_and_its_wheels_are_facts_of_their_own(
    refreshed: Run, web: Web, matrices: Path
) -> None:
    variant, torch = next(one for one in onedl.directories(Matrix(matrices).torch_builds) if one[0] != "cpu")
    name = "onedl_mmcv-2.3.6-cp312-cp312-manylinux_2_28_x86_64.whl"
    folder = f"/{variant}-torch{torch.replace('.', '')}/onedl-mmcv/"
    web.put(folder, html(f"https://wheels.example/{name}"))
    report = refreshed(only=("onedl",), places={"onedl": web.root})
    assert report["written"] == ["providers/onedl-mmcv.json"]
    (change,) = report["changes"]
    assert (change["kind"], change["package"]) == ("added", "onedl-mmcv")
    assert [fault for fault in lint(matrices) if fault.file.startswith("providers/")] == []
    # The solver reads none of it: what others build is taken only when a user allows it.
    assert "onedl-mmcv" not in Matrix(matrices).binary_packages
    assert refreshed(only=("onedl",), places={"onedl": web.root})["written"] == []
