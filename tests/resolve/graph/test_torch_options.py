"""Python, torch and toolchains as options, and builds of extensions, on facts made by hand."""

from __future__ import annotations

from typing import Any

import pytest
from made_graph import (
    CPU,
    LINUX,
    MadeFacts,
    builder,
    cuda_device,
    put_pythons,
    put_torch,
    release,
    torch_build,
)

from mmlock.core.device import Device
from mmlock.core.names import Confidence, DeviceKind, Form, PackageName, Platform, ToolchainProvider
from mmlock.facts.matrix.curated import Toolchain
from mmlock.facts.matrix.model import CppExtension, Release, Toolkit, TorchBuild
from mmlock.facts.matrix.recipe_rows import Recipe, Verified
from mmlock.resolve.graph.build_rows import add_builds, add_device_links, compiles, has_extension, recipe_kind
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.packages import SlotCatalog
from mmlock.resolve.graph.rows import BuildChoice, LinkKind
from mmlock.resolve.graph.torch_rows import (
    add_python,
    add_toolchain,
    add_torch,
    build_arch,
    platform_builds,
    torch_version,
)
from mmlock.resolve.request.objectives import Objective

ROCM = Device(kind=DeviceKind.ROCM, name="MI300", arch="gfx942")
NPU = Device(kind=DeviceKind.NPU, name="Ascend")


def paid(made: GraphBuilder, objective: Objective) -> dict[int, int]:
    return {one.option: one.weight for one in made.costs if one.objective is objective}


def labels(made: GraphBuilder, slot: str) -> list[str]:
    return [made.options[index].label for index in made.slots[slot]]


# ---------------------------------------------------------------- Python and torch

BUILDS = (
    torch_build("2.3.0", "cu118"),
    torch_build("2.10.0", "cu118"),
    torch_build("2.10.0", "cu121"),
    torch_build("2.10.0", "cu92", cuda="9.2"),
    torch_build("2.9.0", "cu118", on_pypi=True),
    torch_build("2.9.0", "cu121"),
    torch_build("2.10.0", "cpu"),
    torch_build("2.9.0", "cpu.cxx11.abi"),
    torch_build("2.9.0", "cpu"),
    torch_build("2.10.0", "rocm6.1"),
    torch_build("2.10.0", "xpu"),
    torch_build("2.11.0", "cu121", platform=Platform.WINDOWS_X86_64),
)


@pytest.mark.parametrize(
    ("device", "variants"),
    [
        (
            cuda_device(),
            ["2.10.0+cu121", "2.10.0+cu118", "2.10.0+cu92", "2.9.0+cu118", "2.9.0+cu121", "2.3.0+cu118"],
        ),
        (CPU, ["2.10.0+cpu", "2.9.0+cpu.cxx11.abi", "2.9.0+cpu"]),
        (NPU, ["2.10.0+cpu", "2.9.0+cpu.cxx11.abi", "2.9.0+cpu"]),
        (ROCM, ["2.10.0+rocm6.1"]),
    ],
)
def test_torch_comes_newest_first_pypis_own_before_others_and_of_the_kind(
    device: Device, variants: list[str]
) -> None:
    made = builder(MadeFacts({"torch-builds": BUILDS}), device)
    assert [f"{row.torch}+{row.variant}" for row in platform_builds(made)] == variants


def test_a_variant_that_was_asked_for_is_taken_whatever_the_device() -> None:
    made = builder(MadeFacts({"torch-builds": BUILDS}), CPU, variant="cu118")
    assert [row.torch for row in platform_builds(made)] == ["2.10.0", "2.9.0", "2.3.0"]


def test_pythons_are_those_of_any_build_newest_first_without_free_threaded_ones() -> None:
    builds = [torch_build(pythons=("3.9", "3.10")), torch_build("2.3.0", pythons=("3.13t", "3.10", "3.8"))]
    made = builder(MadeFacts({}))
    add_python(made, builds)
    assert labels(made, "python") == ["python 3.10", "python 3.9", "python 3.8"]
    assert paid(made, Objective.PYTHON) == {1: 1, 2: 2}


def test_each_torch_needs_one_of_its_pythons_and_pays_for_each_newer_release() -> None:
    made = builder(MadeFacts({}))
    builds = [
        torch_build("2.10.0", "cu121", pythons=("3.12",)),
        torch_build("2.10.0", "cu118", pythons=("3.11", "3.12"), confidence=Confidence.INFERRED),
        torch_build("2.9.0", "cu118", on_pypi=True),
        torch_build("2.3.0", "cu118"),
    ]
    add_python(made, builds)
    add_torch(made, builds)
    first = made.slots["torch"][0]
    assert labels(made, "torch")[0] == "torch 2.10.0+cu121"
    assert paid(made, Objective.TORCH) == {first + 2: 1, first + 3: 2}
    links = {link.option: link for link in made.links}
    assert links[first].members == made.pythons(("3.12",))
    assert links[first + 1].members == made.pythons(("3.12", "3.11"))
    assert (links[first].kind, links[first].slot, links[first].hard) == (LinkKind.PYTHON, "python", True)
    assert [made.options[index].version for index in made.slots["torch"]][1:3] == ["2.10.0+cu118", "2.9.0"]
    assert made.options[first + 1].confidence is Confidence.INFERRED


def test_pypis_files_carry_no_local_part() -> None:
    assert torch_version(torch_build()) == "2.4.1+cu121"
    assert torch_version(torch_build(on_pypi=True)) == "2.4.1"


# ---------------------------------------------------------------- toolchains


def chain(name: str, cuda: str, *, lockable: bool = True) -> Toolchain:
    return Toolchain(
        name=name,
        cuda=cuda,
        lockable=lockable,
        provider=ToolchainProvider.PIP if lockable else ToolchainProvider.NONE,
        packages=(),
        setup=(),
        source=("page",),
        confidence=Confidence.DOCUMENTED,
    )


def test_toolchains_that_can_be_locked_come_first_and_each_needs_a_torch_of_its_cuda() -> None:
    chains = (
        chain("host", "12.1", lockable=False),
        chain("pip", "12.1"),
        chain("pip", "9.2"),
        chain("pip", "12.10"),
        chain("unused", "13.0"),
    )
    made = builder(MadeFacts({"toolchains": chains}), cuda_device())
    put_torch(
        made, torch_build(), torch_build("2.4.1", "cu92", cuda="9.2"), torch_build("2.5.0", "x", cuda="12.10")
    )
    add_toolchain(made)
    versions = [made.options[index].version for index in made.slots["toolchain"]]
    assert versions == [None, "12.10", "12.1", "9.2", "12.1"]
    assert paid(made, Objective.TOOLCHAIN) == {7: 1}
    assert paid(made, Objective.NEEDLESS) == dict.fromkeys((4, 5, 6, 7), 1)
    assert {link.option: link.members for link in made.links} == {4: {2}, 5: {0}, 6: {1}, 7: {0}}
    assert {link.kind for link in made.links} == {LinkKind.TOOLCHAIN}
    assert made.options[4].source == ("toolchains#page",)
    assert made.options[4].confidence is Confidence.DOCUMENTED


def test_without_cuda_there_is_no_toolchain() -> None:
    made = builder(MadeFacts({"toolchains": (chain("pip", "12.1"),)}), CPU)
    put_torch(made, torch_build())
    add_toolchain(made)
    assert labels(made, "toolchain") == ["no CUDA toolkit"]


def cpp(*archs: str, torch: str = "2.4.1", header_std: int | None = 17) -> CppExtension:
    return CppExtension(
        torch=torch,
        default_std=17,
        header_std=header_std,
        archs=archs,
        cuda_mismatch_check=True,
        gcc_bounds={},
        source=("torch",),
        confidence=Confidence.MEASURED,
    )


def toolkit(cuda: str = "12.1", archs: tuple[str, ...] | None = ("sm_80", "sm_86")) -> Toolkit:
    return Toolkit(
        cuda=cuda,
        first_sm="sm_50",
        last_sm="sm_90",
        archs=archs,
        ptx_isa="8.0",
        gcc_max=12,
        clang_max_excl=None,
        driver="530.30",
        driver_floor="525.60",
        source=("nvidia",),
        confidence=Confidence.DOCUMENTED,
    )


DESKTOP = frozenset({"sm_80", "sm_86", "sm_89"})


@pytest.mark.parametrize(
    ("device", "tegra", "torch", "kit", "arch"),
    [
        ("sm_86", False, cpp("8.0", "8.6"), toolkit(), "8.6"),
        ("sm_89", False, cpp("8.0", "8.6"), toolkit(), "8.6"),
        ("sm_89", False, cpp("8.0", "8.6", "8.9"), toolkit(), "8.6"),  # nvcc does not know it
        ("sm_89", False, cpp("8.0", "8.6", "8.9"), toolkit(archs=None), "8.9"),
        ("sm_89", False, cpp("8.0", "8.6", "8.9"), None, "8.9"),
        ("sm_89", False, None, toolkit(), "8.6"),
        ("sm_89", False, cpp("8.0"), toolkit(), "8.0"),
        ("sm_89", False, cpp("8.7"), toolkit(archs=None), None),  # a Tegra part
        ("sm_87", True, cpp("8.0", "8.6"), toolkit(), None),
        ("sm_87", True, cpp("8.7"), toolkit(archs=None), "8.7"),
        ("sm_90", False, cpp("8.0", "8.6"), toolkit(), None),
        ("sm_86", False, cpp("8.9"), toolkit(archs=None), None),
    ],
)
def test_the_arch_to_compile_for(
    device: str, torch: CppExtension | None, kit: Toolkit | None, arch: str | None, *, tegra: bool
) -> None:
    assert build_arch(device, DESKTOP, tegra=tegra, cpp=torch, toolkit=kit) == arch


# ---------------------------------------------------------------- builds

EXT = PackageName("ext")


def recipe(name: str = "one", **more: Any) -> Recipe:
    given: dict[str, Any] = {
        "id": name,
        "package": EXT,
        "versions": "",
        "torch": "",
        "pythons": "",
        "kinds": (DeviceKind.CUDA, DeviceKind.CPU),
        "build_requires": (),
        "env": {},
        "patches": (),
        "check": ("file:ext/_C*.so",),
        "memory_mb": 1,
        "verified": (),
        "source": ("recipe",),
        "confidence": Confidence.DOCUMENTED,
    }
    return Recipe(**{**given, **more})


def verified(version: str = "2.0", **more: Any) -> Verified:
    given = {"version": version, "torch": "2.4.1", "variant": "cu121", "python": "3.12", "how": "it ran"}
    return Verified(**{**given, **more})


def graph(
    *recipes: Recipe,
    device: Device | None = None,
    headers: tuple[CppExtension, ...] = (cpp("8.0"), cpp("8.0", torch="2.3.0")),
    builds: tuple[TorchBuild, ...] = (torch_build(), torch_build("2.3.0")),
    **more: Any,
) -> GraphBuilder:
    """0-1 Pythons, 2-3 torch, 4 no toolchain, 5 one for CUDA 12.1, then builds of ext 2.0 and 1.0."""

    class Known(MadeFacts):
        __slots__ = ()

        @property
        def recipes(self) -> tuple[Recipe, ...]:
            return recipes

        def releases(self, package: str) -> tuple[Release, ...]:
            return (release("1.0"), release("2.0")) if package == EXT else ()

    facts = Known(
        {
            "toolchains": (chain("pip", "12.1"),),
            "cpp-extension": headers,
            "toolkits": (toolkit(archs=("sm_80",)),),
        }
    )
    made = builder(facts, device or cuda_device(), **more)
    put_pythons(made, "3.12", "3.8")
    put_torch(made, *builds)
    add_toolchain(made)
    add_builds(made, SlotCatalog(made), "ext", EXT)
    return made


def test_each_version_that_a_recipe_takes_is_an_option_verified_ones_first() -> None:
    made = graph(recipe(versions=">=2", verified=(verified(), verified("9.9"))))
    assert labels(made, "ext") == [
        "ext 2.0 build (verified on torch 2.4.1+cu121, Python 3.12)",
        "ext 2.0 build (verified on torch 2.4.1+cu121, another Python)",
        "ext 2.0 build (one)",
    ]
    first = made.slots["ext"][0]
    assert paid(made, Objective.UNVERIFIED) == {first + 1: 1, first + 2: 2}
    choices = [made.options[index].choice for index in made.slots["ext"]]
    kept = [choice.verified is not None for choice in choices if isinstance(choice, BuildChoice)]
    assert kept == [True, False, False]
    assert [made.options[first + n].confidence for n in (0, 1, 2)] == [
        Confidence.MEASURED,
        Confidence.DOCUMENTED,
        Confidence.DOCUMENTED,
    ]
    links = {(link.option, link.slot): link for link in made.links}
    assert links[first, "torch"].members == {2}
    assert links[first + 2, "torch"].members == {2, 3}
    assert links[first, "python"].members == {0}
    assert links[first + 1, "python"].members == {0, 1}
    assert links[first, "toolchain"].members == {5}
    assert links[first, "torch"].reason == "recipe one builds ext 2.0 against torch 2.4.1+cu121"
    assert links[first + 2, "torch"].reason == (
        "recipe one builds ext 2.0 against torch any whose headers accept torch's own C++ standard"
    )
    assert links[first, "python"].reason == "recipe one supports Python 3.12"
    assert links[first + 2, "python"].reason == "recipe one supports Python any"


@pytest.mark.slow
def test_a_recipe_bounds_torch_and_python() -> None:
    made = graph(recipe(versions="==1.0", torch="<2.4", pythons=">=3.9", std=17))
    (index,) = made.slots["ext"]
    links = {link.slot: link for link in made.links if link.option == index}
    assert links["torch"].members == {3}
    assert links["torch"].reason.endswith("against torch <2.4 whose headers accept C++17")
    assert links["python"].members == {0}
    assert links["python"].reason == "recipe one supports Python >=3.9"
    assert graph(recipe(torch=">3")).slots.get("ext") is None


@pytest.mark.parametrize(
    ("what", "there"),
    [
        (recipe(), True),
        (recipe(package=PackageName("other")), False),
        (recipe(kinds=(DeviceKind.CPU,)), False),
        (recipe(form=Form.TORCH_OPS), False),
    ],
)
def test_recipes_of_the_package_and_the_kind_make_options(what: Recipe, *, there: bool) -> None:
    assert ("ext" in graph(what).slots) is there


def test_ops_in_plain_torch_come_where_they_are_welcome_and_need_no_headers() -> None:
    made = graph(
        recipe(form=Form.TORCH_OPS, torch=">=2.4", check=(), versions="==1.0"),
        headers=(),
        allow_torch_ops=True,
    )
    (index,) = made.slots["ext"]
    links = {link.slot: link for link in made.links if link.option == index}
    assert links["torch"].members == {2}
    assert links["torch"].reason == "recipe one makes ext 1.0 for torch >=2.4"
    assert "toolchain" not in links
    assert "ext" not in graph(recipe(), headers=()).slots  # nobody knows its headers


def test_a_patched_recipe_that_nobody_verified_pays_most() -> None:
    from mmlock.resolve.graph.build_rows import doubt

    patched = recipe(patches=("a patch",))
    assert [doubt(patched, verified(), exact=True), doubt(patched, verified(), exact=False)] == [0, 1]
    assert [doubt(patched, None, exact=False), doubt(recipe(), None, exact=False)] == [3, 2]


def test_what_was_verified_on_another_system_is_not_verified_here() -> None:
    other = verified(platform=Platform.LINUX_AARCH64)
    assert labels(graph(recipe(versions=">=2", verified=(other,))), "ext") == ["ext 2.0 build (one)"]
    assert LINUX is not other.platform


def test_on_windows_what_proves_a_so_is_not_built() -> None:
    windows = [torch_build(platform=Platform.WINDOWS_X86_64)]
    made = graph(recipe(), builds=tuple(windows), platform=Platform.WINDOWS_X86_64, glibc=None)
    assert "ext" not in made.slots
    plain = graph(recipe(check=()), builds=tuple(windows), platform=Platform.WINDOWS_X86_64, glibc=None)
    assert "ext" in plain.slots


@pytest.mark.parametrize(
    ("check", "compiled"),
    [
        (("file:a/_C*.so",), True),
        (("tag:cp312", "file:a.so"), True),
        (("file:a.py", "tag:x.so"), False),
        ((), False),
    ],
)
def test_what_is_compiled_is_told_by_the_file_that_proves_it(
    check: tuple[str, ...], *, compiled: bool
) -> None:
    assert has_extension(recipe(check=check)) is compiled


@pytest.mark.parametrize(
    ("std", "header", "fits"),
    [(None, 17, True), (17, 17, True), (14, 17, False), (20, 17, True), (14, None, True)],
)
def test_headers_accept_their_standard_and_later_ones(
    std: int | None, header: int | None, *, fits: bool
) -> None:
    made = graph(headers=(cpp("8.0", header_std=header),))
    assert compiles(made, recipe(std=std), torch_build()) is fits
    assert not compiles(made, recipe(std=std), torch_build("1.0.0"))


def test_a_device_without_kernels_of_its_own_gets_those_of_the_cpu() -> None:
    gcu = Device(kind=DeviceKind.GCU, name="S60")
    assert recipe_kind(builder(MadeFacts({}), gcu)) is DeviceKind.CPU
    assert recipe_kind(builder(MadeFacts({}), ROCM)) is DeviceKind.ROCM


def device_links(made: GraphBuilder) -> dict[int, frozenset[int]]:
    before = len(made.links)
    add_device_links(made)
    added = made.links[before:]
    assert {link.kind for link in added} <= {LinkKind.BUILD}
    assert all(link.reason.startswith("torch and nvcc must both support ") for link in added)
    return {link.option: link.members for link in added}


def test_a_build_needs_a_torch_and_a_toolkit_that_can_name_the_arch() -> None:
    headers = (cpp("8.0"), cpp("7.0", torch="2.3.0"))
    rows = (recipe(versions="==1.0"), recipe("plain", versions="==1.0", check=("file:a.py",)))
    made = graph(*rows, headers=headers)
    assert device_links(made) == {6: {2}}
    assert device_links(graph(*rows)) == {}
    assert device_links(graph(*rows, headers=headers, device=CPU)) == {}


def test_a_torch_that_does_not_run_there_is_refused_for_that_and_not_here() -> None:
    headers = (cpp("7.0"), cpp("7.0", torch="2.3.0"))
    builds = (torch_build(archs=("sm_90",)), torch_build("2.3.0"))
    made = graph(recipe(versions="==1.0"), headers=headers, builds=builds)
    assert device_links(made) == {6: {2}}
    no_cuda = (torch_build("2.4.1", "cpu"), torch_build("2.3.0"))
    assert device_links(graph(recipe(versions="==1.0"), headers=headers, builds=no_cuda)) == {6: {2}}
