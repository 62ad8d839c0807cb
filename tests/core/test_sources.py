from __future__ import annotations

from collections.abc import Mapping

import pytest

from mmlock.core.errors import UsageError
from mmlock.core.faults import Fault
from mmlock.core.sources import Inputs, Read, gather


def reading(files: Mapping[str, str]) -> Read:
    return lambda path: files.get(path, Fault(where=path, text="no such file"))


PROJECT = """
[project]
name = "My_Proj"
requires-python = ">=3.9"
dependencies = ["mmdet>=3", "numpy"]
[project.optional-dependencies]
track = ["lap", "my-proj[vis]"]
vis = ["matplotlib"]
[dependency-groups]
test = ["pytest", {include-group = "lint"}]
lint = ["ruff"]
"""


def test_words_files_and_project_come_together() -> None:
    files = {
        "p.toml": PROJECT,
        "r/a.txt": "scipy\n-r b.txt\n-c c.txt\n--index-url https://a.example/s\n",
        "r/b.txt": "shapely\n--index-url https://b.example/s\n",
        "r/c.txt": "numpy<2\n",
        "k.txt": "torch<3\n",
    }
    inputs = Inputs(
        requirements=("mmcv==2.1.0",),
        files=("r/a.txt",),
        constraint_files=("k.txt",),
        project="p.toml",
        extras=("Track",),
        groups=("test",),
    )
    got = gather(inputs, reading(files))
    assert {a.text: a.origin for a in got.requirements} == {
        "mmcv==2.1.0": "the command line",
        "mmdet>=3": "p.toml: project.dependencies[0]",
        "numpy": "p.toml: project.dependencies[1]",
        "lap": "p.toml: project.optional-dependencies.track[0]",
        "matplotlib": "p.toml: project.optional-dependencies.vis[0]",
        "pytest": "p.toml: dependency-groups.test[0]",
        "ruff": "p.toml: dependency-groups.test[1]",
        "scipy": "r/a.txt:1",
        "shapely": "r/b.txt:1",
    }
    assert {a.text: a.origin for a in got.constraints} == {"numpy<2": "r/c.txt:1", "torch<3": "k.txt:1"}
    assert got.requires_python == ">=3.9"
    assert got.index.index_url == "https://b.example/s"


def faults(inputs: Inputs, files: Mapping[str, str]) -> UsageError:
    with pytest.raises(UsageError) as caught:
        gather(inputs, reading(files))
    return caught.value


def test_all_faults_are_told_together_each_with_its_place() -> None:
    files = {"a.txt": "six=1\n-r gone.txt\n-r b.txt\n", "b.txt": "-e .\n"}
    error = faults(Inputs(requirements=("x y",), files=("a.txt", "missing.txt")), files)
    assert error.message == "the request has 5 faults"
    assert [cause.partition(": ")[0] for cause in error.causes] == [
        "the command line",
        "a.txt:1",
        "a.txt:2",
        "b.txt:1",
        "missing.txt",
    ]
    assert "a.txt:1: write `six==1`" in error.hints


def test_one_fault_is_the_message_itself() -> None:
    error = faults(Inputs(files=("a.txt",)), {"a.txt": "six=1\n"})
    assert error.message.startswith("a.txt:1: cannot read `six=1`")
    assert error.causes == ()
    assert error.hints == ("write `six==1`",)


def test_a_file_that_includes_itself_is_a_fault_and_ends() -> None:
    error = faults(Inputs(files=("a.txt",)), {"a.txt": "-r b.txt\n", "b.txt": "-r a.txt\n"})
    assert error.message == "b.txt:1: `a.txt` includes itself"


def test_a_file_included_twice_is_read_once_in_effect() -> None:
    files = {"a.txt": "-r c.txt\n-r b.txt\n", "b.txt": "-r c.txt\n", "c.txt": "six\n"}
    assert [a.text for a in gather(Inputs(files=("a.txt",)), reading(files)).requirements] == ["six"]


def test_a_remote_requirements_file_is_not_fetched() -> None:
    error = faults(Inputs(files=("https://x.org/r.txt",)), {})
    assert "is not a local file" in error.message


@pytest.mark.parametrize("inputs", [Inputs(extras=("a",)), Inputs(groups=("a",))])
def test_an_extra_or_group_needs_a_project(inputs: Inputs) -> None:
    assert faults(inputs, {}).hints == ("name the project: --project pyproject.toml",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[project", "p.toml: is not TOML"),
        ("[tool.poetry]\nname='x'\n", "p.toml: project: is missing"),
        ("project = 1\n", "p.toml: project: is not a table"),
        ("[project]\nname='x'\ndynamic=['dependencies']\n", "p.toml: project.dependencies: is dynamic"),
        ("[project]\ndependencies='a'\n", "p.toml: project.dependencies: is not a list"),
        ("[project]\ndependencies=['a', 1]\n", "p.toml: project.dependencies[1]: is not text"),
        ("[project]\ndependencies=['a', 'b=1']\n", "p.toml: project.dependencies[1]: cannot read `b=1`"),
        ("[project]\nrequires-python='3.x'\n", "p.toml: project.requires-python: `3.x` is not"),
    ],
)
def test_a_project_that_cannot_be_read_says_where(text: str, says: str) -> None:
    assert faults(Inputs(project="p.toml"), {"p.toml": text}).message.startswith(says)


@pytest.mark.parametrize(
    ("inputs", "text", "says", "hint"),
    [
        (
            Inputs(project="p.toml", extras=("nope",)),
            PROJECT,
            "has no extra `nope`",
            "it has the extras `track`, `vis`",
        ),
        (
            Inputs(project="p.toml", groups=("nope",)),
            PROJECT,
            "has no group `nope`",
            "it has the groups `lint`, `test`",
        ),
        (
            Inputs(project="p.toml", extras=("a",)),
            "[project]\ndynamic=['optional-dependencies']\n",
            "is dynamic",
            "write the list into `[project]`",
        ),
    ],
)
def test_an_unknown_part_of_a_project_names_those_it_has(
    inputs: Inputs, text: str, says: str, hint: str
) -> None:
    error = faults(inputs, {"p.toml": text})
    assert says in error.message
    assert error.hints[0].startswith(hint)


@pytest.mark.parametrize(
    "table",
    ["a = [{include-group = 'a'}]", "a = [{include-group = 'b'}]", "a = ['x=1']", "a = 'x'", "a = [{x = 1}]"],
)
def test_a_broken_dependency_group_is_a_fault(table: str) -> None:
    error = faults(Inputs(project="p.toml", groups=("a",)), {"p.toml": f"[dependency-groups]\n{table}\n"})
    assert error.message.startswith("p.toml: dependency-groups.a: ")
    assert "\n" not in error.message


def test_groups_alone_need_no_project_table() -> None:
    got = gather(
        Inputs(project="p.toml", groups=("a",)), reading({"p.toml": "[dependency-groups]\na = ['x']\n"})
    )
    assert [a.text for a in got.requirements] == ["x"]
