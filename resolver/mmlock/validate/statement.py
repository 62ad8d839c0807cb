"""A verdict as an in-toto statement with a test-result predicate, and back. Pure.

https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md
What that predicate has no field for stands under its key `mmlock`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import to_builtins

from mmlock.core.errors import UsageError
from mmlock.validate.model import Status, Verdict

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
SUBJECT = "mmlock-environment"
KERNELS = "mmlock-kernels"
_SCHEMA = 1
_WIDTH = 150
_AGAIN = "run `mmlock validate` again to write it anew"


def to_statement(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain values."""
    rows = [row for suite in verdict.suites for row in suite.checks]
    details = _without_none(to_builtins(verdict))
    return {
        "_type": STATEMENT,
        "subject": [{"name": SUBJECT, "digest": {"sha256": verdict.lock_digest}}],
        "predicateType": PREDICATE,
        "predicate": {
            "result": verdict.result.value,
            "configuration": [{"name": KERNELS, "digest": {"sha256": verdict.kernels_digest}}],
            "passedTests": [f"{row.suite}/{row.name}" for row in rows if row.status is Status.PASSED],
            "warnedTests": [f"{row.suite}/{row.name}" for row in rows if row.status is Status.SKIPPED],
            "failedTests": [f"{row.suite}/{row.name}" for row in rows if row.status.red],
            "mmlock": {"schema": _SCHEMA, **details},
        },
    }


def render(verdict: Verdict) -> str:
    """The text of `verdict.json`: short values on one line each, so that a person can read a difference."""
    return _dump(to_statement(verdict), "") + "\n"


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(item) for item in value]
    return value


def _dump(value: Any, indent: str) -> str:
    short = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if len(short) + len(indent) <= _WIDTH or not isinstance(value, (dict, list)):
        return short
    inner = indent + "  "
    if isinstance(value, dict):
        body = [f"{json.dumps(str(key))}: {_dump(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(inner + line for line in body) + "\n" + indent + "}"
    return "[\n" + ",\n".join(inner + _dump(item, inner) for item in value) + "\n" + indent + "]"


def read(data: bytes, where: str) -> Verdict:
    """The verdict of a statement. Raises UsageError when it is none, or contradicts itself."""
    import msgspec

    document = _document(data, where)
    predicate = document["predicate"]
    details = dict(predicate["mmlock"])
    if details.pop("schema", None) != _SCHEMA:
        raise _fault(where, f"predicate.mmlock.schema is not {_SCHEMA}, the one this mmlock reads")
    try:
        verdict = msgspec.convert(details, Verdict)
    except msgspec.ValidationError as error:
        raise _fault(where, f"predicate.mmlock: {error}") from error
    if told := _contradiction(document, to_statement(verdict)):
        raise _fault(where, told)
    return verdict


def _document(data: bytes, where: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise _fault(where, f"it is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise _fault(where, "it is no JSON object")
    for key, wanted in (("_type", STATEMENT), ("predicateType", PREDICATE)):
        if document.get(key) != wanted:
            raise _fault(where, f"{key} is not `{wanted}`")
    predicate = document.get("predicate")
    if not isinstance(predicate, dict) or not isinstance(predicate.get("mmlock"), dict):
        raise _fault(where, "predicate.mmlock is missing")
    return document


def _contradiction(document: Mapping[str, Any], expected: Mapping[str, Any]) -> str | None:
    """What a statement says otherwise than its own details do."""
    if document.get("subject") != expected["subject"]:
        return "subject is not the lock of predicate.mmlock.lock_digest"
    for key in ("result", "configuration", "passedTests", "warnedTests", "failedTests"):
        if document["predicate"].get(key) != expected["predicate"][key]:
            return f"predicate.{key} is not what predicate.mmlock comes to"
    return None


def _fault(where: str, cause: str) -> UsageError:
    return UsageError(f"`{where}` is not a verdict that can be used", causes=[cause], hints=[_AGAIN])
