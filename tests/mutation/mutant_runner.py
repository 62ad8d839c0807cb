"""Runs the tests of a room on one mutant after another, in a copy of the tree; the tree is only read.

What stands below the room is imported once; then each mutant has a process of its own, forked from there.
"""

from __future__ import annotations

import importlib
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mutants import ROOT, Mutant, Room

COPIED = (
    "resolver",
    "tests",
    "matrices",
    "scripts",
    "lockfiles",
    "pyproject.toml",
    "mmlock.toml",
    "README.md",
)
IGNORED = shutil.ignore_patterns(".*", "*.so", "wheels-cache")
LOADED = (
    "_pytest.assertion.rewrite",
    "clingo",
    "httpx",
    "hypothesis",
    "hypothesis.strategies",
    "msgspec",
    "packaging.tags",
    "pytest",
)
MEMORY = 6 << 30
"""Bytes of address space that a mutant may have: one that fills memory ends."""
SLOWER = 5
"""How many times the processor time of the sound code a mutant may take; by the clock, as often that."""
LEAST = 5.0
"""Processor seconds that each mutant may have, however quick the sound code is."""


class Outcome(str, Enum):
    KILLED = "killed"
    SURVIVED = "survived"
    TIMED_OUT = "timed out"


@dataclass(frozen=True)
class Verdict:
    """What the tests said of a mutant, and the first that failed."""

    mutant: Mutant
    outcome: Outcome
    by: str
    seconds: float


class BrokenRoom(Exception):
    """The tests of a room fail on the sound code, so that they say nothing of a mutant."""


def copy_tree(folder: Path) -> Path:
    """The files that tests read, in a folder of their own."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=IGNORED)
        elif source.exists():
            shutil.copy2(source, folder / name)
    return folder


def run_room(room: Room, mutants: Sequence[Mutant], tree: Path) -> Iterator[Verdict]:
    """Each mutant's verdict, as it comes. Raises BrokenRoom.

    The process becomes one of the copied tree, so call it in a process that does nothing else.
    """
    assert "mmlock" not in sys.modules, "the mutants would be imported beside the sound code"
    os.chdir(tree)
    sys.path.insert(0, str(tree / "resolver"))
    os.environ["PYTHONPATH"] = str(tree / "resolver")
    for name in (*LOADED, *room.loaded):
        _load(name, tree)
    sound = _run(room, tree, limit=600.0)
    if sound[0] is not Outcome.SURVIVED:
        raise BrokenRoom(f"{room.name}: {sound[1] or sound[0].value}")
    limit = max(LEAST, sound[2] * SLOWER)
    for number, mutant in enumerate(mutants):
        path = tree / mutant.change.file
        kept, stamp = path.read_bytes(), path.stat()
        path.write_text(mutant.text, "utf-8")
        # Python trusts compiled code by the second and the size of its source.
        os.utime(path, (stamp.st_atime, stamp.st_mtime + 2 + number))
        try:
            yield Verdict(mutant, *_run(room, tree, limit))
        finally:
            path.write_bytes(kept)
            os.utime(path, (stamp.st_atime, stamp.st_mtime))


def _load(name: str, tree: Path) -> None:
    importlib.import_module(name)
    folder = tree / "resolver" / name.replace(".", "/")
    for path in sorted(folder.rglob("*.py")) if name.startswith("mmlock") else ():
        importlib.import_module(
            ".".join(path.relative_to(tree / "resolver").with_suffix("").parts).removesuffix(".__init__")
        )


def _run(room: Room, tree: Path, limit: float) -> tuple[Outcome, str, float]:
    log = tree / "log.txt"
    child = os.fork()
    if child == 0:
        _tests(room, log, limit)
    usage = _waited(child, limit)
    _end(child)
    if usage is None:
        return Outcome.TIMED_OUT, "", limit
    status, seconds = usage
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGKILL}:
        return Outcome.TIMED_OUT, "", seconds
    if status == 0:
        return Outcome.SURVIVED, "", seconds
    lines = log.read_text("utf-8", "replace").splitlines()
    first = (line for line in lines if line.startswith(("FAILED", "ERROR")))
    return Outcome.KILLED, next(first, lines[-1] if lines else f"signal {status}")[:200], seconds


def _tests(room: Room, log: Path, limit: float) -> None:
    """The child: never returns."""
    code = 70
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 2))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        pytest = importlib.import_module("pytest")
        code = int(
            pytest.main(
                [
                    "-x",
                    "-q",
                    "--tb=line",
                    "-W",
                    "ignore::pytest.PytestAssertRewriteWarning",
                    "-p",
                    "no:cacheprovider",
                    *room.tests,
                ]
            )
        )
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - the caller reads it in the log
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _waited(child: int, limit: float) -> tuple[int, float] | None:
    """Its status and processor time; None when the clock was faster."""
    end = time.monotonic() + limit * SLOWER
    while time.monotonic() < end:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            return status, usage.ru_utime + usage.ru_stime
        time.sleep(0.02)
    _end(child)
    os.wait4(child, 0)
    return None


def _end(group: int) -> None:
    """End what the tests started and did not end."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
