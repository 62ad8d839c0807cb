"""Threads that do what is asked of them, and that no one has to wait for.

The executor of the standard library joins its threads when the interpreter ends: after Ctrl-C that lasts as
long as the slowest server keeps silent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

__all__ = ["Workers"]

_MOMENT = 0.5
"""What is being written when the work is given up gets so many seconds to be finished."""

Result = TypeVar("Result")


class Workers:
    """A fixed number of threads, started when they are first needed."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._threads: list[Thread] = []
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def submit(self, work: Callable[..., Result], *arguments: object) -> Future[Result]:
        """Have it done; the future holds what it gives or raises."""
        future: Future[Result] = Future()

        def task() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work(*arguments))
            except BaseException as error:  # noqa: BLE001 - raised again where the result is taken
                future.set_exception(error)

        if len(self._threads) < self._count:
            thread = Thread(target=self._serve, daemon=True, name=f"fetch-{len(self._threads)}")
            self._threads.append(thread)
            thread.start()
        self._tasks.put(task)
        return future

    def end(self, *, patient: bool) -> None:
        """Let the threads go; patient: when all is done, else what has not begun is never done."""
        while not patient and not self._tasks.empty():
            self._tasks.get()
        for _ in self._threads:
            self._tasks.put(None)
        until = time.monotonic() + _MOMENT
        for thread in self._threads:
            thread.join(None if patient else max(0.0, until - time.monotonic()))

    def _serve(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
