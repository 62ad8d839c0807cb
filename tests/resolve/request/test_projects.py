"""What a project adds to a request: pins, imports, bounds, extensions, notes, each with its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace
from solved import facts

from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import NoAnswer, UsageError
from mmlock.core.names import PackageName
from mmlock.core.project_pins import PinRole
from mmlock.core.requirements import Asked
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.solution import solve_core
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.loop.loop import graph_request
from mmlock.resolve.loop.nogoods import LoopState
from mmlock.resolve.request.interpret import interpret
from mmlock.resolve.request.projects import with_project
from mmlock.scan.pins.repositories import repository_name

EXTENSION = (
    "from setuptools import setup\nfrom torch.utils.cpp_extension import CUDAExtension\n"
    "setup(name='MSDA', version='1.0', ext_modules=[CUDAExtension('MSDA', ['a.cu'])])"
)


def asked(root: Path, files: Mapping[str, str], **more: object) -> SolveArguments:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return with_project(SolveArguments(project=root, **more))  # type: ignore[arg-type]


def said(requirements: tuple[Asked, ...]) -> dict[str, str]:
    return {one.text: one.origin for one in requirements}


def test_pins_bind_and_imports_fill_in(tmp_path: Path) -> None:
    found = asked(
        tmp_path,
        {
            "requirements.txt": "torch==2.1.2\nnumpy<2\nrich[jupyter]>=13 ; python_version > '3.8'\n-e .\n",
            "environment.yml": "dependencies:\n  - python=3.10\n  - cudatoolkit=11.8\n",
            "train.py": "import torch, cv2, mystery\nfrom mmdet.apis import train\n",
        },
    )
    assert said(found.requirements) == {
        "torch==2.1.2": "requirements.txt:1",
        "numpy<2": "requirements.txt:2",
        'rich[jupyter]>=13; python_version > "3.8"': "requirements.txt:3",
        "opencv-python": "train.py:1 imports cv2",
        "mmdet": "train.py:2 imports mmdet",
    }
    assert found.requires_python == "==3.10.*"
    assert found.cuda is None
    assert {place for place, _ in found.notes} == {"requirements.txt:4"}
    assert {(pin.text, pin.role) for pin in found.pins} >= {
        ("torch==2.1.2", PinRole.BINDS),
        ("python=3.10", PinRole.BINDS),
        ("cudatoolkit=11.8", PinRole.LEFT_OUT),
    }
    assert [(one.module, one.name, one.place) for one in found.guesses] == [
        ("mystery", "mystery", "train.py:1")
    ]


def test_only_what_a_main_script_runs_is_guessed(tmp_path: Path) -> None:
    found = asked(
        tmp_path,
        {
            "train.py": "import torch\ntry:\n    import quiet\nexcept ImportError:\n    quiet = None\n",
            "extra/aside.py": "import mystery\n",
        },
    )
    assert found.guesses == ()
    assert [(one.module, one.place) for one in found.undeclared] == [("mystery", "extra/aside.py:1")]


def test_imports_bound_the_era(tmp_path: Path) -> None:
    found = asked(tmp_path, {"a.py": "from mmcv.runner import x\nfrom mmcv.ops import nms"})
    assert said(found.constraints) == {"mmcv<2.0.0rc0": "a.py:1 imports mmcv.runner"}


def test_bounds_that_exclude_each_other_bind_nothing(tmp_path: Path) -> None:
    found = asked(tmp_path, {"a.py": "import mmcv.runner", "b.py": "import mmcv.transforms"})
    assert found.constraints == ()
    assert any("a.py:1" in text and "b.py:1" in text for _, text in found.notes)


def test_what_the_guides_of_all_parts_say_alike_is_advice_on_the_whole(tmp_path: Path) -> None:
    found = asked(
        tmp_path,
        {
            "README.md": "`pip install yapf==0.40.1`",
            "detection/README.md": "`pip install torch==1.11.0 mmdet==2.28.1 yapf==0.32.0`",
            "segmentation/README.md": "`pip install torch==1.11.0 mmdet==2.28.0`",
            "segmentation/deep/README.md": "`pip install numba==0.53.0`",
            "detection/a.py": "import torch, mmdet",
        },
    )
    assert sorted(said(found.advice)) == ["torch==1.11.0", "yapf==0.40.1"]
    told = {(pin.place, pin.text): pin.role for pin in found.pins}
    assert told["detection/README.md:1", "torch==1.11.0"] is PinRole.ADVISES
    assert told["detection/README.md:1", "mmdet==2.28.1"] is PinRole.LEFT_OUT
    assert told["detection/README.md:1", "yapf==0.32.0"] is PinRole.LEFT_OUT


def test_advice_is_told_and_does_not_bind(tmp_path: Path) -> None:
    found = asked(
        tmp_path, {"README.md": "`pip install torch==1.9.0 timm==0.4.12`", "a.py": "import torch, timm"}
    )
    assert set(said(found.requirements)) == {"torch", "timm"}
    assert {one.text: one.origin for one in found.advice} == {
        "torch==1.9.0": "README.md:1",
        "timm==0.4.12": "README.md:1",
    }
    assert {(pin.text, pin.role) for pin in found.pins} == {
        ("torch==1.9.0", PinRole.ADVISES),
        ("timm==0.4.12", PinRole.ADVISES),
    }


def test_a_module_with_a_package_for_each_cuda_is_asked_for_by_its_own_name(tmp_path: Path) -> None:
    found = asked(tmp_path, {"a.py": "import torch, spconv.pytorch"})
    assert set(said(found.requirements)) == {"torch", "spconv"}
    picked = interpret(facts(), replace(found, gpus=("a100",)))
    assert {one.name for one in picked.core_requirements} == {"torch", "spconv"}
    rows = build_graph(facts(), graph_request(picked, LoopState()))
    solution = solve_core(rows, ClingoEngine(), picked.objectives)
    assert solution is not None
    (chosen,) = (o for o in solution.packages() if o.slot == "spconv")
    assert solution.torch.cuda is not None
    assert str(chosen.package).removeprefix("spconv-cu")[:2] == solution.torch.cuda[:2]


def test_an_import_that_no_source_provides_is_refused_with_its_place_and_the_way(tmp_path: Path) -> None:
    files = {"a.py": "import torch\nimport detectron2.layers\nimport tinycudann\n"}
    with pytest.raises(NoAnswer) as caught:
        asked(tmp_path, files)
    assert caught.value.causes == (
        "a.py:2 imports detectron2: a missing import",
        "a.py:3 imports tinycudann: a missing import",
    )
    assert any("facebookresearch/detectron2" in hint for hint in caught.value.hints)
    with pytest.raises(NoAnswer):
        asked(tmp_path, files, allow_missing=("detectron2",))
    found = asked(tmp_path, files, allow_missing=("detectron2", "tiny-cuda-nn"))
    assert set(said(found.requirements)) == {"torch"}
    assert set(said(asked(tmp_path, files, without=("detectron2", "tinycudann")).requirements)) == {"torch"}
    guarded = {"a.py": "import torch\ntry:\n    import detectron2\nexcept ImportError:\n    pass\n"}
    asked(tmp_path, guarded)


def test_what_is_left_out_by_name_is_asked_for_by_nobody(tmp_path: Path) -> None:
    files = {"requirements.txt": "torch\nopencv-python\n", "a.py": "import torch, cv2, mmdet3d"}
    found = asked(tmp_path, files, without=("mmdet3d", "cv2", "opencv-python"))
    assert set(said(found.requirements)) == {"torch"}


def test_tests_and_guarded_imports_ask_for_nothing(tmp_path: Path) -> None:
    files = {
        "a.py": "import torch\ntry:\n  import mmdet\nexcept ImportError: pass\ndef f():\n  import mmpose",
        "tests/test_a.py": "import mmseg",
    }
    assert set(said(asked(tmp_path, files).requirements)) == {"torch"}


@pytest.mark.parametrize(
    ("code", "lite", "package"),
    [
        ("from mmcv.cnn import ConvModule", False, "mmcv-lite"),
        ("from mmcv.ops import point_sample", False, "mmcv"),
        ("from mmcv.ops import point_sample", True, "mmcv-lite"),
        ("from mmcv.ops import nms", True, "mmcv"),
        ("from mmcv.runner import x", False, "mmcv"),
    ],
)
def test_compiled_ops_are_asked_for_when_they_are_needed(
    tmp_path: Path, code: str, lite: object, package: str
) -> None:
    found = asked(tmp_path, {"a.py": code}, allow_lite=lite)
    assert set(said(found.requirements)) == {package}


def test_the_extension_of_scenario_7_is_built_and_its_egg_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`MultiScaleDeformableAttention` below models/backbones/nets/ops, an egg of it lying in dist/."""
    monkeypatch.chdir(tmp_path)
    name = "MultiScaleDeformableAttention"
    ops = "models/backbones/nets/ops"
    files = {
        f"{ops}/setup.py": EXTENSION.replace("MSDA", name),
        f"{ops}/functions/func.py": f"import torch\nimport {name} as MSDA",
        f"{ops}/dist/{name}-1.0-py3.8-linux-x86_64.egg": "junk",
    }
    found = asked(tmp_path, files)
    assert found.extensions == (ops,)
    assert set(said(found.requirements)) == {"torch"}, "what the project builds is asked of no index"
    ((place, text),) = found.notes
    assert place.endswith(".egg")
    assert "Python 3.8" in text


def test_ops_in_plain_pytorch_are_those_that_are_reached(tmp_path: Path) -> None:
    module, name = "mmcv.ops.multi_scale_deform_attn", "MultiScaleDeformableAttnFunction"
    code = f"from mmcv.ops import nms\nfrom {module} import {name}"
    assert asked(tmp_path, {"a.py": code}).torch_ops == ()
    found = asked(tmp_path, {"a.py": code}, allow_torch_ops=True)
    assert found.torch_ops == ("MultiScaleDeformableAttention", "nms")
    named = asked(tmp_path, {"a.py": code}, allow_torch_ops=True, torch_ops=("nms",))
    assert named.torch_ops == ("nms",)


@pytest.mark.slow
def test_an_extension_is_built_when_the_code_imports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {
        "ops/setup.py": EXTENSION,
        "other/setup.py": EXTENSION.replace("'MSDA'", "'unused'"),
        "a.py": "import torch\nimport MSDA",
    }
    found = asked(tmp_path, files)
    assert found.extensions == ("ops",)
    assert set(said(found.requirements)) == {"torch"}
    assert [place for place, _ in found.notes] == ["other/setup.py:3"]
    nameless = {"ops/setup.py": EXTENSION.replace("name='MSDA', ", "")}
    bare = asked(tmp_path, nameless)
    assert bare.extensions == ()
    assert any("names no package" in text for _, text in bare.notes)
    unversioned = {"ops/setup.py": EXTENSION.replace(" version='1.0',", "")}
    assert asked(tmp_path, unversioned).extensions == ("MSDA==0.0.0 @ ops",)


def test_a_project_that_asks_for_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        asked(tmp_path, {"a.py": "print(1)"})
    assert error.value.hints


def test_the_checks_of_the_projects_own_copy_of_a_framework_bound_what_is_beside_it(tmp_path: Path) -> None:
    own = (
        "import mmcv\nfrom .version import __version__\n\nmmcv_maximum_version = '1.7.0'\n"
        "mmcv_version = digit_version(mmcv.__version__)\n"
        "assert (mmcv_version >= digit_version('1.3.17')\n"
        "        and mmcv_version <= digit_version(mmcv_maximum_version)), 'no'\n"
    )
    found = asked(tmp_path, {"mmdet/__init__.py": own, "train.py": "import mmdet, mmcv.ops"})
    assert said(found.constraints)["mmcv<=1.7.0,>=1.3.17"] == "mmdet/__init__.py:6 fails to import otherwise"
    assert "mmdet" not in {one.name for one in found.requirements}


def test_a_scope_in_a_config_is_an_import_of_that_framework(tmp_path: Path) -> None:
    found = asked(
        tmp_path, {"configs/a.py": "m = dict(type='CSPNeXt', _scope_='mmdet')", "a.py": "import torch"}
    )
    assert said(found.requirements)["mmdet"] == "configs/a.py:1 imports mmdet"


def test_what_only_tools_import_is_a_wish(tmp_path: Path) -> None:
    files = {
        "tools/train.py": "import torch, cv2\nimport pkg",
        "tools/fuse.py": "import mmdet3d",
        "pkg/__init__.py": "import mmdet",
    }
    found = asked(tmp_path, files)
    assert set(said(found.requirements)) == {"torch", "opencv-python", "mmdet"}
    assert said(found.wishes) == {"mmdet3d": "tools/fuse.py:1 imports mmdet3d"}


def test_what_a_guide_installs_binds_and_a_condas_package_bounds(tmp_path: Path) -> None:
    files = {
        "README.md": "```\npip install -r deps/gpu.txt\n```",
        "deps/gpu.txt": "numpy==1.23.5\n",
        "environment.yml": "dependencies:\n  - python=3.9.18=h955ad1f_0\n  - conda-forge::cudnn=8.9\n"
        "  - gcc=13.2\n  - pytorch=2.1.0=py3.9_cuda11.8\n  - scipy=1.11\n  - pip:\n"
        "    - timm==0.9.2 -f https://example.org/wheels.html\n"
        "    - git+https://github.com/openai/CLIP.git\n    - ./libs/own\n",
        "a.py": "import torch, clip, scipy",
    }
    found = asked(tmp_path, files)
    assert said(found.requirements) == {
        "numpy==1.23.5": "deps/gpu.txt:1",
        "torch==2.1.0": "environment.yml:5",
        "timm==0.9.2": "environment.yml:8",
        "scipy": "a.py:1 imports scipy",
    }
    assert found.requires_python == "==3.9.18"
    assert set(said(found.constraints)) >= {"cudnn==8.9.*", "gcc==13.2.*", "scipy==1.11.*"}
    left = {pin.text: pin.role for pin in found.pins}
    assert left["git+https://github.com/openai/CLIP.git"] is PinRole.LEFT_OUT
    assert left["gcc=13.2"] is PinRole.BOUNDS


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("git+https://github.com/openai/CLIP.git", "clip"),
        ("git+https://github.com/a/B.git@v1#egg=other&subdirectory=x", "other"),
        ("own @ git+ssh://git@host/a/b.git@main", "own"),
        ("-e git+https://github.com/a/c_d#egg=c-d", "c-d"),
        ("numpy==1.0", None),
        ("git+nothing", None),
    ],
)
def test_a_requirement_on_a_repository_has_the_name_it_says_or_that_of_the_repository(
    text: str, name: str | None
) -> None:
    assert repository_name(text) == name


def test_two_files_of_the_project_that_contradict_each_other_are_told_as_that(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "torch\nsupervision>=0.22.0\n",
        "environment.yml": "dependencies:\n  - pip:\n    - supervision==0.6.0\n",
    }
    with pytest.raises(NoAnswer) as caught:
        asked(tmp_path, files)
    (cause,) = caught.value.causes
    assert "environment.yml:3" in cause
    assert "requirements.txt:2" in cause
    mine = Asked(name=PackageName("supervision"), specifier=">=0.22.0")
    settled = asked(tmp_path, files, requirements=(mine,))
    assert [one.text for one in settled.requirements if one.name == "supervision"] == ["supervision>=0.22.0"]


def test_a_release_that_a_guide_checks_out_is_advice_on_the_package_it_makes(tmp_path: Path) -> None:
    guide = (
        "```\ngit clone https://github.com/open-mmlab/mmdetection3d.git\ncd mmdetection3d\n"
        "git checkout v0.17.1 # other versions may not be compatible\npython setup.py install\n```\n"
    )
    found = asked(tmp_path, {"docs/install.md": guide, "a.py": "import mmdet3d"})
    assert {one.text: one.origin for one in found.advice} == {"mmdet3d==0.17.1": "docs/install.md:4"}


def test_a_kernel_that_only_an_ablation_takes_is_not_built(tmp_path: Path) -> None:
    files = {
        "main.py": "import torch, MSDA",
        "ops/setup.py": EXTENSION,
        "analyze/net.py": "import torch, ABL",
        "analyze/kernel/setup.py": EXTENSION.replace("MSDA", "ABL"),
    }
    found = asked(tmp_path, files)
    assert len(found.extensions) == 1
    assert "ops" in found.extensions[0]


def test_the_project_itself_is_built_where_its_own_modules_are_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = EXTENSION.replace("'MSDA', ['a.cu']", "'pcd.ops.iou_cuda', ['a.cu']").replace("'1.0'", "version")
    text = text.replace("setup(name", "version = '0.6.0+%s' % commit()\nsetup(name")
    uses = "from . import iou_cuda"
    files = {"setup.py": text, "pcd/__init__.py": "", "pcd/ops/__init__.py": "", "pcd/ops/use.py": uses}
    found = asked(tmp_path, files)
    assert found.extensions == ("MSDA==0.6.0 @ .",)
    assert any("from the project itself" in text for _, text in found.notes)


@pytest.mark.parametrize(
    "name",
    [
        "f'scan_cuda_{mode}'",
        "'scan_cuda_%s' % mode",
        "'scan_cuda_{}'.format(mode)",
        "'scan_cuda_' + mode",
        "names.get(mode)",
        "names[mode]",
    ],
)
def test_names_that_a_set_up_file_makes_when_it_runs_are_known_by_their_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    names = "names = dict(core='scan_cuda_core', wide='scan_cuda_wide')\n"
    text = EXTENSION.replace("CUDAExtension('MSDA'", f"CUDAExtension({name}")
    files = {"ops/setup.py": names + text, "train.py": "import torch, scan_cuda_core"}
    assert asked(tmp_path, files).extensions == ("ops",)
    (tmp_path / "train.py").write_text("import torch, another_cuda")
    assert with_project(SolveArguments(project=tmp_path)).extensions == ()


def test_a_kernel_that_code_does_without_is_built_and_left_out_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    guarded = "import torch\ntry:\n    import MSDA\nexcept ImportError:\n    MSDA = None\n"
    assert asked(tmp_path, {"ops/setup.py": EXTENSION, "train.py": guarded}).extensions == ("ops",)
    assert with_project(SolveArguments(project=tmp_path, without=("msda",))).extensions == ()


def test_of_several_extensions_of_one_name_the_newest_is_built_and_the_others_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {f"{part}/ops/setup.py": EXTENSION for part in ("detect", "segment")}
    newer = EXTENSION.replace("1.0", "1.1")
    found = asked(tmp_path, {**files, "classify/ops/setup.py": newer, "train.py": "import torch, MSDA"})
    assert found.extensions == ("classify/ops",)
    told = [text for _, text in found.notes if "the same name" in text]
    assert ["--extension detect/ops" in text for text in told] == [True, False]
    own = with_project(SolveArguments(project=tmp_path, extensions=("detect/ops",)))
    assert own.extensions == ("detect/ops",)


def test_a_package_around_compiled_code_is_the_projects_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = EXTENSION.replace("'MSDA', ['a.cu']", "'pointops._C', ['a.cu']").replace("'MSDA'", "'pointops'")
    found = asked(tmp_path, {"libs/pointops/setup.py": text, "train.py": "import torch, pointops"})
    assert found.extensions == ("libs/pointops",)
    assert found.guesses == ()


def test_a_version_that_a_set_up_file_reads_is_that_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = EXTENSION.replace("'1.0'", "get_version()").replace("'MSDA', ['a.cu']", "'det.ops.iou', ['a.cu']")
    files = {
        "own/setup.py": text.replace("name='MSDA'", "name='det'"),
        "own/det/__init__.py": "from .version import __version__",
        "own/det/version.py": "__version__ = '0.17.2'",
        "own/det/ops/use.py": "from . import iou",
        "own/det/ops/__init__.py": "",
    }
    assert asked(tmp_path, files).extensions == ("det==0.17.2 @ own",)


def test_what_conda_resolved_on_one_machine_bounds_nothing_but_what_mmlock_decides(tmp_path: Path) -> None:
    exported = "dependencies:\n  - python=3.9.18=h4de0772_0\n  - pytorch=2.0.1=py3.9_cuda11.8_cudnn8_0\n"
    exported += "  - pillow=9.2.0=py39h595c93f_3\n  - pandas=2.1\n"
    found = asked(tmp_path, {"environment.yaml": exported, "train.py": "import torch, PIL, pandas"})
    assert "torch==2.0.1" in said(found.requirements)
    assert found.requires_python == "==3.9.18"
    assert not any(one.name == "pillow" for one in found.constraints)
    assert any(one.name == "pandas" for one in found.constraints)
    roles = {pin.text: pin.role for pin in found.pins}
    assert roles["pillow=9.2.0=py39h595c93f_3"] is PinRole.LEFT_OUT
    assert [one.text for one in found.snapshot] == ["pillow==9.2.0"], "the closure prefers it"
