"""Wheels whose index states no hash, given on by ours once a build fetched and checked them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import pytest
from loopback_web import Web, web
from made_wheels import FILES, NAME, unsealed, whole_wheel
from web_site import Make

from mmlock.app.changing import build
from mmlock.core.build_arguments import BuildArguments
from mmlock.core.errors import EnvironmentFault
from mmlock.lock.model import LockedEnv
from mmlock.lock.write import write_lock
from mmlock.wheels.simple_index import JSON

__all__ = ["web"]
DATA = whole_wheel(NAME, FILES)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "house"


def fetched(web: Web, house: Path, data: bytes = DATA) -> LockedEnv:
    """The lock whose fetch step brought the wheel into the wheelhouse."""
    env = unsealed(web.put(f"/whl/{NAME}", data))
    lock = house.parent / "lock"
    write_lock(env, lock)
    build(BuildArguments(lock=lock, wheelhouse=house))
    return env


def of(env: LockedEnv) -> str:
    """The index for the torch and CUDA of a lock."""
    release, _, variant = env.torch.partition("+")
    return f"/simple/{variant}-torch{release}/"


def files(found: httpx.Response) -> list[dict[str, object]]:
    return found.json()["files"] if found.status_code == 200 else []


@pytest.mark.slow
def test_a_wheel_that_was_fetched_is_listed_with_its_hash_for_its_torch_alone(
    make_site: Make, web: Web, house: Path
) -> None:
    env = fetched(web, house)
    client = make_site(wheelhouses=(str(house),)).client
    (file,) = files(client.get(f"{of(env)}mmcv/", headers={"Accept": JSON}))
    digest = hashlib.sha256(DATA).hexdigest()
    assert (file["filename"], file["hashes"]) == (NAME, {"sha256": digest})
    assert str(file["upload-time"]).endswith("Z")
    assert client.get(str(file["url"])).content == DATA
    metadata = client.get(f"{file['url']}.metadata")
    assert file["core-metadata"] == {"sha256": hashlib.sha256(metadata.content).hexdigest()}
    for elsewhere in ("/simple/", "/variants/", "/simple/cu118-torch1.13/"):
        assert files(client.get(f"{elsewhere}mmcv/", headers={"Accept": JSON})) == []


@pytest.mark.slow
def test_a_wheel_that_was_refused_is_given_to_nobody(make_site: Make, web: Web, house: Path) -> None:
    evil = whole_wheel(NAME, {**FILES, "evil.pth": b"import os"})
    with pytest.raises(EnvironmentFault):
        fetched(web, house, evil)
    site = make_site(wheelhouses=(str(house),))
    assert site.client.get(f"/files/{hashlib.sha256(evil).hexdigest()}/{NAME}").status_code == 404
    assert not list(house.rglob("accepted/*"))


@pytest.mark.slow
def test_a_fetched_wheel_whose_bytes_changed_is_not_sent(make_site: Make, web: Web, house: Path) -> None:
    env = fetched(web, house)
    (path,) = house.rglob(NAME)
    path.chmod(0o600)
    path.write_bytes(bytes(len(DATA)))
    client = make_site(wheelhouses=(str(house),)).client
    digest = hashlib.sha256(DATA).hexdigest()
    assert client.get(f"/files/{digest}/{NAME}").status_code == 500
    path.unlink()
    assert files(client.get(f"{of(env)}mmcv/", headers={"Accept": JSON})) == []


@pytest.mark.slow
def test_a_note_that_names_another_file_leads_nowhere(make_site: Make, web: Web, house: Path) -> None:
    env = fetched(web, house)
    (note,) = house.rglob("accepted/*.json")
    secret = house.parent / "secret"
    secret.write_bytes(bytes(len(DATA)))
    note.write_text(note.read_text().replace(f'"{NAME}"', '"../../../../secret"'))
    client = make_site(wheelhouses=(str(house),)).client
    assert files(client.get(f"{of(env)}mmcv/", headers={"Accept": JSON})) == []
