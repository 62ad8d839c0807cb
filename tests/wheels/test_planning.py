"""Plans and keys: what a build is made of."""

from __future__ import annotations

from pathlib import Path

import pytest
from build_world import artifact_of, locked, make_env, make_step
from msgspec.structs import replace

from mmlock.core.artifact import Artifact
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import Confidence, normalize
from mmlock.lock.model import BuildStep, BuildTool, FetchStep, LockedEnv, Reason
from mmlock.wheels.key import build_key, key_inputs
from mmlock.wheels.model import Compiler
from mmlock.wheels.planning import local_label, plan_build, with_fetched

COMPILER = Compiler(
    cxx="/usr/bin/g++", cc="/usr/bin/gcc", identity="g++ 12.2.0", gcc=12, machine="x86_64-linux-gnu"
)


def wheel(folder: Path, name: str) -> Artifact:
    path = folder / name
    path.write_text(name)
    return artifact_of(path)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "tinyext-1.0.tar.gz").write_text("sources")
    return tmp_path


def world(files: Path, *requires: str) -> tuple[LockedEnv, BuildStep]:
    step = replace(make_step(files / "tinyext-1.0.tar.gz"), build_requires=requires)
    packages = (
        locked("torch", "2.13.0+cpu", wheel(files, "torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl")),
        locked("sympy", "1.14.0", wheel(files, "sympy-1.14.0-py3-none-any.whl"), via=("torch",)),
        locked("mpmath", "1.3.0", wheel(files, "mpmath-1.3.0-py3-none-any.whl"), via=("sympy",)),
        locked("setuptools", "84.0", wheel(files, "setuptools-84.0-py3-none-any.whl"), via=("mmengine",)),
        locked("other", "1.0", wheel(files, "other-1.0-py3-none-any.whl"), via=("mmengine",)),
    )
    return make_env(packages, (step,)), step


def test_the_lock_pins_what_it_holds_and_what_that_needs(files: Path) -> None:
    env, step = world(files, "torch==2.13.0+cpu", "ninja")
    plan = plan_build(env, step)
    assert [pin.name for pin in plan.pins] == ["mpmath", "sympy", "torch"]
    assert plan.loose == ("ninja",)
    assert all(pin.file.sha256 for pin in plan.pins)


def test_a_pin_outside_the_bound_is_not_taken(files: Path) -> None:
    env, step = world(files, "torch==2.13.0+cpu", "setuptools<82")
    assert plan_build(env, step).loose == ("setuptools<82",)


def test_tools_of_the_step_are_pinned_beside_what_the_lock_holds(files: Path) -> None:
    env, step = world(files, "torch==2.13.0+cpu", "setuptools<82", "ninja", "wheel")
    tools = tuple(
        BuildTool(
            name=normalize(name), version=version, file=wheel(files, f"{name}-{version}-py3-none-any.whl")
        )
        for name, version in (("ninja", "1.13"), ("setuptools", "81.0"), ("sympy", "1.0"), ("wheel", "1.0"))
    )
    plan = plan_build(env, replace(step, tools=tools))
    versions = {pin.name: pin.version for pin in plan.pins}
    # The environment's own setuptools is too new for this build; its sympy is torch's, and stays.
    assert versions == {
        "mpmath": "1.3.0",
        "ninja": "1.13",
        "setuptools": "81.0",
        "sympy": "1.14.0",
        "torch": "2.13.0+cpu",
        "wheel": "1.0",
    }
    assert plan.loose == ()
    with pytest.raises(UsageError, match="its tools hold ninja"):
        plan_build(env, replace(step, tools=tools, build_requires=("ninja>=2",)))


def test_a_torch_to_be_fetched_counts_as_held(files: Path) -> None:
    env, step = world(files, "torch==2.13.0+cpu")
    url = "https://x.example/torch-2.13.0%2Bcpu-cp311-cp311-linux_x86_64.whl"
    fetch = FetchStep(
        package=normalize("torch"),
        version="2.13.0+cpu",
        url=url,
        index="https://x.example",
        why="",
        reasons=(),
    )
    bare = replace(env, packages=env.packages[1:], fetch=(fetch,))
    with pytest.raises(EnvironmentFault, match="must be built against"):
        plan_build(bare, step)
    pins = plan_build(with_fetched(bare), step).pins
    assert [(pin.name, pin.file.sha256 is None) for pin in pins] == [
        ("mpmath", False),
        ("sympy", False),
        ("torch", True),
    ]


def test_what_torch_brings_gives_way_to_what_the_build_asks_for(files: Path) -> None:
    env, step = world(files, "torch==2.13.0+cpu", "setuptools<82")
    brought = locked("setuptools", "84.0", wheel(files, "setuptools-84.0-py3-none-any.whl"), via=("torch",))
    env = replace(env, packages=(*(p for p in env.packages if p.name != "setuptools"), brought))
    plan = plan_build(env, step)
    assert plan.loose == ("setuptools<82",)
    assert "setuptools" not in plan.pinned_names


def test_another_torch_than_the_locks_is_an_error(files: Path) -> None:
    env, step = world(files, "torch==2.11.0")
    with pytest.raises(EnvironmentFault) as error:
        plan_build(env, step)
    assert error.value.causes == ("it holds torch 2.13.0+cpu",)


def test_sources_without_a_hash_are_refused(files: Path) -> None:
    env, step = world(files, "ninja")
    with pytest.raises(UsageError, match="no hash"):
        plan_build(env, replace(step, source=replace(step.source, sha256=None)))


def test_a_toolchain_without_its_files_is_refused(files: Path) -> None:
    env, step = world(files, "ninja")
    chain = replace(step.toolchain, provider="pip", packages=("nvidia-cuda-nvcc==13.0.88",))
    with pytest.raises(UsageError, match="without a file and its hash"):
        plan_build(env, replace(step, toolchain=chain))


def test_a_toolchain_must_agree_with_the_lock(files: Path) -> None:
    env, step = world(files, "torch==2.13.0+cpu")
    file = replace(step.source, name="sympy-1.0-py3-none-any.whl")
    chain = replace(step.toolchain, provider="pip", packages=("sympy==1.0",), files=(file,))
    with pytest.raises(UsageError, match="different files of `sympy`"):
        plan_build(env, replace(step, toolchain=chain))


@pytest.mark.parametrize(
    ("torch", "label"),
    [
        ("2.13.0+cpu", "pt2.13.0cpu"),
        ("2.11.0+cu130", "pt2.11.0cu130"),
        ("2.11.0", "pt2.11.0"),
        ("2.1.0+rocm5.6", "pt2.1.0rocm5.6"),
        ("2.9.0a0+git-x_y", "pt2.9.0a0git.x.y"),
    ],
)
def test_the_label_tells_torch_and_cuda(torch: str, label: str) -> None:
    assert local_label(torch) == label


def key(
    env: LockedEnv, step: BuildStep, compiler: Compiler | None = COMPILER, toolkit: str | None = None
) -> str:
    return build_key(key_inputs(plan_build(env, step), compiler, toolkit))


def test_the_key_follows_what_shapes_the_wheel(files: Path) -> None:
    env, step = world(files, "torch==2.13.0+cpu", "ninja")
    base = key(env, step)
    assert len(base) == 64
    changed = {
        "archs": key(env, replace(step, env={"TORCH_CUDA_ARCH_LIST": "9.0"})),
        "env": key(env, replace(step, env={"MMCV_WITH_OPS": "1"})),
        "sources": key(env, replace(step, source=replace(step.source, sha256="0" * 64))),
        "python": key(replace(env, python="3.9"), step),
        "compiler": key(env, step, replace(COMPILER, identity="g++ 13")),
        "toolkit": key(env, step, toolkit="nvcc 12.4"),
        "loose": key(env, replace(step, build_requires=("torch==2.13.0+cpu", "ninja>1"))),
    }
    torch = replace(env.packages[0], files=(replace(env.packages[0].files[0], sha256="1" * 64),))
    changed["torch"] = key(replace(env, packages=(torch, *env.packages[1:])), step)
    assert base not in changed.values()
    assert len(set(changed.values())) == len(changed)


def test_newer_facts_about_the_same_build_keep_the_key(files: Path) -> None:
    """What a refreshed matrix tells anew and no wheel can show: its digest, dates, reasons, verdicts."""
    env, step = world(files, "torch==2.13.0+cpu", "ninja")
    reason = Reason(text="seen again", source=("2027-01-01",), confidence=Confidence.CAPTURED, kind="build")
    told = replace(
        step,
        recipe="renamed",
        verified="built again",
        reasons=(reason,),
        check=(*step.check, "file:more*.so"),
        source=replace(step.source, size=1, upload_time="2027-01-01T00:00:00Z", url="https://elsewhere/s.gz"),
        toolchain=replace(step.toolchain, note="another word", gcc_source="a newer guide", gcc_max=99),
        patches=tuple(replace(patch, id="renamed", reason="better told") for patch in step.patches),
    )
    anew = replace(
        env,
        request=("--gpu", "other words"),
        findings=(),
        matrix_digest="f" * 64,
        engine="uv 99",
        verdict="e" * 64,
        driver_floor="999",
        build=(told,),
    )
    assert key(anew, told) == key(env, step)


def test_the_key_leaves_out_what_does_not(files: Path) -> None:
    env, step = world(files, "torch==2.13.0+cpu", "ninja")
    same = replace(step, env={"MAX_JOBS": "7"}, why="another sentence", memory_mb=9, note="hello")
    assert key(env, same) == key(env, replace(step, env={}))
    # A package that the build does not see.
    more = replace(
        env, packages=(*env.packages, locked("late", "1.0", wheel(files, "late-1.0-py3-none-any.whl")))
    )
    assert key(more, step) == key(env, step)
    moved = replace(
        env.packages[0], files=(replace(env.packages[0].files[0], url="https://elsewhere/t.whl"),)
    )
    assert key(replace(env, packages=(moved, *env.packages[1:])), step) == key(env, step)
