"""What the request demands, as groups of options and the words for those outside."""

from __future__ import annotations

from typing import Any

import pytest
from made_graph import (
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
    wish,
)
from solved import facts

from mmlock.core.names import AdvisorySeverity, Confidence, Form, Platform
from mmlock.facts.matrix.model import Binary, Toolkit
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.local_versions import built_for
from mmlock.resolve.graph.packages import SlotCatalog
from mmlock.resolve.graph.rows import BuildChoice, ConstraintKind, LinkKind, NothingChoice, UserConstraint
from mmlock.resolve.graph.user_constraints import add_user_constraints, cuda_version, version_wish
from mmlock.resolve.request.model import CoreRequirement


def toolkit(cuda: str, floor: str, **more: Any) -> Toolkit:
    given: dict[str, Any] = {
        "cuda": cuda,
        "first_sm": "sm_50",
        "last_sm": "sm_90",
        "archs": None,
        "ptx_isa": "8.0",
        "gcc_max": 12,
        "clang_max_excl": None,
        "driver": floor,
        "driver_floor": floor,
        "source": (f"cuda-{cuda}",),
        "confidence": Confidence.DOCUMENTED,
    }
    return Toolkit(**{**given, **more})


VISION = tuple(binary("torchvision", text, same_variant=True) for text in ("0.19.1", "0.18.1"))
FACTS: dict[str, Any] = {
    "toolkits": (toolkit("12.1", "525.60"), toolkit("11.8", "450.80")),
    "binaries": {"torchvision": VISION},
    "breaks": (),
    "advisories": {},
    "recipes": (),
}


def graph(*requirements: CoreRequirement, wheels: tuple[Binary, ...] = (), **more: Any) -> GraphBuilder:
    """0-1 Pythons; 2-5 torch; 6-7 torchvision, 8 none; 9 mmcv, 10 mmcv-lite, 11 a build of mmcv, 12 none."""
    made = builder(MadeFacts(FACTS), requirements=requirements, **more)
    put_pythons(made, "3.12", "3.8")
    put_torch(
        made,
        torch_build("2.4.1", "cu121", glibc="2.28"),
        torch_build("2.4.1", "cu118"),
        torch_build("2.3.0", "cpu", glibc=None),
        torch_build("2.3.0", "cu117"),
    )
    put_binaries(made, *VISION)
    made.option("torchvision", "no torchvision", NothingChoice(), form=Form.LEFT_OUT)
    put_releases(made, "mmcv", release("2.1.0"))
    put_releases(made, "mmcv-lite", release("2.1.0"), slot="mmcv")
    made.option(
        "mmcv",
        "mmcv 2.0.0 build",
        BuildChoice(recipe=next(iter(facts().recipes)), release=None, verified=None),
        form=Form.BUILD,
        package=wish("mmcv").name,
        version="2.0.0",
        source=("recipes#one",),
        confidence=Confidence.INFERRED,
    )
    made.option("mmcv", "no mmcv", NothingChoice(), form=Form.LEFT_OUT)
    if wheels:
        put_binaries(made, *wheels)
    return made


def constraints(made: GraphBuilder) -> list[UserConstraint]:
    add_user_constraints(made, SlotCatalog(made))
    return made.user_constraints


def only(made: GraphBuilder) -> UserConstraint:
    (constraint,) = constraints(made)
    return constraint


def told(made: GraphBuilder, constraint: UserConstraint, index: int) -> str:
    return constraint.reject(made.options[index]).text


def test_a_request_that_asks_for_nothing_constrains_nothing() -> None:
    assert constraints(graph(glibc=None)) == []


# ---------------------------------------------------------------- the machine


@pytest.mark.parametrize(
    ("glibc", "members"), [("2.28", {2, 3, 4, 5}), ("2.17", {3, 4, 5}), ("2.27", {3, 4, 5}), ("2.5", {4})]
)
def test_torch_needs_no_newer_glibc_than_there_is(glibc: str, members: set[int]) -> None:
    made = graph(glibc=glibc)
    found = only(made)
    assert (found.name, found.kind) == (f"--glibc {glibc}", ConstraintKind.MACHINE)
    assert found.parts == (("torch", members),)
    assert told(made, found, 2) == "torch 2.4.1+cu121 needs glibc 2.28 or newer"
    assert found.reject(made.options[2]).source == ("torch-builds#build",)
    assert found.available == ""


def test_so_does_an_extension_whose_glibc_is_known() -> None:
    rows = (binary(glibc="2.28"), binary(version="0.9", glibc="2.17"), binary(version="0.8"))
    made = graph(glibc="2.17", wheels=rows)
    found = only(made)
    assert dict(found.parts) == {"torch": {3, 4, 5}, "ext": {14, 15}}
    assert told(made, found, 13) == "ext 1.0 wheel needs glibc 2.28 or newer"
    assert found.reject(made.options[13]).source == ("binaries/ext#page",)
    assert "torch 2.4.1+cu121 needs glibc" in told(made, found, 2)


def test_where_no_torch_fits_the_range_that_there_is_is_told() -> None:
    made = builder(MadeFacts(FACTS), glibc="2.5")
    put_torch(made, torch_build("2.4.1", glibc="2.28"), torch_build("2.3.0", glibc="2.17"))
    put_torch(made, torch_build("2.2.0", "cpu", glibc="2.17"))
    assert only(made).available == "known builds of torch for this target: glibc 2.17 to 2.28"


@pytest.mark.parametrize(
    ("driver", "members"), [("525.60", {2, 3}), ("525.59", {3}), ("450.80", {3}), ("450.79", set())]
)
def test_torch_needs_no_newer_driver_than_there_is(driver: str, members: set[int]) -> None:
    made = on_cuda(driver=driver)
    found = next(one for one in constraints(made) if one.kind is ConstraintKind.MACHINE)
    assert found.name == f"--driver {driver}"
    assert dict(found.parts)["torch"] == members
    assert told(made, found, 2) == "torch 2.4.1+cu121 needs driver 525.60 or newer"
    assert found.reject(made.options[2]).source == ("toolkits#cuda-12.1",)
    assert found.reject(made.options[2]).confidence is Confidence.DOCUMENTED
    # Nobody recorded that toolkit, so nobody knows its driver.
    assert told(made, found, 5) == "torch 2.3.0+cu117 needs an unknown driver"
    assert found.reject(made.options[5]).source == ()
    assert found.reject(made.options[5]).confidence is Confidence.INFERRED
    span = "" if members else "known builds of torch for this target: driver 450.80 to 525.60"
    assert found.available == span


def on_cuda(**more: Any) -> GraphBuilder:
    made = graph(glibc=None, wheels=more.pop("wheels", ()))
    target = builder(MadeFacts(FACTS), cuda_device(), glibc=None, **more).request
    made.request = target
    return made


@pytest.mark.parametrize(
    ("row", "stays", "words"),
    [
        (binary(cuda="11.8"), True, ""),
        (binary(), True, ""),
        (
            binary(cuda="12.1"),
            False,
            "ext 1.0 wheel is built with CUDA 12.1, which needs driver 525.60 or newer",
        ),
        (binary(cuda="9.9"), False, "ext 1.0 wheel is built with CUDA 9.9, which needs an unknown driver"),
    ],
)
def test_so_does_an_extension_with_a_cuda_of_its_own(row: Binary, words: str, *, stays: bool) -> None:
    made = on_cuda(driver="450.80", wheels=(row, binary(version="0.9")))
    found = next(one for one in constraints(made) if one.kind is ConstraintKind.MACHINE)
    assert ("ext" not in dict(found.parts)) is stays
    if not stays:
        assert dict(found.parts)["ext"] == {14}
        rejection = found.reject(made.options[13])
        known = row.cuda == "12.1"
        assert rejection.text == words
        assert rejection.source == (("toolkits#cuda-12.1",) if known else ())
        assert rejection.confidence is (Confidence.DOCUMENTED if known else Confidence.INFERRED)


def test_a_driver_means_nothing_without_cuda_and_each_system_has_its_own() -> None:
    assert constraints(graph(driver="1.0", glibc=None)) == []
    made = on_cuda(driver="600.0", platform=Platform.WINDOWS_X86_64)
    found = next(one for one in constraints(made) if one.kind is ConstraintKind.MACHINE)
    assert dict(found.parts)["torch"] == set()
    assert told(made, found, 2) == "torch 2.4.1+cu121 needs an unknown driver"


# ---------------------------------------------------------------- Python, torch, CUDA


def test_a_python_is_that_one() -> None:
    made = graph(glibc=None, python="3.8")
    found = only(made)
    assert (found.name, found.kind, found.parts) == (
        "--python 3.8",
        ConstraintKind.PYTHON,
        (("python", frozenset({1})),),
    )
    rejection = found.reject(made.options[0])
    assert rejection.text == "torch is available for Python 3.8 to 3.12 on this target"
    assert rejection.source == ("torch-builds#cu121", "torch-builds#cu117")
    assert rejection.confidence is Confidence.CAPTURED


def test_a_free_threaded_python_is_another_one() -> None:
    made = graph(glibc=None, python="3.12t")
    found = only(made)
    assert found.parts == (("python", frozenset()),)
    assert told(made, found, 0).endswith("on this target; free-threaded builds are not supported")


def test_a_bound_on_python_admits_one_of_its_patch_releases() -> None:
    made = graph(glibc=None, requires_python=">=3.8.1,<3.12")
    found = only(made)
    assert (found.name, found.kind, found.parts) == (
        "requires-python >=3.8.1,<3.12",
        ConstraintKind.PYTHON,
        (("python", frozenset({1})),),
    )
    assert "3.8 to 3.12" in told(made, found, 0)


@pytest.mark.parametrize(
    ("torch", "members", "name", "version"),
    [
        ("2.4", {2, 3}, "--torch 2.4", "2.4"),
        ("==2.4.*", {2, 3}, "--torch 2.4", "2.4"),
        ("2.4.1", {2, 3}, "--torch 2.4.1", "2.4.1"),
        ("==2.4.1+cu118", {3}, "--torch 2.4.1+cu118", "2.4.1+cu118"),
        (">=2.4,<3", {2, 3}, "--torch >=2.4,<3", "2.4"),
        ("9.9", set(), "--torch 9.9", "9.9"),
    ],
)
def test_a_torch_is_what_its_words_admit(torch: str, members: set[int], name: str, version: str) -> None:
    made = graph(glibc=None, torch=torch)
    found = only(made)
    assert (found.name, found.kind, found.version) == (name, ConstraintKind.TORCH, version)
    assert found.parts == (("torch", members),)
    assert told(made, found, 4) == f"torch 2.3.0+cpu does not satisfy `--torch {torch}`"
    there = "" if members else "known builds of torch for this target: 2.3.0 to 2.4.1"
    assert found.available == there


@pytest.mark.parametrize(
    ("cuda", "members"),
    [("12.1", {2}), ("cu118", {3}), ("118", {3}), ("12", {2}), ("13", set()), (">=11.8", {2, 3})],
)
def test_a_cuda_is_that_of_the_torch_build(cuda: str, members: set[int]) -> None:
    made = graph(glibc=None, cuda=cuda)
    found = only(made)
    assert (found.name, found.kind, found.parts) == (
        f"--cuda {cuda}",
        ConstraintKind.CUDA,
        (("torch", members),),
    )
    assert told(made, found, 5) == "torch 2.3.0+cu117 is built for CUDA 11.7"
    assert told(made, found, 4) == "torch 2.3.0+cpu is built without CUDA"
    there = "" if members else "known builds of torch for this target: CUDA 11.7 to 12.1"
    assert found.available == there


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("", ""),
        ("2", "==2.*"),
        ("2.4", "==2.4.*"),
        ("2.4.1", "==2.4.1"),
        ("2.4.1.1", "==2.4.1.1"),
        (">=2", ">=2"),
        ("<3", "<3"),
        ("!=2.4", "!=2.4"),
        ("~=2.4", "~=2.4"),
        ("==2.4", "==2.4"),
    ],
)
def test_a_bare_version_means_what_people_mean(text: str, means: str) -> None:
    assert version_wish(text) == means


@pytest.mark.parametrize(
    ("text", "means"),
    [("cu118", "11.8"), ("118", "11.8"), ("cu92", "cu92"), ("12", "12"), ("12.1", "12.1"), ("cu130", "13.0")],
)
def test_a_cuda_may_be_named_by_its_variant(text: str, means: str) -> None:
    assert cuda_version(text) == means


# ---------------------------------------------------------------- packages


def test_a_torch_among_the_requirements_is_a_constraint_on_torch() -> None:
    made = graph(
        wish("torch", "==2.3.*", origin="requirements.txt:2", marker="python_version < '3.9'"), glibc=None
    )
    found = only(made)
    assert (found.name, found.kind, found.origin) == (
        "torch==2.3.*",
        ConstraintKind.TORCH,
        "requirements.txt:2",
    )
    assert found.parts == (("torch", {4, 5}),)
    assert (found.unless, found.version) == ({0}, "2.3")
    assert told(made, found, 2) == "torch 2.4.1+cu121 does not satisfy `torch==2.3.*`"


@pytest.mark.parametrize(
    ("requested", "members", "loose", "version"),
    [
        (wish("mmcv"), {9, 11}, {9, 11}, None),
        (wish("mmcv", ">=2.1,<3"), {9}, {9, 11}, "2.1"),
        (wish("mmcv-lite"), {10}, {10}, None),
        (wish("mmcv", "<=2.0", constraint=True), {10, 11, 12}, None, "2.0"),
    ],
)
def test_a_package_is_asked_for_by_name_or_bounded_where_it_is(
    requested: CoreRequirement, members: set[int], loose: set[int] | None, version: str | None
) -> None:
    made = graph(requested, glibc=None)
    found = only(made)
    assert (found.name, found.kind, found.version) == (requested.text, ConstraintKind.PACKAGE, version)
    assert found.parts == (("mmcv", members),)
    assert found.loose == (() if loose is None else (("mmcv", loose),))
    assert (found.available, found.hint, found.listed) == ("", "", ())
    rejection = found.reject(made.options[11])
    assert rejection.text == f"mmcv 2.0.0 build does not satisfy `{requested.text}`"
    assert (rejection.source, rejection.confidence) == (("recipes#one",), Confidence.INFERRED)


def test_the_plain_name_means_the_lite_package_too_where_that_is_welcome() -> None:
    assert only(graph(wish("mmcv"), glibc=None, allow_lite=True)).parts == (("mmcv", {9, 10, 11}),)
    assert only(graph(wish("mmcv-lite"), glibc=None, allow_lite=True)).parts == (("mmcv", {10}),)


def test_what_there_is_is_told_only_where_nothing_satisfies() -> None:
    found = only(graph(wish("mmcv", "==9"), glibc=None))
    assert found.parts == (("mmcv", frozenset()),)
    assert found.available == "known versions of `mmcv`: 2.0.0 to 2.1.0"


def test_what_the_core_does_not_decide_or_this_graph_lacks_is_left_alone() -> None:
    assert constraints(graph(wish("numpy"), wish("mmdet"), glibc=None)) == []


def test_without_builds_only_their_slots_are_narrowed() -> None:
    made = graph(glibc=None, no_build=True)
    found = only(made)
    assert (found.name, found.kind, found.parts) == (
        "--no-build",
        ConstraintKind.NO_BUILD,
        (("mmcv", frozenset({9, 10, 12})),),
    )
    rejection = found.reject(made.options[11])
    assert rejection.text == "mmcv 2.0.0 build must be built"
    assert (rejection.source, rejection.confidence) == (("recipes#one",), Confidence.INFERRED)


def test_vulnerabilities_are_asked_about_last() -> None:
    assert constraints(graph(glibc=None, no_known_cve=AdvisorySeverity.LOW)) == []


# ---------------------------------------------------------------- local versions


def test_a_local_version_asks_for_the_torch_of_that_build() -> None:
    found = only(graph(wish("torchvision", "==0.19.1+cu118"), glibc=None))
    assert found.parts == (("torchvision", {6}), ("torch", {3}))
    assert found.version == "0.19.1"


def test_as_a_constraint_it_binds_the_package_where_it_is() -> None:
    bound = wish("torchvision", "==0.19.1+cu118", constraint=True, origin="constraints.txt:1")
    made = graph(bound, glibc=None)
    found = only(made)
    assert found.parts == (("torchvision", {6, 8}),)
    (link,) = made.links
    assert (link.option, link.slot, link.members, link.kind, link.hard) == (
        6,
        "torch",
        {3},
        LinkKind.WHEEL,
        True,
    )
    assert link.reason == "`torchvision==0.19.1+cu118` names the build of torch"
    assert (link.source, link.confidence) == (("constraints.txt:1",), Confidence.CAPTURED)


@pytest.mark.parametrize(
    ("package", "specifier", "split"),
    [
        ("torchvision", "==0.19.1+cu118", ("==0.19.1", {3})),
        ("torchvision", "==0.19.1+cu999", ("==0.19.1", set())),
        ("torchvision", "==0.19.1", ("==0.19.1", None)),
        ("torchvision", "!=0.19.1+cu118", ("!=0.19.1+cu118", None)),
        ("mmcv", "==2.1.0+cu118", ("==2.1.0+cu118", None)),  # its wheels are not those of one build each
    ],
)
def test_where_a_local_part_means_a_torch(
    package: str, specifier: str, split: tuple[str, set[int] | None]
) -> None:
    assert built_for(graph(glibc=None), wish(package).name, specifier) == split
