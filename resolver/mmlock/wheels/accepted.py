"""Downloaded wheels that passed every check, for an index to give on with the hash that their own lacks.

FILES/accepted/DIGEST.json   which wheel, checked for which torch; the wheel is FILES/HA/HASH/NAME

Wheels of one release for several torch have one name: only a list for one torch and CUDA can hold them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from mmlock.core.errors import EnvironmentFault
from mmlock.core.json_object import json_object
from mmlock.core.names import Sha256, normalize
from mmlock.files.atomic import write_aside
from mmlock.files.names import bare_file_name
from mmlock.files.reading import UnreadableError, read_bounded
from mmlock.lock.model import FetchStep
from mmlock.net.credentials import bare
from mmlock.net.download import FetchedFile
from mmlock.wheels.model import BuiltWheel

__all__ = ["accepted", "note_accepted"]

_SCHEMA = 1
_FOLDER = "accepted"
_LARGEST = 100_000


def note_accepted(files: Path, step: FetchStep, torch: str, file: FetchedFile) -> None:
    """Note that a wheel of the store passed its checks beside a torch. What is noted stays as it is.

    Raises EnvironmentFault where that cannot be written.
    """
    place = files / _FOLDER / f"{hashlib.sha256(f'{file.sha256} {torch}'.encode()).hexdigest()}.json"
    if place.exists():
        return
    record = {
        "schema": _SCHEMA,
        "package": step.package,
        "version": step.version,
        "file": file.name,
        "sha256": file.sha256,
        "size": file.size,
        "url": bare(file.origin),
        "torch": torch,
        "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    try:
        write_aside(place, json.dumps(record, indent=1, sort_keys=True).encode())
    except OSError as error:
        raise EnvironmentFault(
            f"cannot write to `{place.parent}`",
            causes=[error.strerror or str(error)],
            hints=["name a wheelhouse that you can write to: `--wheelhouse DIR`"],
        ) from error


def accepted(files: Path) -> Iterator[BuiltWheel]:
    """The wheels that were noted and are still there; their bytes are not read."""
    folder = files / _FOLDER
    for place in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        if (wheel := _read(files, place)) is not None:
            yield wheel


def _read(files: Path, place: Path) -> BuiltWheel | None:
    try:
        record = json_object(read_bounded(place, _LARGEST))
        digest = Sha256(bare_file_name(record["sha256"]))
        path = files / digest[:2] / digest / bare_file_name(record["file"])
        if record["schema"] != _SCHEMA or path.stat().st_size != record["size"]:
            return None
        return BuiltWheel(
            package=normalize(record["package"]),
            version=str(record["version"]),
            key=place.stem,
            path=path,
            sha256=digest,
            size=record["size"],
            checks=(),
            record=record,
            hit=True,
        )
    except (OSError, UnreadableError, ValueError, KeyError, TypeError, AttributeError):
        return None  # what cannot be read is given to nobody
