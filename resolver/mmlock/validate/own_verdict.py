"""The verdict beside a lock: what a lock may say of itself."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault
from mmlock.lock.model import LockedEnv
from mmlock.validate.attest.trust import Trust
from mmlock.validate.standing import Standing, VerdictError
from mmlock.validate.store import NAME, VerdictRecord, check_about, read_verdict, trusted_signer

__all__ = ["OwnVerdict", "own_verdict", "with_verdict"]


class OwnVerdict(Struct, frozen=True, kw_only=True):
    """The verdict in a lock folder."""

    standing: Standing
    record: VerdictRecord | None = None
    """Where it is about this lock and whole, whoever signed it."""
    reason: str | None = None
    """Why it does not count, in words."""

    @property
    def counts(self) -> bool:
        """Whether it is about this lock and signed by someone who is trusted."""
        return self.standing is Standing.TRUSTED


def own_verdict(folder: Path, env: LockedEnv, trust: Trust) -> OwnVerdict:
    """The verdict beside a lock and what it is worth."""
    path = folder / NAME
    if not path.exists():
        return OwnVerdict(standing=Standing.ABSENT)
    record = None
    try:
        read = read_verdict(path)
        check_about(read.verdict, env, str(path))
        record = read
        trusted_signer(read, trust, str(path))
    except VerdictError as error:
        return OwnVerdict(standing=error.standing, record=record, reason=error.message)
    except EnvironmentFault as error:
        return OwnVerdict(standing=Standing.UNREADABLE, reason=error.message)
    return OwnVerdict(standing=Standing.TRUSTED, record=record)


def with_verdict(env: LockedEnv, folder: Path, trust: Trust) -> LockedEnv:
    """The environment with the digest of the verdict beside it; None where that does not count."""
    own = own_verdict(folder, env, trust)
    return replace(env, verdict=own.record.digest if own.counts and own.record is not None else None)
