"""Wheels whose ops are plain PyTorch, made of small sources that have mmcv's shape."""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from build_world import artifact_of, host_platform, make_env, make_step, tar_of
from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import Form, normalize
from mmlock.lock.model import BuildStep, LockedEnv, PatchPlan
from mmlock.net.download import Downloader
from mmlock.wheels.buildenv import Uv
from mmlock.wheels.export.planned import planned_builds
from mmlock.wheels.model import BuiltWheel, CheckStatus
from mmlock.wheels.runner import Builder
from mmlock.wheels.seal import Placement, seal_built
from mmlock.wheels.torch_ops import LIBRARY, Function, extension, front, library, make_wheel, symbols
from mmlock.wheels.wheelhouse import Wheelhouse

BINDING = """
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("nms", &nms, "nms (CPU/CUDA) ", py::arg("boxes"),
        py::arg("scores"), py::arg("iou_threshold"), py::arg("offset"));
  m.def("nms_rotated", &nms_rotated, "NMS for rotated boxes", py::arg("dets"), py::arg("scores"),
        py::arg("order"), py::arg("dets_sorted"), py::arg("iou_threshold"), py::arg("multi_label"));
  m.def("tin_shift_forward", &tin_shift_forward, "", py::arg("input"), py::arg("shift"), py::arg("output"));
  m.def("fold", &fold, "not in the library", py::arg("input"));
}
"""
FILES = {
    "PKG-INFO": "Metadata-Version: 2.1\nName: mmcv\nVersion: 2.1.0\n"
    "Requires-Dist: opencv-python>=3\n\nWords.\n",
    "LICENSE": "Apache\n",
    "mmcv/__init__.py": "",
    "mmcv/ops/__init__.py": "from .fold import Fold\nfrom .nms import nms\nfrom .shift import shift\n",
    "mmcv/ops/nms.py": "ext_module = ext_loader.load_ext('_ext', ['nms', 'nms_rotated'])\nASKS = 'cuda'\n",
    "mmcv/ops/shift.py": "from .nms import nms\next = ext_loader.load_ext('_ext', ['tin_shift_forward'])\n",
    "mmcv/ops/fold.py": "ext_module = ext_loader.load_ext('_ext', ['fold'])\n",
    "mmcv/ops/csrc/pytorch/pybind.cpp": BINDING,
    "mmcv/model_zoo/open_mmlab.json": "{}",
}
PATCH = PatchPlan(id="cpu", file="mmcv/ops/nms.py", find="'cuda'", replace="'any'", reason="it runs anywhere")

MakeTree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path) -> MakeTree:
    def make(**edits: str | None) -> Path:
        root = tmp_path / "tree"
        for name, text in {**FILES, **edits}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                path.write_text(text, encoding="utf-8")
        return root

    return make


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., BuiltWheel]:
    """Run a torch-ops step through the builder."""
    host_platform()

    def run(ops: tuple[str, ...] = ()) -> BuiltWheel:
        step = step_of(tmp_path, ops)
        wheelhouse = Wheelhouse(root=tmp_path / "wheelhouse")
        builder = Builder(
            wheelhouse=wheelhouse,
            builds=tmp_path / "builds",
            uv=Uv(path="nothing"),
            downloader=Downloader(store=wheelhouse.files, offline=True),
            environ={},  # no compiler, no PATH
        )
        return builder.build(make_env((), (step,)), step, {})

    return run


def step_of(folder: Path, ops: tuple[str, ...] = ()) -> BuildStep:
    sdist = tar_of(FILES, folder / "mmcv-2.1.0.tar.gz")
    step = make_step(sdist)
    return replace(
        step,
        package=normalize("mmcv"),
        version="2.1.0",
        recipe="mmcv-torch-ops",
        source=artifact_of(sdist),
        build_requires=(),
        std=None,
        env={},
        check=("file:mmcv/_ext/__init__.py",),
        patches=(PATCH,),
        requires=("numpy",),
        form=Form.TORCH_OPS,
        ops=ops,
    )


# ---------------------------------------------------------------- what stands for what


def test_a_binding_is_read_with_its_arguments() -> None:
    assert symbols(BINDING)["nms"] == {("boxes", "scores", "iou_threshold", "offset")}
    assert sorted(symbols(BINDING)) == ["fold", "nms", "nms_rotated", "tin_shift_forward"]


@pytest.mark.slow
def test_the_form_with_the_arguments_of_the_binding_is_taken() -> None:
    found = extension(BINDING)
    assert found.functions["nms_rotated"].name == "nms_rotated_v1"  # this one takes no labels
    old, new = 'py::arg("dets_sorted"),', 'py::arg("dets_sorted"), py::arg("labels"),'
    newer = extension(BINDING.replace(old, new))
    assert newer.functions["nms_rotated"].name == "nms_rotated"
    assert found.missing == ("fold",)


def test_a_function_with_other_arguments_is_missing() -> None:
    other = Function(file="boxes", name="nms", parameters=("boxes",))
    assert "nms" in extension(BINDING, functions=(other,)).missing


def test_what_is_missing_says_so_when_it_is_called() -> None:
    space: dict[str, object] = {}
    exec(front(extension(BINDING, functions=())), space)  # noqa: S102  it is our own text
    assert space["TORCH_OPS"] is True
    fold = space["fold"]
    assert callable(fold)
    with pytest.raises(NotImplementedError, match=r"mmcv\._ext\.fold .*mmlock.*compiled mmcv"):
        fold(1, output=2)


@pytest.mark.slow
def test_ops_that_were_not_asked_for_say_so(tree: MakeTree, tmp_path: Path) -> None:
    wheel, found = make_wheel(tree(), tmp_path / "out", requires=(), ops=("nms",))
    assert sorted(found.functions) == ["nms", "nms_rotated"]
    assert found.unwanted == ("tin_shift_forward",)
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read("mmcv/_ext/__init__.py").decode()
        assert "mmcv/_ext/images.py" not in archive.namelist()
    assert "tin_shift_forward = _missing('tin_shift_forward', 'it was not among the ops" in text


def test_an_op_brings_what_the_modules_beside_it_load(tree: MakeTree, tmp_path: Path) -> None:
    _, found = make_wheel(tree(), tmp_path / "out", requires=(), ops=("shift",))
    assert sorted(found.functions) == ["nms", "nms_rotated", "tin_shift_forward"]


@pytest.mark.parametrize(
    ("ops", "told"),
    [(("Fold",), "`mmcv._ext.fold` has no replacement"), (("nsm",), "has no `nsm`")],
)
def test_an_op_that_cannot_be_had_is_refused_before_anything_is_made(
    tree: MakeTree, tmp_path: Path, ops: tuple[str, ...], told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        make_wheel(tree(), tmp_path / "out", requires=(), ops=ops)
    assert told in "\n".join(caught.value.lines())
    assert not (tmp_path / "out").exists()


def test_sources_without_a_binding_are_refused(tree: MakeTree, tmp_path: Path) -> None:
    root = tree()
    (root / "mmcv/ops/csrc/pytorch/pybind.cpp").unlink()
    with pytest.raises(EnvironmentFault, match="no ops that could be replaced"):
        make_wheel(root, tmp_path / "out", requires=())


# ---------------------------------------------------------------- the step


@pytest.mark.slow
def test_the_step_makes_a_wheel_without_a_compiler_or_an_environment(
    build: Callable[..., BuiltWheel], tmp_path: Path
) -> None:
    wheel = build()
    assert wheel.version == "2.1.0+torchops"
    assert wheel.path.name == f"mmcv-2.1.0+torchops-1k{wheel.key[:8]}-py3-none-any.whl"
    assert {check.status for check in wheel.checks} == {CheckStatus.PASSED}
    assert "3 of 4 functions of mmcv._ext in plain PyTorch; not written: fold" in [
        c.detail for c in wheel.checks
    ]
    assert not list((tmp_path / "builds").glob("*/venv"))
    assert build().hit


@pytest.mark.slow
def test_other_ops_are_another_wheel(build: Callable[..., BuiltWheel]) -> None:
    assert build().key != build(("nms",)).key


@pytest.mark.slow
def test_the_wheel_holds_the_python_files_and_tells_of_itself(build: Callable[..., BuiltWheel]) -> None:
    with zipfile.ZipFile(build().path) as archive:
        names = archive.namelist()
        info = "mmcv-2.1.0+torchops.dist-info"
        record = list(csv.reader(io.StringIO(archive.read(f"{info}/RECORD").decode())))
        metadata = archive.read(f"{info}/METADATA").decode()
        patched = archive.read("mmcv/ops/nms.py").decode()
        bill = json.loads(archive.read(f"{info}/sboms/mmlock.cdx.json"))
    assert {"mmcv/_ext/__init__.py", "mmcv/_ext/boxes.py", "mmcv/_ext/sampling.py"} <= set(names)
    assert {"mmcv/model_zoo/open_mmlab.json", f"{info}/LICENSE"} <= set(names)
    assert not [name for name in names if "csrc" in name]
    assert [row[0] for row in record] == names
    assert "Version: 2.1.0+torchops\n" in metadata
    assert "Requires-Dist: numpy\n" in metadata
    assert "opencv" not in metadata  # that of the machine on which the sources were packed
    assert metadata.endswith("\n\nWords.\n")
    assert "ASKS = 'any'" in patched
    assert bill["metadata"]["component"]["version"] == "2.1.0+torchops"


@pytest.mark.slow
def test_the_lock_is_sealed_with_it(build: Callable[..., BuiltWheel], tmp_path: Path) -> None:
    wheel = build()
    step = step_of(tmp_path)
    env: LockedEnv = make_env((), (step,))
    sealed = seal_built(env, step, wheel, Placement(folder=tmp_path / "lock"))
    (package,) = sealed.packages
    assert package.version == "2.1.0+torchops"
    assert sealed.sealed


def test_a_script_cannot_make_it(tmp_path: Path) -> None:
    env = make_env((), (step_of(tmp_path),))
    with pytest.raises(UsageError, match="a script cannot do that"):
        planned_builds(env, lambda: pytest.fail("nothing is to be pinned"))


# ---------------------------------------------------------------- the library


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*.py")), ids=lambda path: path.name)
def test_the_library_needs_only_torch_and_python_37(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
    beside = {other.stem for other in LIBRARY.glob("*.py")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= {"torch", *sys.stdlib_module_names}
        elif isinstance(node, ast.ImportFrom):
            names = {node.module} if node.module else {alias.name for alias in node.names}
            allowed = beside if node.level else {"torch.nn", *sys.stdlib_module_names}
            assert names <= allowed, names


def test_the_library_and_the_checks_share_no_code() -> None:
    from mmlock.validate.runner import KERNELS

    for path in KERNELS.glob("*.py"):
        assert "torchops" not in path.read_text(encoding="utf-8")


def test_no_two_functions_of_the_library_stand_for_the_same() -> None:
    forms = [(one.symbol, one.parameters) for one in library() if one.file != "sampling"]
    assert len(set(forms)) == len(forms)


@pytest.mark.slow
def test_nothing_of_the_users_shell_is_asked(build: Callable[..., BuiltWheel]) -> None:
    assert "PATH" in os.environ  # which the builder was not given
    assert build().record["compiler"] is None
