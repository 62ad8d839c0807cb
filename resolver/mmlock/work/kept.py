"""Results by the key of their task, in a folder: what is there needs not be done again.

A file holds the digest of the result and then the result: one that does not hash to it counts as none.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault
from mmlock.files.atomic import write_aside
from mmlock.work.model import JobKey

__all__ = ["KeptResults"]

_DIGITS = 64


class KeptResults(Struct, frozen=True, kw_only=True):
    """A folder of results. It is made when the first one comes in."""

    root: Path

    def get(self, key: JobKey) -> bytes | None:
        """The result of a task; None: there is none, or its bytes are not those that were kept."""
        try:
            data = self._place(key).read_bytes()
        except OSError:
            return None
        told, body = data[:_DIGITS], data[_DIGITS + 1 :]
        return body if told == hashlib.sha256(body).hexdigest().encode() else None

    def put(self, key: JobKey, body: bytes) -> None:
        """Keep a result. Raises EnvironmentFault."""
        digest = hashlib.sha256(body).hexdigest().encode()
        try:
            write_aside(self._place(key), digest + b"\n" + body)
        except OSError as error:
            raise EnvironmentFault(
                f"results cannot be kept in `{self.root}`",
                causes=[error.strerror or str(error)],
                hints=["free some space, or set MMLOCK_CACHE_DIR to a folder that you can write to"],
            ) from error

    def _place(self, key: JobKey) -> Path:
        return self.root / key[:2] / key
