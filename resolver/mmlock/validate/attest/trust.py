"""Whose signatures count: keys and identities from files that the user named, and their own key.

    keys = [
        { name = "ann@example.org", key = "MCowBQYDK2VwAyEA..." },
        { name = "our CI", identity = "https://github.com/...", issuer = "https://token.actions..." },
    ]

That is a file for `--allowed-signers`, and the table `[trust]` of a `mmlock.toml`, which can also name such a
file: `allowed-signers = "FILE"`. No file counts because of where it is: verdicts do not vouch for themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.faults import Fault, usage_error
from mmlock.core.names import StrEnum
from mmlock.files.reading import UnreadableError, read_bounded
from mmlock.validate.attest.envelope import Envelope, Signature
from mmlock.validate.attest.keys import own_public_key, public_key, verifying_key
from mmlock.validate.attest.signers import sigstore_missing

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "SignatureCheck",
    "SignatureState",
    "Trust",
    "TrustedIdentity",
    "TrustedKey",
    "check_signature",
    "read_trust",
]

OWN = "your own key"
TABLE = "trust"
_LARGEST = 1024 * 1024


class SignatureState(StrEnum):
    """Who signed an envelope."""

    TRUSTED = "trusted"
    UNSIGNED = "unsigned"
    FOREIGN = "foreign"  # signed, by nobody who is trusted
    ALTERED = "altered"  # it names a trusted key, whose signature is of other bytes


class TrustedSigner(Protocol):
    """Somebody whose word counts."""

    @property
    def name(self) -> str: ...

    @property
    def origin(self) -> str:
        """Where it is said that this one is trusted."""
        ...

    def signed(self, envelope: Envelope) -> bool:
        """Whether a signature of the envelope is theirs and holds. Raises EnvironmentFault."""
        ...

    def named_by(self, envelope: Envelope) -> bool:
        """Whether the envelope says that it has a signature of theirs."""
        ...


class TrustedKey(Struct, frozen=True, kw_only=True):
    """A public key that counts."""

    name: str
    key: str
    """As `keys.public_key` gives it."""
    origin: str

    def signed(self, envelope: Envelope) -> bool:
        """Key ids are no more than hints, so every signature is tried."""
        from securesystemslib.exceptions import UnverifiedSignatureError
        from securesystemslib.signer import Signature as SecureSystemsSignature

        verifying = verifying_key(self.key)
        pae = envelope.pae()
        for one in _plain(envelope):
            try:
                verifying.verify_signature(SecureSystemsSignature(verifying.keyid, one.sig.hex()), pae)
            except UnverifiedSignatureError:
                continue
            return True
        return False

    def named_by(self, envelope: Envelope) -> bool:
        """By its key id."""
        keyid = verifying_key(self.key).keyid
        return any(one.keyid == keyid for one in _plain(envelope))


class TrustedIdentity(Struct, frozen=True, kw_only=True):
    """Someone whose identity sigstore confirms: a person, a CI workflow."""

    name: str
    identity: str
    """Of the certificate: an address, the URI of a workflow."""
    issuer: str
    """The OpenID provider that knew them."""
    origin: str
    staging: bool = False
    """Whether the certificate is one of sigstore's test instance."""

    def signed(self, envelope: Envelope) -> bool:
        """Sigstore's trust root comes with its library, and is refreshed where the network allows it."""
        if envelope.bundle is None:
            return False
        try:
            from sigstore.errors import Error, VerificationError
            from sigstore.models import Bundle, InvalidBundle
            from sigstore.verify import Verifier
            from sigstore.verify.policy import Identity
        except ImportError as error:
            raise sigstore_missing() from error
        open_verifier = Verifier.staging if self.staging else Verifier.production
        try:
            bundle = Bundle.from_json(envelope.bundle)
            try:
                verifier = open_verifier()
            except Error:  # no network
                verifier = open_verifier(offline=True)
            policy = Identity(identity=self.identity, issuer=self.issuer)
            payload_type, payload = verifier.verify_dsse(bundle, policy)
        except (InvalidBundle, VerificationError):
            return False
        except Error as error:
            raise EnvironmentFault("sigstore cannot verify", causes=[str(error)]) from error
        return (payload_type, payload) == (envelope.payload_type, envelope.payload)

    def named_by(self, envelope: Envelope) -> bool:
        """A bundle does not say whose it is before it is verified."""
        del envelope
        return False


class Trust(Struct, frozen=True, kw_only=True):
    """Everybody whose word counts."""

    signers: tuple[TrustedKey | TrustedIdentity, ...] = ()


class SignatureCheck(Struct, frozen=True, kw_only=True):
    """What the signatures of an envelope come to."""

    state: SignatureState
    signer: TrustedKey | TrustedIdentity | None = None
    """Who is trusted and signed it."""


def check_signature(envelope: Envelope, trust: Trust) -> SignatureCheck:
    """Whether a trusted signer signed an envelope. Raises EnvironmentFault if that cannot be checked."""
    if not envelope.signatures:
        return SignatureCheck(state=SignatureState.UNSIGNED)
    for signer in trust.signers:
        if signer.signed(envelope):
            return SignatureCheck(state=SignatureState.TRUSTED, signer=signer)
    named = any(signer.named_by(envelope) for signer in trust.signers)
    return SignatureCheck(state=SignatureState.ALTERED if named else SignatureState.FOREIGN)


def _plain(envelope: Envelope) -> tuple[Signature, ...]:
    """The signatures that a key can have made: those of a bundle are of keys that live for minutes."""
    return () if envelope.bundle is not None else envelope.signatures


# ---------------------------------------------------------------- files


def read_trust(
    environ: Mapping[str, str],
    *,
    signers: Iterable[Path] = (),
    project: Path | None = None,
    own: bool = True,
) -> Trust:
    """Who counts: the user's own key, the files in `signers`, `[trust]` of a `mmlock.toml` that exists.

    Without `own`, the user's key is left out. Raises UsageError for a file that cannot be used,
    EnvironmentFault for an own key that others can read.
    """
    key = own_public_key(environ) if own else None
    found = [TrustedKey(name=OWN, key=key, origin=OWN)] if key is not None else []
    return Trust(
        signers=tuple(
            dict.fromkeys(
                [*found, *(one for path in signers for one in _signers_file(path)), *_project(project)]
            )
        )
    )


def _signers_file(path: Path) -> Iterator[TrustedKey | TrustedIdentity]:
    table = _toml(
        path, hint="`mmlock verdict key` prints a line for one, and docs/verdicts.md shows such a file"
    )
    yield from _signers(table, str(path), {"keys"})


def _project(path: Path | None) -> Iterator[TrustedKey | TrustedIdentity]:
    if path is None or not path.is_file():
        return
    table = _toml(path).get(TABLE, {})
    where = f"{path}: [{TABLE}]"
    if not isinstance(table, dict):
        raise usage_error([Fault(where=where, text="must be a table")])
    yield from _signers(table, where, {"keys", "allowed-signers"})
    named = table.get("allowed-signers", [])
    for file in [named] if isinstance(named, str) else named:
        if not isinstance(file, str):
            raise usage_error([Fault(where=where, text="`allowed-signers` must name a file")])
        yield from _signers_file(path.parent / file)


def _toml(path: Path, hint: str | None = None) -> dict[str, Any]:
    try:
        return tomllib.loads(read_bounded(path, _LARGEST).decode())
    except UnreadableError as error:
        raise UsageError(f"`{path}` {error.text}", hints=[hint] if hint else []) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"`{path}` is not TOML", causes=[str(error)], hints=[hint] if hint else []
        ) from error


def _signers(
    table: Mapping[str, Any], where: str, known: set[str]
) -> tuple[TrustedKey | TrustedIdentity, ...]:
    faults = [
        Fault(where=where, text=f"unknown key `{key}`", hint=f"expected one of {', '.join(sorted(known))}")
        for key in table
        if key not in known
    ]
    rows = table.get("keys", [])
    if not isinstance(rows, list):
        rows = []
        faults.append(Fault(where=where, text="`keys` must be a list of tables"))
    read = [_signer(row, f"{where}: keys[{place}]", where) for place, row in enumerate(rows)]
    faults += [one for one in read if isinstance(one, Fault)]
    if faults:
        raise usage_error(faults)
    return tuple(one for one in read if not isinstance(one, Fault))


def _signer(row: object, where: str, origin: str) -> TrustedKey | TrustedIdentity | Fault:
    if isinstance(row, dict) and all(isinstance(value, str) and value for value in row.values()):
        if row.keys() == {"name", "key"}:
            try:
                return TrustedKey(name=row["name"], key=public_key(row["key"]), origin=origin)
            except UsageError as error:
                return Fault(where=where, text=error.message, hint=next(iter(error.hints), None))
        if row.keys() == {"name", "identity", "issuer"}:
            return TrustedIdentity(
                name=row["name"], identity=row["identity"], issuer=row["issuer"], origin=origin
            )
    return Fault(where=where, text='must be { name = "...", key = "..." }')
