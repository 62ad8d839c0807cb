"""Processes of tests that are ended by signals."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


def _take_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


interruptible: Callable[[], None] | None = None if os.name == "nt" else _take_interrupts
"""For `preexec_fn`: a run under `nohup`, or one that a shell put into the background, ignores Ctrl-C,
and a child inherits that. A child that a test interrupts must not."""
