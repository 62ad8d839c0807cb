"""Where a verdict goes once it is made, and who signs it."""

from __future__ import annotations

import os
from pathlib import Path

from mmlock.lock.model import LockedEnv
from mmlock.validate.attest.keys import own_key, read_private_key
from mmlock.validate.attest.signers import KeySigner, Signer
from mmlock.validate.model import Verdict
from mmlock.validate.signing import attest, bound_files, put_verdict
from mmlock.validate.store import NAME, VerdictRecord, write_verdict

__all__ = ["kept", "signer_with", "where_kept"]


def kept(
    verdict: Verdict, env: LockedEnv, folder: Path, place: Path | None, signer: Signer | None
) -> VerdictRecord:
    """The verdict, written where it belongs; beside its lock, the lock names it."""
    if place == folder / NAME:
        return put_verdict(verdict, env, folder, signer)
    record = attest(verdict, bound_files(folder), signer)
    if place is not None:
        write_verdict(record.envelope, place)
    return record


def where_kept(place: Path | None, signer: Signer | None) -> str:
    """Say where a verdict is, and whether anybody's solve will use it."""
    if place is None:
        return "partial validation: no verdict was written; `--out FILE` writes one"
    if signer is None:
        return f"verdict: {place} (not signed: nobody's solve will use it)"
    return f"verdict: {place} (signed)"


def signer_with(path: Path | None) -> Signer:
    """What signs: a key that is named, or the user's own. Raises EnvironmentFault."""
    return KeySigner(private=own_key(os.environ) if path is None else read_private_key(path))
