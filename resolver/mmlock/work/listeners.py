"""Who wants to hear of jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Listeners"]


class Listeners:
    """Callbacks that get a key, each until it is taken away."""

    def __init__(self) -> None:
        self._heard: tuple[Callable[[str], object], ...] = ()
        self._turn = threading.Lock()

    def add(self, heard: Callable[[str], object]) -> Callable[[], None]:
        """Have one called; gives what ends it."""
        with self._turn:
            self._heard = (*self._heard, heard)

        def end() -> None:
            with self._turn:
                self._heard = tuple(one for one in self._heard if one is not heard)

        return end

    def tell(self, key: str) -> None:
        """Say that a job changed."""
        for heard in self._heard:
            heard(key)
