"""`mmlock gpus` and a solve never disagree on which torch a device runs: asked of every device there is."""

from __future__ import annotations

from functools import cache

import pytest
from solved import Solved, facts, solved

from mmlock.core.device import Code, Device, code_for
from mmlock.facts.devices.cudnn import dropping_cudnn
from mmlock.facts.devices.find import NoDevice, find_device
from mmlock.facts.devices.support import RUNS, code_in, torch_support
from mmlock.facts.matrix.model import TorchBuild
from mmlock.report.gpus import device_view
from mmlock.resolve.graph.rows import ConstraintKind, TorchBuildChoice

Build = tuple[str, str, str]


def boards() -> list[str]:
    """One name for each chip and each board with a processor of its own, among all that are known."""
    found: dict[tuple[str, str], str] = {}
    for gpu in facts().gpus:
        view = device_view(facts(), gpu.name)
        assert view.support is not None, gpu.name
        found.setdefault((gpu.sm, view.support.platform), gpu.name)
    return sorted(found.values())


@cache
def answer(name: str) -> Solved:
    return solved("torch", gpu=name)


def build_key(build: TorchBuild) -> Build:
    return build.torch, build.variant, build.platform


def taken(name: str) -> set[Build]:
    """The builds of torch that a solve may take for a device."""
    one = answer(name)
    allowed = [
        members
        for constraint in one.rows.user_constraints
        if constraint.kind is ConstraintKind.DEVICE
        for slot, members in constraint.parts
        if slot == "torch"
    ]
    return {
        build_key(option.choice.build)
        for option in one.rows.slot_options("torch")
        if isinstance(option.choice, TorchBuildChoice) and all(option.index in group for group in allowed)
    }


def shown(name: str) -> set[Build]:
    """The builds that `mmlock gpus` counts as running, on the platform that it names."""
    view = device_view(facts(), name)
    assert view.support is not None
    device, platform = view.device, view.support.platform
    return {
        build_key(build)
        for build in facts().torch_builds
        if build.platform is platform and build.cuda is not None and code_in(facts(), build, device) in RUNS
    }


def named(name: str) -> Device:
    device = find_device(facts(), name)
    assert not isinstance(device, NoDevice)
    return device


@pytest.mark.slow
def test_every_board_is_offered_the_builds_that_it_is_told_of() -> None:
    names = boards()
    assert len(names) > 20
    differing = {name: shown(name) ^ taken(name) for name in names}
    assert {name: builds for name, builds in differing.items() if builds} == {}


@pytest.mark.slow
def test_every_board_is_looked_at_on_the_platform_that_a_solve_takes() -> None:
    for name in boards():
        support = device_view(facts(), name).support
        assert support is not None
        assert support.platform is answer(name).asked.target.platform, name


@pytest.mark.slow
def test_the_first_and_the_last_torch_of_a_board_can_be_solved_and_what_is_beyond_cannot() -> None:
    releases = sorted(
        {row.torch for row in facts().torch_builds}, key=lambda t: tuple(map(int, t.split(".")))
    )
    for name in boards():
        support = device_view(facts(), name).support
        assert support is not None
        if support.any_variant is None:
            assert answer(name).found is None, name
            continue
        first, last = support.any_variant.first, support.any_variant.last
        assert solved(f"torch=={first}", gpu=name).found is not None, (name, first)
        assert solved(f"torch=={last}", gpu=name).found is not None, (name, last)
        for beyond in (*releases[: releases.index(first)][-1:], *releases[releases.index(last) + 1 :][:1]):
            assert solved(f"torch=={beyond}", gpu=name).found is None, (name, beyond)


@pytest.mark.slow
def test_a_board_that_its_cudnn_has_dropped_is_told_so_by_both() -> None:
    """Code alone is not enough: torch starts there, and the first convolution fails."""
    name = "Tesla K80"
    support = torch_support(facts(), named(name))
    dropped = {
        build_key(row)
        for row in facts().torch_builds
        if row.platform is support.platform
        and row.cuda is not None
        and code_for(named(name), row.archs, row.ptx) in {Code.NATIVE, Code.PTX}
        and dropping_cudnn(facts(), row, named(name)) is not None
    }
    assert dropped, "the facts have builds with code for it whose cuDNN has none"
    assert not dropped & shown(name)
    assert not dropped & taken(name)
