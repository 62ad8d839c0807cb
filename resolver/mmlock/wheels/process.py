"""Runs one long command: its output to a log, all it started ended with it, and no way for it to hang on."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import BinaryIO

import psutil
from msgspec import Struct

from mmlock.core.names import StrEnum

_TICK = 0.5
_GRACE = 5.0
_IDLE_CPU = 1.0
"""CPU seconds in a whole quiet period below which a process is taken to hang."""
_MB = 1 << 20
MARK = "MMLOCK_BUILD"
"""The variable that every process of a build bears, with the folder of the build as its value."""


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
    """The most that its processes took together, looked at now and then; 0 for what ended too soon."""


class Command(Struct, frozen=True, kw_only=True):
    """What to run, where, and how long it may do nothing."""

    words: Sequence[str]
    folder: Path
    environ: Mapping[str, str]
    log: Path
    quiet_seconds: float = 900.0
    shield: Sequence[str] = ()
    """Words in front of it that take something from it: its network, its sight of this machine."""


def run(command: Command, on_line: Callable[[str], object]) -> Ran:
    """Run to the end. Ctrl-C ends all that the command started and is passed on."""
    started, used = time.monotonic(), _spent()
    words = [*command.shield, *command.words]
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
        family = _Family(process.pid, command.environ.get(MARK))
        try:
            hung = _follow(process, write, on_line, _Watch(family, command.quiet_seconds))
        finally:
            family.end()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
    ending = Ending.HUNG if hung else Ending.FAILED if process.returncode else Ending.DONE
    return Ran(
        ending=ending,
        code=process.returncode,
        seconds=time.monotonic() - started,
        cpu_seconds=_spent() - used,
        peak_mb=family.peak // _MB,
    )


def _spent() -> float:
    """CPU seconds of all children of this process that ended; Windows does not tell."""
    times = os.times()
    return times.children_user + times.children_system


def _forgiving(write: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """A full disk shows in what fails for it; a log that cannot be kept hides no such words."""

    def put(data: bytes) -> None:
        with suppress(OSError):
            write(data)

    return put


def _follow(
    process: subprocess.Popen[bytes],
    write: Callable[[bytes], object],
    on_line: Callable[[str], object],
    watch: _Watch,
) -> bool:
    """Read until the end of the output; True when the command hangs."""
    assert process.stdout is not None
    output: SimpleQueue[bytes] = SimpleQueue()
    # A thread, because Windows can wait for no pipe; it ends with the pipe, which `run` closes.
    threading.Thread(target=_read, args=(process.stdout, output.put), daemon=True).start()
    held = b""
    while True:
        try:
            data = output.get(timeout=_TICK)
        except Empty:
            # A grandchild that went its own way may keep the pipe open for ever.
            if process.poll() is not None:
                return False
            if watch.hangs():
                return True
            continue
        if not data:
            process.wait()
            return False
        watch.heard()
        write(data)
        *lines, held = (held + data).split(b"\n")
        for line in lines:
            on_line(line.decode(errors="replace").rstrip("\r"))


def _read(stream: BinaryIO, put: Callable[[bytes], object]) -> None:
    with suppress(OSError, ValueError):
        while data := os.read(stream.fileno(), 1 << 16):
            put(data)
    put(b"")


# ---------------------------------------------------------------- what a command started


class _Family:
    """A process and all that came of it, those included that went their own way and bear its mark."""

    def __init__(self, pid: int, mark: str | None) -> None:
        self.pid = pid
        self.mark = mark
        self.seen: dict[int, psutil.Process] = {}
        self.peak = 0

    def members(self) -> list[psutil.Process]:
        """Those that are alive. A child whose parent ended is known from an earlier look."""
        with suppress(psutil.Error):
            head = psutil.Process(self.pid)
            for process in (head, *head.children(recursive=True)):
                self.seen.setdefault(process.pid, process)
        # `is_running` compares the start, so that a number that was given anew is nobody of this family.
        return [process for process in self.seen.values() if _alive(process)]

    def cpu(self) -> float:
        """CPU seconds so far, children that ended included; looks at the memory by the way."""
        total, memory = 0.0, 0
        for process in self.members():
            with suppress(psutil.Error), process.oneshot():
                times = process.cpu_times()
                total += times.user + times.system
                total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
                memory += process.memory_info().rss
        self.peak = max(self.peak, memory)
        return total

    def end(self) -> None:
        """End all of it: kindly first."""
        members = self.members()
        if self.mark:
            members += [process for process in _marked(self.mark) if process.pid not in self.seen]
        end_processes(members)


class _Watch:
    """Tells a compile that takes long from one that does nothing."""

    def __init__(self, family: _Family, quiet_seconds: float) -> None:
        self.family = family
        self.limit = quiet_seconds
        self.since: float | None = None
        self.cpu = 0.0
        self.looked = float("-inf")

    def heard(self) -> None:
        """Note that it wrote something."""
        self.since = None
        now = time.monotonic()
        if now - self.looked >= _TICK:
            self.looked = now
            self.family.cpu()

    def hangs(self) -> bool:
        """Whether it has neither written nor worked for the whole limit. Asked while it is silent."""
        now, cpu = time.monotonic(), self.family.cpu()
        if self.since is None:
            self.since, self.cpu = now, cpu
        if now - self.since < self.limit:
            return False
        if cpu - self.cpu > min(_IDLE_CPU, self.limit / 10):
            self.since = None
            return False
        return True


def end_processes(processes: Iterable[psutil.Process]) -> int:
    """End processes, kindly first; says how many there were."""
    left = list(processes)
    count = len(left)
    for process in left:
        with suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(left, timeout=_GRACE)
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=_GRACE)
    return count


def end_stragglers(mark: str) -> int:
    """End processes that an earlier, killed mmlock left behind in the same build folder; says how many."""
    found = list(_marked(mark))
    for process in found:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(found, timeout=_GRACE)
    return len(found)


def _marked(mark: str) -> Iterable[psutil.Process]:
    """The processes of this user that bear the mark of a build; this one is none of them."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark and _alive(process):
                yield process


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


# ---------------------------------------------------------------- without a network


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
