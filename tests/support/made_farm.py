"""Wheels as a farm makes them: in a wheelhouse, for one torch each. Their compiled files are none."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from made_house import make_wheel

from mmlock.wheels.model import BuiltWheel, CheckStatus, WheelTest
from mmlock.wheels.wheel_file import Rewrite, read_wheel, rewrite_wheel
from mmlock.wheels.wheelhouse import Wheelhouse


def add(
    house: Wheelhouse,
    folder: Path,
    *,
    package: str = "mmcv",
    version: str = "2.1.0",
    torch: str = "2.11.0+cu130",
    python: str = "3.12",
    archs: tuple[str, ...] = ("7.5", "8.0", "12.0+PTX"),
    passed: bool = True,
    cpu_seconds: float | None = 7200.0,
) -> BuiltWheel:
    """Put a wheel into a wheelhouse."""
    tag = f"cp{python.replace('.', '')}"
    label = f"{version}+pt{torch.replace('+', '')}"
    key = hashlib.sha256(f"{package} {label} {python} {archs}".encode()).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    plain = make_wheel(
        folder / key[:8],
        f"{package}-{version}-{tag}-{tag}-linux_x86_64.whl",
        {f"{package}/_ext.so": "no ELF"},
    )
    wheel = rewrite_wheel(
        read_wheel(plain), folder / key[:8] / "made", Rewrite(version=label, build=f"1k{key[:8]}", extra={})
    )
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    statement = json.dumps({"subject": [{"name": wheel.name, "digest": {"sha256": digest}}]}).encode()
    about = {
        "package": package,
        "version": label,
        "created": "2026-01-02T03:04:05Z",
        "torch": torch,
        "python": python,
        "archs": list(archs),
        "compile": {"cpu_seconds": cpu_seconds, "peak_mb": 2000},
    }
    check = WheelTest(
        name="loads", status=CheckStatus.PASSED if passed else CheckStatus.FAILED, detail="in a test"
    )
    return house.put(key, wheel, about, checks=(check,), provenance=statement, log=None)
