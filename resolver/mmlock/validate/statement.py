"""A verdict as an in-toto statement with a test-result predicate, and back. Pure.

https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md
What that predicate has no field for is under its key `mmlock`. Subjects are the files of the lock, which any
verifier of in-toto statements can bind, and the environment that they describe, which only mmlock can.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from mmlock.core.names import Sha256
from mmlock.validate.attest.documents import DocumentError, DocumentProblem, decode
from mmlock.validate.attest.statements import Statement, StatementSubject
from mmlock.validate.model import Result, Status, Verdict

__all__ = [
    "ENVIRONMENT",
    "PREDICATE",
    "file_subjects",
    "predicate_bytes",
    "predicate_digest",
    "statement_data",
    "verdict_statement",
    "verdict_within",
]

PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
ENVIRONMENT = "mmlock-environment"
"""The subject that is no file: what the lock installs, however its files are worded."""
_ENVIRONMENT_DIGEST = "mmlockEnvironment"
"""Of `digest.lock_digest`; not `sha256`, which in a statement means that of a file."""
KERNELS = "mmlock-kernels"
SCHEMA = 2
"""1: unsigned, or with an SSH signature in a file beside it."""


class _Descriptor(Struct, frozen=True, kw_only=True):
    name: str
    digest: Mapping[str, str]


class _Predicate(Struct, frozen=True, kw_only=True):
    result: Result
    configuration: tuple[_Descriptor, ...]
    passed: tuple[str, ...] = field(name="passedTests")
    warned: tuple[str, ...] = field(name="warnedTests")
    failed: tuple[str, ...] = field(name="failedTests")
    mmlock: Raw


class _Schema(Struct, frozen=True, kw_only=True):
    schema: int


def predicate_bytes(verdict: Verdict) -> bytes:
    """What a statement says of its subjects; the same verdict gives the same bytes."""
    return msgspec.json.encode(_predicate(verdict))


def predicate_digest(predicate: bytes) -> Sha256:
    """The identity of a verdict, whatever it is bound to and whoever signed it: a lock names it."""
    return Sha256(hashlib.sha256(predicate).hexdigest())


def verdict_statement(verdict: Verdict, predicate: bytes, files: Mapping[str, bytes]) -> Statement:
    """The statement that a verdict holds for these files, and for the environment that it was made of."""
    return Statement(
        subjects=(*file_subjects(files), _environment(verdict)),
        predicate_type=PREDICATE,
        predicate=predicate,
    )


def file_subjects(files: Mapping[str, bytes]) -> tuple[StatementSubject, ...]:
    """Files by the sha256 of their bytes, in the order of their names."""
    return tuple(
        StatementSubject(name=name, digest={"sha256": hashlib.sha256(data).hexdigest()})
        for name, data in sorted(files.items())
    )


def verdict_within(statement: Statement) -> Verdict:
    """The verdict of a statement. Raises DocumentError when there is none in it, or it contradicts itself."""
    if statement.predicate_type != PREDICATE:
        raise DocumentError(DocumentProblem.WRONG_TYPE, f"predicateType is not `{PREDICATE}`")
    predicate = decode(statement.predicate, _Predicate)
    schema = decode(bytes(predicate.mmlock), _Schema).schema
    if schema != SCHEMA:
        raise DocumentError(
            DocumentProblem.WRONG_TYPE, f"predicate.mmlock.schema is {schema}; this mmlock reads {SCHEMA}"
        )
    verdict = decode(bytes(predicate.mmlock), Verdict)
    _same_throughout(statement, predicate, verdict)
    return verdict


def statement_data(statement: Statement) -> dict[str, Any]:
    """The statement as plain values, for programs."""
    from mmlock.validate.attest.statements import encode_statement

    data: dict[str, Any] = msgspec.json.decode(encode_statement(statement))
    return data


def _environment(verdict: Verdict) -> StatementSubject:
    return StatementSubject(name=ENVIRONMENT, digest={_ENVIRONMENT_DIGEST: verdict.lock_digest})


def _predicate(verdict: Verdict) -> _Predicate:
    rows = [row for suite in verdict.suites for row in suite.checks]

    def named(*statuses: Status) -> tuple[str, ...]:
        return tuple(f"{row.suite}/{row.name}" for row in rows if row.status in statuses)

    details = {"schema": SCHEMA, **_without_none(msgspec.to_builtins(verdict))}
    return _Predicate(
        result=verdict.result,
        configuration=(_Descriptor(name=KERNELS, digest={"sha256": verdict.kernels_digest}),),
        passed=named(Status.PASSED),
        warned=named(Status.SKIPPED),
        failed=named(Status.FAILED, Status.CRASHED, Status.TIMEOUT),
        mmlock=Raw(msgspec.json.encode(details)),
    )


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(item) for item in value]
    return value


def _same_throughout(statement: Statement, read: _Predicate, verdict: Verdict) -> None:
    """Raise DocumentError where the standard fields say otherwise than mmlock's own."""
    expected = _predicate(verdict)
    differing = [
        f"predicate.{name}" for name, key in _STANDARD.items() if getattr(read, key) != getattr(expected, key)
    ]
    if _environment(verdict) not in statement.subjects:
        differing.insert(0, "subject")
    if differing:
        raise DocumentError(
            DocumentProblem.CONTRADICTION, f"{', '.join(differing)} and predicate.mmlock say different things"
        )


_STANDARD: Mapping[str, str] = {
    "result": "result",
    "configuration": "configuration",
    "passedTests": "passed",
    "warnedTests": "warned",
    "failedTests": "failed",
}
