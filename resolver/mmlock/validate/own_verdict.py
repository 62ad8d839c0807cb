"""The verdict beside a lock: what a lock may say of itself."""

from __future__ import annotations

import hashlib
from pathlib import Path

from msgspec.structs import replace

from mmlock.core.errors import UsageError
from mmlock.lock.model import LockedEnv
from mmlock.validate.model import Verdict
from mmlock.validate.store import NAME, read_verdict, verify


def own_verdict(folder: Path, env: LockedEnv) -> tuple[Verdict | None, str | None]:
    """The verdict beside a lock; (None, why) for one that is not about this lock."""
    path = folder / NAME
    if not path.is_file():
        return None, None
    try:
        found = read_verdict(path)
        verify(found, env, str(path))
    except UsageError as error:
        return None, f"its verdict cannot stand: {error.message}"
    return found, None


def with_verdict(env: LockedEnv, folder: Path) -> LockedEnv:
    """The environment with the digest of its verdict, where one lies there."""
    if own_verdict(folder, env)[0] is None:
        return env
    return replace(env, verdict=hashlib.sha256((folder / NAME).read_bytes()).hexdigest())
