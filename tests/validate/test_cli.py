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

LOCK = Path(__file__).parents[2] / "lockfiles/openmmlab/cpu"


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


def test_signers_and_keys_reach_the_library() -> None:
    noted = Noted()
    assert noted.run("validate", "lock", "--no-sign") == 0
    assert noted.run("verdict", "verify", "lock", "--allowed-signers", "a", "--allowed-signers", "b") == 0
    assert noted.run("verdict", "sign", "lock", "--sign", "key") == 0
    assert noted.run("verdict", "sign", "lock", "--sigstore") == 0
    assert noted.run("verdict", "key") == 0
    assert noted.asked == [
        ValidateArguments(lock=Path("lock"), unsigned=True),
        VerdictArguments(action=VerdictAction.VERIFY, lock=Path("lock"), signers=(Path("a"), Path("b"))),
        VerdictArguments(action=VerdictAction.SIGN, lock=Path("lock"), sign=Path("key")),
        VerdictArguments(action=VerdictAction.SIGN, lock=Path("lock"), sigstore=True),
        VerdictArguments(action=VerdictAction.KEY),
    ]


def test_looking_at_a_red_verdict_is_no_failure() -> None:
    noted = Noted("FAILED")
    assert noted.run("verdict", "show", "lock") == 0
    assert noted.asked == [VerdictArguments(action=VerdictAction.SHOW, lock=Path("lock"))]


def test_a_refused_verdict_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    noted = Noted(fails=UsageError("`v` is the verdict of another lock"))
    assert noted.run("verdict", "verify", "lock", "--file", "v", "--allowed-signers", "s") == 2
    assert capsys.readouterr().err == "error: `v` is the verdict of another lock\n"


HOSTILE = {
    "nested": b"[" * 200_000,
    "digits": b'{"payload": ' + b"9" * 6000 + b"}",
    "nan": b'{"payload": NaN}',
    "twice": b'{"payload": "", "payload": ""}',
    "types": b'{"payload": 1, "payloadType": [], "signatures": {}}',
    "older": b'{"_type": "https://in-toto.io/Statement/v1"}',
    "empty": b"",
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
@pytest.mark.parametrize("verb", ["show", "verify"])
def test_a_hostile_verdict_is_one_error(
    kind: str, verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "verdict.json"
    file.write_bytes(HOSTILE[kind])
    words = [str(file)] if verb == "show" else [str(LOCK), "--file", str(file)]
    assert main(["verdict", verb, *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("error:") == 1
    assert "Traceback" not in err
    assert "internal" not in err


def test_old_verdicts_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "verdict.json"
    file.write_bytes(HOSTILE["older"])
    assert main(["verdict", "show", str(file)]) == 2
    assert "is a verdict of an older scheme and is not trusted" in capsys.readouterr().err
