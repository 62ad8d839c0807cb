"""What the solver decides stands up to the judge, who shares no rule with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from closers import OpenWorld
from solved import asked_words, facts

from mmlock.core.arguments import SolveArguments, parse_platform
from mmlock.core.artifact import Artifact
from mmlock.core.names import PackageName
from mmlock.core.progress import silent
from mmlock.lock.model import LockedEnv
from mmlock.resolve.judge import judge
from mmlock.resolve.loop.decision import decision
from mmlock.resolve.loop.loop import Resolution, decide
from mmlock.resolve.plan.assemble import assemble
from mmlock.resolve.plan.files import WheelLocation
from mmlock.resolve.request.interpret import interpret

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parents[1] / "problems"


ALWAYS = {
    "mmdet3d-100rc6-needs-no-nvcc",
    "mmedit-rc5-needs-no-nvcc",
    "onedl-mmcv",
    "s6-stack",
}
"""Problems on which the two once differed."""


def sample() -> list[Any]:
    """Every third problem that has a solution, and those on which the two once differed.

    The unit run takes every fifth of the former.
    """
    found = [
        problem
        for path in sorted(FOLDER.glob("*.toml"))
        for problem in tomllib.loads(path.read_text(encoding="utf-8"))["problem"]
        if problem["expect"]["outcome"] == "solution" and "present" not in problem["request"]
    ]
    chosen = [p for i, p in enumerate(found) if i % 3 == 0 or p["name"] in ALWAYS]
    return [
        pytest.param(p, id=p["name"], marks=() if i % 5 == 0 or p["name"] in ALWAYS else pytest.mark.slow)
        for i, p in enumerate(chosen)
    ]


class Nobody:
    """An index that cannot be reached."""

    def ask(self, place: WheelLocation, package: PackageName) -> str:
        del place, package
        return "it could not be reached"

    def mirrored(
        self, files: tuple[Artifact, ...], package: PackageName, version: str
    ) -> tuple[Artifact, ...]:
        del package, version
        return files


def arguments(told: dict[str, Any]) -> SolveArguments:
    platform = parse_platform(told["platform"]) if "platform" in told else None
    plain = ("stack", "python", "torch", "cuda", "driver", "glibc")
    flags = {"no_build": "no-build", "allow_lite": "allow-lite", "prerelease": "pre"}
    flags["allow_torch_ops"] = "allow-torch-ops"
    return SolveArguments(
        requirements=asked_words(*told.get("with", [])),
        constraints=asked_words(*told.get("constraints", [])),
        gpus=tuple(told.get("gpu", [])),
        prefer=tuple(told.get("prefer", [])),
        requires_python=told.get("requires-python"),
        platform=platform,  # type: ignore[arg-type]
        **{key: told[key] for key in plain if key in told},
        **{name: told[key] for name, key in flags.items() if key in told},
    ).checked()


@pytest.mark.slow
@pytest.mark.parametrize("problem", sample())
def test_the_judge_refuses_no_solution(problem: dict[str, Any]) -> None:
    asked = interpret(facts(), arguments(problem["request"]))
    decided = decide(facts(), asked, OpenWorld(), progress=silent, wheelless=lambda *_: False)
    assert isinstance(decided, Resolution)
    env = assemble(decision(facts(), asked, decided), Nobody())
    if isinstance(env, tuple):
        assert env[0].package == "multiscaledeformableattention", "its sources lie in the users' own trees"
        return
    assert isinstance(env, LockedEnv)
    refused = [f"{o.rule}: {o.subject}: {o.text}" for o in judge(env, facts()) if o.severity == "refuse"]
    assert refused == []


def test_the_sample_is_large_enough() -> None:
    assert len(sample()) >= 40
