"""Breakages, dead builds, kept versions and validated combinations, on options made by hand."""

from __future__ import annotations

from typing import Any

import pytest
from made_graph import (
    CPU,
    LINUX,
    MadeFacts,
    binary,
    builder,
    cuda_device,
    put_binaries,
    put_pythons,
    put_releases,
    put_torch,
    release,
    torch_build,
)

from mmlock.core.device import Device
from mmlock.core.names import Confidence, DeviceKind, Form, PackageName, Platform, Sha256
from mmlock.core.target import Target
from mmlock.facts.matrix.curated import Breakage, When
from mmlock.facts.matrix.model import IndexRow, Validation
from mmlock.resolve.graph.break_rows import (
    add_incompatibilities,
    cuda_of,
    matches,
    on_gpu,
    prime_incompatibilities,
)
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.dead_rows import add_dead_links
from mmlock.resolve.graph.packages import SlotCatalog
from mmlock.resolve.graph.preferred_rows import add_preferences
from mmlock.resolve.graph.request import LateBreakage
from mmlock.resolve.graph.rows import IndexChoice, LinkKind, NothingChoice, ReleaseChoice
from mmlock.resolve.graph.validated_rows import add_validated


def when(package: str, versions: str = "", **more: Any) -> When:
    return When(package=PackageName(package), versions=versions, **more)


def breakage(*conditions: When, name: str = "breaks", dead: bool = False) -> Breakage:
    return Breakage(
        id=name,
        title="it dies",
        when=conditions,
        symptom="a fault",
        fix="take another",
        source=("issue",),
        confidence=Confidence.CAPTURED,
        dead=dead,
    )


def graph(*breaks: Breakage, device: Device | None = None, **more: Any) -> GraphBuilder:
    """0-1 Pythons, 2-4 torch (CUDA 12.1, 11.8, none), 5-6 mmcv, 7 a build of it, 8 none, 9 torchvision."""
    made = builder(MadeFacts({"breaks": breaks, "verdicts": ()}), device or cuda_device(), **more)
    put_pythons(made, "3.12", "3.8")
    put_torch(made, torch_build(), torch_build("2.4.1", "cu118"), torch_build("2.3.0", "cpu"))
    put_releases(made, "mmcv", release("2.1.0"), release("2.0.0"))
    made.option(
        "mmcv",
        "mmcv 2.1.0 build",
        ReleaseChoice(release=release("2.1.0")),
        form=Form.BUILD,
        package=PackageName("mmcv"),
        version="2.1.0",
    )
    made.option("mmcv", "no mmcv", NothingChoice(), form=Form.LEFT_OUT)
    put_binaries(made, binary("torchvision", "0.19.1", cuda="12.1"))
    return made


def groups(made: GraphBuilder) -> list[tuple[frozenset[int], ...]]:
    catalog = SlotCatalog(made)
    prime_incompatibilities(made, catalog)
    add_incompatibilities(made, catalog)
    return [one.groups for one in made.incompatibilities]


@pytest.mark.parametrize(
    ("condition", "members"),
    [
        (when("python", "<3.9"), {1}),
        (when("torch", "==2.4.*"), {2, 3}),
        (when("torch", cuda="==12.*"), {2}),
        (when("torch", cuda="<1"), {4}),  # no CUDA is below every one
        (when("mmcv"), {5, 6, 7}),
        (when("mmcv", ">=2.1"), {5, 7}),
        (when("mmcv", form=Form.BUILD), {7}),
        (when("mmcv", form=Form.WHEEL), {5, 6}),
        (when("torchvision", cuda="==12.1"), {9}),
        (when("torchvision", cuda="==11.8"), None),
        (when("mmcv", ">9"), None),
        (when("mmdet"), None),  # decided, and not in this graph
        (when("gpu", ">=8"), ()),
        (when("gpu", ">=9"), None),
        (when("numpy"), None),
    ],
)
def test_a_condition_speaks_of_some_options(condition: When, members: Any) -> None:
    expected = [] if members is None else [(frozenset(members),) if members else ()]
    assert groups(graph(breakage(condition))) == expected


def test_every_condition_must_be_met_for_a_breakage_to_happen() -> None:
    both = breakage(when("python", "<3.9"), when("gpu", ">=8"), when("mmcv", ">=2.1"))
    assert groups(graph(both)) == [(frozenset({1}), frozenset({5, 7}))]
    other = breakage(when("numpy"), name="other")
    never = breakage(when("python", "<3.9"), when("mmcv", ">9"), name="never")
    assert groups(graph(other, never, both)) == [(frozenset({1}), frozenset({5, 7}))]


@pytest.mark.parametrize(
    ("condition", "pin", "there"),
    [
        (when("numpy"), None, True),
        (when("numpy", ">=2"), "2.1", True),
        (when("numpy", ">=2"), "1.26", False),
        (when("numpy", ">=2"), None, False),  # nobody knows which
        (when("scipy"), "1.0", False),
    ],
)
def test_an_ordinary_package_counts_where_it_is_in_any_environment(
    condition: When, pin: str | None, *, there: bool
) -> None:
    made = graph(breakage(when("mmcv"), condition), present=frozenset({(PackageName("numpy"), pin)}))
    assert groups(made) == ([(frozenset({5, 6, 7}),)] if there else [])


def test_where_ordinary_packages_were_seen_to_bring_it_about() -> None:
    late = LateBreakage(
        breakage="breaks",
        python=("python", "python 3.12"),
        bringers=(frozenset({("mmcv", "mmcv 2.0.0")}), frozenset()),
        excepted=(frozenset({("torch", "torch 2.4.1+cu118"), ("mmcv", "mmcv 2.1.0")}),),
    )
    others = (
        LateBreakage(breakage="another", python=late.python, bringers=()),
        LateBreakage(breakage="breaks", python=("python", "python 2.7"), bringers=()),
    )
    made = graph(breakage(when("torch"), when("numpy")), late_breakages=(*others, late))
    every = frozenset(range(10))
    assert groups(made) == [(frozenset({2, 3, 4}), frozenset({0}), frozenset({6}), every - {3, 5})]


@pytest.mark.parametrize(
    ("device", "there"),
    [
        (cuda_device("sm_90"), True),
        (cuda_device("sm_80"), False),
        (CPU, False),
        (Device(kind=DeviceKind.CUDA, name="some card"), False),
        (Device(kind=DeviceKind.ROCM, name="MI300", arch="sm_90"), False),
    ],
)
def test_a_gpu_counts_by_its_capability(device: Device, *, there: bool) -> None:
    target = Target(devices=(device,), platform=LINUX, glibc=None)
    assert on_gpu(target, when("gpu", "==9.0")) is there


def test_one_gpu_of_several_is_enough() -> None:
    target = Target(devices=(cuda_device("sm_80"), cuda_device("sm_90")), platform=LINUX, glibc=None)
    assert on_gpu(target, when("gpu", "==9.0"))
    assert not on_gpu(target, when("gpu", "==7.0"))


def test_the_cuda_of_a_wheel_of_openmmlab_is_that_of_its_directory() -> None:
    made = graph()

    def of(directory: str) -> str | None:
        row = IndexRow(
            directory=directory,
            package=PackageName("mmcv"),
            platform=LINUX,
            versions=("2.1.0",),
            pythons_seen=("3.10",),
            pythons_inferred=(),
            source=("index",),
            confidence=Confidence.MEASURED,
        )
        index = made.option(
            "mmcv",
            directory,
            IndexChoice(row=row, release=None, inferred_python=False),
            form=Form.WHEEL,
            package=PackageName("mmcv"),
            version="2.1.0",
        )
        return cuda_of(made.options[index])

    assert of("cu118/torch2.0.0") == "11.8"
    assert of("cpu/torch2.0.0") is None
    assert cuda_of(made.options[2]) == "12.1"
    assert cuda_of(made.options[9]) == "12.1"
    assert cuda_of(made.options[5]) is None
    assert not matches(made.options[8], when("mmcv"))
    assert not matches(made.options[5], when("torch"))


# ---------------------------------------------------------------- dead with some torch


def dead_links(*facts: Breakage, devices: tuple[Device, ...] = (cuda_device(),)) -> dict[int, frozenset[int]]:
    made = graph(*facts)
    made.request = builder(MadeFacts({}), *devices).request
    add_dead_links(made, SlotCatalog(made))
    assert all(link.kind is LinkKind.DEAD and link.slot == "torch" and link.hard for link in made.links)
    assert all(link.reason == "it dies (a fault); take another" for link in made.links)
    assert all(link.source == ("breaks#issue",) for link in made.links)
    found = {link.option: link.members for link in made.links}
    assert len(found) == len(made.links)
    return found


GPU = when("gpu", "==8.0")
MMCV = when("mmcv", ">=2.1", form=Form.WHEEL)
TORCH = when("torch", "==2.4.*")


def test_what_is_dead_with_some_torch_needs_another_one() -> None:
    assert dead_links(breakage(GPU, MMCV, TORCH, dead=True)) == {5: {4}}
    assert dead_links(breakage(TORCH, MMCV, GPU, dead=True)) == {5: {4}}


def test_two_devices_say_it_once_and_the_first_does_not_hide_the_second() -> None:
    fact = breakage(GPU, MMCV, TORCH, dead=True)
    assert dead_links(fact, devices=(cuda_device(), cuda_device(name="another A100"))) == {5: {4}}
    assert dead_links(fact, devices=(cuda_device("sm_90"), cuda_device())) == {5: {4}}
    assert dead_links(fact, devices=(Device(kind=DeviceKind.CUDA, name="?"), cuda_device())) == {5: {4}}


@pytest.mark.parametrize(
    "fact",
    [
        breakage(GPU, MMCV, TORCH),
        breakage(GPU, MMCV, dead=True),  # dead with any torch: no link can help
        breakage(MMCV, TORCH, dead=True),
        breakage(when("gpu", "==9.0"), MMCV, TORCH, dead=True),
        breakage(GPU, when("gpu", "==9.0"), MMCV, TORCH, dead=True),
        breakage(GPU, when("mmdet"), TORCH, dead=True),
        breakage(GPU, when("numpy"), TORCH, dead=True),
    ],
)
def test_other_facts_link_nothing_and_do_not_hide_the_next(fact: Breakage) -> None:
    assert dead_links(fact) == {}
    second = breakage(GPU, MMCV, TORCH, name="second", dead=True)
    assert dead_links(fact, second) == {5: {4}}


def test_dead_code_of_cuda_is_asked_of_cuda_devices_alone() -> None:
    fact = breakage(GPU, MMCV, TORCH, dead=True)
    assert dead_links(fact, devices=(Device(kind=DeviceKind.ROCM, name="MI", arch="sm_80"),)) == {}


# ---------------------------------------------------------------- kept versions


@pytest.mark.parametrize(
    ("name", "text", "who"),
    [
        ("mmcv", "2.0.0", {5, 7}),
        ("mmcv", "2.0.0+cu118", {5, 7}),
        ("mmcv", "7.0", set()),  # not among the options: forgotten
        ("mmcv", "unreadable", set()),
        ("numpy", "1.0", set()),
        ("python", "3.8", {0}),
        ("torch", "2.4.1", {4}),
        ("torch", "2.4.1+cu118", {2, 4}),
        ("torch", "2.4.1+cu999", set()),
    ],
)
def test_another_version_than_the_lock_has_pays(name: str, text: str, who: set[int]) -> None:
    made = graph(preferences=((PackageName(name), text),))
    add_preferences(made)
    assert made.kept == dict.fromkeys(who, 1)


def test_what_cannot_be_kept_does_not_hide_the_next() -> None:
    kept = (("numpy", "1.0"), ("mmcv", "7.0"), ("torch", "2.3.0"))
    made = graph(preferences=tuple((PackageName(name), text) for name, text in kept))
    add_preferences(made)
    assert made.kept == {2: 1, 3: 1}


# ---------------------------------------------------------------- validated combinations


def validation(**more: Any) -> Validation:
    given: dict[str, Any] = {
        "lock": Sha256("ab" * 32),
        "verdict": Sha256("cd" * 32),
        "stack": "a",
        "kind": DeviceKind.CUDA,
        "archs": ("sm_80",),
        "platform": LINUX,
        "machine": "A100",
        "python": "3.12",
        "torch": "2.4.1",
        "variant": "cu118",
        "packages": {PackageName("mmcv"): "2.1.0", PackageName("torchvision"): "0.19.1+cu118"},
        "built": (),
        "passed": 1,
        "skipped": 0,
        "day": "2026-01-01",
        "source": ("verdict",),
        "confidence": Confidence.MEASURED,
    }
    return Validation(**{**given, **more})


def proven(*rows: Validation) -> list[tuple[frozenset[int], ...]]:
    made = graph(validations=rows)
    add_validated(made)
    return [one.groups for one in made.validated]


def test_a_validated_combination_is_one_group_for_each_slot_with_a_choice() -> None:
    # An empty slot takes nothing away, and torchvision has one option alone.
    assert proven(validation()) == [(frozenset({0}), frozenset({3}), frozenset({5, 8}))]


@pytest.mark.parametrize(
    ("more", "mmcv"),
    [
        ({"built": (PackageName("mmcv"),)}, {7, 8}),
        ({"packages": {PackageName("mmcv"): "2.0.0+x", PackageName("torchvision"): "0.19.1"}}, {6, 8}),
        ({"packages": {PackageName("torchvision"): "0.19.1"}}, {8}),
        ({"packages": {PackageName("mmcv"): "9", PackageName("torchvision"): "0.19.1"}}, {8}),
    ],
)
def test_it_is_told_by_version_and_by_what_was_built(more: dict[str, Any], mmcv: set[int]) -> None:
    assert proven(validation(**more))[0][2] == mmcv


@pytest.mark.parametrize(
    "more",
    [
        {"python": "3.9"},
        {"torch": "2.4.0"},
        {"variant": "cu124"},
        {"packages": {}},  # nothing was validated for torchvision, which has no empty option here
        {"archs": ("sm_90",)},
        {"kind": DeviceKind.CPU},
        {"platform": Platform.LINUX_AARCH64},
    ],
)
def test_what_cannot_be_made_here_or_ran_elsewhere_proves_nothing_and_hides_nothing(
    more: dict[str, Any],
) -> None:
    other = validation(**more)
    assert proven(other) == []
    second = validation(lock=Sha256("ef" * 32))
    assert len(proven(other, second)) == 1
