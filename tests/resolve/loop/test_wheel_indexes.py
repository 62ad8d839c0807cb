"""Compiled wheels of an index of the user's own: they replace a build, and nothing that they do not fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from made_farm import add
from msgspec.structs import replace
from solved import facts, request

from mmlock.core.arguments import SolveArguments
from mmlock.core.artifact import IndexSettings
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import Form
from mmlock.core.progress import silent
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.with_wheels import with_wheels
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.solution import CoreSolution, solve_core
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.graph.rows import Option
from mmlock.resolve.loop.indexes import Indexes
from mmlock.resolve.loop.loop import graph_request
from mmlock.resolve.loop.nogoods import LoopState
from mmlock.resolve.loop.wheel_indexes import read_wheel_indexes
from mmlock.resolve.plan.closure_inputs import core_node
from mmlock.resolve.plan.files import locate
from mmlock.resolve.request.interpret import interpret
from mmlock.wheels.static_index import write_static
from mmlock.wheels.wheelhouse import Wheelhouse


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    return Wheelhouse(root=tmp_path / "house")


def published(house: Wheelhouse, tmp_path: Path) -> Path:
    out = tmp_path / "published"
    write_static(house, out)
    return out


def overlaid(*places: Path | str) -> Matrix:
    with Indexes(index=IndexSettings(), offline=True, progress=silent, environ={}) as indexes:
        return with_wheels(facts(), read_wheel_indexes(facts(), map(str, places), indexes, silent))


def decided(matrix: Matrix, asked: SolveArguments) -> CoreSolution:
    found = interpret(matrix, asked)
    rows = build_graph(matrix, graph_request(found, LoopState()))
    solution = solve_core(rows, ClingoEngine(), found.objectives)
    assert solution is not None
    return solution


def mmcv(matrix: Matrix, gpu: str = "rtx5090", **more: object) -> Option:
    return decided(matrix, request("mmengine", "mmcv", "mmdet", gpu=gpu, **more)).picked["mmcv"]


@pytest.mark.slow
def test_a_wheel_there_goes_before_a_build(house: Wheelhouse, tmp_path: Path) -> None:
    assert mmcv(facts()).form is Form.BUILD
    add(house, tmp_path)

    found = mmcv(overlaid(published(house, tmp_path)))

    assert (found.form, found.version) == (Form.WHEEL, "2.1.0")


@pytest.mark.slow
def test_it_is_locked_by_its_hash_and_installed_under_its_own_version(
    house: Wheelhouse, tmp_path: Path
) -> None:
    wheel = add(house, tmp_path)
    matrix = overlaid(published(house, tmp_path))
    asked = request("mmengine", "mmcv", "mmdet", gpu="rtx5090")
    solution = decided(matrix, asked)
    option, target = solution.picked["mmcv"], interpret(matrix, asked).target

    place = locate(matrix, option, solution.torch, target, solution.python)
    node = core_node(matrix, solution, option, target, ())

    assert [file.sha256 for file in place.files] == [wheel.sha256]
    assert place.version == node.version == "2.1.0+pt2.11.0cu130"
    assert "addict" in node.requires, "what its release requires"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gpu", "more"),
    [
        ("rtx5090", {"python": "3.11"}),
        ("rtx5090", {"torch": "==2.9.1"}),
        ("v100", {"torch": "==2.11.*"}),
        ("rtx5090", {"platform": "linux_aarch64"}),
    ],
)
def test_it_serves_no_other_python_torch_arch_or_platform(
    house: Wheelhouse, tmp_path: Path, gpu: str, more: dict[str, object]
) -> None:
    add(house, tmp_path, python="3.12", archs=("8.0", "12.0"))
    matrix = overlaid(published(house, tmp_path))

    assert mmcv(matrix, gpu, **more).form is Form.BUILD


@pytest.mark.slow
def test_ptx_of_a_lower_arch_serves_a_newer_card(house: Wheelhouse, tmp_path: Path) -> None:
    add(house, tmp_path, archs=("8.0", "9.0+PTX"))

    assert mmcv(overlaid(published(house, tmp_path))).form is Form.WHEEL


@pytest.mark.slow
def test_a_wheel_whose_check_failed_is_not_taken(house: Wheelhouse, tmp_path: Path) -> None:
    add(house, tmp_path, passed=False)

    assert mmcv(overlaid(published(house, tmp_path))).form is Form.BUILD


@pytest.mark.slow
def test_what_a_release_refuses_at_import_holds_for_its_wheel_too(house: Wheelhouse, tmp_path: Path) -> None:
    add(house, tmp_path, version="2.2.0")

    found = mmcv(overlaid(published(house, tmp_path)))

    assert (found.form, found.version) == (Form.BUILD, "2.1.0")


@pytest.mark.slow
def test_wheels_that_differ_in_their_archs_alone_are_two_options(house: Wheelhouse, tmp_path: Path) -> None:
    add(house, tmp_path, archs=("8.0",))
    add(house, tmp_path, archs=("12.0",))
    matrix = overlaid(published(house, tmp_path))

    assert mmcv(matrix, "rtx5090").label != mmcv(matrix, "a100").label
    assert {mmcv(matrix, gpu).form for gpu in ("rtx5090", "a100")} == {Form.WHEEL}


@pytest.mark.slow
def test_the_name_tells_the_torch_where_the_page_does_not(house: Wheelhouse, tmp_path: Path) -> None:
    add(house, tmp_path)
    out = published(house, tmp_path)
    (out / "simple" / "mmcv" / "index.json").unlink()
    page = out / "simple" / "mmcv" / "index.html"
    text = page.read_text()
    assert "data-mmlock-torch" in text
    page.write_text(text.replace("data-mmlock-", "data-x-"))

    found = mmcv(overlaid(out))

    assert found.form is Form.WHEEL


def test_a_wheel_of_which_nobody_says_for_which_torch_it_is_is_not_taken(
    house: Wheelhouse, tmp_path: Path
) -> None:
    add(house, tmp_path)
    out = published(house, tmp_path)
    (out / "simple" / "mmcv" / "index.json").unlink()
    page = out / "simple" / "mmcv" / "index.html"
    text = page.read_text().replace("data-mmlock-", "data-x-").replace("%2Bpt2.11.0cu130", "")
    page.write_text(text)

    assert mmcv(overlaid(out)).form is Form.BUILD


def test_the_facts_stay_those_that_they_were(house: Wheelhouse, tmp_path: Path) -> None:
    add(house, tmp_path)
    matrix = overlaid(published(house, tmp_path))

    assert matrix.digest == facts().digest
    assert facts().binaries("mmcv") == ()
    assert len(matrix.binaries("mmcv")) == 1


def test_a_folder_that_is_no_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not an index of wheels"):
        overlaid(tmp_path)


def test_an_index_that_cannot_be_reached_stops_the_solve(tmp_path: Path) -> None:
    del tmp_path
    with pytest.raises(EnvironmentFault, match="is not available"):
        overlaid("https://wheels.invalid/simple")


def test_a_project_whose_page_is_gone_stops_the_solve(house: Wheelhouse, tmp_path: Path) -> None:
    add(house, tmp_path)
    out = published(house, tmp_path)
    shutil.rmtree(out / "simple" / "mmcv")

    with pytest.raises(EnvironmentFault, match="cannot be read"):
        overlaid(out)


def test_the_answer_to_a_request_with_such_an_index_is_not_kept() -> None:
    from mmlock.resolve.loop.answer_cache import place

    asked = request("mmcv", gpu="cpu")

    assert place(asked, {}) is not None
    assert place(replace(asked, wheel_indexes=("published",)), {}) is None
