"""Sources as footnotes: numbered once per answer, in the order in which they are first cited."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Footnotes"]


class Footnotes:
    """The sources of one answer."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, sources: Iterable[str]) -> str:
        """`[1][4]` for these sources; empty without any."""
        numbers = {self._numbers.setdefault(text, len(self._numbers) + 1) for text in sources}
        return "".join(f"[{number}]" for number in sorted(numbers))

    def cited(self) -> tuple[str, ...]:
        """Every source that was cited; the first is number 1."""
        return tuple(self._numbers)

    def lines(self) -> tuple[str, ...]:
        """`[1] SOURCE` for each."""
        return tuple(f"[{number}] {text}" for text, number in self._numbers.items())
