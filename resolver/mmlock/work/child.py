"""A process that does tasks one after another, for `local`: warm, in a session of its own, ended as a whole.

The parent sends `(key, Task)` and gets `("say", text)` lines, `("advance", progress)` and one
`("done", outcome)`. When the parent is
gone, the pipe ends, and so does the process.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, cast

from mmlock.work.ending import adopt_orphans, end_tree
from mmlock.work.model import Handler, JobProgress, Task
from mmlock.work.outcomes import perform

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["handlers_at", "main"]

_LOOK = 1.0


def handlers_at(place: str) -> Mapping[str, Handler]:
    """The table of handlers that `MODULE:NAME` makes."""
    module, _, name = place.partition(":")
    make = cast("Callable[[], Mapping[str, Handler]]", getattr(import_module(module), name))
    return make()


def main(pipe: Connection, place: str) -> None:
    """Do what comes in, until the pipe ends."""
    import gc

    if sys.platform != "win32":
        os.setsid()  # whatever it starts ends with it, and Ctrl-C is the parent's affair
        adopt_orphans()
        threading.Thread(target=_end_with, args=(os.getppid(),), name="mmlock-parent", daemon=True).start()
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 - for as long as the process lives
    handlers = handlers_at(place)
    gc.freeze()
    with suppress(EOFError, OSError, KeyboardInterrupt):
        pipe.send(("ready", None))
        while True:
            task = cast("Task", pipe.recv())
            pipe.send(("done", perform(handlers, task, _Told(pipe))))


def _end_with(parent: int) -> None:
    """End this process and all that it started once its parent is gone: nobody waits for it any more."""
    if sys.platform != "win32":
        while os.getppid() == parent:
            time.sleep(_LOOK)
        end_tree(os.getpid(), itself=False)
        os.killpg(os.getpgrp(), signal.SIGKILL)


class _Told:
    """The progress of a task, for the parent."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._turn = threading.Lock()  # a build tells from several threads

    def __call__(self, text: str, /) -> None:
        self._send("say", text)

    def advance(self, what: str, done: int, total: int | None) -> None:
        self._send("advance", JobProgress(what=what, done=done, total=total))

    def _send(self, word: str, value: object) -> None:
        with self._turn:
            self._pipe.send((word, value))
