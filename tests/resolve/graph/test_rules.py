"""Single rules of the graph: what a constraint means, when a breakage happens, which archs a build names."""

from __future__ import annotations

import pytest
from solved import Solved, facts, solved

from mmlock.core.errors import UsageError
from mmlock.core.names import Form, PackageName
from mmlock.facts.matrix.model import Toolkit, When
from mmlock.resolve.graph.break_rows import cuda_of, matches
from mmlock.resolve.graph.packages import newest_first
from mmlock.resolve.graph.torch_rows import build_arch, desktop_archs
from mmlock.resolve.graph.user_constraints import cuda_version, version_wish
from mmlock.resolve.request.objectives import Objective


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2.4", "==2.4.*"),
        ("2.4.1", "==2.4.1"),
        (">=2.4", ">=2.4"),
        ("==2.9.*", "==2.9.*"),
        ("~=2.1", "~=2.1"),
        ("", ""),
        ("3.12", "==3.12.*"),
    ],
)
def test_what_a_bare_version_means(text: str, means: str) -> None:
    assert version_wish(text) == means


@pytest.mark.parametrize(
    ("text", "means"), [("cu118", "11.8"), ("118", "11.8"), ("12.8", "12.8"), ("cu130", "13.0")]
)
def test_how_cuda_is_written(text: str, means: str) -> None:
    assert cuda_version(text) == means


def test_final_releases_come_before_newer_release_candidates() -> None:
    found = newest_first(["1.0.0", "2.0.0rc1", "1.10.0", "1.9.0", "2.0.0rc2"])
    assert found == ["1.10.0", "1.9.0", "1.0.0", "2.0.0rc2", "2.0.0rc1"]


# ---------------------------------------------------------------- archs of a build


def toolkit(cuda: str) -> Toolkit:
    return next(t for t in facts().toolkits if t.cuda == cuda)


@pytest.mark.parametrize(
    ("arch", "tegra", "torch", "cuda", "named"),
    [
        ("sm_120", False, "2.11.0", "13.0", "12.0"),
        ("sm_120", False, "2.7.0", "12.8", "12.0"),
        ("sm_120", False, "2.6.0", "12.6", None),  # torch's list of archs begins to know 12.0 with 2.7
        ("sm_121", False, "2.7.1", "12.8", "12.0"),  # 12.1 came with torch 2.8; sm_120 code runs there
        ("sm_89", False, "1.13.1", "11.7", "8.6"),  # 8.9 came with torch 2.0; sm_86 code runs there
        ("sm_90", False, "1.13.1", "11.7", None),
        ("sm_87", True, "2.4.1", "12.4", "8.7"),
        ("sm_72", True, "2.4.1", "12.4", "7.2"),
        ("sm_103", False, "2.7.1", "12.8", "10.0"),
        ("sm_88", True, "2.4.1", "12.4", None),  # a Tegra part takes no other part's code
        ("sm_37", False, "2.4.1", "11.8", "3.7"),
        ("sm_37", False, "2.4.1", "12.1", None),  # CUDA 12 dropped Kepler
    ],
)
def test_what_a_build_writes_for_a_device(
    arch: str, *, tegra: bool, torch: str, cuda: str, named: str | None
) -> None:
    found = build_arch(
        arch,
        desktop_archs(facts()),
        tegra=tegra,
        cpp=facts().cpp_extension[torch],
        toolkit=toolkit(cuda),
    )
    assert found == named


def test_a_tegra_arch_is_never_a_stand_in() -> None:
    assert "sm_87" not in desktop_archs(facts())
    assert "sm_86" in desktop_archs(facts())
    cpp = facts().cpp_extension["1.13.1"]
    assert "8.7" in cpp.archs or "8.6" in cpp.archs
    found = build_arch("sm_89", desktop_archs(facts()), tegra=False, cpp=cpp, toolkit=toolkit("11.7"))
    assert found == "8.6"


# ---------------------------------------------------------------- what is known to fail


def happening(one: Solved) -> set[str]:
    return {incompatibility.breakage.id for incompatibility in (*one.solution.cured, *one.solution.broken)}


def possible(one: Solved) -> set[str]:
    return {incompatibility.breakage.id for incompatibility in one.rows.incompatibilities}


@pytest.mark.slow
def test_a_breakage_of_a_gpu_counts_for_that_gpu_alone() -> None:
    volta = solved("torch==2.0.*", "flash-attn>=2", gpu="v100")
    ampere = solved("torch==2.0.*", "flash-attn>=2", gpu="a100")
    assert "flash-attn-before-ampere" in possible(volta)
    assert "flash-attn-before-ampere" not in possible(ampere)
    both = solved("torch==2.0.*", "flash-attn>=2", gpu=("a100", "t4"))
    assert "flash-attn-before-ampere" in possible(both)


def test_a_breakage_of_an_ordinary_package_needs_that_package() -> None:
    without = solved("mmcv", gpu="cpu")
    assert not {"openmim-pkg-resources", "openmim-py312"} & possible(without)
    with_it = solved("mmcv", gpu="cpu", present=["openmim==0.3.9"])
    assert "openmim-py312" in possible(with_it)


def test_a_breakage_that_can_be_avoided_is_avoided() -> None:
    free = solved("mmdet", gpu="t4", present=["openmim==0.3.9"])
    assert "openmim-py312" not in happening(free)
    forced = solved("mmdet", gpu="t4", present=["openmim==0.3.9"], python="3.12")
    assert "openmim-py312" in happening(forced)
    assert {b.breakage.id for b in forced.solution.broken} == {"openmim-py312"}


@pytest.mark.slow
def test_what_a_condition_speaks_of() -> None:
    one = solved("mmcv", gpu="t4")

    def hits(package: str, **more: str) -> set[str]:
        when = When(package=PackageName(package), **more)
        return {o.label for o in one.rows.options if matches(o, when)}

    assert {"python 3.12"} == hits("python", versions="==3.12.*")
    assert hits("mmcv", form="build")
    assert not hits("mmcv", form="build") & hits("mmcv", form="wheel")
    assert hits("mmcv", form="build") | hits("mmcv", form="wheel") == hits("mmcv")
    assert all("+cu118" in label for label in hits("torch", cuda="==11.8"))
    assert hits("torch", cuda="<12") | hits("torch", cuda=">=12") == hits("torch")
    wheels = [o for o in one.rows.options if o.label in hits("mmcv", cuda="==12.1")]
    assert wheels
    assert {cuda_of(o) for o in wheels} == {"12.1"}
    assert hits("torch", versions=">=99") == set()


def test_a_breakage_of_ordinary_packages_alone_is_cured_too() -> None:
    one = solved("mmengine", gpu="cpu", present=["openmim==0.3.9"])
    cured = {b.breakage.id: b.breakage for b in one.solution.cured}
    assert cured["openmim-pkg-resources"].constraints == ("setuptools<82",)
    assert "openmim-pkg-resources" not in happening(solved("mmengine", gpu="cpu"))


# ---------------------------------------------------------------- constraints


@pytest.mark.slow
def test_the_plain_name_means_the_module_with_ops() -> None:
    assert {o.package for o in solved("mmcv", gpu="t4").solution.packages()} >= {"mmcv"}
    full = solved("mmcv-full", gpu="t4")
    assert full.version("mmcv-full")
    assert full.version("mmcv") is None
    lite = solved("mmcv-lite", gpu="cpu")
    assert lite.solution.picked["mmcv"].form is Form.WITHOUT_OPS


@pytest.mark.slow
def test_without_ops_only_when_allowed_and_then_last() -> None:
    plain = solved("mmcv", gpu="a100", torch="2.12", no_build=True)
    assert plain.found is None
    allowed = solved("mmcv", gpu="a100", torch="2.12", no_build=True, allow_lite=True)
    assert allowed.solution.picked["mmcv"].package == "mmcv-lite"
    free = solved("mmcv", gpu="a100", allow_lite=True)
    assert free.solution.picked["mmcv"].form is Form.WHEEL


@pytest.mark.slow
def test_ops_in_plain_pytorch_come_after_everything_compiled_and_before_none() -> None:
    plain = {"gpu": "a100", "torch": "2.12", "no_build": True}
    assert solved("mmcv", **plain).found is None
    allowed = solved("mmcv", **plain, allow_torch_ops=True).solution
    assert allowed.picked["mmcv"].form is Form.TORCH_OPS
    both = solved("mmcv", **plain, allow_torch_ops=True, allow_lite=True).solution
    assert both.picked["mmcv"].form is Form.TORCH_OPS
    assert [(p.objective, p.value) for p in both.objectives if p.objective is Objective.OPS] == [
        (Objective.OPS, 1)
    ]
    build = solved("mmcv", gpu="a100", torch="2.12", allow_torch_ops=True).solution
    assert build.picked["mmcv"].form is Form.BUILD
    free = solved("mmcv", gpu="a100", allow_torch_ops=True).solution
    assert free.picked["mmcv"].form is Form.WHEEL


@pytest.mark.slow
def test_ops_in_plain_pytorch_need_no_toolkit_and_any_torch() -> None:
    one = solved("mmcv", gpu="rtx5090", no_build=True, allow_torch_ops=True).solution
    assert one.toolchain is None
    assert one.picked["mmcv"].form is Form.TORCH_OPS
    old = solved("mmcv-full", gpu="cpu", torch="1.12.1", no_build=True, allow_torch_ops=True, python="3.8")
    assert old.solution.picked["mmcv"].form in {Form.WHEEL, Form.TORCH_OPS}


@pytest.mark.parametrize("word", ["roi_aligm", "nms_", "ROIAlign"])
def test_an_op_that_is_none_is_told_with_its_neighbours(word: str) -> None:
    with pytest.raises(UsageError, match="has no such op") as caught:
        solved("mmcv", gpu="cpu", allow_torch_ops=True, torch_ops=(word,))
    assert "did you mean" in "\n".join(caught.value.lines())


def test_ops_are_asked_for_only_where_plain_ones_are_allowed() -> None:
    with pytest.raises(UsageError, match="plain PyTorch"):
        solved("mmcv", gpu="cpu", torch_ops=("nms",))


@pytest.mark.slow
def test_a_constraint_bounds_and_does_not_ask() -> None:
    one = solved("mmengine", gpu="cpu", constraints=["mmcv<2", "mmdet==2.28.2"])
    assert {o.package for o in one.solution.packages()} == {"torch", "mmengine"}
    bound = solved("mmdet", gpu="t4", constraints=["torch<2"])
    assert bound.solution.torch.torch.startswith("1.")


def test_a_constraint_for_another_platform_bounds_nothing() -> None:
    one = solved("mmengine", gpu="cpu", constraints=["torch<2; sys_platform == 'win32'"])
    assert not one.solution.torch.torch.startswith("1.")
    there = solved(
        "mmengine", gpu="cpu", platform="windows", constraints=["torch<2; sys_platform == 'win32'"]
    )
    assert there.solution.torch.torch.startswith("1.")


@pytest.mark.slow
def test_prereleases_wait_until_they_are_asked_for() -> None:
    assert not solved("mmdet3d", gpu="t4").version("mmdet3d").count("rc")  # type: ignore[union-attr]
    named = solved("mmdet3d==1.0.0rc6", gpu="t4")
    assert named.version("mmdet3d") == "1.0.0rc6"
    paid = {p.objective: p.value for p in named.solution.objectives}
    assert paid[Objective.PRERELEASE] == 0


@pytest.mark.slow
def test_other_providers_only_by_name() -> None:
    plain = solved("mmcv", gpu="t4")
    assert "onedl-mmcv" not in {o.package for o in plain.rows.options}
    named = solved("onedl-mmcv", gpu="t4")
    assert "onedl-mmcv" in {o.package for o in named.rows.options}


def test_a_free_threaded_python_is_none_of_the_plain_ones() -> None:
    one = solved("mmdet", gpu="a100", python="3.13t")
    assert one.found is None
    members = [m for a in one.rows.user_constraints if a.name == "--python 3.13t" for _, m in a.parts]
    assert members == [frozenset()]


def test_a_driver_of_an_older_toolkit_compiles_no_ptx() -> None:
    """torch 2.6 holds no sm_120 code; what is left are builds with it, however old the driver's PTX is."""
    told = solved("torch", gpu="rtx5090", driver="570.26")
    assert told.solution.torch.archs is not None
    assert "sm_120" in told.solution.torch.archs


def test_the_driver_of_the_toolkit_bounds_torch() -> None:
    """450 runs CUDA 11 on an A100, and no newer one."""
    told = solved("torch", gpu="a100", driver="450.80.02")
    assert str(told.solution.torch.cuda).startswith("11.")
