"""Handlers for tests of `work`: they run in other processes, so they are in a module of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from mmlock.core.errors import EnvironmentFault, NoAnswer
from mmlock.core.progress import Progress, advance
from mmlock.work.model import Handler


def upper(arguments: bytes, progress: Progress) -> bytes:
    progress("writing it large")
    return arguments.upper()


def refuse(arguments: bytes, progress: Progress) -> bytes:
    del progress
    raise NoAnswer("nothing fits", causes=[arguments.decode()], hints=["ask for less"])


def unplugged(arguments: bytes, progress: Progress) -> bytes:
    """Fails until a file is there."""
    del progress
    if not Path(arguments.decode()).exists():
        raise EnvironmentFault("no network")
    return b"plugged in"


def bug(arguments: bytes, progress: Progress) -> bytes:
    del progress
    return bytes([len(arguments) // 0])


def die_until(arguments: bytes, progress: Progress) -> bytes:
    """Kills its own process as many times as the file has letters to lose."""
    path = Path(arguments.decode())
    left = path.read_text()
    progress(f"{len(left)} deaths left")
    if left:
        path.write_text(left[1:])
        os.kill(os.getpid(), signal.SIGKILL)
    return b"alive"


def orphan_until(arguments: bytes, progress: Progress) -> bytes:
    """Like `die_until`, but it kills whoever looks after its process."""
    path = Path(arguments.decode())
    left = path.read_text()
    if left:
        path.write_text(left[1:])
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()
    progress("nobody died")
    return b"alive"


def hang(arguments: bytes, progress: Progress) -> bytes:
    """Starts a process that never ends, apart as a build does, notes its number, and waits for it."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    Path(arguments.decode()).write_text(str(process.pid))
    progress("hanging")
    process.wait()
    return b""


def scatter(arguments: bytes, progress: Progress) -> bytes:
    """Leaves a process in a session of its own, whose parent is gone; notes its number, and waits."""
    code = (
        "import subprocess, sys; p = subprocess.Popen(['sleep', '600'], start_new_session=True); "
        "open(sys.argv[1], 'w').write(str(p.pid))"
    )
    subprocess.run([sys.executable, "-c", code, arguments.decode()], check=True, env={})
    advance(progress, "parts", 1, 2)
    progress("scattered")
    return subprocess.run(["sleep", "600"], check=False).args[0].encode()


def process(arguments: bytes, progress: Progress) -> bytes:
    """Which process did it."""
    del arguments, progress
    return str(os.getpid()).encode()


def table() -> Mapping[str, Handler]:
    done = (upper, refuse, unplugged, bug, die_until, orphan_until, hang, scatter, process)
    return {one.__name__: one for one in done}


def shared() -> Mapping[str, str]:
    """What a test makes differ between here and a node."""
    return {"facts": os.environ.get("TEST_FACTS", "older")}
