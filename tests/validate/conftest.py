"""A small lock, what an interpreter with it says of itself, and a verdict about both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mmlock.core.artifact import Artifact
from mmlock.core.device import Device
from mmlock.core.names import DeviceKind, Form, PackageName, Platform, Sha256
from mmlock.core.target import Target
from mmlock.lock.model import LockedEnv, LockedPackage
from mmlock.validate.attest.keys import PrivateKey, own_key
from mmlock.validate.attest.signers import KeySigner
from mmlock.validate.attest.trust import Trust, TrustedKey
from mmlock.validate.conclude import conclude
from mmlock.validate.digest import lock_digest
from mmlock.validate.model import (
    CheckRow,
    Comparison,
    Hardware,
    InstalledPackage,
    KernelDevice,
    Probe,
    Status,
    SuiteRun,
    Verdict,
)

HARDWARE = Hardware(system="Linux", machine="x86_64", kernel="6.1", cores=2, glibc="2.36")


def locked(name: str, version: str, digest: str) -> LockedPackage:
    file = f"{name}-{version}-py3-none-any.whl"
    artifact = Artifact(name=file, url=f"https://files.example/{file}", sha256=Sha256(digest * 64))
    return LockedPackage(
        name=PackageName(name), version=version, form=Form.WHEEL, files=(artifact,), core=True, via=()
    )


@pytest.fixture
def env() -> LockedEnv:
    return LockedEnv(
        stack="openmmlab",
        target=Target(
            devices=(Device(kind=DeviceKind.CPU, name="cpu"),), platform=Platform.LINUX_X86_64, glibc="2.28"
        ),
        python="3.11",
        torch="2.13.0+cpu",
        driver_floor=None,
        request=("--gpu=cpu",),
        packages=(locked("torch", "2.13.0+cpu", "a"), locked("mmcv", "2.1.0", "b")),
        fetch=(),
        build=(),
        environment={"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"},
        environment_reasons=(),
        findings=(),
        objectives=(),
        left_out=(),
        matrix_digest="0" * 64,
        engine="uv 0.13.8",
    )


@pytest.fixture
def probed() -> Probe:
    packages = [
        InstalledPackage(name="torch", version="2.13.0+cpu"),
        InstalledPackage(name="mmcv", version="2.1.0"),
        InstalledPackage(name="pip", version="26.3"),
    ]
    return Probe(
        python="3.11.7",
        minor="3.11",
        implementation="CPython",
        prefix="/prefix",
        packages={package.name: package for package in packages},
        hardware=HARDWARE,
        torch="2.13.0+cpu",
    )


def row(name: str, status: Status = Status.PASSED, reason: str | None = None) -> CheckRow:
    case = Comparison(
        name="2x3 float32 forward", ok=status is Status.PASSED, error=1e-7, rtol=1e-4, atol=1e-5
    )
    return CheckRow(
        suite="mmcv",
        name=name,
        status=status,
        device=KernelDevice.CPU,
        reason=reason,
        seed=7,
        seconds=0.25,
        error=1e-7,
        ratio=0.01,
        cases=(case,),
    )


@pytest.fixture
def made(env: LockedEnv) -> Callable[..., Verdict]:
    """Makes a verdict about the lock from rows, with the result that they come to."""

    def make(*rows: CheckRow, on_target: bool = True) -> Verdict:
        suites = (SuiteRun(name="mmcv", package="mmcv", checks=rows, seconds=1.5),)
        result, _ = conclude((), suites, on_target=on_target)
        return Verdict(
            result=result,
            lock_digest=lock_digest(env),
            stack=env.stack,
            target=("cpu",),
            device=KernelDevice.CPU,
            on_target=on_target,
            python="3.11.7",
            packages={"mmcv": "2.1.0", "torch": "2.13.0+cpu"},
            environment=env.environment,
            hardware=HARDWARE,
            differences=(),
            suites=suites,
            kernels_digest="c" * 64,
            seed=0,
            fresh=True,
            started="2026-11-21T07:00:00Z",
            torch="2.13.0+cpu",
            seconds={"install": 1.0, "probe": 0.5, "checks": 2.0},
            tool="mmlock 0",
        )

    return make


@pytest.fixture
def key(tmp_path: Path) -> PrivateKey:
    """The user's own key."""
    return own_key({"MMLOCK_STATE_DIR": str(tmp_path / "state")})


@pytest.fixture
def signer(key: PrivateKey) -> KeySigner:
    return KeySigner(private=key)


@pytest.fixture
def trust(key: PrivateKey) -> Trust:
    """Only the own key counts."""
    return Trust(signers=(TrustedKey(name="me", key=key.public, origin="here"),))


@pytest.fixture
def stranger(tmp_path: Path) -> KeySigner:
    """Somebody whom nobody here trusts."""
    return KeySigner(private=own_key({"MMLOCK_STATE_DIR": str(tmp_path / "stranger")}))


@pytest.fixture
def checked() -> Callable[..., CheckRow]:
    """Makes the row of a check."""
    return row
