"""Envelopes are DSSE as its authors mean it: their test vector, their library, and one more reading of it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement as ForeignStatement
from securesystemslib import dsse
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import Key, SSlibKey

from mmlock.validate.attest.documents import DocumentError, DocumentProblem
from mmlock.validate.attest.envelope import Envelope, Signature, encode_envelope, read_envelope
from mmlock.validate.attest.keys import PrivateKey
from mmlock.validate.attest.signers import KeySigner
from mmlock.validate.attest.statements import (
    PAYLOAD_TYPE,
    Statement,
    StatementSubject,
    encode_statement,
    read_statement,
)

# https://github.com/secure-systems-lab/dsse/blob/master/protocol.md#test-vectors
VECTOR = b"""{"payload": "aGVsbG8gd29ybGQ=",
 "payloadType": "http://example.com/HelloWorld",
 "signatures": [
  {"sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]}
"""
X = 46950820868899156662930047687818585632848591499744589407958293238635476079160
Y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
STATEMENT = Statement(
    subjects=(StatementSubject(name="pylock.toml", digest={"sha256": "a" * 64}),),
    predicate_type="https://in-toto.io/attestation/test-result/v0.1",
    predicate=b'{"result":"PASSED"}',
)


def _by_hand(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding, from the words of the protocol."""
    kind = payload_type.encode()
    return b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload])


@pytest.fixture
def signed(signer: KeySigner) -> bytes:
    return encode_envelope(signer.sign(encode_statement(STATEMENT)))


def test_the_test_vector_of_the_specification_holds() -> None:
    envelope = read_envelope(VECTOR)
    assert (envelope.payload, envelope.payload_type) == (b"hello world", "http://example.com/HelloWorld")
    assert envelope.pae() == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    (signature,) = envelope.signatures
    assert signature.keyid == ""
    public = ec.EllipticCurvePublicNumbers(X, Y, ec.SECP256R1()).public_key()
    raw = signature.sig  # r and s one after the other, in this vector
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    public.verify(der, envelope.pae(), ec.ECDSA(SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(der, envelope.pae() + b" ", ec.ECDSA(SHA256()))


def test_securesystemslib_verifies_what_is_signed(signed: bytes, key: PrivateKey) -> None:
    envelope = dsse.Envelope.from_dict(json.loads(signed))
    public = load_der_public_key(base64.b64decode(key.public))
    trusted: list[Key] = [SSlibKey.from_crypto(public)]
    assert list(envelope.verify(trusted, 1)) == [trusted[0].keyid]
    assert envelope.payload == encode_statement(STATEMENT)
    envelope.payload += b" "
    with pytest.raises(VerificationError):
        envelope.verify(trusted, 1)


def test_a_second_implementation_verifies_it(signed: bytes, key: PrivateKey) -> None:
    document: dict[str, Any] = json.loads(signed)
    payload = base64.b64decode(document["payload"])
    public = load_der_public_key(base64.b64decode(key.public))
    assert isinstance(public, Ed25519PublicKey)
    sig = base64.b64decode(document["signatures"][0]["sig"])
    public.verify(sig, _by_hand(document["payloadType"], payload))
    with pytest.raises(InvalidSignature):
        public.verify(sig, payload)


def test_in_toto_s_own_library_takes_the_statement(signed: bytes) -> None:
    envelope = read_envelope(signed)
    assert envelope.payload_type == PAYLOAD_TYPE
    ForeignStatement.copy_from_pb(_protobuf(envelope.payload)).validate()


def _protobuf(payload: bytes) -> Any:
    from google.protobuf import json_format
    from in_toto_attestation.v1.statement_pb2 import Statement as Message

    return json_format.Parse(payload, Message())


def test_a_subject_is_a_resource_of_in_toto() -> None:
    for subject in STATEMENT.subjects:
        ResourceDescriptor(name=subject.name, digest=dict(subject.digest)).validate()


def test_what_is_written_is_read_back(signed: bytes) -> None:
    envelope = read_envelope(signed)
    assert encode_envelope(envelope) == signed
    assert read_statement(envelope.payload) == STATEMENT


def test_url_safe_base64_and_unknown_keys_are_taken() -> None:
    payload = bytes(range(256))
    document = {
        "payload": base64.urlsafe_b64encode(payload).decode(),
        "payloadType": "x",
        "signatures": [{"sig": "_-8=", "keyid": "k", "cert": "..."}],
        "extra": {},
    }
    read = read_envelope(json.dumps(document).encode())
    assert read == Envelope(
        payload=payload, payload_type="x", signatures=(Signature(sig=b"\xff\xef", keyid="k"),)
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"payload": "!"}, DocumentProblem.NOT_BASE64),
        ({"payload": "YQ"}, DocumentProblem.NOT_BASE64),
        ({"payload": "\u00e9"}, DocumentProblem.NOT_BASE64),
        ({"payload": 1}, DocumentProblem.WRONG_SHAPE),
        ({"signatures": {}}, DocumentProblem.WRONG_SHAPE),
        ({"signatures": [{"keyid": "k"}]}, DocumentProblem.WRONG_SHAPE),
        ({"signatures": [{"sig": ""}] * 33}, DocumentProblem.TOO_MANY_SIGNATURES),
        ({"dsseEnvelope": []}, DocumentProblem.WRONG_SHAPE),
    ],
)
def test_what_is_no_envelope_is_refused(change: dict[str, Any], problem: DocumentProblem) -> None:
    document = {"payload": "YQ==", "payloadType": "x", "signatures": []} | change
    with pytest.raises(DocumentError) as error:
        read_envelope(json.dumps(document).encode())
    assert error.value.problem is problem


@pytest.mark.parametrize("data", [b"[]", b"null", b"1", b'"text"', b"{}"])
def test_other_documents_are_none(data: bytes) -> None:
    with pytest.raises(DocumentError) as error:
        read_envelope(data)
    assert error.value.problem is DocumentProblem.WRONG_SHAPE


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'{"_type":"x","subject":[],"predicateType":"y","predicate":{}}', DocumentProblem.WRONG_TYPE),
        (b'{"subject":[],"predicateType":"y","predicate":{}}', DocumentProblem.WRONG_SHAPE),
        (b'{"_type":"x","_type":"x"}', DocumentProblem.DUPLICATE_KEY),
    ],
)
def test_what_is_no_statement_is_refused(data: bytes, problem: DocumentProblem) -> None:
    with pytest.raises(DocumentError) as error:
        read_statement(data)
    assert error.value.problem is problem
