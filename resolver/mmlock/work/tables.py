"""The tables of the service, for SQLite and PostgreSQL. `migrations/` makes them; a test compares the two."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text

__all__ = ["EVENTS", "JOBS", "METADATA", "RESULTS", "TOKENS"]

METADATA = MetaData()

JOBS = Table(
    "jobs",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("lock", Text),
    Column("arguments", LargeBinary, nullable=False),
    Column("context", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("queued", Float(53), nullable=False),
    Column("started", Float(53)),
    Column("ended", Float(53)),
    Column("beat", Float(53)),
    Column("worker", Text),
    Column("failure", Text),
    Column("progress", Text),
    Index("jobs_by_state", "state", "queued"),
    Index("jobs_by_age", "queued"),
)

RESULTS = Table(
    "results",
    METADATA,
    Column("key", String(64), ForeignKey("jobs.key", ondelete="CASCADE"), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""Bodies are packed with zlib: apart from the jobs, so that a list of these reads none of those."""

EVENTS = Table(
    "events",
    METADATA,
    Column("key", String(64), ForeignKey("jobs.key", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Float(53), nullable=False),
    Column("text", Text, nullable=False),
)

TOKENS = Table(
    "tokens",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("role", String(16), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("created", Float(53), nullable=False),
    Column("expires", Float(53)),
)
"""Of a token, only its SHA-256 is kept: it is 256 random bits, so no slow hash is needed."""
