"""A warm process that does tasks (`child`), from the side of whoever gives it some."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Container
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mmlock.work import child
from mmlock.work.ending import end_tree

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from mmlock.work.model import Task

__all__ = ["TaskProcess"]


class TaskProcess:
    """One process and the pipe to it. `end` it: with it goes all that it started."""

    def __init__(self, handlers: str, name: str) -> None:
        """`handlers`: `MODULE:NAME` of what makes their table."""
        # `spawn`: no thread and no lock of this process is copied.
        context = multiprocessing.get_context("spawn")
        self.pipe: Connection
        self.pipe, other = context.Pipe()
        self._process: Any = context.Process(
            target=child.main, args=(other, handlers), name=f"mmlock-{name}", daemon=False
        )
        self._process.start()
        other.close()

    @property
    def waited(self) -> tuple[Any, ...]:
        """What `multiprocessing.connection.wait` waits for: a word, or its end."""
        return (self.pipe, self._process.sentinel)

    def send(self, task: Task) -> None:
        """Give it a task. Should it be gone, `received` says so."""
        with suppress(OSError):
            self.pipe.send(task)

    def received(self, ready: Container[object]) -> tuple[str, Any]:
        """What it said: `say` and a line, `advance` and how far it is, `done` and an outcome, or `gone`.

        An empty word: nothing new.
        """
        if self.pipe in ready:
            try:
                word, value = self.pipe.recv()
            except (EOFError, OSError):
                return "gone", None
            return str(word), value
        return ("gone" if self._process.sentinel in ready else "", None)

    def end(self) -> None:
        """End the process, its whole session, and what it started in sessions of its own."""
        end_tree(self._process.pid)
        _kill(self._process)
        self._process.join()
        self._process.close()
        self.pipe.close()


def _kill(process: Any) -> None:
    if sys.platform != "win32":
        with suppress(OSError):
            # It may not have its own session yet: then the group is not its own either.
            if os.getpgid(process.pid) == process.pid:
                os.killpg(process.pid, signal.SIGKILL)
    with suppress(OSError, ValueError):
        process.kill()
