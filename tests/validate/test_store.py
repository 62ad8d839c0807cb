"""Verdict files: signed, about one lock, and nothing that somebody else wrote does any harm."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import PackageName
from mmlock.lock.model import FetchStep, LockedEnv
from mmlock.lock.read import read_lock
from mmlock.lock.write import write_lock
from mmlock.validate.attest.envelope import Envelope, encode_envelope
from mmlock.validate.attest.keys import PrivateKey
from mmlock.validate.attest.signers import KeySigner
from mmlock.validate.attest.statements import PAYLOAD_TYPE, encode_statement
from mmlock.validate.attest.trust import Trust, TrustedIdentity
from mmlock.validate.digest import core_wheels
from mmlock.validate.model import CheckRow, Result, Status, Verdict
from mmlock.validate.own_verdict import own_verdict, with_verdict
from mmlock.validate.signing import attest, put_verdict, sign_again
from mmlock.validate.standing import Standing, VerdictError
from mmlock.validate.store import (
    LARGEST,
    NAME,
    VerdictBinding,
    bindings,
    check_about,
    check_files,
    open_verdict,
    read_verdict,
    trusted_signer,
    write_verdict,
)

Make = Callable[..., Verdict]
Row = Callable[..., CheckRow]


@pytest.fixture
def verdict(made: Make, checked: Row) -> Verdict:
    return made(checked("nms"), checked("roi_pool", Status.SKIPPED, "there is no cpu kernel"))


@pytest.fixture
def folder(env: LockedEnv, verdict: Verdict, tmp_path: Path, signer: KeySigner) -> Path:
    """A lock with its verdict."""
    write_lock(env, tmp_path / "lock")
    put_verdict(verdict, env, tmp_path / "lock", signer)
    return tmp_path / "lock"


def test_a_verdict_is_read_as_it_was_written(folder: Path, verdict: Verdict, trust: Trust) -> None:
    record = read_verdict(folder / NAME)
    assert record.verdict == verdict
    assert trusted_signer(record, trust, "v") == trust.signers[0]


def test_the_lock_names_it_and_is_its_subject(folder: Path, verdict: Verdict, env: LockedEnv) -> None:
    record = read_verdict(folder / NAME)
    assert read_lock(folder).verdict == record.digest
    assert bindings(record, folder) == {
        "pylock.toml": VerdictBinding.SAME,
        "requirements.txt": VerdictBinding.SAME,
    }
    assert check_files(record, env, folder) == bindings(record, folder)
    assert verdict.lock_digest in json.dumps(json.loads(record.envelope.payload))


def test_it_is_written_whole_or_not(verdict: Verdict, folder: Path, signer: KeySigner) -> None:
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    envelope = attest(verdict, {}, signer).envelope
    with pytest.raises(EnvironmentFault):
        write_verdict(envelope, folder / NAME / "below")
    with pytest.raises(EnvironmentFault, match="no verdict"):
        read_verdict(folder / "nowhere.json")


# ---------------------------------------------------------------- what is not a verdict

DEEP = b"[" * 200_000 + b"]" * 200_000


def _enveloped(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    return encode_envelope(Envelope(payload=payload, payload_type=payload_type))


def _with_number(number: bytes) -> bytes:
    return (
        b'{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"x","predicate":%s}'
        % number
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"\x00" * 1000,
        DEEP,
        b'{"payload":' * 100_000,
        b'{"payload":"","payload":"","payloadType":"x","signatures":[]}',
        b'{"payload":%s}' % (b"9" * 6000),
        _enveloped(b""),
        _enveloped(b"null"),
        _enveloped(DEEP),
        _enveloped(b"{}", "text/plain"),
        _enveloped(_with_number(b"9" * 6000)),
        _enveloped(_with_number(b"NaN")),
        _enveloped(_with_number(b"1e999")),
        _enveloped(_with_number(DEEP)),
        _enveloped(_with_number(b'{"mmlock":{"schema":2,"schema":2}}')),
        b'{"payload":"%s","payloadType":"x","signatures":[]}' % (b"A" * 3_000_001),
    ],
    ids=lambda data: f"{data[:30]!r}, {len(data)} bytes",
)
def test_bytes_of_anybody_are_one_error(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(data)
    with pytest.raises(VerdictError) as error:
        read_verdict(path)
    assert error.value.standing is Standing.UNREADABLE
    assert error.value.exit_code == 2
    assert all(len(line) < 500 for line in error.value.lines())


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
@pytest.mark.parametrize("kind", ["fifo", "zero", "folder", "huge", "loop"])
def test_files_that_never_end_are_one_error(kind: str, tmp_path: Path) -> None:
    path = tmp_path / NAME
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    else:
        with path.open("wb") as stream:
            stream.truncate(LARGEST + 1)
    with pytest.raises(VerdictError) as error:
        read_verdict(path)
    assert error.value.standing is Standing.UNREADABLE


def test_a_verdict_of_the_older_scheme_says_so(verdict: Verdict, signer: KeySigner) -> None:
    bare = attest(verdict, {}, signer).envelope.payload
    older = json.dumps({"_type": "https://in-toto.io/Statement/v1", "predicate": {"mmlock": {"schema": 1}}})
    for data in (bare, older.encode()):
        with pytest.raises(VerdictError, match="older scheme and is not trusted") as error:
            open_verdict(data, "v")
        assert error.value.standing is Standing.OLDER_SCHEME


# ---------------------------------------------------------------- whose it is, what it is about


def test_nobody_is_believed_who_is_not_trusted(
    verdict: Verdict, stranger: KeySigner, trust: Trust, signer: KeySigner
) -> None:
    for envelope, standing in (
        (attest(verdict, {}, stranger), Standing.FOREIGN),
        (attest(verdict, {}, None), Standing.UNSIGNED),
    ):
        with pytest.raises(VerdictError) as error:
            trusted_signer(envelope, trust, "v")
        assert error.value.standing is standing
    record = attest(verdict, {}, signer)
    forged = encode_statement(attest(replace(verdict, seed=1), {}, None).statement)
    with pytest.raises(VerdictError) as error:
        trusted_signer(replace(record, envelope=replace(record.envelope, payload=forged)), trust, "v")
    assert error.value.standing is Standing.ALTERED


def test_what_cannot_be_verified_here_is_a_standing_of_its_own(
    verdict: Verdict, signer: KeySigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: TrustedIdentity, envelope: Envelope) -> bool:
        del self, envelope
        raise EnvironmentFault("sigstore is not installed")

    monkeypatch.setattr(TrustedIdentity, "signed", fails)
    someone = TrustedIdentity(name="x", identity="x", issuer="y", origin="z")
    with pytest.raises(VerdictError) as error:
        trusted_signer(attest(verdict, {}, signer), Trust(signers=(someone,)), "v")
    assert error.value.standing is Standing.UNCHECKED


def test_a_verdict_is_about_one_lock(verdict: Verdict, env: LockedEnv) -> None:
    check_about(verdict, env, "v")
    with pytest.raises(VerdictError) as error:
        check_about(verdict, replace(env, packages=env.packages[:1]), "v")
    assert error.value.standing is Standing.OTHER_LOCK


def test_a_result_must_follow_from_its_rows(made: Make, checked: Row, env: LockedEnv) -> None:
    red = made(checked("nms", Status.FAILED, "wrong"))
    check_about(red, env, "v")
    with pytest.raises(VerdictError) as error:
        check_about(replace(red, result=Result.PASSED), env, "v")
    assert error.value.standing is Standing.CONTRADICTORY


def test_it_is_about_the_lock_before_its_steps_were_run(env: LockedEnv, verdict: Verdict) -> None:
    step = FetchStep(
        package=PackageName("mmcv"), version="2.1.0", url="https://x/y.whl", index="", why="", reasons=()
    )
    before = replace(env, packages=env.packages[:1], fetch=(step,))
    with pytest.raises(VerdictError):
        check_about(verdict, before, "v")
    check_about(replace(verdict, core_wheels=core_wheels(env)), before, "v")


# ---------------------------------------------------------------- the files of the lock


def test_words_of_the_lock_may_change_and_that_is_said(folder: Path, env: LockedEnv) -> None:
    write_lock(replace(env, matrix_digest="1" * 64), folder)
    record = read_verdict(folder / NAME)
    bound = check_files(record, read_lock(folder), folder)
    assert bound == {"pylock.toml": VerdictBinding.CHANGED, "requirements.txt": VerdictBinding.SAME}
    (folder / "requirements.txt").unlink()
    assert bindings(record, folder)["requirements.txt"] is VerdictBinding.MISSING


def test_requirements_that_are_not_of_this_lock_are_refused(folder: Path, env: LockedEnv) -> None:
    path = folder / "requirements.txt"
    path.write_text(path.read_text() + "evil==1\n")
    with pytest.raises(VerdictError) as error:
        check_files(read_verdict(folder / NAME), env, folder)
    assert error.value.standing is Standing.OTHER_LOCK


def test_subjects_name_no_file_elsewhere(
    verdict: Verdict, signer: KeySigner, tmp_path: Path, folder: Path
) -> None:
    (tmp_path / "secret").write_text("x")
    names = {"../secret": b"x", str(tmp_path / "secret"): b"x", "a/../../secret": b"x"}
    assert bindings(attest(verdict, names, signer), folder) == {}


# ---------------------------------------------------------------- signing again


def test_signing_again_binds_to_the_files_as_they_are(
    folder: Path, env: LockedEnv, signer: KeySigner, trust: Trust
) -> None:
    before = read_verdict(folder / NAME)
    changed = replace(env, matrix_digest="1" * 64)
    write_lock(changed, folder)
    sign_again(before, changed, folder, signer)
    after = read_verdict(folder / NAME)
    assert after.digest == before.digest == read_lock(folder).verdict
    assert set(bindings(after, folder).values()) == {VerdictBinding.SAME}
    assert trusted_signer(after, trust, "v") == trust.signers[0]


def test_others_signatures_stay_as_long_as_the_bytes_do(
    folder: Path, env: LockedEnv, key: PrivateKey, signer: KeySigner, stranger: KeySigner, trust: Trust
) -> None:
    both = sign_again(read_verdict(folder / NAME), read_lock(folder), folder, stranger)
    assert len(both.envelope.signatures) == 2
    assert trusted_signer(read_verdict(folder / NAME), trust, "v").name == "me"
    again = sign_again(both, read_lock(folder), folder, signer)
    assert len(again.envelope.signatures) == 2
    changed = replace(env, matrix_digest="1" * 64)
    write_lock(changed, folder)
    alone = sign_again(again, changed, folder, stranger)
    assert len(alone.envelope.signatures) == 1
    with pytest.raises(VerdictError):
        trusted_signer(alone, trust, "v")
    assert key.path.exists()


# ---------------------------------------------------------------- what a lock says of itself


def test_a_lock_names_only_a_verdict_that_counts(
    folder: Path, env: LockedEnv, verdict: Verdict, signer: KeySigner, stranger: KeySigner, trust: Trust
) -> None:
    def standing() -> tuple[Standing, bool]:
        return own_verdict(folder, env, trust).standing, with_verdict(env, folder, trust).verdict is not None

    assert standing() == (Standing.TRUSTED, True)
    put_verdict(verdict, env, folder, stranger)
    assert standing() == (Standing.FOREIGN, False)
    put_verdict(verdict, env, folder, None)
    assert standing() == (Standing.UNSIGNED, False)
    put_verdict(replace(verdict, lock_digest="e" * 64), env, folder, signer)
    assert standing() == (Standing.OTHER_LOCK, False)
    (folder / NAME).write_bytes(b"{}")
    assert standing() == (Standing.UNREADABLE, False)
    (folder / NAME).write_bytes(base64.b64decode("e30="))
    (folder / NAME).unlink()
    assert standing() == (Standing.ABSENT, False)
