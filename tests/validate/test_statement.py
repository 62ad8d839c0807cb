"""Verdicts as in-toto statements: whole, about one environment, in one voice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from mmlock.validate.attest.documents import DocumentError
from mmlock.validate.attest.statements import Statement, encode_statement, read_statement
from mmlock.validate.model import (
    CheckRow,
    Difference,
    DifferenceKind,
    Status,
    Verdict,
    VisibleGpu,
)
from mmlock.validate.statement import (
    ENVIRONMENT,
    predicate_bytes,
    predicate_digest,
    statement_data,
    verdict_statement,
    verdict_within,
)

Make = Callable[..., Verdict]
Row = Callable[..., CheckRow]
FILES = {"requirements.txt": b"six==1\n", "pylock.toml": b"lock-version = '1.0'\n"}


@pytest.fixture
def verdict(made: Make, checked: Row) -> Verdict:
    return made(checked("nms"), checked("roi_pool", Status.SKIPPED, "there is no cpu kernel"))


def _statement(verdict: Verdict) -> Statement:
    return verdict_statement(verdict, predicate_bytes(verdict), FILES)


def test_what_is_written_is_read_back(verdict: Verdict) -> None:
    gpu = VisibleGpu(name="A100", arch="sm_80", memory_mb=80000)
    more = replace(
        verdict,
        hardware=replace(verdict.hardware, gpus=(gpu,), driver="550.54"),
        differences=(Difference(kind=DifferenceKind.EXTRA, package="six", installed="1"),),
    )
    for one in (verdict, more):
        statement = read_statement(encode_statement(_statement(one)))
        assert verdict_within(statement) == one
        assert predicate_bytes(one) == statement.predicate


def test_it_is_an_in_toto_test_result(verdict: Verdict) -> None:
    document = statement_data(_statement(verdict))
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    predicate = document["predicate"]
    assert predicate["result"] == "PASSED"
    assert predicate["passedTests"] == ["mmcv/nms"]
    assert predicate["warnedTests"] == ["mmcv/roi_pool"]
    assert predicate["failedTests"] == []


def test_its_subjects_are_files_and_the_environment(verdict: Verdict) -> None:
    subjects = {one["name"]: one["digest"] for one in statement_data(_statement(verdict))["subject"]}
    assert subjects == {
        "pylock.toml": {"sha256": hashlib.sha256(FILES["pylock.toml"]).hexdigest()},
        "requirements.txt": {"sha256": hashlib.sha256(FILES["requirements.txt"]).hexdigest()},
        ENVIRONMENT: {"mmlockEnvironment": verdict.lock_digest},
    }


def test_the_digest_of_a_verdict_is_not_of_the_files_it_is_bound_to(verdict: Verdict) -> None:
    predicate = predicate_bytes(verdict)
    one, other = verdict_statement(verdict, predicate, FILES), verdict_statement(verdict, predicate, {})
    assert encode_statement(one) != encode_statement(other)
    assert predicate_digest(one.predicate) == predicate_digest(other.predicate)
    assert predicate_digest(predicate_bytes(replace(verdict, seed=1))) != predicate_digest(predicate)


def _broken(verdict: Verdict, change: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(encode_statement(_statement(verdict)))
    change(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d.update(_type="other"), "_type"),
        (lambda d: d.update(predicateType="other"), "predicateType"),
        (lambda d: d.pop("predicate"), "predicate"),
        (lambda d: d["subject"][2]["digest"].update(mmlockEnvironment="0" * 64), "subject"),
        (lambda d: d["subject"].pop(), "subject"),
        (lambda d: d["predicate"].update(result="FAILED"), "predicate.result"),
        (lambda d: d["predicate"].update(result="GOOD"), "GOOD"),
        (lambda d: d["predicate"]["passedTests"].append("mmcv/more"), "predicate.passedTests"),
        (lambda d: d["predicate"]["configuration"].clear(), "predicate.configuration"),
        (lambda d: d["predicate"]["mmlock"].update(schema=99), "schema"),
        (lambda d: d["predicate"]["mmlock"].pop("hardware"), "hardware"),
        (lambda d: d["predicate"]["mmlock"].update(seed="0"), "seed"),
        (lambda d: d["predicate"]["mmlock"].update(lock_digest="../x"), "lock_digest"),
        (lambda d: d["predicate"]["mmlock"].update(started="yesterday\x1b[2J"), "started"),
        (lambda d: d["predicate"]["mmlock"]["suites"][0]["checks"][0].update(status="fine"), "fine"),
        (lambda d: d["predicate"]["mmlock"]["suites"][0]["checks"][0].update(device="tpu"), "tpu"),
    ],
)
def test_a_statement_that_contradicts_itself_is_refused(
    verdict: Verdict, change: Callable[[dict[str, Any]], object], told: str
) -> None:
    with pytest.raises(DocumentError) as error:
        verdict_within(read_statement(_broken(verdict, change)))
    assert told in error.value.detail
