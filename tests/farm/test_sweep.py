from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from made_sweeps import REFUSED, WHEEL, group, real, sweep
from msgspec.structs import replace
from solved import facts, solved

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.farm_arguments import SweepArguments
from mmlock.core.names import Form
from mmlock.farm.axes import Axes, resolve_axes
from mmlock.farm.sweep import answer, points, questions, read_sweep, states, task_of
from mmlock.farm.tables import as_json
from mmlock.resolve.loop.grid import CellState
from mmlock.resolve.loop.sweep import Stop


def asked(*gpus: str, stacks: tuple[str, ...] = ("openmmlab",)) -> Axes:
    more = SweepArguments(gpus=gpus, pythons=("3.12",), torches=("2.11",), stacks=stacks)
    return resolve_axes(facts(), Axes(), more)


def test_a_point_is_what_the_core_of_a_solve_decides() -> None:
    found = real(("rtx5090",), ("3.10",), ("2.11",), ("openmmlab",))
    one = solved("mmengine", "mmcv", "mmdet", "mmsegmentation", gpu="rtx5090", python="3.10", torch="2.11")

    (point,) = points(found)

    assert point.answer.torch == f"{one.solution.torch.torch}+{one.solution.torch.variant}"
    told = {chosen.name: chosen.version for chosen in point.answer.packages}
    assert told == {o.package: o.version for o in one.solution.packages() if o.slot != "torch" and o.version}
    assert [c.name for c in point.answer.packages if c.form is Form.BUILD] == ["mmcv"]


@pytest.mark.parametrize(
    ("gpu", "python", "torch", "stop"),
    [
        ("rtx5090", "3.10", "2.1", Stop.DEVICE),
        ("rtx5090", "3.8", "2.11", Stop.PYTHON),
        ("rtx5090", "3.12", "2.11.0+cu118", Stop.TORCH_ABSENT),
        ("Graphcore IPU", "3.12", "2.11", Stop.DEVICE_UNSERVED),
    ],
)
def test_a_refusal_says_what_stands_first_against_it(gpu: str, python: str, torch: str, stop: Stop) -> None:
    (point,) = points(real((gpu,), (python,), (torch,), ("openmmlab",)))

    assert (point.answer.state, point.answer.stop) == (CellState.REFUSED, stop)


def test_where_nobody_read_the_code_of_a_torch_the_answer_is_not_known() -> None:
    builds = {
        f"{b.torch}+{b.variant}"
        for b in facts().torch_builds
        if b.platform == "linux_x86_64" and b.cuda and b.archs is None
    }
    if not builds:
        pytest.skip("all torch builds were read")
    torch = max(builds)
    pythons = next(b.pythons for b in facts().torch_builds if f"{b.torch}+{b.variant}" == torch)

    (point,) = points(
        real(("t4",), (next(p for p in pythons if not p.endswith("t")),), (torch,), ("openmmlab",))
    )

    assert point.answer.state is CellState.UNKNOWN


def test_devices_with_the_same_code_are_one_question() -> None:
    found = questions(facts(), asked("rtx5090", "rtx5080", "a100", stacks=("openmmlab", "pose")), mmlock="1")

    assert [(words, question.stack) for question, words, _ in found] == [
        (("rtx5090", "rtx5080"), "openmmlab"),
        (("rtx5090", "rtx5080"), "pose"),
        (("a100",), "openmmlab"),
        (("a100",), "pose"),
    ]


def test_a_board_and_a_card_of_one_arch_are_two_questions() -> None:
    platforms = {row.name: row.platform for row in facts().boards}
    assert platforms, "the facts name no boards"
    found = questions(facts(), asked("sm_87", "a100"), mmlock="1")

    assert len(found) == 2


def test_other_facts_or_another_mmlock_make_another_task() -> None:
    (question, _, _) = questions(facts(), asked("a100"), mmlock="1")[0]

    same = task_of(question).key
    assert task_of(replace(question, matrix="f" * 64)).key != same
    assert task_of(replace(question, mmlock="2")).key != same
    assert task_of(replace(question)).key == same


def test_a_worker_with_other_facts_refuses() -> None:
    (question, _, _) = questions(facts(), asked("a100"), mmlock="1")[0]

    with pytest.raises(EnvironmentFault, match="facts of this worker"):
        answer(facts(), replace(question, matrix="f" * 64))


def test_an_unknown_device_is_named() -> None:
    with pytest.raises(UsageError, match="rtx9999"):
        questions(facts(), asked("rtx9999"), mmlock="1")


def test_a_sweep_is_read_as_it_was_written() -> None:
    made = sweep(group("a100", (WHEEL, REFUSED)), pythons=("3.10",), torches=("2.1", "2.0"))

    assert read_sweep(as_json(made), Path("sweep.json")) == made
    assert states(made) == {CellState.WHEEL: 1, CellState.REFUSED: 1}


@pytest.mark.parametrize("spoil", ["short row", "no group", "schema", "not JSON", "deep"])
def test_a_file_that_is_no_whole_sweep_is_refused(spoil: str) -> None:
    made = sweep(group("a100", (WHEEL, REFUSED)), pythons=("3.10",), torches=("2.1", "2.0"))
    bad = {
        "short row": lambda: as_json(replace(made, groups=(group("a100", (WHEEL,)),))),
        "no group": lambda: as_json(replace(made, groups=())),
        "schema": lambda: as_json(replace(made, schema=2)),
        "not JSON": lambda: b"{",
        "deep": lambda: b"[" * 100_000,
    }[spoil]()

    with pytest.raises(UsageError, match=r"`sweep\.json` is not a sweep"):
        read_sweep(bad, Path("sweep.json"))


@pytest.mark.slow
def test_the_json_says_an_answer_once_for_all_devices_that_are_alike() -> None:
    found = real(("rtx5090", "rtx5080"), ("3.12",), ("2.11",), ("openmmlab",))

    document = msgspec.json.decode(as_json(found))
    assert len(document["groups"]) == 1
    assert len(list(points(found))) == 2
