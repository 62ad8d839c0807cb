"""Processes of tests: they take signals as a terminal sends them, and none outlives its test."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Start = Callable[..., "subprocess.Popen[str]"]


def _take_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


interruptible: Callable[[], None] | None = None if os.name == "nt" else _take_interrupts
"""For `preexec_fn`: a run under `nohup`, or one that a shell put into the background, ignores Ctrl-C,
and a child inherits that. A child that a test interrupts must not."""


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process whose output is read as text. One that still runs when the test ends is killed,
    so that a wait that timed out is a failure and no hang."""
    started: list[subprocess.Popen[str]] = []

    def run(words: list[str], *, env: dict[str, str] | None = None, cwd: Path | None = None) -> object:
        started.append(
            subprocess.Popen(
                words,
                env=env,
                cwd=cwd,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                preexec_fn=interruptible,  # noqa: PLW1509 - it only restores a signal
            )
        )
        return started[-1]

    yield run  # type: ignore[misc]
    for process in started:
        if process.poll() is None:
            process.kill()
        # A child of it may hold the pipes: they are closed, not read to their end.
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        process.wait(30)
