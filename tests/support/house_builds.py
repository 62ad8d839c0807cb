"""Wheels as builds leave them in a wheelhouse, for GPUs of choice."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from build_world import TAG
from made_house import make_wheel

from mmlock.wheels.model import CheckStatus, WheelTest
from mmlock.wheels.wheel_file import Rewrite, read_wheel, rewrite_wheel
from mmlock.wheels.wheelhouse import Wheelhouse

METADATA = "Metadata-Version: 2.1\nName: tinyext\nVersion: 1.0\nRequires-Python: >=3.9\n\n"
PLAIN = f"tinyext-1.0-{TAG}-{TAG}-linux_x86_64.whl"


def build(
    house: Wheelhouse, torch: str, archs: list[str], *, status: CheckStatus = CheckStatus.PASSED
) -> Path:
    """A wheel as a build for these GPUs leaves it in the wheelhouse."""
    key = hashlib.sha256(f"{torch} {archs}".encode()).hexdigest()
    folder = house.root.parent / key
    text = f"ARCHS = {archs!r}\n"
    made = make_wheel(folder, PLAIN, {"tinyext/__init__.py": text, "tinyext/_ext.so": "x"}, METADATA)
    version = f"1.0+pt{torch.replace('+', '')}"
    wheel = rewrite_wheel(read_wheel(made), folder, Rewrite(version=version, build=f"1k{key[:6]}", extra={}))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    statement = json.dumps({"subject": [{"name": wheel.name, "digest": {"sha256": digest}}]}).encode()
    about = {
        "package": "tinyext",
        "version": version,
        "created": "2026-01-02T03:04:05Z",
        "torch": torch,
        "archs": archs,
    }
    check = WheelTest(name="loads", status=status, detail="")
    return house.put(key, wheel, about, checks=(check,), provenance=statement, log=None).path
