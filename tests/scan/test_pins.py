"""Versions that a project writes down: every kind of file, how binding, on which line."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from mmlock.scan.left_out import LeftOut, LeftOutReason, UnreadSourceError
from mmlock.scan.notebook import code_cells, notebook_facts
from mmlock.scan.pins.collect import collect
from mmlock.scan.pins.commands import command_pins, conda_pin, variables
from mmlock.scan.pins.conflicts import conflicts
from mmlock.scan.pins.model import PinKind, ProjectPin


def pins(files: Mapping[str, str]) -> list[ProjectPin]:
    def read(file: str) -> str:
        if file not in files:
            raise UnreadSourceError(LeftOutReason.MISSING)
        return files[file]

    found, unread = collect(sorted(files), read)
    assert not unread
    return found


def told(files: Mapping[str, str]) -> set[tuple[str, str, str, str]]:
    return {(pin.name, pin.specifier, str(pin.binding), str(pin.place)) for pin in pins(files)}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pip install torch==1.9.0+cu111 -f https://x/y.html", ["torch==1.9.0+cu111"]),
        ("pip3 install -U 'openmim' && mim install \"mmcv>=2.0.0rc4\"", ["openmim", "mmcv>=2.0.0rc4"]),
        ("sudo python3 -m pip install --no-cache-dir numpy<2", ["numpy<2"]),
        ("RUN pip install \"a==1; python_version<'3.9'\" b", ["a==1", "b"]),
        ("conda install pytorch=1.9 cudatoolkit=11.1 -c pytorch", ["torch==1.9.*", "cuda==11.1.*"]),
        ("conda create -n open python=3.8 -y", ["python==3.8.*"]),
        ("uv pip install x==1 ; uv add y==2", ["x==1", "y==2"]),
        ("pip install -r requirements.txt -e . git+https://x/y.git ./z.whl", ["y"]),
        ("pip install mmcv=={VERSION}", []),
        ("MAX_JOBS=2 pip install flash-attn==2.3.5", ["flash-attn==2.3.5"]),
        ("cd ops & sh make.sh # pip install nothing", []),
        ("npm install left-pad", []),
        ("pip install 'unclosed", []),
    ],
)
def test_what_a_command_installs(line: str, expected: list[str]) -> None:
    assert [f"{said.name}{said.specifier}" for said in command_pins(line)] == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("pytorch::pytorch=2.0.0", "torch==2.0.0"),
        ("pytorch-cuda=11.7.0", "cuda==11.7.0"),
        ("numpy>=1.2,<2", "numpy<2,>=1.2"),
        ("numpy=1.2.*", "numpy==1.2.*"),
        ("xformers::xformers=0.0.18=py39_cu11", "xformers==0.0.18"),
        ("python", "python"),
    ],
)
def test_a_conda_specification(word: str, expected: str) -> None:
    said = conda_pin(word)
    assert said
    assert said[0] == expected.partition("=")[0].partition("<")[0]
    assert set(said[1].split(",")) == set(expected[len(said[0]) :].split(","))


def test_declared_files() -> None:
    found = told(
        {
            "setup.py": "REQ = ['timm==0.4.12']\nsetup(\n  install_requires=REQ,\n"
            "  python_requires='>=3.8',\n  extras_require={'a': ['x==1']})",
            "setup.cfg": "[options]\ninstall_requires =\n    scipy<2\n",
            "pyproject.toml": "[project]\ndependencies = [\n  'mmcv==2.1.0',\n]\n"
            "[tool.poetry.dependencies]\nmmdet = '^3.1'\n",
            "Pipfile": "[packages]\nyapf = '==0.40.1'\n",
            "poetry.lock": '[[package]]\nname = "numpy"\nversion = "1.26.4"\n',
            "environment.yml": "name: x\ndependencies:\n  - python=3.8\n  - pip:\n    - mmengine==0.10.1\n"
            "  - cudatoolkit=11.1\nchannels:\n  - no=1\n",
            "sub/requirements.txt": "ftfy",
        }
    )
    assert found == {
        ("timm", "==0.4.12", "declared", "setup.py:1"),
        ("python", ">=3.8", "declared", "setup.py:4"),
        ("x", "==1", "optional", "setup.py:5"),
        ("scipy", "<2", "declared", "setup.cfg:3"),
        ("mmcv", "==2.1.0", "declared", "pyproject.toml:3"),
        ("mmdet", ">=3.1,<4", "declared", "pyproject.toml:6"),
        ("yapf", "==0.40.1", "declared", "Pipfile:2"),
        ("numpy", "==1.26.4", "locked", "poetry.lock:1"),
        ("python", "==3.8.*", "declared", "environment.yml:3"),
        ("mmengine", "==0.10.1", "declared", "environment.yml:5"),
        ("cuda", "==11.1.*", "declared", "environment.yml:6"),
        ("ftfy", "", "optional", "sub/requirements.txt:1"),
    }


def test_requirement_files_bind_when_something_takes_them_in() -> None:
    found = told(
        {
            "setup.py": "setup(install_requires=parse('requirements/runtime.txt'))",
            "requirements/runtime.txt": "a==1\n-r more.txt\n-c bounds.txt",
            "requirements/more.txt": "b==2",
            "requirements/bounds.txt": "c<3",
            "requirements/tests.txt": "d",
        }
    )
    assert found == {
        ("a", "==1", "declared", "requirements/runtime.txt:1"),
        ("b", "==2", "declared", "requirements/more.txt:1"),
        ("c", "<3", "declared", "requirements/bounds.txt:1"),
        ("d", "", "optional", "requirements/tests.txt:1"),
    }


def test_images_and_advice() -> None:
    docker = (
        'ARG PYTORCH="1.9.0"\nARG CUDA="11.1"\nFROM pytorch/pytorch:${PYTORCH}-cuda${CUDA}-cudnn8-devel\n'
        "RUN apt-get update && \\\n  pip install mmcv==2.1.0\n"
    )
    readme = "# pip install no==1\n\nUse `pip install a==1`.\n\n```shell\n$ mim install b==2\nnothing\n```\n"
    found = told({"Dockerfile": docker, "README.md": readme, "run.sh": "V=3\npip install c==$V # d==4"})
    assert found == {
        ("torch", "==1.9.0", "command", "Dockerfile:3"),
        ("cuda", "==11.1.*", "command", "Dockerfile:3"),
        ("mmcv", "==2.1.0", "command", "Dockerfile:4"),
        ("a", "==1", "advice", "README.md:3"),
        ("b", "==2", "advice", "README.md:6"),
        ("c", "==3", "command", "run.sh:2"),
    }


def test_a_notebook_keeps_the_lines_of_its_file() -> None:
    sources = [
        ["!pip install torch==2.0.1\n", "import mmcv.ops as ops"],
        ["%%bash\n", "pip install x==1\n"],
        ["def broken(:\n"],
        ["def f():\n", "\n", "    return ops.nms(1)\n"],
    ]
    cells = [{"cell_type": "code", "metadata": {}, "source": lines} for lines in sources]
    text = json.dumps({"cells": [{"cell_type": "markdown", "source": ["import no"]}, *cells]}, indent=1)
    facts = notebook_facts(code_cells(text))
    at = text.splitlines()
    assert [at[one.line - 1].strip() for one in facts.imports] == ['"import mmcv.ops as ops"']
    assert any(used.chain == "ops.nms" and "return ops.nms" in at[used.line - 1] for used in facts.used)
    assert {(pin.name, pin.specifier) for pin in pins({"a.ipynb": text})} == {
        ("torch", "==2.0.1"),
        ("x", "==1"),
    }


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cells": 1}', '{"cells": [{"cell_type": "code"}', "null"])
def test_what_is_no_notebook_is_said(text: str) -> None:
    with pytest.raises(UnreadSourceError):
        code_cells(text)


def test_exact_versions_that_exclude_each_other_are_a_conflict() -> None:
    readme = "`pip install torch==1.9.0+cu111 numpy==1.2`"
    found = conflicts(pins({"requirements.txt": "torch==2.0.0\nnumpy>=1", "README.md": readme}))
    told = [(one.name, one.first, one.second) for one in found]
    assert told == [("torch", "torch==1.9.0+cu111", "torch==2.0.0")]
    assert not conflicts(pins({"a.sh": "pip install torch==2.0.0+cu118", "b.sh": "pip install torch==2.0.0"}))


def test_variables_that_double_with_every_line_stay_small() -> None:
    text = "ENV A=xx\n" + "ENV A=$A$A\n" * 200 + "RUN pip install torch==$V a==1\n"
    assert [(pin.name, pin.specifier) for pin in pins({"Dockerfile": text})] == [("a", "==1")]
    assert len(variables("$A" * 1000, {"A": "x" * 1000})) < 10_000


def test_a_run_of_blanks_changes_nothing_in_a_setup_cfg() -> None:
    text = "[options]\ninstall_requires =\n  torch    >=1.8,     <2\n  mmcv==1.7.0\n"
    assert [(pin.name, pin.specifier) for pin in pins({"setup.cfg": text})] == [
        ("torch", "<2,>=1.8"),
        ("mmcv", "==1.7.0"),
    ]


def test_items_of_a_conda_environment_are_read_with_blanks_quotes_and_comments() -> None:
    items = ["- a=1.0", "-  'b=1.0'  # why", '- " c =1.0 "', "- d=1.0# why", "- e=1.0 'f'"]
    text = "dependencies:\n" + "".join(f"  {item}\n" for item in items)
    assert [pin.name for pin in pins({"environment.yml": text})] == ["a", "b", "c", "d"]


# ---------------------------------------------------------------- files of conda's other tools

PIXI = """
[workspace]
channels = ["conda-forge", "https://prefix.example/team"]
platforms = ["linux-64"]

[dependencies]
python = "3.12.*"
pytorch = { version = ">=2.5,<3", build = "cuda*" }
ffmpeg = ">=6,<=8"
numpy = "*"

[pypi-dependencies]
mmengine = ">=0.10"
torchmetrics = { git = "https://x.example/y" }

[feature.dev.dependencies]
ruff = "*"
"""


def pins_of(**files: str) -> tuple[list[ProjectPin], list[LeftOut]]:
    held = {name.replace("__", ".").replace("_", "-"): text for name, text in files.items()}
    return collect(held, lambda name: held[name])


def test_a_pixi_workspace_is_a_conda_environment_with_a_pip_part() -> None:
    pins, left_out = pins_of(pixi__toml=PIXI)
    found = {pin.name: (pin.specifier, pin.text, pin.kind, pin.constraint) for pin in pins}
    assert found["torch"] == (">=2.5,<3", "pytorch >=2.5,<3 cuda*", PinKind.CONDA, True)
    assert found["python"][0] == "==3.12.*"
    assert found["ffmpeg"] == (">=6,<=8", "ffmpeg >=6,<=8", PinKind.CONDA, True)
    assert found["mmengine"] == (">=0.10", "mmengine>=0.10", PinKind.CONDA, False)
    assert "ruff" not in found
    assert not any(pin.exported for pin in pins)
    (left,) = left_out
    assert (left.reason, left.detail) == (LeftOutReason.CHANNELS, "https://prefix.example/team")


def test_pixi_tables_of_a_pyproject_are_read_too() -> None:
    text = '[project]\nname = "x"\ndependencies = ["mmcv>=2"]\n[tool.pixi.dependencies]\nffmpeg = "7.*"\n'
    pins, _ = pins_of(pyproject__toml=text)
    assert {(pin.name, pin.kind) for pin in pins} == {("mmcv", PinKind.PYPROJECT), ("ffmpeg", PinKind.CONDA)}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "conda_lock__yml",
            """{version: 1, package: [{name: pytorch, version: 2.7.1, manager: conda},
            {name: addict, version: 2.4.0, manager: pip}]}""",
        ),
        (
            "pixi__lock",
            """{version: 6, packages: [
            {conda: "https://conda.anaconda.org/conda-forge/linux-64/pytorch-2.7.1-cpu_py312_h1_0.conda"},
            {pypi: "https://x.example/addict-2.4.0-py3-none-any.whl", name: addict, version: 2.4.0}]}""",
        ),
    ],
)
def test_locks_of_other_conda_tools_are_locks(name: str, text: str) -> None:
    pins, left_out = pins_of(**{name: text})
    assert {(pin.name, pin.specifier, pin.kind) for pin in pins} == {
        ("torch", "==2.7.1", PinKind.LOCK),
        ("addict", "==2.4.0", PinKind.LOCK),
    }
    assert left_out == []


@pytest.mark.parametrize("text", ["[", "a: &a 1\nb: *a", "- 1", "package: 3", "packages: [1, {}]"])
def test_a_conda_lock_that_is_none_is_left_out_or_empty(text: str) -> None:
    pins, left_out = pins_of(conda_lock__yml=text)
    assert pins == []
    assert all(left.reason is LeftOutReason.NOT_YAML for left in left_out)


def test_channels_of_an_environment_are_for_the_user_to_name() -> None:
    text = "channels:\n  - pytorch\n  - conda-forge\n  - nodefaults\ndependencies:\n  - ffmpeg\n"
    _, left_out = pins_of(environment__yml=text)
    assert [(left.reason, left.detail) for left in left_out] == [(LeftOutReason.CHANNELS, "pytorch")]
