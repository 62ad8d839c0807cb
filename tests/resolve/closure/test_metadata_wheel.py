"""Core nodes as files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.utils import parse_wheel_filename

from mmlock.core.names import PackageName
from mmlock.resolve.closure.metadata_wheel import place_wheels, wheel_bytes, wheel_name
from mmlock.resolve.closure.model import CoreNode


@pytest.fixture
def node() -> CoreNode:
    return CoreNode(
        name=PackageName("mmcv-full"),
        version="1.7.2+pt2.0.0cu118",
        requires=("numpy<2", 'pytest; extra == "tests"'),
        requires_python=">=3.8",
    )


def test_the_file_says_what_the_node_says(node: CoreNode) -> None:
    name, version, _, _ = parse_wheel_filename(wheel_name(node))
    assert (name, str(version)) == ("mmcv-full", "1.7.2+pt2.0.0cu118")
    with zipfile.ZipFile(io.BytesIO(wheel_bytes(node))) as archive:
        (member,) = [entry for entry in archive.namelist() if entry.endswith("/METADATA")]
        metadata = Metadata.from_email(archive.read(member))
        record = archive.read(member.replace("METADATA", "RECORD")).decode()
    assert [str(item) for item in metadata.requires_dist or ()] == ["numpy<2", 'pytest; extra == "tests"']
    assert metadata.provides_extra == ["tests"]
    assert str(metadata.requires_python) == ">=3.8"
    assert all(entry.split(",")[0] in record for entry in archive.namelist())


def test_the_same_node_gives_the_same_bytes_and_the_same_place(node: CoreNode, tmp_path: Path) -> None:
    assert wheel_bytes(node) == wheel_bytes(node)
    (line,) = place_wheels([node], tmp_path)
    assert place_wheels([node], tmp_path) == (line,)
    assert line.startswith("mmcv-full @ file:///")
    assert line.endswith("mmcv_full-1.7.2%2Bpt2.0.0cu118-py3-none-any.whl")
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_a_half_written_file_is_written_again(node: CoreNode, tmp_path: Path) -> None:
    place_wheels([node], tmp_path)
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    path.write_bytes(b"PK")
    place_wheels([node], tmp_path)
    assert path.read_bytes() == wheel_bytes(node)
