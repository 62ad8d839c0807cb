"""The answer to a question that was just asked: looked up before anything heavy is loaded.

Kept are the files of the lock and what was shown, by everything they depend on: the request, the matrix
files, mmlock's own files, the index settings. An answer is as fresh as the closure in it. It only serves
when the lock folder already holds these very bytes, so that nothing has to be written.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from mmlock import __version__
from mmlock.core.arguments import AUTO, SolveArguments
from mmlock.core.places import cache_root, fresh_seconds
from mmlock.core.report import Page
from mmlock.matrix.places import find_root

_FORMAT = 1


def recall(arguments: SolveArguments, environ: Mapping[str, str]) -> Page | None:
    """What was answered to this request while it is fresh; None when it must be asked again."""
    path = _path(arguments, environ)
    if path is None:
        return None
    try:
        kept = json.loads(path.read_bytes())
        age = time.time() - float(kept["stored"])
        if not arguments.offline and not 0 <= age < fresh_seconds(environ):
            return None
        if arguments.out is not None and not _same(arguments.out, kept["files"]):
            return None
        return Page(text=str(kept["text"]), data=kept["data"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(
    arguments: SolveArguments, environ: Mapping[str, str], page: Page, files: Mapping[str, str | None]
) -> None:
    """Keep an answer. A cache that cannot be written is no reason to fail."""
    path = _path(arguments, environ)
    if path is None:
        return
    kept = {
        "stored": time.time(),
        "text": page.text,
        "data": page.data,
        "files": {name: text and sha256(text.encode()).hexdigest() for name, text in files.items()},
    }
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(kept), encoding="utf-8")
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)


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


def _path(arguments: SolveArguments, environ: Mapping[str, str]) -> Path | None:
    """Where the answer is kept; None for requests that depend on this machine or on local files."""
    if AUTO in arguments.gpus or arguments.index.find_links or arguments.extensions:
        return None
    root = find_root(arguments.matrices, environ)
    about = {name: value for name, value in environ.items() if name.startswith(("UV_", "PIP_", "MMLOCK_"))}
    parts = [_FORMAT, __version__, repr(arguments), sorted(about.items()), str(root)]
    parts.append(_stamps(root, "*.json", "*.toml", "*.symbols"))
    parts.append(_stamps(Path(__file__).resolve().parents[1], "*.py", "*.lp"))
    digest = sha256(json.dumps(parts).encode()).hexdigest()
    return cache_root(environ) / "answers" / f"{digest}.json"


def _stamps(root: Path, *patterns: str) -> list[tuple[str, int, int]]:
    """Names, sizes and times of the files that an answer rests on."""
    paths = sorted(path for pattern in patterns for path in root.rglob(pattern))
    return [(str(path), (stat := path.stat()).st_size, stat.st_mtime_ns) for path in paths]
