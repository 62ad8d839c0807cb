"""A verdict is bound to the files of a lock and signed; the lock names the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault
from mmlock.files.reading import ReadProblem, UnreadableError, read_bounded
from mmlock.lock.formats import FORMATS, pylock
from mmlock.lock.model import LockedEnv
from mmlock.lock.write import put_lock, render_lock
from mmlock.validate.attest.envelope import Envelope
from mmlock.validate.attest.signers import Signer
from mmlock.validate.attest.statements import PAYLOAD_TYPE, encode_statement
from mmlock.validate.model import Verdict
from mmlock.validate.statement import predicate_bytes, predicate_digest, verdict_statement
from mmlock.validate.store import NAME, VerdictRecord, write_verdict

__all__ = ["attest", "bound_files", "put_verdict", "sign_again"]

_BOUND = (pylock.NAME, FORMATS["requirements"].file)
"""The files that say what to install."""


def attest(verdict: Verdict, files: Mapping[str, bytes], signer: Signer | None) -> VerdictRecord:
    """A verdict about a lock with these files, by name; None: unsigned, it counts for nobody.

    Raises EnvironmentFault when the signer cannot sign.
    """
    return _signed(verdict, predicate_bytes(verdict), files, signer)


def bound_files(folder: Path) -> dict[str, bytes]:
    """The files of a lock folder that a verdict is bound to. Raises EnvironmentFault."""
    files = {}
    for name in _BOUND:
        try:
            files[name] = read_bounded(folder / name)
        except UnreadableError as error:
            if error.problem is not ReadProblem.MISSING:
                raise EnvironmentFault(f"`{folder / name}` {error.text}") from error
    return files


def put_verdict(verdict: Verdict, env: LockedEnv, folder: Path, signer: Signer | None) -> VerdictRecord:
    """Write a verdict beside its lock, which then names it. Raises EnvironmentFault."""
    return _put(verdict, predicate_bytes(verdict), env, folder, signer, None)


def sign_again(record: VerdictRecord, env: LockedEnv, folder: Path, signer: Signer) -> VerdictRecord:
    """Sign the verdict beside a lock as it is, for the files as they are now. Raises EnvironmentFault.

    Other signatures stay where they are of the same bytes.
    """
    return _put(record.verdict, record.statement.predicate, env, folder, signer, record.envelope)


def _put(
    verdict: Verdict,
    predicate: bytes,
    env: LockedEnv,
    folder: Path,
    signer: Signer | None,
    before: Envelope | None,
) -> VerdictRecord:
    formats = [item.name for item in FORMATS.values() if item.optional and (folder / item.file).exists()]
    lock = render_lock(replace(env, verdict=predicate_digest(predicate)), formats)
    files = {name: text.encode() for name in _BOUND if (text := lock.get(name)) is not None}
    record = _signed(verdict, predicate, files, signer)
    if before is not None:
        record = replace(record, envelope=_together(before, record.envelope))
    # The verdict first: a lock must not name one that is not there.
    write_verdict(record.envelope, folder / NAME)
    put_lock(lock, folder)
    return record


def _signed(
    verdict: Verdict, predicate: bytes, files: Mapping[str, bytes], signer: Signer | None
) -> VerdictRecord:
    statement = verdict_statement(verdict, predicate, files)
    payload = encode_statement(statement)
    envelope = signer.sign(payload) if signer else Envelope(payload=payload, payload_type=PAYLOAD_TYPE)
    return VerdictRecord(verdict=verdict, statement=statement, envelope=envelope)


def _together(before: Envelope, now: Envelope) -> Envelope:
    """The new signature, and the others of the very same bytes."""
    if before.payload != now.payload or before.bundle is not None or now.bundle is not None:
        return now
    ours = {one.keyid for one in now.signatures}
    return replace(
        now, signatures=(*(one for one in before.signatures if one.keyid not in ours), *now.signatures)
    )
