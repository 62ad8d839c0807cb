"""In-toto statements: subjects, each known by its digests, and what is said of them. Pure.

Source: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct, field

from mmlock.validate.attest.documents import DocumentError, DocumentProblem, check_json, decode

__all__ = [
    "PAYLOAD_TYPE",
    "STATEMENT_TYPE",
    "Statement",
    "StatementSubject",
    "encode_statement",
    "read_statement",
]

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
"""Of the envelope that a statement is in."""


class StatementSubject(Struct, frozen=True, kw_only=True):
    """One thing that a statement is about."""

    name: str
    digest: Mapping[str, str]
    """Algorithm (`sha256`, `gitCommit`, one of our own) -> lower-case hex."""


class Statement(Struct, frozen=True, kw_only=True):
    """What someone says about subjects; the predicate as the very bytes that were signed."""

    subjects: tuple[StatementSubject, ...]
    predicate_type: str
    predicate: bytes


class _StatementJson(Struct, frozen=True, kw_only=True):
    type: str = field(name="_type")
    subject: tuple[StatementSubject, ...]
    predicate_type: str = field(name="predicateType")
    predicate: Raw


def encode_statement(statement: Statement) -> bytes:
    """The bytes to sign."""
    return msgspec.json.encode(
        _StatementJson(
            type=STATEMENT_TYPE,
            subject=statement.subjects,
            predicate_type=statement.predicate_type,
            predicate=Raw(statement.predicate),
        )
    )


def read_statement(data: bytes) -> Statement:
    """The statement in the payload of an envelope. Raises DocumentError."""
    check_json(data)
    read = decode(data, _StatementJson)
    if read.type != STATEMENT_TYPE:
        raise DocumentError(DocumentProblem.WRONG_TYPE, f"_type is not `{STATEMENT_TYPE}`")
    return Statement(
        subjects=read.subject, predicate_type=read.predicate_type, predicate=bytes(read.predicate)
    )
