"""What was validated counts for a target when it ran on every GPU of the target."""

from __future__ import annotations

import hashlib

import pytest
from msgspec.structs import replace
from solved import facts, request

from mmlock.core.names import DeviceKind, Platform, Sha256
from mmlock.facts.matrix.model import Validation
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.loop.loop import graph_request
from mmlock.resolve.loop.nogoods import LoopState
from mmlock.resolve.request.interpret import interpret


def on_gpus(*archs: str) -> Validation:
    """As if the validated detection lock had run on these."""
    row = next(row for row in facts().validations if row.stack == "detection")
    return replace(row, kind=DeviceKind.CUDA, archs=archs, torch="2.11.0", variant="cu130", python="3.12")


def named(row: Validation) -> Validation:
    """With a digest of its own: a validation is known by its lock."""
    return replace(row, lock=Sha256(hashlib.sha256(repr(row).encode()).hexdigest()))


def counted(row: Validation, *gpus: str, **more: object) -> bool:
    row = named(row)
    asked = interpret(facts(), request("mmcv", "mmdet", gpu=gpus, **more))  # type: ignore[arg-type]
    graph = build_graph(facts(), replace(graph_request(asked, LoopState()), validations=(row,)))
    return any(one.row == row for one in graph.validated)


@pytest.mark.parametrize(
    ("ran", "gpus", "counts"),
    [
        (("sm_90",), ("h100",), True),
        (("sm_90", "sm_120"), ("h100", "rtx5090"), True),
        (("sm_80", "sm_90", "sm_120"), ("h100", "rtx5090"), True),
        (("sm_90",), ("h100", "rtx5090"), False),
        (("sm_120",), ("h100", "rtx5090"), False),
        (("sm_90",), ("rtx5090",), False),
        ((), ("h100",), False),
    ],
)
def test_a_validation_counts_where_it_ran_on_all_gpus_of_the_target(
    ran: tuple[str, ...], gpus: tuple[str, ...], *, counts: bool
) -> None:
    assert counted(on_gpus(*ran), *gpus) is counts


def test_a_validation_elsewhere_does_not_count() -> None:
    assert not counted(replace(on_gpus("sm_90"), platform=Platform.LINUX_AARCH64), "h100")
    assert not counted(replace(on_gpus("sm_90"), kind=DeviceKind.CPU), "h100")
    assert not counted(replace(on_gpus("sm_90"), torch="1.0.0"), "h100"), "a combination that cannot be made"
