"""The answer to a question that was just asked: looked up before anything heavy is loaded.

Kept are the files of the lock and what was shown, by everything they depend on: the request, the matrix
files, mmlock's own files, the index settings. An answer is as fresh as the oldest page or closure in it. It
only serves where nothing has to be written: the lock folder holds these very bytes, or it is a dry run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from mmlock import __version__
from mmlock.core.arguments import AUTO, SolveArguments
from mmlock.core.cache import fresh_seconds
from mmlock.core.json_object import json_object
from mmlock.core.report import Page
from mmlock.facts.matrix.location import find_root
from mmlock.files.atomic import write_aside
from mmlock.files.private import open_cache

_FORMAT = 1


def recall(place: Path, arguments: SolveArguments, environ: Mapping[str, str]) -> Page | None:
    """What was answered to this request while it is fresh; None when it must be asked again."""
    try:
        kept = json_object(place.read_bytes())
        age = time.time() - float(kept["stored"])
        if not arguments.offline and not 0 <= age < fresh_seconds(environ):
            return None
        written = None if arguments.dry_run else arguments.out
        if written is not None and not _same(written, kept["files"]):
            return None
        return Page(text=str(kept["text"]), data=kept["data"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(place: Path, page: Page, files: Mapping[str, str | None], asked: float) -> None:
    """Keep an answer whose oldest part was asked then. A cache that cannot be written is no fault."""
    kept = {
        "stored": asked,
        "text": page.text,
        "data": page.data,
        "files": {name: text and sha256(text.encode()).hexdigest() for name, text in files.items()},
    }
    with suppress(OSError):
        write_aside(place, json.dumps(kept).encode())


def _same(folder: Path, files: Mapping[str, str | None]) -> bool:
    """Whether a lock folder holds these bytes and none of the files that would be gone."""
    for name, digest in files.items():
        path = folder / name
        if digest is None:
            if path.exists():
                return False
        elif sha256(path.read_bytes()).hexdigest() != digest:
            return False
    return True


def place(arguments: SolveArguments, environ: Mapping[str, str]) -> Path | None:
    """Where the answer is kept; None for requests that depend on this machine or on local files.

    Asked before the solve: files that change during it belong to another answer.
    """
    local = (
        arguments.index.find_links,
        arguments.wheel_indexes,
        arguments.extensions,
        arguments.verdicts,
    )
    if AUTO in arguments.gpus or any(local):
        return None
    if arguments.out is not None and (arguments.out / "verdict.json").exists():
        return None  # whether the lock may name it depends on whom the user trusts now
    root = find_root(arguments.matrices, environ)
    about = {name: value for name, value in environ.items() if name.startswith(("UV_", "PIP_", "MMLOCK_"))}
    parts = [_FORMAT, __version__, repr(arguments), sorted(about.items()), str(root)]
    parts.append(_stamps(str(root), (".json", ".toml", ".symbols", ".names")))
    parts.append(_stamps(str(Path(__file__).resolve().parents[2]), (".py", ".lp")))
    digest = sha256(json.dumps(parts).encode()).hexdigest()
    return open_cache(environ) / "answers" / f"{digest}.json"


def _stamps(root: str, endings: tuple[str, ...]) -> list[tuple[str, int, int]]:
    """Names, sizes and times of the files that an answer rests on."""
    stamps, folders = [], [root]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.name.endswith(endings):
                    stat = entry.stat()
                    stamps.append((entry.path, stat.st_size, stat.st_mtime_ns))
                elif "." not in entry.name and entry.name != "__pycache__" and entry.is_dir():
                    folders.append(entry.path)
    return sorted(stamps)
