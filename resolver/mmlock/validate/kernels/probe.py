"""Tells what this interpreter is and holds, as one JSON document. Python 3.7 runs it."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from typing import Any, Iterator

CHUNK = 1 << 20


def main() -> None:
    """Print the facts; the arguments name packages whose files are hashed."""
    deep = set(sys.argv[1:])
    told = {
        "python": ".".join(map(str, sys.version_info[:3])),
        "minor": _minor(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "packages": [_package(folder, deep) for folder in _installed()],
        "machine": _machine(),
        "torch": _torch(),
    }
    sys.stdout.write(json.dumps(told) + "\n")


def _minor() -> str:
    import sysconfig

    free = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    return f"{sys.version_info[0]}.{sys.version_info[1]}{free}"


# ---------------------------------------------------------------- packages


def _installed() -> Iterator[str]:
    """The metadata folders that Python would find first, one for each name."""
    seen = set()
    for place in sys.path:
        try:
            names = sorted(os.listdir(place or "."))
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                key = _normal(name.rpartition(".")[0].split("-")[0])
                if key not in seen:
                    seen.add(key)
                    yield os.path.join(place, name)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _package(folder: str, deep: set[str]) -> dict[str, Any]:
    name, version = _name_and_version(folder)
    row: dict[str, Any] = {"name": name, "version": version}
    origin = _read(os.path.join(folder, "direct_url.json"))
    if origin:
        archive = json.loads(origin).get("archive_info") or {}
        digest = (archive.get("hashes") or {}).get("sha256") or _after(archive.get("hash"), "sha256=")
        if digest:
            row["sha256"] = digest
    faults = list(_faults(folder, hashed=name in deep))
    if faults:
        row["faults"] = faults[:5]
    return row


def _after(text: Any, start: str) -> str | None:
    return text[len(start) :] if isinstance(text, str) and text.startswith(start) else None


def _name_and_version(folder: str) -> tuple[str, str]:
    found = {"Name": os.path.basename(folder).split("-")[0], "Version": ""}
    text = _read(os.path.join(folder, "METADATA")) or _read(os.path.join(folder, "PKG-INFO")) or ""
    for line in text.splitlines():
        if not line.strip():
            break
        key, _, value = line.partition(":")
        if key in found:
            found[key] = value.strip()
    return _normal(found["Name"]), found["Version"]


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return None


def _faults(folder: str, *, hashed: bool) -> Iterator[str]:
    """Files of a package that are missing or not what its RECORD says."""
    text = _read(os.path.join(folder, "RECORD"))
    if text is None:
        if folder.endswith(".dist-info"):
            yield "it has no RECORD: its installation did not end"
        return
    root = os.path.dirname(folder)
    # PyTorch edits the METADATA of what it puts on PyPI (`1.12.1+cu102` to `1.12.1`), and not RECORD.
    told = os.path.basename(folder) + "/METADATA"
    for row in csv.reader(text.splitlines()):
        if len(row) != 3 or not row[1] or row[0].endswith(".pyc"):
            continue
        path = os.path.join(root, row[0])
        try:
            size = os.stat(path).st_size
        except OSError:
            yield f"{row[0]} is missing"
            continue
        if row[0] == told:
            continue
        if row[2] and int(row[2]) != size:
            yield f"{row[0]} has {size} bytes, not {row[2]}"
        elif hashed and _digest(path, row[1].partition("=")[0]) != row[1].partition("=")[2]:
            yield f"{row[0]} is not the file that was installed"


def _digest(path: str, algorithm: str) -> str:
    found = hashlib.new(algorithm)
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            found.update(chunk)
    return base64.urlsafe_b64encode(found.digest()).rstrip(b"=").decode()


# ---------------------------------------------------------------- the machine


def _machine() -> dict[str, Any]:
    memory = re.search(r"MemTotal:\s+(\d+)", _read("/proc/meminfo") or "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "glibc": _glibc(),
        "cpu": _cpu(),
        "cores": cores,
        "memory_mb": int(memory.group(1)) // 1000 if memory else None,
        "driver": _driver(),
    }


def _glibc() -> str | None:
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (AttributeError, OSError, ValueError):
        return None
    return version if name == "glibc" else None


def _cpu() -> str | None:
    found = re.search(r"model name\s*:\s*(.+)", _read("/proc/cpuinfo") or "")
    return found.group(1).strip() if found else platform.processor() or None


def _driver() -> str | None:
    try:
        told = subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=False,
        ).stdout.decode()
    except (OSError, subprocess.SubprocessError):
        return None
    return told.splitlines()[0].strip() if told.strip() else None


def _torch() -> dict[str, Any]:
    """What torch says of itself and of its devices; the reason where it cannot be imported."""
    try:
        import torch
    except Exception as error:  # noqa: BLE001  a broken torch may raise anything
        return {"error": f"{type(error).__name__}: {error}"}
    told: dict[str, Any] = {"version": torch.__version__, "cuda": torch.version.cuda, "devices": []}
    try:
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        for at in range(count):
            part = torch.cuda.get_device_properties(at)
            told["devices"].append(
                {
                    "name": part.name,
                    "arch": f"sm_{part.major}{part.minor}",
                    "memory_mb": part.total_memory // 1000000,
                }
            )
    except Exception as error:  # noqa: BLE001  so may a broken driver
        told["devices_error"] = f"{type(error).__name__}: {error}"
    return told


if __name__ == "__main__":
    main()
