"""The farm as a user runs it: real facts, a closure of a small world, real wheelhouses."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from closers import OpenWorld
from made_farm import add
from made_plans import one
from msgspec.structs import replace
from solved import facts

from mmlock.app.farm_building import FarmResult, FarmTask, _build, request_of, result_of
from mmlock.app.farming import _held, _label, _records, farm_plan, farm_publish, farm_run
from mmlock.app.solving import locked
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.farm_arguments import (
    ExportKind,
    FarmPlanArguments,
    FarmPublishArguments,
    FarmRunArguments,
    SweepArguments,
)
from mmlock.core.names import PackageName
from mmlock.core.progress import silent
from mmlock.farm.demand import FarmBuild
from mmlock.farm.plan import FarmPlan, FarmPlanBuild, plan_bytes, read_plan
from mmlock.farm.tables import as_json
from mmlock.wheels.wheelhouse import Wheelhouse
from mmlock.work.model import Outcome, TaskAnswer, TaskFailure

MMCV = PackageName("mmcv")
ARCHS = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")


def wheel() -> FarmBuild:
    return replace(one("mmcv", archs=ARCHS), version="2.1.0")


def asked(tmp_path: Path, **more: object) -> FarmPlanArguments:
    """A plan from a sweep that is there, so that no process is begun."""
    from made_sweeps import real

    file = tmp_path / "sweep.json"
    file.write_bytes(
        as_json(real(("rtx5090", "a100", "cpu"), ("3.12",), ("2.11",), ("openmmlab", "detection")))
    )
    sweep = SweepArguments(matrices=facts().root)
    return FarmPlanArguments(sweep=sweep, source=file, wheelhouse=tmp_path / "house", **more)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_build_of_a_plan_is_one_step_for_all_archs_of_the_wheel() -> None:
    request = request_of(wheel(), offline=True, exclude_newer=None)

    env = locked(facts(), replace(request, no_abi_check=True), progress=silent, closer=OpenWorld())

    (step,) = env.build
    assert (step.package, step.version, env.torch, env.python) == (MMCV, "2.1.0", "2.11.0+cu130", "3.12")
    assert step.env["TORCH_CUDA_ARCH_LIST"] == wheel().arch_list


@pytest.mark.slow
def test_the_same_wheel_is_one_key_whichever_target_it_was_planned_for() -> None:
    first = request_of(wheel(), offline=True, exclude_newer=None)
    second = request_of(replace(wheel(), archs=ARCHS[::-1]), offline=True, exclude_newer=None)

    made = [
        locked(facts(), replace(one, no_abi_check=True), progress=silent, closer=OpenWorld()).build
        for one in (first, second)
    ]
    assert made[0] == made[1]


@pytest.mark.slow
def test_a_plan_says_what_it_serves_and_is_written_whole(tmp_path: Path) -> None:
    out = tmp_path / "plan.json"

    page = farm_plan(asked(tmp_path, out=out))

    plan = read_plan(out.read_bytes(), out)
    assert {(p.build.torch, p.serves) for p in plan.builds} == {("2.11.0+cpu", 2), ("2.11.0+cu130", 4)}
    assert page.data == msgspec.to_builtins(plan)
    assert "4 more" in page.text


@pytest.mark.slow
def test_a_plan_counts_only_what_the_locks_of_a_project_are_for(tmp_path: Path) -> None:
    catalogue = tmp_path / "mmlock.toml"
    catalogue.write_text('[stacks.detection]\ntargets = ["rtx5080"]\n')

    page = farm_plan(asked(tmp_path, catalogue=catalogue))

    assert isinstance(page.data, dict)
    assert page.data["targets"] == 1, "an RTX 5080 is served by what serves an RTX 5090"


@pytest.mark.slow
def test_a_sweep_about_other_facts_is_refused(tmp_path: Path) -> None:
    arguments = asked(tmp_path)
    assert arguments.source is not None
    text = json.loads(arguments.source.read_bytes())
    arguments.source.write_text(json.dumps({**text, "matrix": "f" * 64}))

    with pytest.raises(UsageError, match="is about other facts"):
        farm_plan(arguments)


@pytest.mark.slow
def test_a_pipeline_goes_to_stdout_where_no_file_is_named(tmp_path: Path) -> None:
    page = farm_plan(asked(tmp_path, export=ExportKind.GITLAB))

    assert page.text.startswith("# Made by `mmlock farm plan")
    assert "parallel:" in page.text


def test_records_of_the_wheelhouse_say_what_builds_cost(tmp_path: Path) -> None:
    house = Wheelhouse(root=tmp_path / "house")
    add(house, tmp_path, cpu_seconds=7200.0)
    add(house, tmp_path, python="3.11", cpu_seconds=None)

    (record,) = _records(house)

    assert (record.package, record.archs, record.cpu_seconds) == (MMCV, 3, 7200.0)


def task(**more: object) -> bytes:
    held = FarmTask(build=wheel(), matrix="f" * 64, mmlock="0", wheelhouse="/nowhere")
    return msgspec.json.encode(replace(held, **more))


def test_a_worker_with_other_facts_refuses_a_build() -> None:
    with pytest.raises(EnvironmentFault, match="other facts, or another mmlock"):
        _build(task(), silent)


def test_the_result_of_a_build_is_the_step_that_made_the_package() -> None:
    fetch = {"kind": "fetch", "package": "torch", "file": "torch.whl", "sha256": "0", "from": "x"}
    made = {"package": "mmcv", "file": "m.whl", "sha256": "1", "key": "k", "from": "new build"}

    assert result_of(MMCV, [fetch, made]) == FarmResult(file="m.whl", sha256="1", key="k", origin="new build")
    with pytest.raises(EnvironmentFault, match="no build of mmcv"):
        result_of(MMCV, [fetch])


def a_plan(tmp_path: Path) -> Path:
    build = replace(wheel(), package=PackageName("no-such-package"))
    planned = FarmPlanBuild(name=build.name, build=build, cpu_hours=None, serves=1, covered=1)
    plan = FarmPlan(mmlock="1", matrix="0" * 64, targets=1, served=0, hopeless=0, builds=(planned,))
    file = tmp_path / "plan.json"
    file.write_bytes(plan_bytes(plan))
    return file


@pytest.mark.slow
def test_a_build_that_fails_is_told_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    arguments = FarmRunArguments(plan=a_plan(tmp_path), wheelhouse=tmp_path / "house", offline=True)

    page = farm_run(arguments)

    assert isinstance(page.data, dict)
    assert page.data["failed"] == 1
    assert page.data["builds"][0]["state"] == "failed"
    assert "no-such-package" in page.text


def test_a_published_tree_says_how_to_use_it(tmp_path: Path) -> None:
    house = tmp_path / "house"
    add(Wheelhouse(root=house), tmp_path)

    page = farm_publish(FarmPublishArguments(target=tmp_path / "site", wheelhouse=house))

    assert page.data == {"target": str(tmp_path / "site"), "wheels": 1, "variants": True}
    assert (tmp_path / "site" / "simple" / "mmcv" / "index.json").is_file()
    documents = list((tmp_path / "site" / "variants" / "mmcv").glob("*-variants.json"))
    assert len(documents) == 1
    assert list((tmp_path / "site").rglob("*.whl.provenance.json"))


def test_a_result_counts_only_where_the_wheelhouse_has_that_very_wheel(tmp_path: Path) -> None:
    house = Wheelhouse(root=tmp_path / "house")
    entry = add(house, tmp_path)
    told = FarmResult(file=entry.path.name, sha256=entry.sha256, key=entry.key, origin="new build")

    def held(result: FarmResult) -> Outcome:
        return _held(TaskAnswer(body=msgspec.json.encode(result)), house)

    assert isinstance(held(told), TaskAnswer)
    other, absent = held(replace(told, sha256="0" * 64)), held(replace(told, key="1" * 64))
    assert isinstance(other, TaskFailure)
    assert "is not the wheel that was made" in other.message
    assert isinstance(absent, TaskFailure)
    assert "is not in the wheelhouse" in absent.message
    assert "--wheelhouse" in absent.hints[0]


def test_a_build_needs_the_memory_of_its_recipe() -> None:
    assert _label(wheel(), facts()) == "mem_gb=3"
    assert _label(replace(wheel(), archs=()), facts()) == "mem_gb=1"
    assert _label(replace(wheel(), package=PackageName("nobody")), facts()) == "cpu"
