"""Whose word counts: keys in files that the user named, and his own. Nobody else's."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.validate.attest.envelope import Envelope, encode_envelope, read_envelope
from mmlock.validate.attest.keys import PrivateKey, verifying_key
from mmlock.validate.attest.signers import KeySigner, SigstoreSigner
from mmlock.validate.attest.trust import (
    OWN,
    SignatureState,
    Trust,
    TrustedIdentity,
    TrustedKey,
    check_signature,
    read_trust,
)


@pytest.fixture
def envelope(signer: KeySigner) -> Envelope:
    return signer.sign(b"{}")


def test_a_trusted_key_is_known_by_its_signature(envelope: Envelope, trust: Trust) -> None:
    check = check_signature(envelope, trust)
    assert (check.state, check.signer) == (SignatureState.TRUSTED, trust.signers[0])


def test_nobody_is_trusted_by_default(envelope: Envelope) -> None:
    assert check_signature(envelope, Trust()).state is SignatureState.FOREIGN


def test_a_stranger_is_foreign(stranger: KeySigner, trust: Trust) -> None:
    check = check_signature(stranger.sign(b"{}"), trust)
    assert (check.state, check.signer) == (SignatureState.FOREIGN, None)


def test_no_signature_is_unsigned(envelope: Envelope, trust: Trust) -> None:
    assert check_signature(replace(envelope, signatures=()), trust).state is SignatureState.UNSIGNED


@pytest.mark.parametrize("part", ["payload", "payload_type", "sig"])
def test_other_bytes_than_were_signed_are_altered(envelope: Envelope, trust: Trust, part: str) -> None:
    (signature,) = envelope.signatures
    changed = {
        "payload": replace(envelope, payload=b"{} "),
        "payload_type": replace(envelope, payload_type="text/plain"),
        "sig": replace(envelope, signatures=(replace(signature, sig=bytes(64)),)),
    }[part]
    assert check_signature(changed, trust).state is SignatureState.ALTERED


def test_a_stranger_s_signature_under_a_trusted_key_s_id_is_not_believed(
    stranger: KeySigner, key: PrivateKey, trust: Trust
) -> None:
    envelope = stranger.sign(b"{}")
    (signature,) = envelope.signatures
    borrowed = replace(signature, keyid=verifying_key(key.public).keyid)
    assert check_signature(replace(envelope, signatures=(borrowed,)), trust).state is SignatureState.ALTERED


@pytest.mark.parametrize("keyid", ["", "another"])
def test_a_key_id_is_a_hint_only(envelope: Envelope, trust: Trust, keyid: str) -> None:
    (signature,) = envelope.signatures
    hinted = replace(envelope, signatures=(replace(signature, keyid=keyid),))
    assert check_signature(hinted, trust).state is SignatureState.TRUSTED


def test_one_trusted_signature_among_foreign_ones_suffices(
    envelope: Envelope, stranger: KeySigner, trust: Trust
) -> None:
    both = replace(envelope, signatures=(*stranger.sign(b"{}").signatures, *envelope.signatures))
    assert check_signature(both, trust).state is SignatureState.TRUSTED


# ---------------------------------------------------------------- files


def _row(name: str, key: PrivateKey) -> str:
    return f'{{ name = "{name}", key = "{key.public}" }}'


def test_the_own_key_counts_once_there_is_one(tmp_path: Path, key: PrivateKey) -> None:
    assert read_trust({"MMLOCK_STATE_DIR": str(tmp_path / "none")}) == Trust()
    assert read_trust({"MMLOCK_STATE_DIR": str(tmp_path / "state")}) == Trust(
        signers=(TrustedKey(name=OWN, key=key.public, origin=OWN),)
    )


def test_files_and_projects_name_others(tmp_path: Path, key: PrivateKey, stranger: KeySigner) -> None:
    file, project = tmp_path / "allowed.toml", tmp_path / "mmlock.toml"
    file.write_text(f"keys = [{_row('ann', key)}]\n")
    project.write_text(
        "[stacks.x]\ntargets = ['cpu']\n[trust]\nallowed-signers = 'allowed.toml'\n"
        f"keys = [{_row('bob', stranger.private)}, "
        '{ name = "ci", identity = "https://x/y", issuer = "https://z" }]\n'
    )
    nobody = {"MMLOCK_STATE_DIR": str(tmp_path / "none")}
    assert [one.name for one in read_trust(nobody, signers=[file]).signers] == ["ann"]
    found = read_trust(nobody, project=project).signers
    assert [(one.name, one.origin) for one in found] == [
        ("bob", f"{project}: [trust]"),
        ("ci", f"{project}: [trust]"),
        ("ann", str(file)),
    ]
    assert isinstance(found[1], TrustedIdentity)
    assert read_trust(nobody, project=tmp_path / "no.toml") == Trust()


def test_a_file_beside_a_verdict_vouches_for_nothing(tmp_path: Path, key: PrivateKey) -> None:
    (tmp_path / "allowed_signers.toml").write_text(f"keys = [{_row('ann', key)}]\n")
    assert read_trust({"MMLOCK_STATE_DIR": str(tmp_path / "none")}, project=tmp_path / "x") == Trust()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ann@example.org ssh-ed25519 AAAA\n", "is not TOML"),
        ("key = []", "unknown key `key`"),
        ("allowed-signers = 'x'", "unknown key `allowed-signers`"),
        ("keys = 'x'", "must be a list"),
        ("keys = ['x']", 'must be { name = "...", key = "..." }'),
        ("keys = [{ name = 'x' }]", "must be {"),
        ("keys = [{ name = '', key = 'x' }]", "must be {"),
        ("keys = [{ name = 'x', key = 'x' }]", "is not a public key"),
        ("keys = [{ name = 'x', key = 1 }]", "must be {"),
        ("x = " + "[" * 5000, "is not TOML"),
    ],
)
def test_a_file_that_says_otherwise_is_one_error(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "allowed.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as error:
        read_trust({"MMLOCK_STATE_DIR": str(tmp_path / "none")}, signers=[file])
    assert told in error.value.message


@pytest.mark.parametrize("name", ["none.toml", "folder", "/dev/zero"])
def test_a_file_that_cannot_be_read_is_one_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError):
        read_trust({"MMLOCK_STATE_DIR": str(tmp_path / "none")}, signers=[tmp_path / name])


# ---------------------------------------------------------------- sigstore

# A real bundle of sigstore's test instance: test/assets/a.dsse.staging-rekor-v2.txt.sigstore.json of
# sigstore-python (Apache-2.0). Its trust root comes with the library, so that no network is needed.
BUNDLE = Path(__file__).with_name("sigstore_staging.json")
BEACON = TrustedIdentity(
    name="beacon",
    identity="https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/"
    "workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main",
    issuer="https://token.actions.githubusercontent.com",
    origin="here",
    staging=True,
)


@pytest.fixture
def sigstore_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sigstore")
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    from sigstore.verify import Verifier

    online = Verifier.staging

    def offline(*, offline: bool = False) -> Verifier:
        """No test asks sigstore's servers, which may be reachable or not."""
        if not offline:
            from sigstore.errors import TUFError

            raise TUFError("no network")
        return online(offline=True)

    monkeypatch.setattr(Verifier, "staging", offline)


@pytest.mark.slow
@pytest.mark.usefixtures("sigstore_home")
@pytest.mark.filterwarnings("default")
def test_an_identity_is_verified_without_network() -> None:
    envelope = read_envelope(BUNDLE.read_bytes())
    assert encode_envelope(envelope) == BUNDLE.read_bytes()
    check = check_signature(envelope, Trust(signers=(BEACON,)))
    assert (check.state, check.signer) == (SignatureState.TRUSTED, BEACON)


@pytest.mark.slow
@pytest.mark.usefixtures("sigstore_home")
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "other",
    [
        replace(BEACON, identity=BEACON.identity.replace("main", "fork")),
        replace(BEACON, issuer="https://accounts.example"),
        replace(BEACON, staging=False),
    ],
)
def test_another_identity_issuer_or_instance_is_foreign(other: TrustedIdentity) -> None:
    envelope = read_envelope(BUNDLE.read_bytes())
    if not other.staging:
        pytest.importorskip("sigstore")
        from sigstore.verify import Verifier

        Verifier.production(offline=True)
    assert check_signature(envelope, Trust(signers=(other,))).state is SignatureState.FOREIGN


@pytest.mark.slow
@pytest.mark.usefixtures("sigstore_home")
@pytest.mark.filterwarnings("default")
def test_a_bundle_with_another_payload_is_foreign() -> None:
    document = json.loads(BUNDLE.read_text())
    document["dsseEnvelope"]["payload"] = "e30="
    envelope = read_envelope(json.dumps(document).encode())
    assert check_signature(envelope, Trust(signers=(BEACON,))).state is SignatureState.FOREIGN


@pytest.mark.slow
@pytest.mark.usefixtures("sigstore_home")
@pytest.mark.filterwarnings("default")
def test_a_bundle_speaks_only_for_its_own_payload() -> None:
    envelope = replace(read_envelope(BUNDLE.read_bytes()), payload=b"{}")
    assert check_signature(envelope, Trust(signers=(BEACON,))).state is SignatureState.FOREIGN


def test_a_plain_envelope_is_not_signed_by_an_identity(envelope: Envelope) -> None:
    assert check_signature(envelope, Trust(signers=(BEACON,))).state is SignatureState.FOREIGN


def test_without_sigstore_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "sigstore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sigstore", None)
    envelope = read_envelope(BUNDLE.read_bytes())
    for use in (
        lambda: check_signature(envelope, Trust(signers=(BEACON,))),
        lambda: SigstoreSigner().sign(b"{}"),
    ):
        with pytest.raises(EnvironmentFault, match="sigstore is not installed"):
            use()
