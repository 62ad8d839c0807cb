"""The user's own key: made once, for him alone, never written over. Other keys, as files and as text."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.validate.attest.keys import (
    own_key,
    own_key_path,
    own_public_key,
    public_key,
    read_private_key,
    verifying_key,
)

POSIX = pytest.mark.skipif(os.name == "nt", reason="files have no owner and mode there")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"MMLOCK_STATE_DIR": str(tmp_path / "state" / "mmlock")}


def test_looking_for_the_own_key_makes_none(environ: dict[str, str]) -> None:
    assert own_public_key(environ) is None
    assert not own_key_path(environ).exists()


@POSIX
def test_it_is_made_for_its_owner_alone(environ: dict[str, str]) -> None:
    before = os.umask(0)
    try:
        key = own_key(environ)
    finally:
        os.umask(before)
    assert stat.S_IMODE(key.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(environ["MMLOCK_STATE_DIR"]).stat().st_mode) == 0o700
    assert [path.name for path in key.path.parent.iterdir()] == [key.path.name]


def test_it_is_made_once(environ: dict[str, str]) -> None:
    first = own_key(environ)
    data = first.path.read_bytes()
    assert own_key(environ) == first
    assert own_public_key(environ) == first.public
    assert first.path.read_bytes() == data


def test_several_at_once_end_with_one_key(environ: dict[str, str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = {key.public for key in pool.map(own_key, [environ] * 16)}
    assert len(keys) == 1
    assert [path.name for path in own_key_path(environ).parent.iterdir()] == ["verdicts.pem"]


@POSIX
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777, 0o610])
def test_a_key_that_others_can_access_is_refused_and_kept(environ: dict[str, str], mode: int) -> None:
    path = own_key(environ).path
    data = path.read_bytes()
    path.chmod(mode)
    for use in (own_key, own_public_key):
        with pytest.raises(EnvironmentFault, match="others can access it"):
            use(environ)
    assert path.read_bytes() == data


def test_what_is_no_key_is_refused_and_kept(environ: dict[str, str]) -> None:
    path = own_key_path(environ)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"secret words that are no key")
    path.chmod(0o600)
    with pytest.raises(EnvironmentFault) as error:
        own_key(environ)
    assert "secret words" not in "".join(error.value.lines())
    assert path.read_bytes() == b"secret words that are no key"


def test_a_state_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault) as error:
        own_key({"MMLOCK_STATE_DIR": str(tmp_path / "file" / "state")})
    assert any("MMLOCK_STATE_DIR" in hint for hint in error.value.hints) or error.value.causes


@POSIX
def test_a_pipe_in_its_place_does_not_block(environ: dict[str, str]) -> None:
    path = own_key_path(environ)
    path.parent.mkdir(parents=True)
    os.mkfifo(path, 0o600)
    with pytest.raises(EnvironmentFault):
        own_key(environ)


def _file(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def test_openssh_keys_sign_too(tmp_path: Path) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    ssh = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    one, other = (read_private_key(_file(tmp_path / str(len(data)), data)) for data in (pem, ssh))
    assert one.public == other.public


@pytest.mark.parametrize("kind", ["passphrase", "ecdsa", "rsa"])
def test_other_private_keys_are_refused(tmp_path: Path, kind: str) -> None:
    lock = BestAvailableEncryption(b"word")
    if kind == "ecdsa":
        data = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
    elif kind == "rsa":
        data = rsa.generate_private_key(65537, 2048).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
    else:
        data = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    with pytest.raises(EnvironmentFault, match="cannot be used"):
        read_private_key(_file(tmp_path / "key", data))


# ---------------------------------------------------------------- public keys


def test_one_public_key_has_one_form() -> None:
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    ssh = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    body = "".join(pem.splitlines()[1:-1])
    assert {public_key(text) for text in (pem, ssh, f"{ssh} ann@example.org", body, f" {body}\n")} == {body}


def test_a_key_that_cosign_makes_can_be_trusted() -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert verifying_key(public_key(pem)).scheme == "ecdsa-sha2-nistp256"


def test_other_kinds_of_keys_are_refused() -> None:
    for public in (
        rsa.generate_private_key(65537, 2048).public_key(),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
    ):
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        with pytest.raises(UsageError, match="only Ed25519 and ECDSA"):
            public_key(pem)


@pytest.mark.parametrize(
    "text", ["", "abc", "AAAA", "ssh-ed25519 AAAA", "-----BEGIN PUBLIC KEY-----", "\u00e9" * 500, "A" * 9999]
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as error:
        public_key(text)
    assert len(error.value.message) < 150


def test_a_private_key_in_the_place_of_a_public_one_is_not_repeated_whole() -> None:
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    secret = pem.decode().splitlines()[1]
    with pytest.raises(UsageError) as error:
        public_key(pem.decode())
    assert secret not in "".join(error.value.lines())


@pytest.mark.slow
def test_signing_is_not_loaded_with_the_module() -> None:
    code = (
        "import sys, mmlock.validate.store; print([m for m in ('cryptography', 'securesystemslib') "
        "if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
