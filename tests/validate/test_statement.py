"""Verdicts as files: whole, about one lock, signed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import PackageName
from mmlock.lock.model import FetchStep, LockedEnv
from mmlock.validate.digest import decided
from mmlock.validate.model import CheckRow, Difference, Gpu, Status, Verdict
from mmlock.validate.statement import read, render
from mmlock.validate.store import read_verdict, sign, verify, verify_signature, write_verdict

Make = Callable[..., Verdict]
Row = Callable[..., CheckRow]


@pytest.fixture
def verdict(made: Make, checked: Row) -> Verdict:
    return made(checked("nms"), checked("roi_pool", Status.SKIPPED, "there is no cpu kernel"))


def test_what_is_written_is_read_back(verdict: Verdict) -> None:
    assert read(render(verdict).encode(), "verdict.json") == verdict
    gpu = Gpu(name="A100", arch="sm_80", memory_mb=80000)
    more = replace(
        verdict,
        hardware=replace(verdict.hardware, gpus=(gpu,), driver="550.54"),
        differences=(Difference(kind="extra", package="six", text="1 is installed"),),
    )
    assert read(render(more).encode(), "verdict.json") == more


def test_it_is_an_in_toto_test_result(verdict: Verdict) -> None:
    document = json.loads(render(verdict))
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert document["subject"][0]["digest"]["sha256"] == verdict.lock_digest
    predicate = document["predicate"]
    assert predicate["result"] == "PASSED"
    assert predicate["passedTests"] == ["mmcv/nms"]
    assert predicate["warnedTests"] == ["mmcv/roi_pool"]
    assert predicate["failedTests"] == []


def _broken(verdict: Verdict, change: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(render(verdict))
    change(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d.update(_type="other"), "_type"),
        (lambda d: d.pop("predicate"), "predicate.mmlock is missing"),
        (lambda d: d["subject"][0]["digest"].update(sha256="0" * 64), "subject"),
        (lambda d: d["predicate"].update(result="FAILED"), "predicate.result"),
        (lambda d: d["predicate"]["passedTests"].append("mmcv/more"), "predicate.passedTests"),
        (lambda d: d["predicate"]["mmlock"].update(schema=99), "schema"),
        (lambda d: d["predicate"]["mmlock"].pop("hardware"), "hardware"),
        (lambda d: d["predicate"]["mmlock"]["suites"][0]["checks"][0].update(status="fine"), "status"),
    ],
)
def test_a_statement_that_contradicts_itself_is_refused(
    verdict: Verdict, change: Callable[[dict[str, Any]], object], told: str
) -> None:
    with pytest.raises(UsageError) as error:
        read(_broken(verdict, change), "verdict.json")
    assert told in error.value.causes[0]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_what_is_no_statement_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError):
        read(data, "verdict.json")


def test_a_verdict_is_about_one_lock(verdict: Verdict, env: LockedEnv) -> None:
    verify(verdict, env, "verdict.json")
    with pytest.raises(UsageError, match="another lock"):
        verify(verdict, replace(env, packages=env.packages[:1]), "verdict.json")


def test_a_result_must_follow_from_its_rows(made: Make, checked: Row, env: LockedEnv) -> None:
    red = made(checked("nms", Status.FAILED, "wrong"))
    verify(red, env, "verdict.json")
    painted = replace(red, result=made(checked("nms")).result, reasons=())
    with pytest.raises(UsageError, match="does not follow"):
        verify(read(render(painted).encode(), "v"), env, "verdict.json")


def test_a_verdict_is_written_whole_or_not(verdict: Verdict, tmp_path: Path) -> None:
    path = tmp_path / "lock" / "verdict.json"
    write_verdict(verdict, path)
    assert read_verdict(path) == verdict
    assert [item.name for item in path.parent.iterdir()] == ["verdict.json"]
    with pytest.raises(EnvironmentFault):
        write_verdict(verdict, path / "below" / "verdict.json")
    with pytest.raises(EnvironmentFault, match="no verdict"):
        read_verdict(tmp_path / "nowhere.json")


# ---------------------------------------------------------------- signatures


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")
def test_a_signature_is_of_a_person_and_of_bytes(verdict: Verdict, key: Path, tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    write_verdict(verdict, path)
    signers = tmp_path / "signers"
    signers.write_text(f"ann@example.org {key.with_suffix('.pub').read_text()}")
    with pytest.raises(UsageError, match="not signed"):
        verify_signature(path, signers)
    sign(path, key)
    assert verify_signature(path, signers) == "ann@example.org"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(UsageError, match="not of these bytes"):
        verify_signature(path, signers)
    signers.write_text("")
    with pytest.raises(UsageError, match="by nobody"):
        verify_signature(path, signers)
    with pytest.raises(EnvironmentFault):
        sign(path, tmp_path / "no-key")


def test_it_is_about_the_lock_before_its_steps_were_run(env: LockedEnv, verdict: Verdict) -> None:
    step = FetchStep(
        package=PackageName("mmcv"), version="2.1.0", url="https://x/y.whl", index="", why="", reasons=()
    )
    before = replace(env, packages=env.packages[:1], fetch=(step,))
    with pytest.raises(UsageError, match="another lock"):
        verify(verdict, before, "verdict.json")
    verify(replace(verdict, decided=decided(env)), before, "verdict.json")
