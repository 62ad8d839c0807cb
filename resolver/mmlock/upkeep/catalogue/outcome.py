"""What came of asking about a pair."""

from __future__ import annotations

from msgspec import Struct

from mmlock.lock.model import LockedEnv
from mmlock.lock.refused import Refused

__all__ = ["Failed", "Outcome"]


class Failed(Struct, frozen=True, kw_only=True):
    """A pair that could not be asked about: the request or the surroundings are at fault."""

    lines: tuple[str, ...]


Outcome = LockedEnv | Refused | Failed
