"""Projects from public repositories, as skeletons, and what a right lock of each must hold: `solve.toml`."""

from __future__ import annotations

import ast
import json
import re
import warnings
from pathlib import Path

import pytest
from closers import OpenWorld
from msgspec.structs import replace
from skeletons import FOLDER, lay_out
from solved import facts

from mmlock.app.solving import locked_with_wishes, matrix_for
from mmlock.cli.main import main
from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import NoAnswer
from mmlock.core.progress import silent
from mmlock.lock.model import LockedEnv
from mmlock.resolve.request.projects import with_project

from .test_solve_cases import CASES, Case, all_versions, arguments, check_pins

PROJECTS = [pytest.param(case) for case in CASES if "--project" in case["args"]]


def name_of(case: Case) -> str:
    args: list[str] = case["args"]
    return args[args.index("--project") + 1]


def solved(given: SolveArguments) -> LockedEnv:
    asked = with_project(given)
    return locked_with_wishes(matrix_for(asked), asked, progress=silent, closer=OpenWorld())


@pytest.mark.slow
@pytest.mark.parametrize("case", PROJECTS, ids=lambda case: str(case["id"]))
def test_a_project_gets_what_an_expert_would_give(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = lay_out(name_of(case), tmp_path)
    monkeypatch.chdir(root)
    words = ["." if word == name_of(case) else word for word in case["args"]]
    given = replace(
        arguments({**case, "args": words}), matrices=facts().root, offline=True, no_abi_check=True
    )
    if case["exit"]:
        with pytest.raises(NoAnswer) as caught:
            solved(given)
        told = "\n".join(caught.value.lines())
        assert [text for text in case["says"] if text not in told] == [], told
        return
    env = solved(given)
    versions = {str(package.name): package.version for package in env.packages}
    check_pins(case, versions | {str(step.package): step.version for step in env.steps})


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("case", PROJECTS, ids=lambda case: str(case["id"]))
def test_a_project_gets_it_from_a_real_index_too(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(lay_out(name_of(case), tmp_path))
    words = ["." if word == name_of(case) else word for word in case["args"]]
    code = main(["solve", *words, "--format", "json", "--out", str(tmp_path / "lock")])
    seen = capsys.readouterr()
    assert code == case["exit"], seen.err
    if code:
        assert [text for text in case["says"] if text not in seen.err] == [], seen.err
        return
    found = all_versions(json.loads(seen.out))
    check_pins(case, found)
    check_pins({**case, "pins": case.get("guessed", {})}, found)
    why = (tmp_path / "lock" / "why.md").read_text(encoding="utf-8")
    assert [name for name in case.get("guessed", {}) if f"| {name} | guessed |" not in why] == []


_KEPT = (ast.Import, ast.ImportFrom, ast.Pass, ast.If, ast.Try, ast.Raise, ast.FunctionDef, ast.ClassDef)


@pytest.mark.slow
def test_every_skeleton_names_its_repository_and_commit_and_holds_no_body() -> None:
    for path in FOLDER.glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        assert re.fullmatch(r"[0-9a-f]{40}", document["commit"])
        assert document["repository"].count("/") == 1
        for name, text in document["files"].items():
            if not name.endswith(".py") or name.endswith("setup.py") or "not python" in text:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    assert all(isinstance(one, _KEPT) for one in node.body), f"{path.name}: {name}"
