"""JSON from outside has one meaning or is refused, in time that its size bounds."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from mmlock.validate.attest.documents import DocumentError, DocumentProblem, check_json, decode

DEEP = 200_000


class Small(Struct, frozen=True, kw_only=True):
    name: str
    count: int = 0


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", DocumentProblem.NOT_JSON),
        (b"{", DocumentProblem.NOT_JSON),
        (b"\xff\xfe{}", DocumentProblem.NOT_JSON),
        (b"{}{}", DocumentProblem.NOT_JSON),
        (b'{"a": 1, "a": 2}', DocumentProblem.DUPLICATE_KEY),
        (b'{"x": {"a": 1, "b": 0, "a": 1}}', DocumentProblem.DUPLICATE_KEY),
        (b"[NaN]", DocumentProblem.NUMBER),
        (b"[-Infinity]", DocumentProblem.NUMBER),
        (b"[1e999]", DocumentProblem.NUMBER),
        (b"[" + b"9" * 6000 + b"]", DocumentProblem.NUMBER),
        (b"[-" + b"9" * 1_000_000 + b"]", DocumentProblem.NUMBER),
        (b"[" * DEEP + b"]" * DEEP, DocumentProblem.TOO_DEEP),
        (b'{"a":' * DEEP + b"1" + b"}" * DEEP, DocumentProblem.TOO_DEEP),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_parsers_disagree_on_or_die_of_is_refused(data: bytes, problem: DocumentProblem) -> None:
    with pytest.raises(DocumentError) as error:
        check_json(data)
    assert error.value.problem is problem
    assert len(error.value.detail) <= 200


def test_plain_json_is_read_as_it_is() -> None:
    document = {"a": [1, -2.5, True, None, "\u00e9"], "b": {"a": 18446744073709551615}}
    assert check_json(json.dumps(document).encode()) == document


@pytest.mark.parametrize("data", [b'{"name": 1}', b"{}", b"[]", b'{"name": "x", "count": "1"}', b"null"])
def test_other_types_are_the_wrong_shape(data: bytes) -> None:
    check_json(data)
    with pytest.raises(DocumentError) as error:
        decode(data, Small)
    assert error.value.problem is DocumentProblem.WRONG_SHAPE


def test_keys_of_later_versions_are_passed_over() -> None:
    assert decode(b'{"name": "x", "new": [[]]}', Small) == Small(name="x")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_as_a_value(data: bytes) -> None:
    with suppress(DocumentError):
        check_json(data)
        decode(data, Small)
