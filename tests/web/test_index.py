from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from string import ascii_letters, digits

import pytest
from build_world import TAG
from house_builds import build
from web_site import Make, serve

from mmlock.resolve.closure.uv_find import find_uv
from mmlock.web.app import make_app
from mmlock.wheels.model import CheckStatus
from mmlock.wheels.simple_index import JSON
from mmlock.wheels.wheelhouse import Wheelhouse


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheelhouse:
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))
    return Wheelhouse(root=tmp_path / "house")


@pytest.mark.slow
def test_a_project_is_listed_with_all_that_clients_ask_for(make_site: Make, house: Wheelhouse) -> None:
    wheel = build(house, "2.11.0+cu130", ["12.0"])
    client = make_site(wheelhouses=(str(house.root),)).client
    assert client.get("/simple/", headers={"Accept": JSON}).json()["projects"] == [{"name": "tinyext"}]
    page = client.get("/simple/TinyExt/", headers={"Accept": JSON})
    assert page.headers["content-type"] == JSON
    assert page.json()["versions"] == ["1.0+pt2.11.0cu130"]
    (file,) = page.json()["files"]
    assert file["size"] == wheel.stat().st_size
    assert file["upload-time"] == "2026-01-02T03:04:05Z"
    assert file["requires-python"] == ">=3.9"
    assert file["yanked"] is False
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert file["hashes"] == {"sha256": digest}
    metadata = client.get(file["url"] + ".metadata").content
    assert file["core-metadata"] == {"sha256": hashlib.sha256(metadata).hexdigest()}
    whole = client.get(file["url"])
    assert whole.content == wheel.read_bytes()
    assert "immutable" in whole.headers["cache-control"]
    part = client.get(file["url"], headers={"Range": "bytes=-10"})
    assert (part.status_code, part.content) == (206, wheel.read_bytes()[-10:])
    assert client.get(file["url"], headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    text = client.get("/simple/tinyext/").text
    assert f"#sha256={digest}" in text
    assert 'data-requires-python="&gt;=3.9"' in text
    assert "pypi:repository-version" in text
    for path in (f"/files/{'0' * 64}/{wheel.name}", f"/files/{digest}/other.whl", "/simple/none/"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("archs", [["12.0", "../../../evil"], ["12.0\n", "a/b"]])
def test_what_was_recorded_of_a_build_leads_nowhere(
    archs: list[str], make_site: Make, house: Wheelhouse, tmp_path: Path
) -> None:
    """A variant's name is made of it, and becomes a file."""
    build(house, "2.11.0+cu130", archs)
    client = make_site(wheelhouses=(str(house.root),)).client
    before = {path for path in tmp_path.rglob("*evil*") if path.name.startswith("evil")}
    files = client.get("/variants/tinyext/", headers={"Accept": JSON}).json()["files"]
    assert all(set(file["filename"]) <= set(ascii_letters + digits + "._+-") for file in files)
    assert {path for path in tmp_path.rglob("*evil*") if path.name.startswith("evil")} == before


def test_a_wheel_whose_check_failed_is_yanked(make_site: Make, house: Wheelhouse) -> None:
    build(house, "2.11.0+cu130", ["12.0"], status=CheckStatus.FAILED)
    client = make_site(wheelhouses=(str(house.root),)).client
    (file,) = client.get("/simple/tinyext/", headers={"Accept": JSON}).json()["files"]
    assert file["yanked"] == "failed: loads"
    assert 'data-yanked="failed: loads"' in client.get("/simple/tinyext/").text


@pytest.mark.slow
def test_an_index_for_one_torch_and_cuda_has_no_other(make_site: Make, house: Wheelhouse) -> None:
    for torch in ("2.11.0+cu130", "2.1.0+cu121", "2.11.0+cpu"):
        build(house, torch, ["12.0"] if "cu130" in torch else [])
    client = make_site(wheelhouses=(str(house.root),)).client

    def versions(path: str) -> list[str]:
        return client.get(path, headers={"Accept": JSON}).json()["versions"]

    assert versions("/simple/cu130-torch2.11/tinyext/") == ["1.0+pt2.11.0cu130"]
    assert versions("/simple/cpu-torch2.11.0/tinyext/") == ["1.0+pt2.11.0cpu"]
    assert len(versions("/simple/tinyext/")) == 3
    assert client.get("/simple/cu130-torch2.1/tinyext/").status_code == 404
    assert client.get("/simple/nonsense/tinyext/").status_code == 404
    root = client.get("/simple/cu118-torch2.11/", headers={"Accept": JSON}).json()
    assert root["projects"] == []


@pytest.mark.slow
def test_variants_are_described_and_there_is_no_wheel_for_who_knows_none(
    make_site: Make, house: Wheelhouse
) -> None:
    build(house, "2.11.0+cu130", ["12.0"])
    build(house, "2.11.0+cu130", ["9.0+PTX"])
    client = make_site(wheelhouses=(str(house.root),)).client
    files = client.get("/variants/tinyext/", headers={"Accept": JSON}).json()["files"]
    wheels = [file for file in files if file["filename"].endswith(".whl")]
    assert all(file["filename"].count("-") == 6 for file in wheels)
    (document,) = [file for file in files if file not in wheels]
    body = client.get(document["url"])
    assert document["hashes"]["sha256"] == hashlib.sha256(body.content).hexdigest()
    assert document["filename"] == "tinyext-1.0+pt2.11.0cu130-variants.json"
    assert body.json()["variants"] == {
        "cu130_sm120": {"nvidia": {"sm_arch": ["120_real"], "cuda_version_lower_bound": ["13.0"]}},
        "cu130_sm90ptx": {
            "nvidia": {"sm_arch": ["90_real", "90_virtual"], "cuda_version_lower_bound": ["13.0"]}
        },
    }
    for file in wheels:
        assert hashlib.sha256(client.get(file["url"]).content).hexdigest() == file["hashes"]["sha256"]


@pytest.mark.slow
def test_uv_takes_the_variant_of_the_card_and_pip_takes_none(
    make_site: Make, house: Wheelhouse, tmp_path: Path
) -> None:
    build(house, "2.11.0+cu130", ["12.0"])
    build(house, "2.11.0+cu130", ["9.0"])
    uv = find_uv(os.environ)
    assert uv is not None
    stop, url = serve(make_app(make_site(wheelhouses=(str(house.root),)).service))

    def install(sm: str, *words: str) -> subprocess.CompletedProcess[str]:
        environ = {name: text for name, text in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
        environ |= {
            "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": sm,
            "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "13.0",
            "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
        }
        command = [
            uv.path, "pip", "install", "--no-config", "--target", str(tmp_path / f"at-{sm}"), "--python",
            sys.executable, "--python-version", f"{TAG[2]}.{TAG[3:]}", "--python-platform", "linux",
            "--default-index", f"{url}/variants/", *words,
        ]  # fmt: skip
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    try:
        for sm, arch in (("12.0", "12.0"), ("9.0", "9.0")):
            ran = install(sm, "--preview-features", "wheel-variants", "tinyext")
            assert ran.returncode == 0, ran.stderr
            assert (tmp_path / f"at-{sm}" / "tinyext" / "__init__.py").read_text() == f"ARCHS = ['{arch}']\n"
        refused = install("7.0", "--preview-features", "wheel-variants", "tinyext")
        assert refused.returncode != 0
        blind = install("8.0", "tinyext")
        assert blind.returncode != 0
        assert not (tmp_path / "at-8.0" / "tinyext").exists()
    finally:
        stop()
