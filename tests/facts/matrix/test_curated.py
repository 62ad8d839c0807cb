"""What the curated rows must say, each argued from a fact that was measured."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from solved import facts

from mmlock.core.names import Confidence, DeviceKind, Form, Platform, normalize
from mmlock.core.versions import allows
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Breakage, Recipe


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return facts()


def breakage(matrix: Matrix, key: str) -> Breakage:
    (row,) = [row for row in matrix.breaks if row.id == key]
    return row


def holds(row: Breakage, **versions: str) -> bool:
    """Whether packages at these versions meet every condition of a breakage."""
    named = {normalize(name): text for name, text in versions.items()}
    return all(when.package in named and allows(when.versions, named[when.package]) for when in row.when)


def recipes(
    matrix: Matrix, package: str, version: str, torch: str, kind: DeviceKind, form: Form = Form.BUILD
) -> list[Recipe]:
    return [
        row
        for row in matrix.recipes
        if row.package == package
        and row.form is form
        and allows(row.versions, version)
        and allows(row.torch, torch)
        and kind in row.kinds
    ]


def compiling(matrix: Matrix) -> list[Recipe]:
    return [row for row in matrix.recipes if row.form is Form.BUILD]


def test_ops_in_plain_pytorch_need_neither_a_compiler_nor_an_environment(matrix: Matrix) -> None:
    rows = [row for row in matrix.recipes if row.form is Form.TORCH_OPS]
    assert {row.package for row in rows} == {"mmcv", "mmcv-full"}
    for row in rows:
        assert row.std is None
        assert row.build_requires == ()
        assert row.check == ("file:mmcv/_ext/__init__.py",)
        assert DeviceKind.MPS not in row.kinds  # it has no float64


# ---------------------------------------------------------------- what fails


@pytest.mark.parametrize(
    ("key", "inside", "outside"),
    [
        ("mmengine-pkg-resources", {"mmengine": "0.10.7"}, {"mmengine": "0.11.0rc2"}),
        (
            "mmengine-weights-only",
            {"mmengine": "0.10.7", "torch": "2.6.0"},
            {"mmengine": "0.10.7", "torch": "2.5.1"},
        ),
        ("mmengine-yapf", {"mmengine": "0.8.4"}, {"mmengine": "0.8.5"}),
        ("mmcv-full-yapf", {"mmcv-full": "1.7.1"}, {"mmcv-full": "1.7.2"}),
        ("mmcv-yapf", {"mmcv": "1.7.1"}, {"mmcv": "2.0.0"}),
        ("mmsegmentation-ftfy", {"mmsegmentation": "1.2.2"}, {"mmsegmentation": "1.1.2"}),
        ("mmaction2-drn", {"mmaction2": "1.2.0"}, {"mmaction2": "1.1.0"}),
        ("mmpose-chumpy", {"mmpose": "1.3.2"}, {"mmpose": "0.29.0"}),
        (
            "mmpose-xtcocotools-py312",
            {"mmpose": "1.3.2", "python": "3.12"},
            {"mmpose": "1.3.2", "python": "3.11"},
        ),
        ("mmdet3d-numpy2", {"mmdet3d": "1.4.0"}, {"mmdet3d": "1.3.0"}),
        (
            "mmrotate-collections",
            {"mmrotate": "1.0.0rc1", "python": "3.10"},
            {"mmrotate": "0.3.4", "python": "3.10"},
        ),
        (
            "mmengine-adafactor",
            {"mmengine": "0.10.5", "torch": "2.5.0", "transformers": "4.40"},
            {"mmengine": "0.10.6", "torch": "2.5.0", "transformers": "4.40"},
        ),
        (
            "mmengine-adafactor",
            {"mmengine": "0.10.5", "torch": "2.5.0", "transformers": "4.40"},
            {"mmengine": "0.10.5", "torch": "2.5.0"},
        ),
        ("torch-numpy2", {"torch": "2.2.2"}, {"torch": "2.3.0"}),
        (
            "flash-attn-before-ampere",
            {"gpu": "7.5", "flash-attn": "2.8.3"},
            {"gpu": "8.0", "flash-attn": "2.8.3"},
        ),
        (
            "flash-attn-before-blackwell",
            {"gpu": "12.0", "flash-attn": "2.3.5"},
            {"gpu": "12.0", "flash-attn": "2.7.3"},
        ),
    ],
)
def test_the_edges_of_a_breakage(
    matrix: Matrix, key: str, inside: dict[str, str], outside: dict[str, str]
) -> None:
    row = breakage(matrix, key)
    assert holds(row, **inside)
    assert not holds(row, **outside)


@pytest.mark.parametrize(
    ("key", "cure"),
    [
        ("mmengine-pkg-resources", "setuptools<82"),
        ("torch-numpy2", "numpy<2"),
        ("torch-numpy2", "opencv-python<4.12"),
        ("mmdet3d-numpy2", "numpy<2"),
        ("mmengine-yapf", "yapf<0.40.2"),
    ],
)
def test_cures_by_constraint(matrix: Matrix, key: str, cure: str) -> None:
    assert cure in breakage(matrix, key).constraints


def test_other_cures(matrix: Matrix) -> None:
    assert breakage(matrix, "mmengine-pkg-resources").add == ("setuptools",)
    assert set(breakage(matrix, "mmsegmentation-ftfy").add) == {"ftfy", "regex"}
    assert breakage(matrix, "mmpose-chumpy").drop == ("chumpy",)
    environment = breakage(matrix, "mmengine-weights-only").environment
    assert environment == {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}


@pytest.mark.parametrize(
    "key",
    [
        "mmaction2-drn",
        "mmengine-adafactor",
        "mmpose-xtcocotools-py312",
        "xformers-0.0.33-cudart",
        "mmcv-wheel-sm90",
    ],
)
def test_what_no_lock_can_cure_is_not_called_cured(matrix: Matrix, key: str) -> None:
    assert not breakage(matrix, key).cured


def test_the_h100_report_is_surer_than_what_is_concluded_from_it(matrix: Matrix) -> None:
    assert breakage(matrix, "mmcv-wheel-sm90-torch20").confidence is Confidence.CAPTURED
    assert breakage(matrix, "mmcv-wheel-sm90").confidence is Confidence.INFERRED


def test_a_cure_never_adds_what_its_own_constraints_forbid(matrix: Matrix) -> None:
    for row in matrix.breaks:
        added = {normalize(Requirement(text).name): Requirement(text).specifier for text in row.add}
        for text in row.constraints:
            pin = Requirement(text)
            assert not added.get(normalize(pin.name)), row.id


# ---------------------------------------------------------------- how packages are built


# The standard that setup.py of a release hard-codes, and the one torch's headers demand.
@pytest.mark.parametrize(
    ("package", "version", "torch", "std"),
    [
        ("mmcv", "2.0.1", "2.0.0", 14),
        ("mmcv", "2.0.1", "2.1.0", 17),
        ("mmcv", "2.1.0", "1.10.0", 14),
        ("mmcv", "2.1.0", "2.0.1", 17),
        ("mmcv", "2.2.0", "2.13.0", 17),
        ("mmcv", "2.2.0", "2.14.0", 20),
        ("mmcv", "2.1.0", "2.15.0", 20),
        ("mmcv-full", "1.3.17", "1.9.0", None),
        ("mmcv-full", "1.3.18", "1.10.0", 14),
        ("mmcv-full", "1.6.0", "2.0.0", 14),
        ("mmcv-full", "1.7.1", "2.3.0", 17),
        ("mmcv-full", "1.7.2", "2.1.0", 17),
        ("mmcv-full", "1.7.2", "2.15.0", 20),
    ],
)
@pytest.mark.parametrize("kind", [DeviceKind.CUDA, DeviceKind.CPU])
def test_one_recipe_with_the_right_standard(
    matrix: Matrix, package: str, version: str, torch: str, std: int | None, kind: DeviceKind
) -> None:
    (row,) = recipes(matrix, package, version, torch, kind)
    assert row.std == std
    header = matrix.cpp_extension[torch].header_std
    if std is not None and header is not None:
        assert std >= header


@pytest.mark.slow
def test_no_two_recipes_claim_the_same_build(matrix: Matrix) -> None:
    torches = sorted({row.torch for row in matrix.torch_builds})
    for package in {row.package for row in matrix.recipes} & set(matrix.release_packages):
        for release in matrix.releases(package):
            for torch in torches:
                for kind in (DeviceKind.CUDA, DeviceKind.CPU, DeviceKind.ROCM):
                    for form in (Form.BUILD, Form.TORCH_OPS):
                        found = recipes(matrix, package, release.version, torch, kind, form)
                        assert len(found) <= 1, (package, release.version, torch, kind)


def test_verified_builds_are_those_that_were_run(matrix: Matrix) -> None:
    done = {
        (row.package, item.version, item.torch, item.variant, item.python)
        for row in compiling(matrix)
        for item in row.verified
    }
    assert {
        ("mmcv", "2.1.0", "2.11.0", "cu130", "3.12"),
        ("mmcv", "2.2.0", "2.11.0", "cu130", "3.12"),
        ("mmcv", "2.1.0", "2.13.0", "cpu", "3.11"),
        ("mmcv", "2.2.0", "2.13.0", "cpu", "3.11"),
        ("mmcv-full", "1.7.2", "1.12.1", "cu102", "3.8"),
        ("multiscaledeformableattention", "1.0", "2.11.0", "cu130", "3.12"),
    } == done


def test_a_build_of_ops_can_be_told_from_one_without(matrix: Matrix) -> None:
    with_ops = {package for row in matrix.modules for package in row.with_ops}
    for row in compiling(matrix):
        if row.package in with_ops:
            assert any(check.startswith("file:") and check.endswith(".so") for check in row.check), row.id


def test_cuda_builds_say_what_a_machine_without_gpu_must_be_told(matrix: Matrix) -> None:
    for row in compiling(matrix):
        if row.package in {"mmcv", "mmcv-full"} and DeviceKind.CUDA in row.kinds:
            assert row.env["FORCE_CUDA"] == "1"
            assert row.env["TORCH_CUDA_ARCH_LIST"] == "{arch_list}"
            assert row.env["MMCV_WITH_OPS"] == "1"


def test_every_build_of_mmcv_has_pkg_resources_and_a_python_it_works_on(matrix: Matrix) -> None:
    for row in compiling(matrix):
        if row.package in {"mmcv", "mmcv-full"}:
            (pin,) = [r for r in map(Requirement, row.build_requires) if r.name == "setuptools"]
            assert "81.0.0" in pin.specifier
            assert "82.0.0" not in pin.specifier
            assert "70.0.0" not in pin.specifier
            assert allows(row.pythons, "3.12")
            assert not allows(row.pythons, "3.13")


def test_a_patch_raises_the_standard_it_replaces(matrix: Matrix) -> None:
    for row in matrix.recipes:
        for patch in row.patches:
            if patch.find.startswith("-std=c++"):
                assert patch.replace == f"-std=c++{row.std}"
                assert patch.find != patch.replace


# ---------------------------------------------------------------- devices, toolchains, names


def test_there_is_a_toolchain_for_the_cuda_of_every_torch_build(matrix: Matrix) -> None:
    offered = {row.cuda for row in matrix.toolchains}
    wanted = {row.cuda for row in matrix.torch_builds if row.cuda is not None}
    assert wanted <= offered


def test_only_pinned_toolchains_are_called_lockable(matrix: Matrix) -> None:
    lockable = {row.cuda: row for row in matrix.toolchains if row.lockable}
    assert set(lockable) == {"13.0", "13.2"}
    for row in lockable.values():
        assert row.provider == "pip"
        assert {Requirement(text).name for text in row.packages} == {
            "nvidia-cuda-nvcc",
            "nvidia-nvvm",
            "nvidia-cuda-crt",
            "nvidia-cuda-runtime",
            "nvidia-cuda-cccl",
        }
        assert any("libcudart.so" in line for line in row.setup)


def test_the_pinned_toolchain_files_are_recorded_with_hashes(matrix: Matrix) -> None:
    for row in matrix.toolchains:
        for text in row.packages:
            pin = Requirement(text)
            (spec,) = pin.specifier
            names = [file for file in matrix.files(pin.name) if f"-{spec.version}-" in file.name]
            assert names, text
            assert all(file.sha256 for file in names)


def test_accelerators_get_what_is_true_for_them(matrix: Matrix) -> None:
    rows = {row.name: row for row in matrix.accelerators}
    gcu, npu, mps = rows["Enflame GCU"], rows["Ascend NPU"], rows["Apple MPS"]
    assert (gcu.answer, gcu.torch_variant) == ("lock", "cpu")
    assert (npu.answer, npu.plugin) == ("lock", "torch-npu")
    assert mps.platform is Platform.MACOS_ARM64
    for name in ("Cambricon MLU", "Moore Threads MUSA", "Graphcore IPU", "AMD gfx1031"):
        assert rows[name].answer == "reason"
        assert rows[name].torch_variant is None


def test_no_accelerator_but_the_rocm_ones_takes_a_gpu_build_of_torch(matrix: Matrix) -> None:
    for row in matrix.accelerators:
        if row.torch_variant == "rocm":
            assert row.kind is DeviceKind.ROCM
            assert row.arch is not None


def test_every_stack_is_readable_and_the_default_is_one(matrix: Matrix) -> None:
    stacks = {row.name: [Requirement(text).name for text in row.requirements] for row in matrix.stacks}
    assert stacks[matrix.defaults["stack"]] == ["mmengine", "mmcv", "mmdet", "mmsegmentation"]
    assert {"openmmlab-legacy", "detection", "segmentation", "3d", "pose"} <= set(stacks)


def test_every_scanned_package_belongs_to_a_module(matrix: Matrix) -> None:
    known = {package for row in matrix.modules for package in row.packages}
    assert set(matrix.release_packages) <= known
    assert set(matrix.binary_packages) <= known


def test_forks_are_taken_on_request_only(matrix: Matrix) -> None:
    for row in matrix.modules:
        forks = {package for package in row.packages if package.startswith("onedl-")}
        assert set(row.on_request) == forks
