"""Extensions of the user's own tree: which files count, and what their set-up files tell."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mmlock.core.errors import UsageError
from mmlock.core.extension import ExtensionRequires
from mmlock.lock.trees import read_extension, read_tree, sources_of

SETUP = """
from setuptools import setup
from torch.utils.cpp_extension import BuildExtension, CUDAExtension

extension = CUDAExtension
setup(
    name="My_Ops",
    version="1.0",
    ext_modules=[extension("my_ops._C", ["a.cpp"]), make_cuda_ext(name="box", module="my_ops.boxes")],
    cmdclass={"build_ext": BuildExtension},
)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    ops = tmp_path / "models" / "ops"
    (ops / "src").mkdir(parents=True)
    (ops / "setup.py").write_text(SETUP)
    (ops / "src" / "a.cpp").write_text("int a;\n")
    return tmp_path


def test_name_version_and_modules_are_read_from_setup_py(project: Path) -> None:
    found = read_extension("models/ops", project)
    assert (found.name, found.version) == ("my-ops", "1.0")
    assert found.modules == ("my_ops._C", "my_ops.boxes.box")
    assert (found.tree.path, found.tree.files) == ("models/ops", 2)
    assert dict(found.texts)["src/a.cpp"] == "int a;\n"


def test_the_digest_is_what_sha256sum_would_list(project: Path) -> None:
    rows = [
        f"{hashlib.sha256((project / 'models/ops' / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("setup.py", "src/a.cpp")
    ]
    assert read_tree(project, "models/ops").sha256 == hashlib.sha256("".join(rows).encode()).hexdigest()


def test_what_builds_leave_behind_changes_nothing_and_an_edit_does(project: Path) -> None:
    ops = project / "models" / "ops"
    before = read_tree(project, "models/ops")
    for name in (
        "build/a.o",
        "x.egg-info/PKG-INFO",
        "my_ops.cpython-312.so",
        "__pycache__/s.pyc",
        "dist/a.whl",
    ):
        (ops / name).parent.mkdir(exist_ok=True)
        (ops / name).write_text("made")
    (ops / "setup.py").chmod(0o755)
    assert read_tree(project, "models/ops") == before
    (ops / "src" / "a.cpp").write_text("int b;\n")
    assert read_tree(project, "models/ops").sha256 != before.sha256


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", "[project]\nname = 'other'\nversion = '2.0'\n"),
        ("setup.cfg", "[metadata]\nname = other\nversion = 2.0\n"),
    ],
)
def test_other_files_tell_it_before_setup_py(project: Path, file: str, text: str) -> None:
    (project / "models" / "ops" / file).write_text(text)
    found = read_extension("models/ops", project)
    assert (found.name, found.version) == ("other", "2.0")


def test_what_only_running_it_would_tell_must_be_said(project: Path) -> None:
    ops = project / "models" / "ops"
    (ops / "setup.py").write_text(SETUP.replace('"1.0"', "get_version()"))
    (ops / "setup.cfg").write_text("[metadata]\nversion = attr: my_ops.__version__\n")
    with pytest.raises(UsageError, match="the version of the extension") as caught:
        read_extension("models/ops", project)
    assert "--extension 'My_Ops==1.0 @ models/ops'" in caught.value.hints[0]
    found = read_extension("my-ops==3.1 @ models/ops", project)
    assert (found.name, found.version, found.tree.path) == ("my-ops", "3.1", "models/ops")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models/none", "there is no folder"),
        ("models", "is no extension"),
        ("..", "is not inside"),
        (".", "is no extension"),
        ("/usr", "is not inside"),
        ("x==one @ models/ops", "`one` is not a version"),
    ],
)
def test_what_is_no_extension_of_the_project_is_refused(project: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_extension(text, project)


def test_a_link_out_of_the_tree_is_refused(project: Path) -> None:
    (project / "secret.h").write_text("int s;")
    (project / "models" / "ops" / "s.h").symlink_to(project / "secret.h")
    with pytest.raises(UsageError, match="leads out of the extension's folder"):
        read_tree(project, "models/ops")


def test_a_set_up_file_that_is_no_python_tells_nothing(project: Path) -> None:
    (project / "models" / "ops" / "setup.py").write_text("print 'python 2'")
    assert read_extension("x==1 @ models/ops", project).modules == ()


CALL = "from setuptools import setup\nRUNS = ['six']\nsetup(name='my-ops', version='1.0', {})\n"


@pytest.mark.parametrize(
    ("argument", "lines"),
    [
        ("", ()),
        ("install_requires=['torch', 'torchvision >= 0.3']", ("torch", "torchvision>=0.3")),
        ("install_requires=RUNS", ("six",)),
        ("install_requires=RUNS + ['numpy']", ("six", "numpy")),
        ("install_requires='six\\nnumpy<2'", ("six", "numpy<2")),
        ("install_requires=('six; python_version < \"3\"',)", ('six; python_version < "3"',)),
    ],
)
def test_what_setup_py_passes_to_setup_is_required(
    project: Path, argument: str, lines: tuple[str, ...]
) -> None:
    (project / "models/ops/setup.py").write_text(CALL.format(argument))
    assert read_extension("models/ops", project).requires == ExtensionRequires(lines=lines)


@pytest.mark.parametrize(
    "setup",
    [
        CALL.format("install_requires=read('requirements.txt')"),
        CALL.format("install_requires=[f'torch=={1}']"),
        CALL.format("install_requires=['not a requirement']"),
        CALL.format("install_requires=3"),
        CALL.format("**options"),
        "RUNS = []\nRUNS.append('six')\n"
        + CALL.format("install_requires=RUNS").replace("RUNS = ['six']", ""),
        "print 'python 2'",
    ],
)
def test_requirements_that_only_running_setup_py_tells_are_unread(project: Path, setup: str) -> None:
    (project / "models/ops/setup.py").write_text(setup)
    found = read_extension("my-ops==1 @ models/ops", project)
    assert found.requires == ExtensionRequires(unread="setup.py")


def test_a_project_table_speaks_alone_unless_it_says_otherwise(project: Path) -> None:
    ops = project / "models/ops"
    (ops / "setup.py").write_text(CALL.format("install_requires=RUNS"))
    for text, lines in [
        ("dependencies = ['einops']", ("einops",)),
        ("", ()),
        ("dynamic = ['dependencies']", ("six",)),
        ("dynamic = ['dependencies']\n[tool.setuptools.dynamic]\ndependencies = {file = 'r.txt'}", ("timm",)),
    ]:
        (ops / "pyproject.toml").write_text(f"[project]\nname = 'my-ops'\nversion = '1.0'\n{text}\n")
        (ops / "r.txt").write_text("# what runs\ntimm  # models\n")
        assert read_extension("models/ops", project).requires == ExtensionRequires(lines=lines)
    (ops / "r.txt").unlink()
    assert read_extension("models/ops", project).requires.unread == "pyproject.toml, which names `r.txt`"


def test_setup_cfg_is_read_where_setup_py_says_nothing(project: Path) -> None:
    (project / "models/ops/setup.py").write_text(CALL.format(""))
    (project / "models/ops/setup.cfg").write_text("[options]\ninstall_requires =\n    einops>=0.3\n    six\n")
    assert read_extension("models/ops", project).requires.lines == ("einops>=0.3", "six")


def test_of_the_project_itself_only_what_its_set_up_file_packs_is_a_source(tmp_path: Path) -> None:
    kept = {
        "setup.py": SETUP,
        "README.md": "x",
        "pkg/__init__.py": "",
        "pkg/ops/src/a.cu": "x",
        "csrc/b.cpp": "x",
    }
    other = {
        "data/list.txt": "x",
        "tools/train.py": "x",
        "output/log.json": "{}",
        "pkg/weights.pth": "x",
        "pkg/ops/a.so": "x",
        "lock/pylock.toml": "x",
        "lock/wheels/a.cpp": "x",
        "venv/pyvenv.cfg": "x",
        "venv/lib/c.h": "x",
        ".git/d.h": "x",
    }
    for name, text in {**kept, **other}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert {name for name, _ in sources_of(tmp_path, ".")} == set(kept)
    found = read_extension("my-ops==1.0 @ .", tmp_path)
    assert (found.tree.path, found.tree.files) == (".", len(kept))
