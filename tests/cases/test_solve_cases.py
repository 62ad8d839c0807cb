"""Requests from public repositories and threads, and what a right answer to each must hold: `solve.toml`.

Without a network the closure is an open world: every ordinary package exists in some version that its bounds
allow. What must hold of ordinary packages themselves is asked of a real index (`pytest -m network`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from closers import OpenWorld
from msgspec.structs import replace
from solved import facts

from mmlock.app.solving import locked
from mmlock.cli.main import main
from mmlock.cli.request import request_from
from mmlock.cli.solve import solve
from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import MmlockError, NoAnswer
from mmlock.core.progress import silent
from mmlock.core.versions import allows

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Case = dict[str, Any]
CASES: list[Case] = tomllib.loads((Path(__file__).parent / "solve.toml").read_text(encoding="utf-8"))["case"]
REQUESTS = [case for case in CASES if "--project" not in case["args"]]
WORLD = {"imgaug": {"0.4.0": ()}}
"""What is there of some ordinary packages."""


def arguments(case: Case) -> SolveArguments:
    context = solve.make_context("solve", list(case["args"]), obj=SimpleNamespace(as_json=False))
    values = {key: value for key, value in context.params.items() if key not in {"progress", "out", "form"}}
    return request_from(values)


def all_versions(lock: Mapping[str, Any]) -> dict[str, str]:
    """What is in a lock, and what is still to fetch or to build."""
    steps = {one["package"]: one["version"] for one in (*lock["fetch"], *lock["build"])}
    return steps | {one["name"]: one["version"] for one in lock["packages"]}


def check_pins(case: Case, versions: Mapping[str, str]) -> None:
    for name, wanted in case["pins"].items():
        if wanted == "":
            assert name not in versions
        else:
            assert name in versions, sorted(versions)
            # `==2.0.1` admits a build of that release; `2.0.1+cu118` that build alone.
            spec = "" if wanted == "*" else wanted if wanted[0] in "<>=!~" else f"=={wanted}"
            assert allows(spec, versions[name]), f"{name} {versions[name]}"


@pytest.mark.slow
@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: str(case["id"]))
def test_a_request_gets_what_an_expert_would_give(case: Case) -> None:
    asked = replace(arguments(case), offline=True, no_abi_check=True)
    if case["exit"]:
        with pytest.raises(MmlockError) as caught:
            locked(facts(), asked, progress=silent, closer=OpenWorld(WORLD))
        assert isinstance(caught.value, NoAnswer) == (case["exit"] == 1)
        told = "\n".join(caught.value.lines())
        assert [text for text in case.get("says", []) if text not in told] == [], told
        return
    env = locked(facts(), asked, progress=silent, closer=OpenWorld(WORLD))
    versions = {str(package.name): package.version for package in env.packages}
    check_pins(case, versions | {str(step.package): step.version for step in env.steps})


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: str(case["id"]))
def test_a_request_gets_it_from_a_real_index_too(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "lock"
    code = main(["solve", *case["args"], "--format", "json", "--out", str(out)])
    seen = capsys.readouterr()
    assert code == case["exit"], seen.err
    if code:
        assert not out.exists()
        assert [text for text in case.get("says", []) if text not in seen.err] == [], seen.err
        return
    check_pins(case, all_versions(json.loads(seen.out)))
