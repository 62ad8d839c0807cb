"""Verdicts as files: a DSSE envelope beside the lock that it is about."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Sha256, StrEnum
from mmlock.files.atomic import write_aside
from mmlock.files.digest import sha256_of
from mmlock.files.reading import ReadProblem, UnreadableError, read_bounded
from mmlock.lock.folders import VERDICT
from mmlock.lock.formats import pylock
from mmlock.lock.model import LockedEnv
from mmlock.lock.write import render_lock
from mmlock.validate.attest.documents import DocumentError, check_json
from mmlock.validate.attest.envelope import Envelope, encode_envelope, read_envelope
from mmlock.validate.attest.statements import PAYLOAD_TYPE, Statement, read_statement
from mmlock.validate.attest.trust import SignatureState, Trust, TrustedIdentity, TrustedKey, check_signature
from mmlock.validate.conclude import conclude
from mmlock.validate.digest import lock_digest, sealed_with
from mmlock.validate.model import Verdict
from mmlock.validate.standing import Standing, VerdictError, standing_of
from mmlock.validate.statement import predicate_digest, verdict_within

__all__ = [
    "LARGEST",
    "NAME",
    "VerdictBinding",
    "VerdictRecord",
    "bindings",
    "check_about",
    "check_files",
    "open_verdict",
    "read_verdict",
    "trusted_signer",
    "write_verdict",
]

NAME = VERDICT
LARGEST = 16 * 1024 * 1024
"""Bytes of a verdict file; one with every suite has about a tenth of a megabyte."""
_AGAIN = "run `mmlock validate` again to make a new one"


class VerdictRecord(Struct, frozen=True, kw_only=True):
    """A verdict with what was signed of it."""

    verdict: Verdict
    statement: Statement
    envelope: Envelope

    @property
    def digest(self) -> Sha256:
        """Of the verdict itself: it stays when the same verdict is signed again or bound to other files."""
        return predicate_digest(self.statement.predicate)


class VerdictBinding(StrEnum):
    """How a file beside a verdict is to the file that was signed."""

    SAME = "same"
    CHANGED = "changed"  # written again since: the environment may still be the same
    MISSING = "missing"


def write_verdict(envelope: Envelope, path: Path) -> None:
    """Write a verdict whole, or leave what is there. Raises EnvironmentFault."""
    try:
        write_aside(path, encode_envelope(envelope), mode=None, durable=True)
    except (OSError, ValueError) as error:
        raise EnvironmentFault(
            f"the verdict cannot be written to `{path}`",
            causes=[getattr(error, "strerror", None) or str(error)],
            hints=["name a file in a folder that you can write to with `--out`"],
        ) from error


def read_verdict(path: Path) -> VerdictRecord:
    """The verdict in a file. Raises EnvironmentFault where there is none, VerdictError for a bad one."""
    try:
        data = read_bounded(path, LARGEST)
    except UnreadableError as error:
        if error.problem is ReadProblem.MISSING:
            raise EnvironmentFault(
                f"there is no verdict at `{path}`", hints=["`mmlock validate LOCK` makes one"]
            ) from error
        raise VerdictError(Standing.UNREADABLE, f"the verdict `{path}` {error.text}") from error
    return open_verdict(data, str(path))


def open_verdict(data: bytes, where: str) -> VerdictRecord:
    """The verdict in the bytes of a file; its signatures are not looked at. Raises VerdictError."""
    try:
        document = check_json(data)
        if isinstance(document, dict) and "_type" in document and "payload" not in document:
            raise _older(where)
        envelope = read_envelope(data)
        if envelope.payload_type != PAYLOAD_TYPE:
            raise _unusable(where, f"payloadType is not `{PAYLOAD_TYPE}`")
        statement = read_statement(envelope.payload)
        verdict = verdict_within(statement)
    except DocumentError as error:
        raise _unusable(where, error.detail) from error
    return VerdictRecord(verdict=verdict, statement=statement, envelope=envelope)


def check_about(verdict: Verdict, env: LockedEnv, where: str) -> None:
    """Raise VerdictError unless this is a verdict about this very lock whose result follows from its rows.

    A lock with steps is meant when the verdict's wheels in their place make it the one that was validated.
    """
    digest = lock_digest(env if env.sealed else sealed_with(env, verdict.core_wheels))
    if verdict.lock_digest != digest:
        raise VerdictError(
            Standing.OTHER_LOCK,
            f"`{where}` is the verdict of another lock",
            causes=[f"it is about {verdict.lock_digest}", f"this lock is {digest}"],
            hints=["the lock has changed since: run `mmlock validate` again"],
        )
    result, _ = conclude(
        verdict.differences, verdict.suites, on_target=verdict.on_target, torch_error=verdict.torch_error
    )
    if result is not verdict.result:
        raise VerdictError(
            Standing.CONTRADICTORY,
            f"the result in `{where}` does not follow from its rows",
            causes=[f"it says {verdict.result.value}, its rows come to {result.value}"],
            hints=[_AGAIN],
        )


def trusted_signer(record: VerdictRecord, trust: Trust, where: str) -> TrustedKey | TrustedIdentity:
    """Who signed a verdict and is trusted. Raises VerdictError when nobody did, or nobody can tell here."""
    try:
        check = check_signature(record.envelope, trust)
    except EnvironmentFault as error:
        raise VerdictError(
            Standing.UNCHECKED,
            f"the signature of `{where}` cannot be verified: {error.message}",
            causes=error.causes,
            hints=error.hints,
        ) from error
    if check.signer is not None:
        return check.signer
    standing = standing_of(check.state)
    if check.state is SignatureState.UNSIGNED:
        raise VerdictError(
            standing,
            f"`{where}` is not signed",
            hints=["if you vouch for it: `mmlock verdict sign LOCK`"],
        )
    if check.state is SignatureState.ALTERED:
        raise VerdictError(
            standing,
            f"`{where}` was changed after it was signed",
            causes=["it names a key that you trust, whose signature does not match"],
            hints=[_AGAIN],
        )
    ids = ", ".join(one.keyid[:16] or "a key without an id" for one in record.envelope.signatures)
    raise VerdictError(
        standing,
        f"`{where}` has no signature that you trust",
        causes=[f"signed by {ids}"],
        hints=[
            "if you trust the signer, add the public key: `--allowed-signers FILE`, or [trust] in mmlock.toml"
        ],
    )


def bindings(record: VerdictRecord, folder: Path) -> dict[str, VerdictBinding]:
    """How the files that a verdict was signed for are now, by name."""
    return {
        subject.name: _binding(folder / subject.name, digest)
        for subject in record.statement.subjects
        # A name from outside: it must be that of a file in this folder.
        if (digest := subject.digest.get("sha256")) and Path(subject.name).name == subject.name
    }


def _binding(path: Path, digest: str) -> VerdictBinding:
    try:
        return VerdictBinding.SAME if sha256_of(path) == digest else VerdictBinding.CHANGED
    except (OSError, ValueError):
        return VerdictBinding.MISSING


def check_files(record: VerdictRecord, env: LockedEnv, folder: Path) -> dict[str, VerdictBinding]:
    """How the signed files are now. Raises VerdictError for one that is neither signed nor of this lock.

    What `pylock.toml` installs is compared by `check_about`; the others are what mmlock makes of it.
    """
    bound = bindings(record, folder)
    changed = [
        name for name, binding in bound.items() if binding is VerdictBinding.CHANGED and name != pylock.NAME
    ]
    if not changed:
        return bound
    lock = render_lock(env)
    for name in changed:
        text = lock.get(name)
        if text is None or (folder / name).read_bytes() != text.encode():
            raise VerdictError(
                Standing.OTHER_LOCK,
                f"`{folder / name}` is neither the file that was signed nor what this lock comes to",
                hints=["make the lock again, then `mmlock verdict sign LOCK`"],
            )
    return bound


def _older(where: str) -> VerdictError:
    return VerdictError(
        Standing.OLDER_SCHEME,
        f"`{where}` is a verdict of an older scheme and is not trusted",
        causes=["it is not in a signed envelope; SSH signatures of verdicts are no longer read"],
        hints=[_AGAIN],
    )


def _unusable(where: str, cause: str) -> VerdictError:
    return VerdictError(
        Standing.UNREADABLE, f"`{where}` is not a usable verdict", causes=[cause], hints=[_AGAIN]
    )
