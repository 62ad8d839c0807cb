"""Work done beside other work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

PULSE = 0.2
"""Seconds after which a wait looks up.

A signal that comes just before a thread begins to wait for a lock does not end that wait: Ctrl-C would be
heard only when the work is done.
"""


class Background(Generic[T]):
    """Work that was begun in a thread; `result` waits for its end.

    `concurrent.futures` would do, and loads `logging` and a pool for a thread or two. The program
    does not stay for work whose result nobody asks for.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._found: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found.append(self._work())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is wanted
            self._error = error

    def result(self) -> T:
        """What the work returned. Raises what it raised."""
        while self._thread.is_alive():
            self._thread.join(PULSE)
        if self._error is not None:
            raise self._error
        return self._found[0]
