"""This folder's own modules, and the numbers of a run."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

_told: Counter[str] = Counter()


def pytest_runtest_logreport(report: Any) -> None:
    if report.when == "teardown":
        for name, value in report.user_properties:
            if name == "oracle":
                _told.update(value)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many requests were answered and refused, and of how many the facts say the same."""
    if _told:
        words = {"solved": "answered", "unusable": "unusable", "refused": "refused", "agreed": "agreed"}
        counts = [f"{_told[key]} {word}" for key, word in words.items()]
        counts += [f"{_told[key]} {key}" for key in ("known fault", "undecided")]
        total = sum(_told[key] for key in ("solved", "refused", "unusable"))
        terminalreporter.write_line(f"oracle: {total} requests: {', '.join(counts)}")
