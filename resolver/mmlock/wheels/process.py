"""Runs one long command in a process group of its own: its output to a log, and no way for it to hang on."""

from __future__ import annotations

import os
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from mmlock.core.names import StrEnum

_TICK = 0.5
_GRACE = 5.0
_IDLE_CPU = 1.0
"""CPU seconds in a whole quiet period below which a process is taken to hang."""


class Ending(StrEnum):
    """How a command ended."""

    DONE = "done"
    FAILED = "failed"
    HUNG = "hung"  # neither wrote nor worked for too long


class Ran(Struct, frozen=True, kw_only=True):
    """A command that is over."""

    ending: Ending
    code: int
    """Negative: the signal that ended it."""
    seconds: float
    cpu_seconds: float
    """Of the command and of all that it started."""
    peak_mb: int
    """What the largest process of this run, or of an earlier one, took."""


class Command(Struct, frozen=True, kw_only=True):
    """What to run, where, and how long it may do nothing."""

    words: Sequence[str]
    folder: Path
    environ: Mapping[str, str]
    log: Path
    quiet_seconds: float = 900.0
    network: bool = False


def run(command: Command, on_line: Callable[[str], object]) -> Ran:
    """Run to the end. Ctrl-C ends the whole process group and is passed on."""
    started, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [*(() if command.network else no_network()), *command.words]
    with command.log.open("ab", buffering=0) as log:
        write = _forgiving(log.write)
        write(f"$ {' '.join(words)}\n".encode())
        process = subprocess.Popen(
            words,
            cwd=command.folder,
            env=dict(command.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            hung = _follow(process, write, on_line, command.quiet_seconds)
        finally:
            end_group(process)
    ending = Ending.HUNG if hung else Ending.FAILED if process.returncode else Ending.DONE
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Ran(
        ending=ending,
        code=process.returncode,
        seconds=time.monotonic() - started,
        cpu_seconds=after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime,
        # Linux tells kB, macOS bytes.
        peak_mb=after.ru_maxrss // (1024 if sys.platform != "darwin" else 1024 * 1024),
    )


def _forgiving(write: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """A full disk is told by what fails for it; a log that cannot be kept hides no such words."""

    def put(data: bytes) -> None:
        with suppress(OSError):
            write(data)

    return put


def _follow(
    process: subprocess.Popen[bytes],
    write: Callable[[bytes], object],
    on_line: Callable[[str], object],
    quiet_seconds: float,
) -> bool:
    """Read until the end of the output; True when the command hangs."""
    assert process.stdout is not None
    watch = _Watch(process.pid, quiet_seconds)
    held = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(_TICK):
                # A grandchild that went its own way may keep the pipe open for ever.
                if process.poll() is not None:
                    return False
                if watch.hangs():
                    return True
                continue
            data = os.read(process.stdout.fileno(), 1 << 16)
            if not data:
                process.wait()
                return False
            watch.heard()
            write(data)
            *lines, held = (held + data).split(b"\n")
            for line in lines:
                on_line(line.decode(errors="replace").rstrip("\r"))


class _Watch:
    """Tells a compile that takes long from one that does nothing."""

    def __init__(self, group: int, quiet_seconds: float) -> None:
        self.group = group
        self.limit = quiet_seconds
        self.since: float | None = None
        self.cpu: float | None = None

    def heard(self) -> None:
        """Note that it wrote something."""
        self.since = None

    def hangs(self) -> bool:
        """Whether it has neither written nor worked for the whole limit. Asked while it is silent."""
        now = time.monotonic()
        if self.since is None:
            self.since, self.cpu = now, _group_cpu(self.group)
        if now - self.since < self.limit:
            return False
        used = _group_cpu(self.group)
        if used is not None and self.cpu is not None and used - self.cpu > min(_IDLE_CPU, self.limit / 10):
            self.since = None
            return False
        return True


def _group_cpu(group: int) -> float | None:
    """CPU seconds of a process group, children that ended included; None where /proc does not tell."""
    ticks = 0
    found = False
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                found = True
                ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK") if found else None


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End whatever is left of a process group: kindly first."""
    for sign, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, _GRACE)):
        try:
            os.killpg(process.pid, sign)
        except (ProcessLookupError, PermissionError):
            break
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            # The leader is gone; the others get the next signal if they are still there.
            if not _alive(process.pid):
                break
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _alive(group: int) -> bool:
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return False
        time.sleep(0.02)
    return True


def end_stragglers(mark: str) -> int:
    """End processes that an earlier, killed mmlock left behind in the same build folder; says how many."""
    wanted = f"MMLOCK_BUILD={mark}".encode()
    ended = 0
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if wanted in path.read_bytes().split(b"\0") and int(path.parent.name) != os.getpid():
                os.kill(int(path.parent.name), signal.SIGKILL)
                ended += 1
    return ended


@lru_cache(maxsize=1)
def no_network() -> tuple[str, ...]:
    """Words in front of a command that take the network from it; empty where this system has no way."""
    tool = shutil.which("unshare")
    if tool is None:
        return ()
    for words in ((tool, "-n"), (tool, "-r", "-n")):
        with suppress(OSError, subprocess.SubprocessError):
            tried = subprocess.run([*words, "true"], capture_output=True, check=False, timeout=20)
            if tried.returncode == 0:
                return words
    return ()
