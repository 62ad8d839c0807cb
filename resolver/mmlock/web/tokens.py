"""Tokens: who they are given to, what they allow. Only their digests are kept."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from mmlock.core.errors import UsageError
from mmlock.web.settings import Role
from mmlock.work.database import working
from mmlock.work.tables import TOKENS

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["Token", "Tokens"]

_PREFIX = "mml_"
_REMEMBERED = 30.0
"""Seconds for which a token that was looked up is not looked up again: so long a revoked one may live."""


class Token(Struct, frozen=True, kw_only=True):
    """A token without its secret."""

    name: str
    role: Role
    created: float
    expires: float | None


class Tokens:
    """The tokens of a database."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self._known: dict[str, tuple[float, Token | None]] = {}

    def add(self, name: str, role: Role, *, days: float | None = None) -> str:
        """A new token: its secret, which nobody can tell a second time. Raises UsageError."""
        if role is Role.NOBODY or not name.strip() or len(name) > 100:  # noqa: PLR2004
            raise UsageError(
                "a token needs a name and a role", hints=["`mmlock db add-token ci --role solve`"]
            )
        secret = _PREFIX + secrets.token_urlsafe(32)
        now = self._clock()
        row = {
            "name": name,
            "role": role.value,
            "digest": _digest(secret),
            "created": now,
            "expires": None if days is None else now + days * 86_400,
        }
        with working():
            try:
                with self._engine.begin() as at:
                    at.execute(insert(TOKENS).values(row))
            except IntegrityError as error:
                raise UsageError(
                    f"there is a token `{name}` already",
                    hints=["remove it first: `mmlock db remove-token NAME`"],
                ) from error
        return secret

    def remove(self, name: str) -> bool:
        """Take a token back; whether there was one."""
        with working(), self._engine.begin() as at:
            self._known.clear()
            return bool(at.execute(delete(TOKENS).where(TOKENS.c.name == name)).rowcount)

    def listed(self) -> tuple[Token, ...]:
        """All of them, by name."""
        with working(), self._engine.begin() as at:
            return tuple(_token(row) for row in at.execute(select(TOKENS).order_by(TOKENS.c.name)))

    def find(self, secret: str) -> Token | None:
        """Whose secret this is; None: nobody's, or it is too old."""
        digest, now = _digest(secret), self._clock()
        known = self._known.get(digest)
        if known is None or now - known[0] > _REMEMBERED:
            with working(), self._engine.begin() as at:
                row = at.execute(select(TOKENS).where(TOKENS.c.digest == digest)).one_or_none()
            if len(self._known) > 10_000:  # noqa: PLR2004 - somebody guesses
                self._known.clear()
            known = self._known[digest] = (now, None if row is None else _token(row))
        token = known[1]
        return None if token is None or (token.expires is not None and token.expires < now) else token


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _token(row: object) -> Token:
    return Token(
        name=row.name,  # type: ignore[attr-defined]
        role=Role(row.role),  # type: ignore[attr-defined]
        created=row.created,  # type: ignore[attr-defined]
        expires=row.expires,  # type: ignore[attr-defined]
    )
