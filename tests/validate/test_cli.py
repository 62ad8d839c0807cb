"""The verbs `validate` and `verdict`: what they ask, and their exit codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from mmlock.cli.main import main
from mmlock.cli.usecases import UseCases
from mmlock.core.errors import UsageError
from mmlock.core.progress import Progress
from mmlock.core.report import Page
from mmlock.core.validate_arguments import ValidateArguments, VerdictAction, VerdictArguments


@dataclass
class Noted:
    """Use cases that give a result they are told, and note what they were asked."""

    result: str = "PASSED"
    fails: UsageError | None = None
    asked: list[Any] = field(default_factory=list)

    def review(self, lock: Path) -> None:
        """Every lock is known."""

    def validate(self, arguments: ValidateArguments, *, progress: Progress) -> Page:
        del progress
        return self.verdict(arguments)

    def verdict(self, arguments: ValidateArguments | VerdictArguments) -> Page:
        if self.fails:
            raise self.fails
        self.asked.append(arguments)
        return Page(text=f"{self.result}\n", data={"result": self.result})

    def run(self, *words: str) -> int:
        return main(words, load=lambda: cast("UseCases", self))


def test_what_is_typed_is_what_is_asked() -> None:
    noted = Noted()
    words = [
        "validate",
        "locks/cpu",
        "--python",
        "/py",
        "--suite",
        "mmcv",
        "--check",
        "nms",
        "--check",
        "psamask",
    ]
    more = ["--device", "cpu", "--seed", "5", "--limit", "9", "--offline", "--out", "v.json", "--sign", "key"]
    assert noted.run(*words, *more) == 0
    assert noted.asked == [
        ValidateArguments(
            lock=Path("locks/cpu"),
            python="/py",
            suites=("mmcv",),
            checks=("nms", "psamask"),
            device="cpu",
            seed=5,
            limit=9.0,
            offline=True,
            out=Path("v.json"),
            sign=Path("key"),
        )
    ]


def test_without_options_the_library_decides() -> None:
    noted = Noted()
    assert noted.run("validate", "lock") == 0
    assert noted.asked == [ValidateArguments(lock=Path("lock"))]


@pytest.mark.parametrize(("result", "code"), [("PASSED", 0), ("WARNED", 0), ("FAILED", 1)])
def test_red_is_exit_code_1(result: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert Noted(result).run("validate", "lock") == code
    assert Noted(result).run("verdict", "verify", "lock") == code
    assert capsys.readouterr().out == f"{result}\n{result}\n"


def test_looking_at_a_red_verdict_is_no_failure() -> None:
    noted = Noted("FAILED")
    assert noted.run("verdict", "show", "lock") == 0
    assert noted.asked == [VerdictArguments(action=VerdictAction.SHOW, lock=Path("lock"))]


def test_a_refused_verdict_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    noted = Noted(fails=UsageError("`v` is the verdict of another lock"))
    assert noted.run("verdict", "verify", "lock", "--file", "v", "--allowed-signers", "s") == 2
    assert capsys.readouterr().err == "error: `v` is the verdict of another lock\n"
