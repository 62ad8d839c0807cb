"""Files of one version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mmlock.core.names import PackageName
from mmlock.net.http import Client
from mmlock.net.lookup import LookupFault, LookupKind, file_version, find_files

if TYPE_CHECKING:
    from loopback_web import Reply, Web

TORCH = PackageName("torch")
PAGE = "".join(
    f'<a href="{name}">x</a>'
    for name in (
        "torch-2.1.2%2Bcpu-cp310-cp310-linux_x86_64.whl",
        "torch-2.1.2-cp310-cp310-manylinux1_x86_64.whl",
        "torch-2.1.2.tar.gz",
        "torch-2.1.20-cp310-cp310-manylinux1_x86_64.whl",
        "torchvision-2.1.2-cp310-cp310-manylinux1_x86_64.whl",
        "torch-nonsense.whl",
    )
)


def test_files_of_that_very_version(web: Web, client: Client) -> None:
    web.put("/simple/torch/", PAGE.encode())
    plain = find_files(client, web.root + "/simple", TORCH, "2.1.2")
    assert [file.name for file in plain] == [
        "torch-2.1.2-cp310-cp310-manylinux1_x86_64.whl",
        "torch-2.1.2.tar.gz",
    ]
    (local,) = find_files(client, web.root + "/simple/", TORCH, "2.1.2+cpu")
    assert local.name == "torch-2.1.2+cpu-cp310-cp310-linux_x86_64.whl"


def test_an_index_may_answer_in_json(web: Web, client: Client, reply: type[Reply]) -> None:
    rows = [{"filename": "torch-1.tar.gz", "url": "t/torch-1.tar.gz", "hashes": {}}]
    page = reply(
        body=json.dumps({"meta": {"api-version": "1.0"}, "files": rows}).encode(),
        headers={"Content-Type": "application/vnd.pypi.simple.v1+json"},
    )
    web.put("/simple/torch/", page)
    (file,) = find_files(client, web.root + "/simple", TORCH, "1")
    assert file.url == web.root + "/simple/torch/t/torch-1.tar.gz"
    assert web.asked[0][1]["Accept"].startswith("application/vnd.pypi.simple.v1+json")


def test_faults_say_which(web: Web, client: Client, reply: type[Reply]) -> None:
    def kind(version: str = "1") -> LookupKind:
        found = find_files(client, web.root, TORCH, version)
        assert isinstance(found, LookupFault)
        assert web.root in found.text
        return found.kind

    assert kind() is LookupKind.NOT_FOUND
    web.put("/torch/", PAGE.encode())
    assert kind("9.9") is LookupKind.NOT_FOUND
    web.put("/torch/", b"<h1>welcome</h1>")
    assert kind() is LookupKind.BAD_PAGE
    web.put("/torch/", reply(status=403))
    assert kind() is LookupKind.UNREACHABLE
    web.put("/torch/", reply(status=500))
    assert kind() is LookupKind.UNREACHABLE


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("mmcv_full-1.7.2-cp38-cp38-manylinux1_x86_64.whl", "1.7.2"),
        ("mmcv-full-1.7.2.tar.gz", "1.7.2"),
        ("mmcv-full-1.7.2.zip", "1.7.2"),
        ("mmcv-1.7.2.tar.gz", None),
        ("mmcv-full-1.7.2.exe", None),
    ],
)
def test_versions_are_read_from_names(name: str, version: str | None) -> None:
    found = file_version(name, PackageName("mmcv-full"))
    assert (str(found) if found else None) == version
