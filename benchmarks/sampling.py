"""A sampling profiler: where one thread's time goes, native code included.

Another thread looks at the stack again and again. clingo lets other Python threads run while it grounds and
solves, so those are seen too, as the call they are in. Nothing is traced, so nothing is slowed by its number
of calls, as it would be with cProfile.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from types import FrameType

INTERVAL = 0.001
ROOMS = {"graph": "graph", "solve": "solve: {}"}
"""In the core, time in other rooms belongs to the one of these that called them."""

CLINGO = {"add": "clingo: parse", "ground": "clingo: ground", "__init__": "clingo: start"}


@dataclass(frozen=True, slots=True)
class Call:
    """One frame of a stack."""

    path: str
    function: str

    @property
    def room(self) -> str:
        """The room of mmlock it is in, else nothing."""
        parts = PurePath(self.path).parts
        return parts[parts.index("mmlock") + 1].removesuffix(".py") if "mmlock" in parts[:-1] else ""

    @property
    def file(self) -> str:
        return PurePath(self.path).name


Stack = Sequence[Call]
"""Innermost first."""


def core_stage(stack: Stack) -> str:
    """The stages of a core solve."""
    for call in stack:
        if call.file in {"control.py", "solving.py"} and PurePath(call.path).parent.name == "clingo":
            return CLINGO.get(call.function, "clingo: solve")
        if call.room in ROOMS:
            return ROOMS[call.room].format(call.file.removesuffix(".py"))
    return "the rest"


def whole_stage(stack: Stack) -> str:
    """The stages of a whole command: imports, waiting for uv, else the innermost room."""
    if any(call.path.startswith("<frozen importlib") for call in stack):
        return "imports"
    if any(call.function == "run_uv" for call in stack):
        return "uv"
    return next((call.room for call in stack if call.room not in {"", "core"}), "the rest")


@dataclass(slots=True)
class Profile:
    """Samples by stage, and by innermost function of mmlock with what it calls elsewhere."""

    stage_of: Callable[[Stack], str]
    stages: Counter[str] = field(default_factory=Counter)
    functions: Counter[str] = field(default_factory=Counter)

    def take(self, frame: FrameType | None) -> None:
        """Count one look at a stack."""
        stack = []
        while frame is not None:
            stack.append(Call(frame.f_code.co_filename, frame.f_code.co_name))
            frame = frame.f_back
        self.stages[self.stage_of(stack)] += 1
        if own := next((call for call in stack if call.room), None):
            self.functions[f"{own.room}/{own.file}:{own.function}"] += 1

    def shares(self) -> list[tuple[str, float]]:
        """Stage -> percent of all samples, largest first."""
        return _percents(self.stages)

    def hottest(self, count: int) -> list[tuple[str, float]]:
        """The functions in which most samples were taken."""
        return _percents(self.functions)[:count]


def _percents(counter: Counter[str]) -> list[tuple[str, float]]:
    total = sum(counter.values()) or 1
    return [(name, 100 * count / total) for name, count in counter.most_common()]


@contextmanager
def sampled(stage_of: Callable[[Stack], str], interval: float = INTERVAL) -> Iterator[Profile]:
    """Sample the calling thread while the block runs."""
    profile = Profile(stage_of)
    watched = threading.get_ident()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            profile.take(sys._current_frames().get(watched))  # noqa: SLF001
            time.sleep(interval)

    before = sys.getswitchinterval()
    sys.setswitchinterval(interval / 10)  # the default lets the watched thread run 5 ms before a look
    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield profile
    finally:
        done.set()
        watcher.join()
        sys.setswitchinterval(before)
