"""Whole validations of small locks: what is installed, what is refused, what is left behind."""

from __future__ import annotations

import base64
import hashlib
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mmlock.core.artifact import Artifact
from mmlock.core.device import Device
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import DeviceKind, Form, PackageName, Sha256
from mmlock.core.validate_arguments import ValidateArguments, VerdictAction, VerdictArguments
from mmlock.lock.model import LockedEnv, LockedPackage
from mmlock.lock.read import read_lock
from mmlock.lock.write import write_lock
from mmlock.validate import validate as validating
from mmlock.validate import verdicts
from mmlock.validate.attest.keys import own_key, own_key_path
from mmlock.validate.attest.trust import OWN
from mmlock.validate.standing import Standing, VerdictError
from mmlock.wheels.machine import this_platform

HERE = this_platform()
pytestmark = pytest.mark.skipif(HERE is None, reason="no lock is for this platform")
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


def _wheel(folder: Path, module: str = "x = 1\n") -> Artifact:
    """A package of one module."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "made_ext-1.2-py3-none-any.whl"
    files = {
        "made_ext.py": module,
        "made_ext-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: made-ext\nVersion: 1.2\n",
        "made_ext-1.2.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{name},sha256={_hash(text.encode())},{len(text)}" for name, text in files.items()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(
            "made_ext-1.2.dist-info/RECORD", "\n".join([*rows, "made_ext-1.2.dist-info/RECORD,,"]) + "\n"
        )
    digest = Sha256(hashlib.sha256(path.read_bytes()).hexdigest())
    return Artifact(name=path.name, url=f"wheels/{path.name}", sha256=digest, size=path.stat().st_size)


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


@pytest.fixture
def small(env: LockedEnv, tmp_path: Path) -> LockedEnv:
    file = _wheel(tmp_path / "lock" / "wheels")
    package = LockedPackage(
        name=PackageName("made-ext"), version="1.2", form=Form.WHEEL, files=(file,), core=True, via=()
    )
    assert HERE is not None
    return replace(
        env, python=PYTHON, packages=(package,), target=replace(env.target, platform=HERE, glibc=None)
    )


@pytest.fixture
def lock(small: LockedEnv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MMLOCK_STATE_DIR", str(tmp_path / "state"))
    write_lock(small, tmp_path / "lock")
    return tmp_path / "lock"


def _ask(lock: Path, **more: Any) -> ValidateArguments:
    return ValidateArguments(lock=lock, base_python=sys.executable, offline=True, **more)


def _data(lock: Path, **more: Any) -> dict[str, Any]:
    data = validating.validate(_ask(lock, **more)).data
    assert isinstance(data, dict)
    return data


def _details(data: dict[str, Any]) -> dict[str, Any]:
    details = data["statement"]["predicate"]["mmlock"]
    assert isinstance(details, dict)
    return details


def _left(lock: Path) -> list[Path]:
    return list((lock.parent / "cache" / "validate").rglob("*"))


@pytest.mark.slow
def test_a_lock_is_installed_and_nothing_of_it_stays(lock: Path) -> None:
    data = _data(lock)
    details = _details(data)
    assert details["packages"] == {"made-ext": "1.2"}
    assert details["fresh"] is True
    assert details.get("differences", []) == []
    assert set(details["seconds"]) == {"install", "probe", "checks"}
    assert _left(lock) == []
    # It holds no torch, so no kernel can have been run, and that is not a success.
    assert data["result"] == "FAILED"
    assert {"kind": "nothing-ran", "text": "no kernel ran"} in data["concerns"]


@pytest.mark.slow
def test_its_verdict_is_verified_and_is_not_of_another_lock(lock: Path, small: LockedEnv) -> None:
    assert read_lock(lock).verdict is None
    data = _data(lock)
    assert read_lock(lock).verdict == data["digest"]
    request = VerdictArguments(action=VerdictAction.VERIFY, lock=lock)
    assert verdicts.verdict(request).data == {
        "result": "FAILED",
        "signer": OWN,
        "trusted_by": OWN,
        "files": {"pylock.toml": "same", "requirements.txt": "same"},
    }
    shown = verdicts.verdict(replace(request, action=VerdictAction.SHOW))
    assert shown.text.startswith("FAILED")
    assert isinstance(shown.data, dict)
    assert shown.data["standing"] == "trusted"
    write_lock(replace(small, environment={}), lock)
    with pytest.raises(UsageError, match="another lock"):
        verdicts.verdict(request)


@pytest.mark.slow
@pytest.mark.parametrize(("module", "told"), [("x = 2\n", "ash mismatch"), ("x = 'longer'\n", "has size")])
def test_a_wheel_with_other_bytes_is_not_installed(lock: Path, module: str, told: str) -> None:
    _wheel(lock / "wheels", module)
    with pytest.raises(EnvironmentFault) as error:
        _data(lock)
    assert told in " ".join(error.value.causes)
    assert _left(lock) == []
    assert not (lock / "verdict.json").exists()


@pytest.mark.slow
def test_what_is_interrupted_leaves_nothing(lock: Path) -> None:
    def interrupt(text: str, /) -> None:
        if text.startswith("examining"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        validating.validate(_ask(lock), progress=interrupt)
    assert _left(lock) == []
    assert not (lock / "verdict.json").exists()


@pytest.mark.slow
def test_variables_of_the_user_do_not_leak_in(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "outside"))
    info = tmp_path / "outside" / "leak-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: leak\nVersion: 1\n")
    assert _details(_data(lock))["packages"] == {"made-ext": "1.2"}


@pytest.mark.slow
def test_an_existing_interpreter_is_compared_with_the_lock(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tmp_path / "kept"
    _data(lock, keep=prefix)
    monkeypatch.chdir(tmp_path)
    python = "kept/bin/python"
    details = _details(_data(lock, python=python))
    assert details["fresh"] is False
    assert details.get("differences", []) == []
    (module,) = prefix.glob("lib/python*/site-packages/made_ext.py")
    module.unlink()
    data = _data(lock, python=python)
    assert {"kind": "difference", "text": "made-ext: made_ext.py is missing"} in data["concerns"]


@pytest.mark.slow
def test_a_part_of_a_validation_writes_no_verdict(lock: Path, tmp_path: Path) -> None:
    assert "verdict" not in _data(lock, suites=("mmcv",))
    assert not (lock / "verdict.json").exists()
    out = tmp_path / "elsewhere.json"
    assert _data(lock, suites=("mmcv",), out=out)["verdict"] == str(out)
    assert out.is_file()


@pytest.mark.slow
def test_a_gpu_lock_needs_a_gpu_or_a_word(lock: Path, small: LockedEnv) -> None:
    card = Device(kind=DeviceKind.CUDA, name="GeForce RTX 5090", arch="sm_120")
    write_lock(replace(small, target=replace(small.target, devices=(card,))), lock)
    with pytest.raises(EnvironmentFault, match="torch sees none on this machine"):
        _data(lock)
    details = _details(_data(lock, device="cpu"))
    assert (details["device"], details["on_target"]) == ("cpu", False)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"suites": ("nothing",)}, "unknown suite `nothing`"),
        ({"python": "/no/such/python"}, "is not a runnable Python interpreter"),
        ({"base_python": "/no/such/python"}, "there is no Python"),
    ],
)
def test_what_cannot_be_asked(lock: Path, more: dict[str, Any], told: str) -> None:
    with pytest.raises((EnvironmentFault, UsageError), match=told):
        validating.validate(replace(_ask(lock), **more))


def test_a_prefix_that_is_in_use_is_left_alone(lock: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("x")
    with pytest.raises(UsageError, match="is not empty"):
        _data(lock, keep=tmp_path / "mine")
    assert (tmp_path / "mine" / "file").read_text() == "x"


# ---------------------------------------------------------------- whose verdict it is


def _ask_verdict(action: VerdictAction, lock: Path, **more: Any) -> dict[str, Any]:
    data = verdicts.verdict(VerdictArguments(action=action, lock=lock, **more)).data
    assert isinstance(data, dict)
    return data


@pytest.mark.slow
def test_it_is_signed_with_the_own_key_unless_that_is_not_wanted(lock: Path, tmp_path: Path) -> None:
    environ = {"MMLOCK_STATE_DIR": str(tmp_path / "state")}
    assert _data(lock, unsigned=True)["signed"] is False
    assert not own_key_path(environ).exists()
    assert _ask_verdict(VerdictAction.SHOW, lock)["standing"] == "unsigned"
    with pytest.raises(VerdictError) as error:
        _ask_verdict(VerdictAction.VERIFY, lock)
    assert error.value.standing is Standing.UNSIGNED
    signed = _ask_verdict(VerdictAction.SIGN, lock)
    assert signed["files"] == {"pylock.toml": "same", "requirements.txt": "same"}
    assert _ask_verdict(VerdictAction.VERIFY, lock)["signer"] == OWN


@pytest.mark.slow
def test_another_s_verdict_is_verified_by_his_key_alone(lock: Path, tmp_path: Path) -> None:
    other = own_key({"MMLOCK_STATE_DIR": str(tmp_path / "other")})
    _data(lock, sign=other.path)
    with pytest.raises(VerdictError) as error:
        _ask_verdict(VerdictAction.VERIFY, lock)
    assert error.value.standing is Standing.FOREIGN
    signers = tmp_path / "allowed.toml"
    signers.write_text(f'keys = [{{ name = "ann", key = "{other.public}" }}]\n')
    verified = _ask_verdict(VerdictAction.VERIFY, lock, signers=(signers,))
    assert (verified["signer"], verified["trusted_by"]) == ("ann", str(signers))


def test_a_key_that_cannot_be_used_is_found_out_before_the_work(lock: Path, tmp_path: Path) -> None:
    heard: list[str] = []
    with pytest.raises(EnvironmentFault, match="private key"):
        validating.validate(_ask(lock, sign=tmp_path / "none.pem"), progress=heard.append)
    assert heard == []


@pytest.mark.slow
def test_the_verdict_of_another_lock_is_not_signed(lock: Path, small: LockedEnv) -> None:
    _data(lock)
    before = (lock / "verdict.json").read_bytes()
    write_lock(replace(small, environment={}), lock)
    with pytest.raises(VerdictError) as error:
        _ask_verdict(VerdictAction.SIGN, lock)
    assert error.value.standing is Standing.OTHER_LOCK
    assert (lock / "verdict.json").read_bytes() == before


def test_the_own_public_key_is_a_line_for_a_file_of_signers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMLOCK_STATE_DIR", str(tmp_path / "state"))
    page = verdicts.verdict(VerdictArguments(action=VerdictAction.KEY))
    key = own_key({"MMLOCK_STATE_DIR": str(tmp_path / "state")})
    assert isinstance(page.data, dict)
    assert page.data["key"] == key.public
    from mmlock.validate.attest.trust import read_trust

    (tmp_path / "signers.toml").write_text(f"keys = [\n{page.text}]\n")
    nobody = {"MMLOCK_STATE_DIR": str(tmp_path / "none")}
    (signer,) = read_trust(nobody, signers=[tmp_path / "signers.toml"]).signers
    assert signer.key == key.public  # type: ignore[union-attr]
