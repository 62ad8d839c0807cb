"""A wheelhouse with one wheel."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from build_world import TAG

from mmlock.wheels.model import CheckStatus, WheelTest
from mmlock.wheels.wheel_file import Rewrite, read_wheel, rewrite_wheel
from mmlock.wheels.wheelhouse import Wheelhouse

KEY = "ab" * 32
LINUX = f"tinyext-1.0-{TAG}-{TAG}-linux_x86_64.whl"
LIBRARY = {"tinyext/_ext.so": "no ELF"}


def make_wheel(
    folder: Path, name: str, files: Mapping[str, str | bytes] | None = None, metadata: str = ""
) -> Path:
    folder.mkdir(exist_ok=True)
    package, version = name.split("-")[:2]
    info = f"{package}-{version}.dist-info"
    head = (
        metadata or f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n\nVersion: 9 in the text\n"
    )
    with zipfile.ZipFile(folder / name, "w") as archive:
        for path, text in (files or {f"{package}/__init__.py": ""}).items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/METADATA", head)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: x\n")
        archive.writestr(f"{info}/RECORD", "stale,,\n")
    return folder / name


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    facts = read_wheel(make_wheel(tmp_path, LINUX, LIBRARY))
    change = Rewrite(version="1.0+pt2.13.0cpu", build="1kabc", extra={})
    wheel = rewrite_wheel(facts, tmp_path / "made", change)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    statement = json.dumps({"subject": [{"name": wheel.name, "digest": {"sha256": digest}}]}).encode()
    house = Wheelhouse(root=tmp_path / "house")
    about = {"package": "tinyext", "version": "1.0+pt2.13.0cpu", "created": "2026-01-02T03:04:05Z"}
    check = WheelTest(name="loads", status=CheckStatus.PASSED, detail="yes")
    house.put(KEY, wheel, about, checks=(check,), provenance=statement, log=None)
    return house
