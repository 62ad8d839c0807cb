"""DSSE envelopes: bytes, what they are, and who signed them. Pure; the encoding is securesystemslib's.

Source: https://github.com/secure-systems-lab/dsse/blob/master/envelope.md and protocol.md
A sigstore bundle holds such an envelope, and beside it what its signature is checked with; it is kept whole.
"""

from __future__ import annotations

import base64
import binascii
import json

from msgspec import Raw, Struct, field

from mmlock.validate.attest.documents import DocumentError, DocumentProblem, check_json, decode

__all__ = ["Envelope", "Signature", "encode_envelope", "read_envelope"]

_MOST_SIGNATURES = 32
"""More than that many is work for nothing."""


class Signature(Struct, frozen=True, kw_only=True):
    """One signature of an envelope."""

    sig: bytes
    keyid: str = ""
    """A hint which key it is of; no one has signed it."""


class Envelope(Struct, frozen=True, kw_only=True):
    """Signed bytes, with no word yet on whether the signatures hold."""

    payload: bytes
    payload_type: str
    signatures: tuple[Signature, ...] = ()
    bundle: bytes | None = None
    """The sigstore bundle that it came in."""

    def pae(self) -> bytes:
        """The bytes that a signature is over (pre-authentication encoding)."""
        from securesystemslib.dsse import Envelope as SecureSystemsEnvelope

        return SecureSystemsEnvelope(self.payload, self.payload_type, {}).pae()


class _SignatureJson(Struct, frozen=True, kw_only=True):
    sig: str
    keyid: str | None = None


class _EnvelopeJson(Struct, frozen=True, kw_only=True):
    payload: str
    payload_type: str = field(name="payloadType")
    signatures: tuple[_SignatureJson, ...]


class _BundleJson(Struct, frozen=True, kw_only=True):
    media_type: str = field(name="mediaType")
    envelope: Raw = field(name="dsseEnvelope")


def encode_envelope(envelope: Envelope) -> bytes:
    """The file of an envelope, or the bundle that it came in."""
    if envelope.bundle is not None:
        return envelope.bundle
    document = {
        "payloadType": envelope.payload_type,
        "payload": base64.b64encode(envelope.payload).decode(),
        "signatures": [
            {"keyid": one.keyid, "sig": base64.b64encode(one.sig).decode()} for one in envelope.signatures
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=True).encode() + b"\n"


def read_envelope(data: bytes) -> Envelope:
    """The envelope in a file, which may be a sigstore bundle. Raises DocumentError."""
    document = check_json(data)
    if not isinstance(document, dict):
        raise DocumentError(DocumentProblem.WRONG_SHAPE, "it is not a JSON object")
    bundle = None
    if "dsseEnvelope" in document:
        bundle, data = data, bytes(decode(data, _BundleJson).envelope)
    read = decode(data, _EnvelopeJson)
    if len(read.signatures) > _MOST_SIGNATURES:
        raise DocumentError(
            DocumentProblem.TOO_MANY_SIGNATURES, f"{len(read.signatures)}; {_MOST_SIGNATURES} at most"
        )
    return Envelope(
        payload=_bytes(read.payload, "payload"),
        payload_type=read.payload_type,
        signatures=tuple(
            Signature(sig=_bytes(one.sig, "signatures[...].sig"), keyid=one.keyid or "")
            for one in read.signatures
        ),
        bundle=bundle,
    )


def _bytes(text: str, where: str) -> bytes:
    """Standard or URL-safe base64: the protocol allows both."""
    try:
        if "-" in text or "_" in text:
            return base64.b64decode(text.translate({45: 43, 95: 47}), validate=True)
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        raise DocumentError(DocumentProblem.NOT_BASE64, f"`{where}`") from None
