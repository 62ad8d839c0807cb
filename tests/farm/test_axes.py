from __future__ import annotations

from pathlib import Path

import pytest
from solved import facts

from mmlock.core.errors import UsageError
from mmlock.core.farm_arguments import SweepArguments
from mmlock.core.names import Platform
from mmlock.farm.axes import Axes, parse_axes, resolve_axes, specifiers

FILE = Path("sweep.toml")


def test_a_file_names_each_axis() -> None:
    axes = parse_axes(
        'gpus = ["rtx5090"]\npythons = ["3.12"]\ntorch = ["2.11"]\nstacks = ["pose"]\n'
        'platform = "linux"\nallow-torch-ops = true\n',
        FILE,
    )

    assert axes == Axes(
        gpus=("rtx5090",),
        pythons=("3.12",),
        torches=("2.11",),
        stacks=("pose",),
        platform=Platform.LINUX_X86_64,
        allow_torch_ops=True,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gpu = []", "sweep.toml: gpu: unknown key"),
        ('gpus = "rtx5090"', "sweep.toml: gpus: must be a list of texts"),
        ("gpus = [1]", "sweep.toml: gpus: must be a list of texts"),
        ('platform = "amiga"', "`amiga` is not a platform"),
        ("allow-torch-ops = 1", "must be true or false"),
        ("gpus = [", "is not TOML"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_axes(text, FILE)

    assert said in str(error.value.lines())


def test_an_axis_that_nobody_names_is_all_that_the_facts_know() -> None:
    axes = resolve_axes(facts(), Axes(), SweepArguments())

    assert set(axes.stacks) == {stack.name for stack in facts().stacks}
    assert axes.gpus[-1] == "cpu"
    assert len(axes.gpus) == len(facts().gpus) + 1
    assert len(axes.torches) == len(set(axes.torches)) > 1
    assert axes.pythons


def test_the_command_line_replaces_an_axis_of_the_file() -> None:
    axes = resolve_axes(facts(), Axes(gpus=("a100",), stacks=("pose",)), SweepArguments(gpus=("t4",)))

    assert (axes.gpus, axes.stacks) == (("t4",), ("pose",))


def test_a_stack_that_nobody_knows_is_named() -> None:
    with pytest.raises(UsageError, match="unknown stack `kitchen`"):
        resolve_axes(facts(), Axes(), SweepArguments(stacks=("kitchen",)))


def test_torches_mean_what_they_mean_to_a_solve() -> None:
    axes = Axes(torches=("2.11", "2.9.1+cu128", ">=2.6"))

    assert specifiers(axes) == ("==2.11.*", "==2.9.1+cu128", ">=2.6")
