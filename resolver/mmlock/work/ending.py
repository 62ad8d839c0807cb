"""Ends a process with all that came of it, wherever that went."""

from __future__ import annotations

import ctypes
import signal
import sys
from contextlib import suppress

import psutil

__all__ = ["adopt_orphans", "end_tree"]

_PR_SET_CHILD_SUBREAPER = 36
_ROUNDS = 20
"""Looks for processes that were started while others were ended."""


def adopt_orphans() -> None:
    """Have what this process's children leave behind become its own children, so that `end_tree` finds it.

    Only Linux can do that; elsewhere what left both its parent and its group is not found.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_tree(pid: int, *, itself: bool = True) -> None:
    """Kill everything that came of a process, and then the process, unless it is to live on.

    The process is stopped meanwhile, for what it would start or adopt later; a caller that is the process
    itself is not.
    """
    with suppress(psutil.Error):
        head = psutil.Process(pid)
        if itself:
            head.send_signal(signal.SIGSTOP if sys.platform != "win32" else signal.SIGTERM)
        for _ in range(_ROUNDS):
            left = [one for one in head.children(recursive=True) if _alive(one)]
            if not left:
                break
            for one in left:
                with suppress(psutil.Error):
                    one.kill()
            psutil.wait_procs(left, timeout=0.2)
        if itself:
            head.kill()


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
