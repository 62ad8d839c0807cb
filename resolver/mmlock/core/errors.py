"""What can go wrong, as values.

    MmlockError
    ├── UsageError         the request cannot be read                       exit 2
    ├── EnvironmentFault   the machine, network or disk refused             exit 2
    ├── MatrixError        a matrix file is broken                          exit 2
    └── NoAnswer           the request was read and no combination holds    exit 1

An error says *what* (message), *where and why* (cause lines) and *what to do next* (hint lines).
Inside the library most failures travel as return values; these are raised at the rim, and only
`cli` turns them into text.
"""

from __future__ import annotations

from collections.abc import Sequence


class MmlockError(Exception):
    """Something that stops the work, told so that a person can act on it."""

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        causes: Sequence[str] = (),
        hints: Sequence[str] = (),
        sources: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.causes = tuple(causes)
        self.hints = tuple(hints)
        self.sources = tuple(sources)
        """What the footnotes of the causes cite: `[1] TEXT`."""

    def lines(self) -> list[str]:
        """The error as printed: one `error:`, then `cause:`, `hint:` and `source:` lines."""
        return [
            f"error: {self.message}",
            *(f"cause: {cause}" for cause in self.causes),
            *(f"hint: {hint}" for hint in self.hints),
            *(f"source: {source}" for source in self.sources),
        ]


class UsageError(MmlockError):
    """The request itself is wrong: an unknown GPU, an unreadable requirement, contradictory flags."""


class EnvironmentFault(MmlockError):
    """The request is fine, the surroundings are not: no network, no tool, an unwritable folder."""


class MatrixError(MmlockError):
    """A matrix file does not hold what its schema says: which file, which row, what is wrong."""


class NoAnswer(MmlockError):
    """Every fact was read and nothing fits: the causes are the chain, the hints what does fit."""

    exit_code = 1
