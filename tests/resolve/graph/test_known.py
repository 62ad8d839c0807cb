"""What there is of a package instead, what its authors say to do, and who else has built it."""

from __future__ import annotations

from typing import Any

import pytest
from made_graph import (
    LINUX,
    MadeFacts,
    binary,
    builder,
    cuda_device,
    put_binaries,
    wish,
)
from msgspec.structs import replace

from mmlock.core.device import Device
from mmlock.core.names import Confidence, DeviceKind, PackageName, Platform
from mmlock.core.target import Target
from mmlock.facts.matrix.model import Binary, Recipe
from mmlock.facts.matrix.packages import Offer, OnPyPI, Package, Provider, Tie
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.known import known_of, listed_whole, range_text, what_to_do
from mmlock.resolve.graph.provided import other_ways

EXT = PackageName("ext")


def package(pypi: OnPyPI = OnPyPI.SOURCES, note: str | None = None) -> Package:
    return Package(
        module="ext",
        distributions=(EXT,),
        pypi=pypi,
        tie=Tie.EXACT,
        install="pip install ext",
        home="https://ext.example",
        note=note,
        source=("read-me",),
        confidence=Confidence.DOCUMENTED,
    )


def recipe(name: str, *kinds: DeviceKind, of: str = "ext") -> Recipe:
    return Recipe(
        id=name,
        package=PackageName(of),
        versions="",
        torch="",
        pythons="",
        kinds=kinds,
        build_requires=(),
        env={},
        patches=(),
        check=(),
        memory_mb=1,
        verified=(),
        source=("recipe",),
        confidence=Confidence.MEASURED,
    )


def provider(name: str, **more: Any) -> Provider:
    given: dict[str, Any] = {
        "name": name,
        "title": f"The {name} project",
        "home": f"https://{name}.example",
        "kind": next(iter(Offer)),
        "takes": True,
        "packages": (EXT,),
        "offers": "wheels of many packages",
        "source": ("page",),
        "confidence": Confidence.CAPTURED,
    }
    return Provider(**{**given, **more})


def facts(
    *,
    recipes: tuple[Recipe, ...] = (),
    described: tuple[Package, ...] = (),
    providers: tuple[Provider, ...] = (),
    provided: tuple[Binary, ...] = (),
) -> MadeFacts:
    class Provided(MadeFacts):
        __slots__ = ()

        def provided(self, package: str) -> tuple[Binary, ...]:
            return tuple(row for row in provided if row.package == package)

    return Provided(
        {"recipes": recipes, "packages": {"ext": described}, "binaries": {}, "provider-names": providers}
    )


def graph(matrix: MadeFacts, *devices: Device, **more: Any) -> GraphBuilder:
    return builder(matrix, *devices, **more)


def test_versions_that_there_are_come_first() -> None:
    made = graph(facts(recipes=(recipe("cuda", DeviceKind.CUDA),)))
    loose = put_binaries(made, binary(version="1.10"), binary(version="1.9"), binary(version="1.2"))
    assert known_of(made, wish("ext"), frozenset(loose)) == "known versions of `ext`: 1.2 to 1.10"
    assert what_to_do(made, wish("ext"), frozenset(loose)) == (
        "its kernels need cuda: choose such a device with `--gpu`"
    )


def test_recipes_for_other_devices_come_next() -> None:
    rows = (
        recipe("one", DeviceKind.ROCM, DeviceKind.CUDA),
        recipe("two", DeviceKind.NPU),
        recipe("other", DeviceKind.MPS, of="another"),
    )
    made = graph(facts(recipes=rows, described=(package(),)))
    assert known_of(made, wish("ext"), frozenset()) == (
        "recipe `one` supports rocm and cuda only; it has no kernels for cpu; "
        "recipe `two` supports npu only; it has no kernels for cpu"
    )
    assert what_to_do(made, wish("ext"), frozenset()) == (
        "its kernels need cuda or npu or rocm: choose such a device with `--gpu`"
    )


def test_a_recipe_for_the_device_among_others_makes_them_no_matter() -> None:
    rows = (recipe("one", DeviceKind.CUDA), recipe("two", DeviceKind.CPU, DeviceKind.CUDA))
    made = graph(facts(recipes=rows))
    assert (
        known_of(made, wish("ext"), frozenset()) == "no wheel and no recipe of `ext` is known for this target"
    )
    assert what_to_do(made, wish("ext"), frozenset()) == ""


@pytest.mark.parametrize(
    ("pypi", "words"),
    [
        (OnPyPI.WHEELS, "PyPI has wheels of it, none of which fits"),
        (OnPyPI.SOURCES, "PyPI has its sources only"),
        (OnPyPI.OTHER, "`ext` on PyPI is another project"),
        (OnPyPI.NOTHING, "it is not on PyPI"),
    ],
)
def test_what_pypi_has_of_a_described_package_is_told(pypi: OnPyPI, words: str) -> None:
    made = graph(facts(described=(package(pypi),)))
    assert known_of(made, wish("ext"), frozenset()) == (
        f"no wheel and no recipe of `ext` is known for this target ({words})"
    )


def test_the_way_of_its_authors_and_then_of_others_is_told() -> None:
    made = graph(facts(described=(package(note="it needs a compiler"),), providers=(provider("forge"),)))
    assert what_to_do(made, wish("ext"), frozenset()) == (
        "its authors install it beside torch with `pip install ext` (https://ext.example); "
        "it needs a compiler; or without compiling: "
        "The forge project (https://forge.example): wheels of many packages"
    )
    (index,) = put_binaries(made, binary())
    assert what_to_do(made, wish("ext"), frozenset({index})) == ""  # another version is at hand
    bare = graph(facts(described=(package(),)))
    assert what_to_do(bare, wish("ext"), frozenset()).endswith("(https://ext.example)")
    allowed = graph(facts(providers=(provider("forge"),)), providers=("forge",))
    assert what_to_do(allowed, wish("ext"), frozenset()) == ""


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ((), ""),
        (("1.0",), "all: 1.0"),
        (("1.0", "1.0"), "all: 1.0"),
        (("1.10", "1.9"), "all: 1.9 to 1.10"),
        (("CUDA 12.1", "CUDA 11.8"), "all: CUDA 11.8 to 12.1"),
    ],
)
def test_a_range_keeps_the_word_before_its_versions(texts: tuple[str, ...], told: str) -> None:
    assert range_text("all", texts) == told


# ---------------------------------------------------------------- who else

TARGET = Target(devices=(cuda_device(),), platform=LINUX, glibc="2.28")


def ways(matrix: MadeFacts, target: Target = TARGET, allowed: tuple[str, ...] = ()) -> list[str]:
    return [way.text for way in other_ways(matrix, EXT, target, allowed)]


def made_by(name: str, version: str = "1.0", **more: Any) -> Binary:
    return binary(version=version, provider=name, **more)


def test_wheels_of_a_provider_are_told_with_their_torch_and_variants() -> None:
    wheels = (
        made_by("forge", "1.10", torch="==2.10.*", variant="cu121"),
        made_by("forge", "1.9", torch="==2.9.*", variant="cu118"),
        made_by("forge", "1.9", torch="==2.9.*", variant="cu121"),
    )
    matrix = facts(providers=(provider("forge"),), provided=wheels)
    (way,) = other_ways(matrix, EXT, TARGET, ())
    assert way.text == (
        "The forge project has ext 1.9 to 1.10 as wheels for torch 2.9 to 2.10 (cu118, cu121): "
        "`--provider forge` takes them"
    )
    assert way.source == ("provider-names#page",)
    assert way.confidence is Confidence.CAPTURED
    assert ways(matrix, allowed=("forge",)) == []


def test_one_version_for_any_torch_is_told_so() -> None:
    matrix = facts(providers=(provider("forge"),), provided=(made_by("forge"),))
    assert ways(matrix) == [
        "The forge project has ext 1.0 as wheels for torch any (): `--provider forge` takes them"
    ]


@pytest.mark.parametrize(
    ("wheel", "usable"),
    [
        (made_by("forge", archs=("sm_80",)), True),
        (made_by("forge", archs=None), True),  # nobody has read it
        (made_by("forge", archs=("sm_90",)), False),
        (made_by("forge", platforms=(Platform.WINDOWS_X86_64,)), False),
        (made_by("another"), False),
    ],
)
def test_wheels_that_would_not_run_are_not_told(wheel: Binary, *, usable: bool) -> None:
    (text,) = ways(facts(providers=(provider("forge"),), provided=(wheel,)))
    assert ("`--provider forge`" in text) is usable
    assert (text == "The forge project (https://forge.example): wheels of many packages") is not usable


def test_those_with_a_wheel_come_first_and_those_without_the_package_not_at_all() -> None:
    rows = (provider("plain"), provider("forge"), provider("other", packages=(PackageName("else"),)))
    texts = ways(facts(providers=rows, provided=(made_by("forge"),)))
    assert [text.partition(" project")[0] for text in texts] == ["The forge", "The plain"]


def test_a_package_that_another_replaces_is_had_by_that_one() -> None:
    new = PackageName("ext-next")
    row = provider("forge", packages=(new,), instead_of=(EXT,))
    wheel = replace(made_by("forge", "2.0"), package=new)
    (text,) = ways(facts(providers=(row,), provided=(wheel,)))
    assert "has ext 2.0 as wheels" in text
    assert ways(facts(providers=(replace(row, instead_of=()),), provided=(wheel,))) == []


def test_a_wheel_must_serve_every_device_of_the_target() -> None:
    both = replace(TARGET, devices=(cuda_device(), cuda_device("sm_90", "H100")))
    matrix = facts(providers=(provider("forge"),), provided=(made_by("forge", archs=("sm_90",)),))
    assert not any("--provider" in text for text in ways(matrix, both))
    one = replace(TARGET, devices=(cuda_device("sm_90", "H100"),))
    assert any("--provider" in text for text in ways(matrix, one))


def test_lists_that_were_read_whole_are_cited() -> None:
    class Listed(MadeFacts):
        __slots__ = ()

        def sources(self, section: str, package: str | None = None) -> dict[str, str]:
            assert (section, package) in {("files", "ext"), ("files", "aext"), ("files", "torch")}
            return {"list": "read on 2026-11-21", "undated": "some page"}

    listed = MadeFacts({}).files("bitsandbytes")[:1]
    matrix = Listed(
        {"binaries": {}, "openmmlab-index": (), "files": dict.fromkeys(("ext", "aext", "torch"), listed)}
    )
    assert listed_whole(graph(matrix), {EXT, PackageName("aext")}) == ("files/aext#list", "files/ext#list")
    assert listed_whole(graph(matrix), {PackageName("torch")}) == ()
