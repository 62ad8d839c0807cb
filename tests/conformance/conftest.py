"""A small real world: wheels made here, served over loopback, locked with their real hashes."""

from __future__ import annotations

import base64
import hashlib
import platform
import sys
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from mmlock.core.artifact import Artifact
from mmlock.core.device import Device
from mmlock.core.names import Confidence, DeviceKind, Form, Platform, Sha256, normalize
from mmlock.core.target import Target
from mmlock.lock.model import LockedEnv, LockedPackage, Reason, ReasonKind

MACHINES = {
    ("linux", "x86_64"): Platform.LINUX_X86_64,
    ("linux", "aarch64"): Platform.LINUX_AARCH64,
    ("darwin", "arm64"): Platform.MACOS_ARM64,
    ("darwin", "x86_64"): Platform.MACOS_X86_64,
    ("win32", "AMD64"): Platform.WINDOWS_X86_64,
}
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def make_wheel(folder: Path, name: str, version: str, *requires: str) -> Path:
    """A real wheel with one module."""
    stem = f"{name}-{version}"
    metadata = [
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}",
        *(f"Requires-Dist: {r}" for r in requires),
    ]
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{stem}.dist-info/METADATA": "\n".join(metadata) + "\n",
        f"{stem}.dist-info/WHEEL": WHEEL,
    }
    record = [f"{path},{_digest(text)},{len(text)}" for path, text in files.items()]
    files[f"{stem}.dist-info/RECORD"] = "\n".join([*record, f"{stem}.dist-info/RECORD,,"]) + "\n"
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


def _digest(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: pytest's output is for findings."""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """(root URL, folder) of a PEP 503 index with two wheels."""
    folder = tmp_path / "index"
    for name, requires in (("alpha", ("beta",)), ("beta", ())):
        place = folder / "simple" / name
        place.mkdir(parents=True)
        wheel = make_wheel(place, name, "1.0", *requires)
        (place / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/simple", folder / "simple"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def host_lock(index: tuple[str, Path]) -> LockedEnv:
    """A lock of both wheels for the machine that runs the tests: one found by name, one by URL."""
    root, folder = index
    here = MACHINES.get((sys.platform, platform.machine()))
    if here is None:
        pytest.skip("mmlock locks for no such machine")

    def locked(name: str, index_url: str | None, via: tuple[str, ...]) -> LockedPackage:
        (wheel,) = (folder / name).glob("*.whl")
        file = Artifact(
            name=wheel.name,
            url=f"{root}/{name}/{wheel.name}",
            sha256=Sha256(hashlib.sha256(wheel.read_bytes()).hexdigest()),
            size=wheel.stat().st_size,
            upload_time="2026-01-02T03:04:05.6Z",
            requires_python=">=3.8",
        )
        reason = Reason(
            text="asked for",
            source=("the request",),
            confidence=Confidence.MEASURED,
            kind=ReasonKind.REQUESTED,
        )
        return LockedPackage(
            name=normalize(name),
            version="1.0",
            form=Form.WHEEL,
            files=(file,),
            core=not via,
            via=via,
            reasons=(reason,),
            index=index_url,
        )

    return LockedEnv(
        stack="test",
        target=Target(devices=(Device(kind=DeviceKind.CPU, name="cpu"),), platform=here, glibc=None),
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        torch="2.11.0+cpu",
        driver_floor=None,
        request=("--gpu", "cpu"),
        packages=(locked("alpha", "https://pypi.org/simple", ()), locked("beta", None, ("alpha",))),
        fetch=(),
        build=(),
        environment={},
        environment_reasons=(),
        findings=(),
        objectives=(),
        left_out=(),
        matrix_digest="0" * 64,
        engine="uv",
    )
