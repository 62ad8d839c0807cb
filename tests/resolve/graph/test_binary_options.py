"""Prebuilt extensions as options: their order, what they are called and what they need."""

from __future__ import annotations

from typing import Any

import pytest
from made_graph import (
    MadeFacts,
    binary,
    builder,
    cuda_device,
    put_pythons,
    put_torch,
    release,
    torch_build,
)

from mmlock.core.names import Confidence, PackageName, Platform
from mmlock.facts.matrix.model import Binary, Release
from mmlock.resolve.graph.binary_rows import add_binaries, add_provided, fits_torch, label
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.rows import BinaryChoice, Link, LinkKind
from mmlock.resolve.request.objectives import Objective

EXT = PackageName("ext")


def graph(*rows: Binary, provided: tuple[Binary, ...] = (), **more: Any) -> GraphBuilder:
    """0-1 Pythons, 2-4 torch for CUDA 12.1, 12.4 and none; then the wheels."""

    class Wheels(MadeFacts):
        __slots__ = ()

        def binaries(self, package: str) -> tuple[Binary, ...]:
            return tuple(row for row in rows if row.package == package)

        def provided(self, package: str) -> tuple[Binary, ...]:
            return tuple(row for row in provided if row.package == package)

        def releases(self, package: str) -> tuple[Release, ...]:
            return (release("2.0"),) if package == EXT else ()

    made = builder(Wheels({}), cuda_device(), **more)
    put_pythons(made, "3.12", "3.11")
    put_torch(made, torch_build(), torch_build("2.4.1", "cu124"), torch_build("2.4.1", "cpu"))
    add_binaries(made, "ext", EXT)
    add_provided(made, "ext", EXT)
    return made


def wheels(made: GraphBuilder) -> list[Binary]:
    choices = [made.options[index].choice for index in made.slots.get("ext", ())]
    return [choice.binary for choice in choices if isinstance(choice, BinaryChoice)]


ORDERED = [
    binary(version="1.10", cuda="12.1", torch="==2.4.*", cxx11_abi=1),
    binary(version="1.10", cuda="12.1", torch="==2.4.*", cxx11_abi=0),
    binary(version="1.10", cuda="12.1", torch="==2.3.*", cxx11_abi=1),
    binary(version="1.10", cuda="12.1"),
    binary(version="1.10", cuda="9.2", torch="==2.4.*", cxx11_abi=1),
    binary(version="1.10", torch="==2.4.*"),
    binary(version="1.9", cuda="12.4"),
    binary(version="2.0rc1", cuda="12.4"),
]


@pytest.mark.parametrize("turn", range(len(ORDERED)))
def test_newest_first_then_by_cuda_torch_and_abi_and_prereleases_last(turn: int) -> None:
    assert wheels(graph(*ORDERED[turn:], *ORDERED[:turn])) == ORDERED


def test_yanked_wheels_and_those_of_other_platforms_are_no_options() -> None:
    rows = (binary(yanked=True), binary(platforms=(Platform.WINDOWS_X86_64,)), binary(version="0.9"))
    assert [row.version for row in wheels(graph(*rows))] == ["0.9"]


def test_wheels_of_a_provider_come_where_he_is_allowed() -> None:
    row = binary(version="3.0", provider="forge")
    assert wheels(graph(binary(), provided=(row,))) == [binary()]
    assert wheels(graph(binary(), provided=(row,), providers=("forge",))) == [binary(), row]


def test_an_option_tells_its_release_its_source_and_what_is_inferred() -> None:
    made = graph(binary(version="2.0"), binary(version="1.0", confidence=Confidence.INFERRED))
    new, old = (made.options[index] for index in made.slots["ext"])
    assert isinstance(new.choice, BinaryChoice)
    assert isinstance(old.choice, BinaryChoice)
    assert (new.choice.release, old.choice.release) == (release("2.0"), None)
    assert new.source == ("binaries/ext#page",)
    paid = {one.option: one.weight for one in made.costs if one.objective is Objective.CERTAINTY}
    assert paid == {old.index: 1}


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (binary(), "ext 1.0 wheel"),
        (binary(cuda="12.1", torch="==2.4.*"), "ext 1.0 wheel (cu121, torch ==2.4.*)"),
        (binary(cuda="12.1", variant="cu121"), "ext 1.0 wheel (cu121)"),
        (binary(cuda="12.1", same_variant=True), "ext 1.0 wheel"),
        (binary(cxx11_abi=0), "ext 1.0 wheel"),
        (binary(cxx11_abi=0, url="https://x.example/{abi}"), "ext 1.0 wheel (ABI 0)"),
        (binary(url="https://x.example"), "ext 1.0 wheel"),
        (binary(provider="forge"), "ext 1.0 wheel (by forge)"),
    ],
)
def test_a_wheel_is_called_by_what_tells_it_from_others(row: Binary, text: str) -> None:
    assert label(row) == text


def links(row: Binary) -> dict[LinkKind, Link]:
    made = graph(row)
    (index,) = made.slots["ext"]
    assert all(one.option == index for one in made.links)
    assert all(one.source == ("binaries/ext#page",) for one in made.links)
    assert all(one.confidence is row.confidence for one in made.links)
    found = {one.kind: one for one in made.links}
    assert len(found) == len(made.links)
    return found


def test_a_wheel_that_says_nothing_needs_nothing() -> None:
    assert links(binary()) == {}


@pytest.mark.parametrize(
    ("row", "members", "reason"),
    [
        (binary(torch="==2.4.*"), {2, 3, 4}, "torch ==2.4.*"),
        (binary(torch="==2.3.*"), set(), "torch ==2.3.*"),
        (binary(variant="cu124"), {3}, "cu124"),
        (binary(cuda="12.1"), {2, 3}, "CUDA 12.1"),
        (binary(cuda="12"), {2, 3}, "CUDA 12"),
        (binary(cuda="11.8"), set(), "CUDA 11.8"),
        (binary(cuda="12.1", variant="cu121"), {2}, "cu121"),
        (binary(cudart="libcudart.so.12"), {2, 3, 4}, "libcudart.so.12"),
        (binary(cxx11_abi=0), {2, 3, 4}, "C++ ABI 0"),
        (binary(cxx11_abi=1), set(), "C++ ABI 1"),
        (
            binary(cuda="12.1", torch="==2.4.*", same_variant=True, cxx11_abi=0),
            {2, 3, 4},
            "torch ==2.4.*, C++ ABI 0",
        ),
    ],
)
def test_a_wheel_needs_the_torch_that_it_was_built_for(row: Binary, members: set[int], reason: str) -> None:
    found = links(row)[LinkKind.WHEEL]
    assert (found.slot, found.members, found.hard) == ("torch", members, True)
    assert found.reason == f"the ext 1.0 wheel is built for {reason}"


@pytest.mark.parametrize(
    ("row", "members"),
    [
        (binary(cuda="12.4"), {3}),
        (binary(cuda="12"), None),  # the major alone says nothing
        (binary(cuda="12.4", same_variant=True), None),
        (binary(torch="==2.4.*"), None),
    ],
)
def test_one_cuda_in_the_environment_is_preferred(row: Binary, members: set[int] | None) -> None:
    found = links(row).get(LinkKind.CUDA)
    assert (found and found.members) == members
    if found:
        assert not found.hard
        assert "uses CUDA 12.4" in found.reason


def test_a_wheel_needs_a_python_that_it_is_there_for() -> None:
    found = links(binary(pythons=("3.10", "3.11")))[LinkKind.PYTHON]
    assert (found.slot, found.members, found.hard) == ("python", {1}, True)
    assert found.reason == "ext 1.0 has wheels for Python 3.10, 3.11"


@pytest.mark.parametrize(
    ("wheel_abi", "torch_abi", "fits"),
    [(0, 0, True), (1, 0, False), (0, 1, False), (None, 1, True), (1, None, True)],
)
def test_the_abi_decides_where_both_are_known(
    wheel_abi: int | None, torch_abi: int | None, *, fits: bool
) -> None:
    build = torch_build(cxx11_abi=torch_abi)
    assert fits_torch(binary(cxx11_abi=wheel_abi), build, "2.4.1+cu121") is fits
    other = binary(cxx11_abi=wheel_abi, variant="cu118")
    assert not fits_torch(other, build, "2.4.1+cu121")
