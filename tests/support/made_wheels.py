"""Whole wheels made for tests, and what can be wrong with one: each fault is one argument."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from build_world import TAG, make_env
from made_files import Made, elf
from msgspec.structs import replace

from mmlock.core.names import Platform, normalize
from mmlock.lock.model import FetchStep, LockedEnv

NAME = f"mmcv-2.1.0-{TAG}-{TAG}-manylinux1_x86_64.whl"
EXT = "mmcv/_ext.so"
CODE = elf(Made(defined=["PyInit__ext"], needed=["libc.so.6"]))
FILES = {"mmcv/__init__.py": b"", EXT: CODE}


def record_row(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def whole_wheel(
    name: str,
    files: Mapping[str, bytes],
    *,
    metadata: str | None = None,
    tags: str | None = None,
    info: str | None = None,
    record: Callable[[str], str] = str,
    more: Callable[[zipfile.ZipFile], object] | None = None,
) -> bytes:
    """The bytes of a wheel by its file name: METADATA, WHEEL and RECORD follow from it unless they are given.

    `record` changes the RECORD, `more` adds what RECORD does not know of.
    """
    package, version, *_, python, abi, platform = name.removesuffix(".whl").split("-")
    info = info or f"{package}-{version}.dist-info"
    head = metadata or f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
    tag = tags or f"{python}-{abi}-{platform}"
    members = {
        **files,
        f"{info}/METADATA": head.encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n".encode(),
    }
    rows = "".join(record_row(path, data) for path, data in members.items()) + f"{info}/RECORD,,\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in members.items():
            archive.writestr(path, data)
        archive.writestr(f"{info}/RECORD", record(rows))
        if more is not None:
            more(archive)
    return buffer.getvalue()


def put_wheel(folder: Path, name: str, files: Mapping[str, bytes], **more: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(whole_wheel(name, files, **more))  # type: ignore[arg-type]
    return folder / name


def unsealed(url: str, **changes: object) -> LockedEnv:
    """A lock whose one step fetches mmcv 2.1.0."""
    step = FetchStep(
        package=normalize("mmcv"), version="2.1.0", url=url, index=url.rpartition("/")[0], why="", reasons=()
    )
    env = make_env(())
    target = replace(env.target, platform=Platform.LINUX_X86_64, glibc="2.28")
    return replace(env, **{"target": target, "fetch": (step,), **changes})
