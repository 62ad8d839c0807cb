"""JSON that anybody may have written: read within bounds, one meaning only, into typed values. Pure."""

from __future__ import annotations

import json
import math
from typing import Any, TypeVar

import msgspec

from mmlock.core.names import StrEnum

__all__ = ["DocumentError", "DocumentProblem", "check_json", "decode"]

_DIGITS = 20
"""Of the largest integer: 64 bits have no more."""

_SHOWN = 200

Decoded = TypeVar("Decoded")


class DocumentProblem(StrEnum):
    """Why bytes are not the document that was expected."""

    NOT_JSON = "not-json"
    DUPLICATE_KEY = "duplicate-key"  # parsers disagree on which one counts
    NUMBER = "number"  # NaN, Infinity, or more digits than 64 bits have
    TOO_DEEP = "too-deep"
    WRONG_SHAPE = "wrong-shape"  # JSON, with a key that is missing or of another type
    NOT_BASE64 = "not-base64"
    TOO_MANY_SIGNATURES = "too-many-signatures"
    WRONG_TYPE = "wrong-type"  # a document of another kind: its own type says so
    CONTRADICTION = "contradiction"  # two of its parts say different things


class DocumentError(ValueError):
    """Bytes that are not the document that was expected: `problem` is why, `detail` where or what."""

    def __init__(self, problem: DocumentProblem, detail: str) -> None:
        super().__init__(f"{problem.value}: {detail}")
        self.problem = problem
        self.detail = detail[:_SHOWN]


def check_json(data: bytes) -> Any:
    """The plain value of a JSON document that every parser reads alike. Raises DocumentError.

    It takes time in proportion to the bytes, whatever they are.
    """
    try:
        return json.loads(
            data,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except DocumentError:
        raise
    except RecursionError:
        raise DocumentError(DocumentProblem.TOO_DEEP, "it is nested too deeply") from None
    except ValueError as error:  # also bytes that are not Unicode
        raise DocumentError(DocumentProblem.NOT_JSON, str(error)) from None


def decode(data: bytes, kind: type[Decoded]) -> Decoded:
    """Bytes that `check_json` let pass, as a typed value. Raises DocumentError."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise DocumentError(DocumentProblem.WRONG_SHAPE, str(error)) from None
    except msgspec.DecodeError as error:
        raise DocumentError(DocumentProblem.NOT_JSON, str(error)) from None
    except RecursionError:
        raise DocumentError(DocumentProblem.TOO_DEEP, "it is nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise DocumentError(DocumentProblem.DUPLICATE_KEY, f"`{key}` appears twice in one object")
            seen.add(key)
    return read


def _integer(text: str) -> int:
    if len(text) > _DIGITS:
        raise DocumentError(DocumentProblem.NUMBER, f"an integer of {len(text)} digits")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise DocumentError(DocumentProblem.NUMBER, f"`{text[:_DIGITS]}` is too large")
    return value


def _constant(text: str) -> float:
    raise DocumentError(DocumentProblem.NUMBER, f"`{text}` is not JSON")
