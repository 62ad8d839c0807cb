"""What can sign a statement: a key, or an identity that sigstore vouches for."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault
from mmlock.validate.attest.documents import DocumentError
from mmlock.validate.attest.envelope import Envelope, Signature, read_envelope
from mmlock.validate.attest.keys import PrivateKey, load_private_key
from mmlock.validate.attest.statements import PAYLOAD_TYPE

__all__ = ["KeySigner", "Signer", "SigstoreSigner", "sigstore_missing"]


class Signer(Protocol):
    """Puts a statement into an envelope with one signature."""

    def sign(self, statement: bytes) -> Envelope:
        """Raises EnvironmentFault when it cannot sign now."""
        ...


class KeySigner(Struct, frozen=True, kw_only=True):
    """Signs with a private key, by securesystemslib."""

    private: PrivateKey

    def sign(self, statement: bytes) -> Envelope:
        """Raises EnvironmentFault for a key that cannot be used any more."""
        from securesystemslib.dsse import Envelope as SecureSystemsEnvelope
        from securesystemslib.signer import CryptoSigner

        signed = SecureSystemsEnvelope(statement, PAYLOAD_TYPE, {}).sign(
            CryptoSigner(load_private_key(self.private.path))
        )
        signature = Signature(sig=bytes.fromhex(signed.signature), keyid=signed.keyid)
        return Envelope(payload=statement, payload_type=PAYLOAD_TYPE, signatures=(signature,))


class SigstoreSigner(Struct, frozen=True, kw_only=True):
    """Signs with a key of minutes that sigstore certifies for who is logged in. Needs its public services."""

    def sign(self, statement: bytes) -> Envelope:
        """The identity of a CI job where there is one, else of a browser login. Raises EnvironmentFault."""
        try:
            from sigstore.dsse import Statement
            from sigstore.models import ClientTrustConfig
            from sigstore.oidc import IdentityToken, Issuer, detect_credential
            from sigstore.sign import SigningContext
        except ImportError as error:
            raise sigstore_missing() from error
        try:
            config = ClientTrustConfig.production()
            credential = detect_credential()
            token = (
                IdentityToken(credential)
                if credential
                else Issuer(config.signing_config.get_oidc_url()).identity_token()
            )
            with SigningContext.from_trust_config(config).signer(token) as signer:
                bundle = signer.sign_dsse(Statement(statement)).to_json()
            return read_envelope(bundle.encode())
        except DocumentError:
            raise
        except Exception as error:  # requests, TUF and sigstore have a tree of errors each
            raise EnvironmentFault(
                "sigstore did not sign", causes=[str(error)], hints=["it needs the network and a login"]
            ) from error


def sigstore_missing() -> EnvironmentFault:
    """The error where the optional library is needed."""
    return EnvironmentFault(
        "sigstore is not installed", hints=['install it with `pip install "mmlock[sigstore]"`']
    )
