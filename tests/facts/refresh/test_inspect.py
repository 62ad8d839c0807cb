"""A refresh that finds a new torch reads what its wheel holds, from parts of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from made_torch import torch_wheel

from mmlock.core.errors import UsageError
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import TorchBuild

if TYPE_CHECKING:
    from loopback_web import Web

Run = Callable[..., Any]

NAME = "torch-99.0.0%2Bcu130-cp312-cp312-manylinux_2_28_x86_64.whl"


@pytest.fixture
def run(refreshed: Run, web: Web) -> Run:
    """A refresh of a mirror of PyTorch's index with one new build."""
    link = f'<a href="/whl/cu130/{NAME}">x</a>'
    web.put("/whl/torch/", f"<!DOCTYPE html><html><body>{link}</body></html>".encode())
    places = {"pytorch": f"{web.root}/whl"}
    return lambda **asked: refreshed(only=("pytorch",), places=places, **asked)


def put(web: Web, data: bytes) -> None:
    web.put(f"/whl/cu130/{NAME}", data)


def build(matrices: Path) -> TorchBuild:
    (row,) = [row for row in Matrix(matrices).torch_builds if row.torch == "99.0.0"]
    return row


def wheels(report: Any) -> Any:
    (found,) = [one for one in report["indexes"] if one["name"] == "wheels"]
    return found


@pytest.mark.slow
def test_a_new_build_of_a_mirrored_index_is_read_there(run: Run, web: Web, matrices: Path) -> None:
    put(web, torch_wheel(version="99.0.0+cu130"))
    report = run()
    assert (wheels(report)["pages"], wheels(report)["warnings"]) == (1, [])
    row = build(matrices)
    assert (row.archs, row.ptx, row.cudart) == (("sm_80", "sm_90"), ("compute_90",), "libcudart.so.13")
    assert (row.cxx11_abi, row.glibc, str(row.confidence), row.unread) == (1, "2.28", "measured", ())
    assert row.source == ("pytorch", "elf"), "keys do not grow by day"
    received = wheels(report)["received"]
    assert 0 < received < len(torch_wheel()) * 3


@pytest.mark.slow
def test_what_was_read_is_not_read_again(run: Run, web: Web, matrices: Path) -> None:
    put(web, torch_wheel(version="99.0.0+cu130"))
    run()
    web.asked.clear()
    assert run(trust_removals=True)["changes"] == []
    assert not [path for path, _ in web.asked if path.endswith(".whl")]
    assert build(matrices).archs == ("sm_80", "sm_90")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"<html>Please sign in</html>", ""),
        (torch_wheel(version="99.0.0", cuda="12.8"), "says CUDA 12.8, its name CUDA 13.0"),
    ],
)
def test_what_cannot_be_read_or_believed_stays_unknown_and_is_told(
    run: Run, web: Web, matrices: Path, data: bytes, why: str
) -> None:
    put(web, data)
    (told,) = wheels(run())["warnings"]
    assert told.startswith("its contents stay unknown: torch-99.0.0+cu130-")
    assert why in told
    row = build(matrices)
    assert (row.archs, row.cxx11_abi) == (None, None)
    assert row.unread == ("archs", "cxx11-abi", "cudart")


@pytest.mark.slow
def test_older_rows_are_read_where_their_package_is_named(run: Run, web: Web, matrices: Path) -> None:
    put(web, b"out of order")
    run()
    put(web, torch_wheel(version="99.0.0+cu130"))
    web.asked.clear()
    run(trust_removals=True)
    assert build(matrices).archs is None
    report = run(trust_removals=True, inspect=("torch",))
    assert build(matrices).archs == ("sm_80", "sm_90")
    assert report["written"] == ["torch/builds.json"]


@pytest.mark.slow
def test_a_package_without_wheels_cannot_be_inspected(run: Run) -> None:
    with pytest.raises(UsageError, match="no facts about wheels of `mmdet`"):
        run(inspect=("mmdet",))
