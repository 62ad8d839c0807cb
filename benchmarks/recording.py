"""Answers of an index, kept on disk: asked for once, then the same for everybody and without its weather."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mmlock.files.atomic import write_aside


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Recording:
    """A folder of answers, each a line of JSON and the body. Errors of a server (5xx) are not kept."""

    folder: Path
    days: float = 1.0
    """Older answers are asked for again."""

    def answer(self, key: tuple[str, ...], ask: Callable[[], Answer]) -> Answer:
        path = self.folder / sha256(repr(key).encode()).hexdigest()
        try:
            if time.time() - path.stat().st_mtime < self.days * 86400:
                head, _, body = path.read_bytes().partition(b"\n")
                return Answer(body=body, **json.loads(head))
        except FileNotFoundError:
            pass
        found = ask()
        if found.status < 500:  # noqa: PLR2004
            told = {"status": found.status, "headers": found.headers}
            write_aside(path, json.dumps(told).encode() + b"\n" + found.body)
        return found
