"""Compiled code of a project's own: what a setup.py builds, what is compiled on the fly, what builds left."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from mmlock.core.extension import tree_digest
from mmlock.facts.matrix.load import open_matrix
from mmlock.scan.extensions import BuildKind, OwnExtension
from mmlock.scan.known import known_of
from mmlock.scan.scan import Scan, scan

DETR = """
import glob, os, torch
from setuptools import setup
from torch.utils.cpp_extension import CUDA_HOME, CppExtension, CUDAExtension
def get_extensions():
    here = os.path.dirname(os.path.abspath(__file__))
    src = os.path.join(here, 'src')
    main = glob.glob(os.path.join(src, '*.cpp'))
    sources = main
    extension = CppExtension
    macros = []
    args = {'cxx': []}
    if torch.cuda.is_available() and CUDA_HOME is not None:
        extension = CUDAExtension
        sources += glob.glob(os.path.join(src, 'cuda', '*.cu'))
        macros += [('WITH_CUDA', None)]
        args['nvcc'] = ['-DCUDA_HAS_FP16=1']
    else:
        raise NotImplementedError('Cuda is not available')
    return [extension('MSDA', sources, include_dirs=[src], define_macros=macros, extra_compile_args=args)]
setup(name='MultiScale', version='1.0', ext_modules=get_extensions())
"""

HELPER = """
from setuptools import setup
from torch.utils.cpp_extension import BuildExtension, CppExtension, CUDAExtension
def make_cuda_ext(name, module, sources, sources_cuda=[]):
    extension = CUDAExtension
    return extension(name='{}.{}'.format(module, name), sources=sources + sources_cuda)
if __name__ == '__main__':
    setup(name='pools', ext_modules=[
        make_cuda_ext(name='bev', module='p.ops', sources=['src/a.cpp'], sources_cuda=['src/a.cu']),
        make_cuda_ext(name='vox', module='p.ops', sources=['src/v.cpp']),
    ])
"""


def project(root: Path, files: Mapping[str, str]) -> Scan:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return scan(root, known_of(open_matrix()))


def only(found: Scan) -> OwnExtension:
    (one,) = found.extensions
    return one


def test_sources_flags_and_names_are_read_from_the_syntax(tmp_path: Path) -> None:
    one = only(project(tmp_path, {"ops/setup.py": DETR, "ops/src/a.cpp": "1", "ops/src/cuda/a.cu": "2"}))
    (module,) = one.modules
    assert (one.folder, one.kind, one.name, one.version) == ("ops", BuildKind.SETUP, "MultiScale", "1.0")
    assert (module.name, module.place.line, module.cuda) == ("MSDA", 20, True)
    assert module.sources == ("src/*.cpp", "src/cuda/*.cu")
    assert module.macros == ("WITH_CUDA",)
    assert module.flags == ("-DCUDA_HAS_FP16=1",)
    assert one.cuda_only


def test_helpers_count_where_they_are_called(tmp_path: Path) -> None:
    one = only(project(tmp_path, {"setup.py": HELPER}))
    told = {module.name: module.cuda for module in one.modules}
    assert told == {"p.ops.bev": True, "p.ops.vox": False}
    assert [module.place.line for module in one.modules] == [9, 10]
    assert one.modules[0].sources == ("src/a.cpp", "src/a.cu")
    assert not one.cuda_only


def test_the_digest_is_that_of_the_lock_and_ignores_what_builds_left(tmp_path: Path) -> None:
    files = {"ops/setup.py": DETR, "ops/src/a.cpp": "1"}
    first = only(project(tmp_path, {**files, "ops/build/lib/a.py": "x", "ops/a.so": "no elf"}))
    contents = [(name.removeprefix("ops/"), text.encode()) for name, text in files.items()]
    assert first.sha256 == tree_digest(contents)
    assert only(project(tmp_path, {"ops/src/a.cpp": "2"})).sha256 != first.sha256


def test_code_compiled_on_the_fly_is_found_and_other_loads_are_not(tmp_path: Path) -> None:
    text = (
        "import json\nfrom torch.utils.cpp_extension import load\nimport torch.utils.cpp_extension as cpp\n"
        "json.load(open('x.cpp'))\next = load(name='fused', sources=['fused.cpp', 'fused.cu'])\n"
        "def late():\n  return cpp.load_inline(name='inline', cpp_sources='int x;')\n"
    )
    found = project(tmp_path, {"ops.py": text})
    told = [(one.kind, one.modules[0].name, one.modules[0].place.line) for one in found.extensions]
    assert told == [(BuildKind.JIT, "fused", 5), (BuildKind.JIT, "inline", 7)]
    assert found.extensions[0].modules[0].sources == ("fused.cpp", "fused.cu")


@pytest.mark.parametrize(
    "text",
    [
        "from setuptools import setup\nsetup(name='plain')",
        "from setuptools import setup, Extension\nsetup(ext_modules=[Extension('c', ['c.c'])])",
        "# torch.utils.cpp_extension\nsetup()",
    ],
)
def test_an_ordinary_set_up_file_builds_none(tmp_path: Path, text: str) -> None:
    assert project(tmp_path, {"setup.py": text}).extensions == ()


def test_what_builds_left_is_named_with_its_python(tmp_path: Path) -> None:
    found = project(tmp_path, {"a/MSDA.cpython-38-x86_64-linux-gnu.so": "no elf", "b.so": ""})
    assert [(left.path, left.python) for left in found.leftovers] == [
        ("a/MSDA.cpython-38-x86_64-linux-gnu.so", "3.8"),
        ("b.so", None),
    ]
    assert all(left.why for left in found.leftovers)


def test_an_egg_tells_its_modules(tmp_path: Path) -> None:
    path = tmp_path / "dist/MultiScale-1.0-py3.8-linux-x86_64.egg"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as egg:
        egg.writestr("MSDA.cpython-38-x86_64-linux-gnu.so", b"")
    (tmp_path / "bad.egg").write_bytes(b"junk")
    told = {left.path: (left.python, left.modules) for left in project(tmp_path, {}).leftovers}
    assert told == {
        "dist/MultiScale-1.0-py3.8-linux-x86_64.egg": ("3.8", ("MSDA",)),
        "bad.egg": (None, ()),
    }
