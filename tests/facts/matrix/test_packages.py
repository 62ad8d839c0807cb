"""Compiled packages as data: the guide is followed, and what a row says comes out as facts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from solved import facts, request

from mmlock.core.names import Confidence, PackageName, WheelDetail
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.facts.matrix.packages import OnPyPI
from mmlock.lock.model import FindingKind
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.solution import CoreSolution, solve_core
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.graph.rows import BinaryChoice, Rows
from mmlock.resolve.loop.loop import graph_request
from mmlock.resolve.loop.nogoods import LoopState
from mmlock.resolve.plan.findings import findings
from mmlock.resolve.request.interpret import interpret

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "guides" / "add-a-package.md"
NEW = PackageName("warp-rasterizer")


def example() -> str:
    (text,) = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return str(text)


def matrix_with(folder: Path, name: str, text: str) -> Matrix:
    """The committed facts and one more file of a package, as somebody has them who adds it."""
    for entry in (ROOT / "matrices").iterdir():
        if entry.name != "packages":
            (folder / entry.name).symlink_to(entry)
    (folder / "packages").mkdir()
    for entry in (ROOT / "matrices" / "packages").iterdir():
        (folder / "packages" / entry.name).symlink_to(entry)
    (folder / "packages" / f"{name}.toml").write_text(text, encoding="utf-8")
    return open_matrix(folder)


def solve(matrix: Matrix, *words: str, **more: object) -> tuple[Rows, CoreSolution | None]:
    asked = interpret(matrix, request(*words, **more))  # type: ignore[arg-type]
    rows = build_graph(matrix, graph_request(asked, LoopState()))
    return rows, solve_core(rows, ClingoEngine(), asked.objectives)


@pytest.mark.slow
def test_the_package_of_the_guide_is_solved_from_data_alone(tmp_path: Path) -> None:
    matrix = matrix_with(tmp_path, NEW, example())
    _, found = solve(matrix, NEW, gpu="rtx5090")
    assert found is not None
    (picked,) = [option for option in found.packages() if option.package == NEW]
    assert isinstance(picked.choice, BinaryChoice)
    assert picked.choice.binary.url == (
        "https://wheels.example.org/torch-2.8.0%2Bcu128/"
        "warp_rasterizer-1.2.0%2Bpt28cu128-{py}-{py}-manylinux_2_28_x86_64.whl"
    )
    assert (found.torch.torch, found.torch.variant, found.python) == ("2.8.0", "cu128", "3.12")


def test_the_package_of_the_guide_is_refused_on_a_gpu_it_has_no_code_for(tmp_path: Path) -> None:
    matrix = matrix_with(tmp_path, NEW, example())
    assert solve(matrix, NEW, gpu="v100")[1] is None


def test_without_a_fitting_wheel_the_answer_quotes_the_way_of_the_authors(tmp_path: Path) -> None:
    bare = example().partition("[[rows.wheels]]")[0].replace("lock = ", "# lock = ")
    rows, found = solve(matrix_with(tmp_path, NEW, bare), NEW, gpu="rtx5090")
    assert found is None
    (asked,) = [one for one in rows.user_constraints if one.name == NEW]
    assert "pip install warp-rasterizer -f" in asked.hint
    assert "it is not on PyPI" in asked.available


@pytest.mark.slow
def test_what_the_wheels_of_a_table_need_comes_into_the_lock_and_what_nobody_read_is_told(
    tmp_path: Path,
) -> None:
    matrix = matrix_with(tmp_path, NEW, example())
    (row,) = matrix.requires(NEW)
    assert (row.version, row.requires) == ("1.2.0", ("numpy", "torch"))
    (tmp_path / "bare").mkdir()
    bare = matrix_with(tmp_path / "bare", NEW, re.sub(r"requires = .*\n", "", example()))
    told = {}
    for facts_of in (matrix, bare):
        asked = interpret(facts_of, request(NEW, gpu="rtx5090"))
        _, found = solve(facts_of, NEW, gpu="rtx5090")
        assert found is not None
        kinds = {f.kind for f in findings(facts_of, found, asked.target, ()) if f.subject == NEW}
        told[facts_of] = FindingKind.METADATA in kinds
    assert told == {matrix: False, bare: True}


def test_metadata_that_was_read_goes_before_what_a_table_says(tmp_path: Path) -> None:
    text = (ROOT / "matrices" / "packages" / "kaolin.toml").read_text(encoding="utf-8")
    table = 'versions = ["2.1.2"]\nrequires = ["never-read"]\n'
    text = text.replace("kaolin", "torch-scatter").replace('versions = ["0.15.0"]\n', table)
    (tmp_path / "packages").mkdir()
    for entry in (ROOT / "matrices").iterdir():
        if entry.name != "packages":
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "packages" / "torch-scatter.toml").write_text(text, encoding="utf-8")
    rows = [row for row in open_matrix(tmp_path).requires("torch-scatter") if row.version == "2.1.2"]
    assert rows
    assert all("never-read" not in row.requires for row in rows)


@pytest.mark.slow
def test_a_wheel_for_a_minor_fits_all_its_patches_and_one_for_a_release_that_alone(tmp_path: Path) -> None:
    minor = matrix_with(tmp_path, NEW, example()).binaries(NEW)
    assert {row.torch for row in minor} == {"==2.7.*", "==2.8.*"}
    (tmp_path / "other").mkdir()
    exact = matrix_with(tmp_path / "other", NEW, example().replace('tie = "minor"', 'tie = "exact"'))
    assert {row.torch for row in exact.binaries(NEW)} == {"==2.7.0", "==2.8.0"}


def test_what_nobody_read_in_a_wheel_stays_unread(tmp_path: Path) -> None:
    text = re.sub(r"archs = .*\n", "", example())
    row = matrix_with(tmp_path, NEW, text).binaries(NEW)[0]
    assert row.archs is None
    assert row.unread == (WheelDetail.ARCHS,)


def test_sources_of_a_described_package_are_found_from_its_facts(tmp_path: Path) -> None:
    matrix = matrix_with(tmp_path, NEW, example())
    (citation,) = matrix.binaries(NEW)[0].source
    assert matrix.meaning(citation) == "example/app uv.lock @1234567890ab (2026-11-01)"


# ---------------------------------------------------------------- the committed rows

WANTED = (
    "torchcodec",
    "torch-scatter",
    "torch-sparse",
    "torch-cluster",
    "torch-spline-conv",
    "pyg-lib",
    "detectron2",
    "pytorch3d",
    "mamba-ssm",
    "causal-conv1d",
    "natten",
    "tinycudann",
    "apex",
    "kaolin",
    "nvdiffrast",
    "diff-gaussian-rasterization",
    "minkowskiengine",
    "torchsparse",
    "bitsandbytes",
    "deepspeed",
    "torchao",
    "sageattention",
    "transformer-engine",
    "gptqmodel",
    "vllm",
    "mmcv",
    "mmcv-full",
    "xformers",
    "flash-attn",
    "spconv-cu118",
    "multiscaledeformableattention",
    "torchvision",
    "torchaudio",
    "torch-npu",
)


@pytest.mark.parametrize("name", WANTED)
def test_a_package_that_users_need_is_known_with_its_authors_way(name: str) -> None:
    row = facts().described[PackageName(name)]
    assert row.install
    assert row.source


@pytest.mark.parametrize("name", ["apex", "kaolin"])
def test_a_namesake_on_the_package_index_is_never_meant(name: str) -> None:
    assert facts().described[PackageName(name)].pypi is OnPyPI.OTHER


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("detectron2", "git+https://github.com/facebookresearch/detectron2.git"),
        ("tinycudann", "git+https://github.com/NVlabs/tiny-cuda-nn"),
        ("nvdiffrast", "git+https://github.com/NVlabs/nvdiffrast"),
        ("torchsparse", "git+https://github.com/mit-han-lab/torchsparse"),
        ("minkowskiengine", "git+https://github.com/NVIDIA/MinkowskiEngine"),
        ("gptqmodel", "pip install -v gptqmodel --no-build-isolation"),
    ],
)
def test_a_package_without_wheel_and_recipe_is_refused_with_the_real_way(name: str, words: str) -> None:
    rows, found = solve(facts(), name, gpu="a100")
    assert found is None
    (asked,) = [one for one in rows.user_constraints if one.name == name]
    assert words in asked.hint


def test_torchcodec_goes_with_the_torch_that_its_readme_names() -> None:
    _, found = solve(facts(), "torchcodec", gpu="a100", torch="2.8.0")
    assert found is not None
    assert {str(o.package): o.version for o in found.packages()}["torchcodec"] == "0.7.0"


def test_a_wheel_of_another_variant_is_not_taken() -> None:
    _, found = solve(facts(), "torch-scatter", gpu="a100", torch="2.7.0", cuda="12.8")
    assert found is not None
    (picked,) = [option for option in found.packages() if option.package == "torch-scatter"]
    assert isinstance(picked.choice, BinaryChoice)
    assert picked.choice.binary.variant == "cu128"
    assert picked.confidence is Confidence.CAPTURED


def test_each_cuda_12_takes_the_wheel_that_was_built_for_it() -> None:
    _, found = solve(facts(), "torch-scatter", gpu="a100", torch="2.7.0", cuda="12.6")
    assert found is not None
    (picked,) = [option for option in found.packages() if option.package == "torch-scatter"]
    assert isinstance(picked.choice, BinaryChoice)
    assert picked.choice.binary.variant == "cu126"


def test_the_library_of_bitsandbytes_for_the_cuda_of_torch_says_which_gpus_it_runs_on() -> None:
    _, old = solve(facts(), "bitsandbytes==0.50.2", gpu="rtx5090", cuda="12.6")
    _, new = solve(facts(), "bitsandbytes==0.50.2", gpu="rtx5090", cuda="12.8")
    assert old is None
    assert new is not None


# ---------------------------------------------------------------- providers


def test_wheels_of_a_provider_are_taken_only_on_request() -> None:
    _, without = solve(facts(), "pytorch3d", gpu="a100")
    _, allowed = solve(facts(), "pytorch3d", gpu="a100", providers=("torch-packages-builder",))
    assert without is None
    assert allowed is not None
    assert {str(o.package) for o in allowed.packages()} >= {"pytorch3d"}


def test_a_provider_is_named_where_nothing_else_saves_a_build() -> None:
    rows, _ = solve(facts(), "pytorch3d", gpu="a100")
    (asked,) = [one for one in rows.user_constraints if one.name == "pytorch3d"]
    assert "`--provider torch-packages-builder` takes them" in asked.hint


@pytest.mark.slow
def test_mmcv_of_a_provider_still_needs_what_its_release_needs() -> None:
    _, found = solve(facts(), "mmcv==2.2.0", gpu="a100", no_build=True, providers=("torch-packages-builder",))
    assert found is not None
    assert {str(o.package) for o in found.packages()} >= {"mmcv", "mmengine"}
