"""Core nodes as wheels that hold metadata only.

The closure's engine is given these files as direct requirements. It then checks everybody's bounds on
the core natively and asks no index for the core. They are never installed.
"""

from __future__ import annotations

import hashlib
import io
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from packaging.version import Version

from mmlock.core.markers import named_extras
from mmlock.files.atomic import write_aside
from mmlock.resolve.closure.model import CoreNode

_WHEEL = "Wheel-Version: 1.0\nGenerator: mmlock\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def wheel_name(node: CoreNode) -> str:
    """The file name, in the escaped form of the wheel standard."""
    return f"{_stem(node)}-py3-none-any.whl"


def metadata_text(node: CoreNode) -> str:
    """The node's METADATA."""
    extras = sorted(named_extras(node.requires))
    return "".join(
        [
            f"Metadata-Version: 2.1\nName: {node.name}\nVersion: {Version(node.version)}\n",
            f"Requires-Python: {node.requires_python}\n" if node.requires_python else "",
            *(f"Provides-Extra: {name}\n" for name in extras),
            *(f"Requires-Dist: {line}\n" for line in node.requires),
        ]
    )


def wheel_bytes(node: CoreNode) -> bytes:
    """The file: the same node gives the same bytes."""
    folder = f"{_stem(node)}.dist-info"
    members = {
        f"{folder}/METADATA": metadata_text(node).encode(),
        f"{folder}/WHEEL": _WHEEL.encode(),
    }
    record = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in members.items()]
    members[f"{folder}/RECORD"] = "".join([*record, f"{folder}/RECORD,,\n"]).encode()
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(ZipInfo(name), data)
    return buffer.getvalue()


def place_wheels(nodes: Iterable[CoreNode], folder: Path) -> tuple[str, ...]:
    """Write each node below `folder` once; gives `NAME @ file:///...` lines.

    A file is in a folder named by its content, so that the engine's own cache knows it again.
    Raises OSError where the folder cannot be written.
    """
    return tuple(f"{node.name}{_extras(node)} @ {_place(node, folder).as_uri()}" for node in nodes)


def _extras(node: CoreNode) -> str:
    return f"[{','.join(node.extras)}]" if node.extras else ""


def _place(node: CoreNode, folder: Path) -> Path:
    data = wheel_bytes(node)
    path = folder.absolute() / hashlib.sha256(data).hexdigest()[:20] / wheel_name(node)
    if path.is_file() and path.stat().st_size == len(data):
        return path
    write_aside(path, data)
    return path


def _stem(node: CoreNode) -> str:
    return f"{node.name.replace('-', '_')}-{Version(node.version)}"


def _digest(data: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
