"""Readers and installers that we did not write take what the index of the service says."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import mousebender.simple
import pytest
from build_world import TAG
from house_builds import build
from pypi_simple import PyPISimple
from web_site import Make, make_site, serve

from mmlock.resolve.closure.uv_find import find_uv
from mmlock.web.app import make_app
from mmlock.wheels.simple_index import JSON
from mmlock.wheels.wheelhouse import Wheelhouse

__all__ = ["make_site"]
pytestmark = pytest.mark.slow
RELEASE = "1.0+pt2.11.0cu130"
HTML = "application/vnd.pypi.simple.v1+html"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheelhouse:
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))
    return Wheelhouse(root=tmp_path / "house")


@pytest.fixture
def url(make_site: Make, house: Wheelhouse) -> Iterator[str]:
    stop, url = serve(make_app(make_site(wheelhouses=(str(house.root),)).service))
    yield url
    stop()


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    return subprocess.run(words, env=clean | environ, capture_output=True, text=True, check=False)


def uv(cwd: Path, place: Path, *words: str, sm: str = "12.0") -> subprocess.CompletedProcess[str]:
    found = find_uv(os.environ)
    assert found is not None
    common = (
        "--no-config", "--target", str(place), "--python", sys.executable, "--python-version",
        f"{TAG[2]}.{TAG[3:]}", "--python-platform", "linux", "--cache-dir", str(cwd / "uv-cache"),
    )  # fmt: skip
    driver = {"NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "13.0"}
    return run(found.path, "pip", "install", *words, *common, NV_VARIANT_PROVIDER_FORCE_SM_ARCH=sm, **driver)


def pip(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    quiet = ("--disable-pip-version-check", "--no-input", "--no-cache-dir", "--isolated")
    # The wheel is for the Python of the build tests, on Linux: pip is told so instead of looking.
    target = ("--only-binary=:all:", "--platform", "linux_x86_64", "--python-version", TAG[2:])
    return run(sys.executable, "-m", "pip", "install", *quiet, *target, "--target", str(place), *words)


def pinned(folder: Path, sha256: str) -> str:
    file = folder / f"{sha256[:8]}.txt"
    file.write_text(f"tinyext=={RELEASE} --hash=sha256:{sha256}\n")
    return str(file)


@pytest.mark.parametrize("accept", [JSON, HTML])
def test_readers_of_simple_indexes_see_every_field(house: Wheelhouse, url: str, accept: str) -> None:
    wheel = build(house, "2.11.0+cu130", ["12.0"])
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with PyPISimple(f"{url}/simple/", accept=accept) as client:
        assert client.get_index_page().projects == ["tinyext"]
        page = client.get_project_page("TinyExt")
        (package,) = page.packages
        assert (package.filename, package.version) == (wheel.name, RELEASE)
        assert package.digests == {"sha256": digest}
        assert package.requires_python == ">=3.9"
        assert (package.is_yanked, package.has_metadata) == (False, True)
        assert "Requires-Python: >=3.9" in client.get_package_metadata(package)
        if accept == JSON:
            assert package.size == wheel.stat().st_size
            assert page.versions == [RELEASE]
            assert package.upload_time is not None
    told = httpx.get(f"{url}/simple/tinyext/", headers={"Accept": accept})
    details = mousebender.simple.parse_project_details(told.text, told.headers["content-type"], "tinyext")
    (file,) = details["files"]
    assert (file["filename"], file["hashes"]) == (wheel.name, {"sha256": digest})
    assert file["requires-python"] == ">=3.9"
    listed = httpx.get(f"{url}/simple/", headers={"Accept": accept})
    index = mousebender.simple.parse_project_index(listed.text, listed.headers["content-type"])
    assert [project["name"] for project in index["projects"]] == ["tinyext"]


@pytest.mark.parametrize("where", ["/simple/", "/simple/cu130-torch2.11/"])
def test_pip_and_uv_install_by_hash_and_refuse_other_bytes(
    house: Wheelhouse, url: str, tmp_path: Path, where: str
) -> None:
    digest = hashlib.sha256(build(house, "2.11.0+cu130", ["12.0"]).read_bytes()).hexdigest()
    site = ("--index-url", f"{url}{where}", "--require-hashes", "-r")
    for name, ran in (
        ("pip", pip(tmp_path / "pip", *site, pinned(tmp_path, digest))),
        ("uv", uv(tmp_path, tmp_path / "uv", *site, pinned(tmp_path, digest))),
    ):
        assert ran.returncode == 0, ran.stderr
        assert (tmp_path / name / "tinyext" / "__init__.py").read_text() == "ARCHS = ['12.0']\n"
    other = pinned(tmp_path, "0" * 64)
    for name, ran in (
        ("pip", pip(tmp_path / "no-pip", *site, other)),
        ("uv", uv(tmp_path, tmp_path / "no-uv", *site, other)),
    ):
        assert ran.returncode != 0, name
        assert not (tmp_path / f"no-{name}" / "tinyext").exists()


def test_uv_takes_a_variant_by_hash_and_no_other_cards(house: Wheelhouse, url: str, tmp_path: Path) -> None:
    for archs in (["12.0"], ["9.0"]):
        build(house, "2.11.0+cu130", archs)
    told = httpx.get(f"{url}/variants/tinyext/", headers={"Accept": JSON}).json()["files"]
    digests = {file["filename"]: file["hashes"]["sha256"] for file in told}
    (blackwell,) = (digest for name, digest in digests.items() if name.endswith("sm120.whl"))
    site = ("--preview-features", "wheel-variants", "--default-index", f"{url}/variants/")
    words = (*site, "--require-hashes", "-r", pinned(tmp_path, blackwell))
    ran = uv(tmp_path, tmp_path / "right", *words, sm="12.0")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "right" / "tinyext" / "__init__.py").read_text() == "ARCHS = ['12.0']\n"
    assert uv(tmp_path, tmp_path / "wrong", *words, sm="9.0").returncode != 0
    assert not (tmp_path / "wrong" / "tinyext").exists()
