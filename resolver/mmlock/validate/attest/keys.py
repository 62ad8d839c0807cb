"""The user's own key, other private keys in files, and public keys as text.

A private key is a file that its owner alone can read. The own one is made when something is signed for the
first time, and is never written again.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.state import state_root
from mmlock.files.reading import UnreadableError, read_bounded

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from securesystemslib.signer import SSlibKey

__all__ = [
    "PrivateKey",
    "load_private_key",
    "own_key",
    "own_key_path",
    "own_public_key",
    "public_key",
    "read_private_key",
    "verifying_key",
]

_LARGEST = 64 * 1024
_SHOWN = 60
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class PrivateKey(Struct, frozen=True, kw_only=True):
    """A key that can sign: where it is, and its public half. The secret is read when it signs."""

    path: Path
    public: str
    """As `[trust]` takes it: base64 of its SubjectPublicKeyInfo, the body of a PEM file."""


def own_key_path(environ: Mapping[str, str]) -> Path:
    """Where the user's own key is, or will be."""
    return state_root(environ).absolute() / "keys" / "verdicts.pem"


def own_key(environ: Mapping[str, str]) -> PrivateKey:
    """The user's own key, made if there is none. Raises EnvironmentFault when it cannot be made or used."""
    path = own_key_path(environ)
    if not _exists(path):
        _make(path)
    return read_private_key(path)


def own_public_key(environ: Mapping[str, str]) -> str | None:
    """The public half of the user's own key; None while nothing was signed. Raises EnvironmentFault."""
    path = own_key_path(environ)
    return read_private_key(path).public if _exists(path) else None


def read_private_key(path: Path) -> PrivateKey:
    """A private Ed25519 key in a PEM or OpenSSH file. Raises EnvironmentFault for one that is not used."""
    return PrivateKey(path=path, public=_text_of(load_private_key(path).public_key()))


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """The secret itself. Raises EnvironmentFault."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    _refuse_shared(path)
    try:
        data = read_bounded(path, _LARGEST)
    except UnreadableError as error:
        raise _unusable(path, error.text) from error
    load = load_ssh_private_key if b"BEGIN OPENSSH PRIVATE KEY" in data else load_pem_private_key
    try:
        key = load(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # Never the library's own words: they may quote the file.
        encrypted = isinstance(error, TypeError) or b"ENCRYPTED" in data
        why = "it is protected by a passphrase" if encrypted else "it is not a private key in PEM"
        raise _unusable(path, why) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable(path, "it is not an Ed25519 key")
    return key


def public_key(text: str) -> str:
    """A public key in one form, whatever form it was given in. Raises UsageError.

    Taken: a PEM file's text or its body alone, `ssh-ed25519 AAAA...`. Ed25519 and ECDSA (NIST curves) count.
    """
    return _text_of(_load_public(text))


def verifying_key(text: str) -> SSlibKey:
    """The key of securesystemslib that checks signatures. Raises UsageError."""
    from securesystemslib.signer import SSlibKey

    return SSlibKey.from_crypto(_load_public(text))


def _load_public(text: str) -> Ed25519PublicKey | EllipticCurvePublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import (
        SECP256R1,
        SECP384R1,
        SECP521R1,
        EllipticCurvePublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import (
        load_der_public_key,
        load_pem_public_key,
        load_ssh_public_key,
    )

    given = text.strip()
    key: object
    try:
        if given.startswith("-----BEGIN"):
            key = load_pem_public_key(given.encode())
        elif given.startswith(("ssh-", "ecdsa-")):
            key = load_ssh_public_key(given.encode())
        else:
            key = load_der_public_key(base64.b64decode("".join(given.split()), validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        shown = given if len(given) <= _SHOWN else f"{given[:_SHOWN]}..."
        raise UsageError(
            f"`{shown}` is not a public key",
            hints=["`mmlock verdict key` prints yours in the form that is expected"],
        ) from None
    if isinstance(key, Ed25519PublicKey):
        return key
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, (SECP256R1, SECP384R1, SECP521R1)):
        return key
    raise UsageError("only Ed25519 and ECDSA keys (NIST curves) can be trusted")


def _text_of(public: Ed25519PublicKey | EllipticCurvePublicKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


# ---------------------------------------------------------------- files


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise _unusable(path, getattr(error, "strerror", None) or str(error)) from error
    return True


def _make(path: Path) -> None:
    """Make a new key, unless another process is faster. A reader sees a whole file or none."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        for folder in reversed([parent for parent in path.parents if not parent.exists()]):
            folder.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(pem)
                stream.flush()
                os.fsync(stream.fileno())
            with contextlib.suppress(FileExistsError):  # unlike a rename, it replaces nothing
                os.link(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise EnvironmentFault(
            f"your signing key cannot be made at `{path}`",
            causes=[getattr(error, "strerror", None) or str(error)],
            hints=[
                "set MMLOCK_STATE_DIR to a folder that you can write to",
                "or sign with another key (`--sign KEY`), or not at all (`--no-sign`)",
            ],
        ) from error


def _refuse_shared(path: Path) -> None:
    """Raise EnvironmentFault for a file that others may read: whoever has the key speaks for its owner."""
    try:
        kept = path.stat()
    except (OSError, ValueError) as error:
        raise _unusable(path, getattr(error, "strerror", None) or str(error)) from error
    if not hasattr(os, "geteuid"):  # Windows: a profile folder is its user's alone
        return
    if kept.st_uid not in {os.geteuid(), 0}:
        raise _unusable(path, f"it belongs to another user (uid {kept.st_uid})")
    if kept.st_mode & _OTHERS:
        mode = stat.S_IMODE(kept.st_mode)
        raise EnvironmentFault(
            f"the private key `{path}` is not used: others can access it (mode {mode:o})",
            causes=["anyone who can read it can sign in your name"],
            hints=[
                f"if no one else has read it: chmod 600 {path}",
                "otherwise remove it; a new one is made when you sign next",
            ],
        )


def _unusable(path: Path, why: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"the private key `{path}` cannot be used",
        causes=[why],
        hints=["give an Ed25519 key without a passphrase: `openssl genpkey -algorithm ed25519 -out FILE`"],
    )
