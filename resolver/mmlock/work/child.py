"""A process that does tasks one after another, for `local`: warm, in a session of its own, ended as a whole.

The parent sends `(key, Task)` and gets `("say", text)` lines and one `("done", outcome)`. When the parent is
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

from mmlock.work.model import Handler, Outcome, Task
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
        threading.Thread(target=_end_with, args=(os.getppid(),), name="mmlock-parent", daemon=True).start()
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 - for as long as the process lives
    handlers = handlers_at(place)
    gc.freeze()
    with suppress(EOFError, OSError, KeyboardInterrupt):
        pipe.send(("ready", None))
        while True:
            task = cast("Task", pipe.recv())
            pipe.send(("done", _outcome(handlers, task, pipe)))


def _end_with(parent: int) -> None:
    """End this process and all that it started once its parent is gone: nobody waits for it any more."""
    if sys.platform != "win32":
        while os.getppid() == parent:
            time.sleep(_LOOK)
        import psutil

        with suppress(psutil.Error):
            for process in psutil.Process().children(recursive=True):  # a build has a session of its own
                with suppress(psutil.Error):
                    process.kill()
        os.killpg(os.getpgrp(), signal.SIGKILL)


def _outcome(handlers: Mapping[str, Handler], task: Task, pipe: Connection) -> Outcome:
    def say(text: str, /) -> None:
        pipe.send(("say", text))

    return perform(handlers, task, say)
