"""`mmlock sweep`: what every GPU gets for every Python, torch and stack, as files; and what changed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mmlock import __version__
from mmlock.app.executing import start_executor
from mmlock.core.errors import EnvironmentFault, MmlockError, UsageError
from mmlock.core.farm_arguments import SWEEP_FILE, SweepArguments, SweepDiffArguments
from mmlock.core.faults import Fault
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.farm.axes import Axes, parse_axes, resolve_axes
from mmlock.farm.changes import Differences, PlanChange, differences
from mmlock.farm.sweep import (
    KIND,
    Sweep,
    SweepGroup,
    SweepQuestion,
    answer,
    questions,
    read_sweep,
    states,
    task_of,
)
from mmlock.files.atomic import write_aside
from mmlock.files.private import open_cache
from mmlock.files.reading import UnreadableError, read_bounded
from mmlock.files.user_files import read_text
from mmlock.resolve.loop.sweep import PointAnswer
from mmlock.work.batch import run_batch
from mmlock.work.kept import KeptResults
from mmlock.work.model import Handler, TaskAnswer, TaskFailure

if TYPE_CHECKING:
    from mmlock.work.model import Executor, Store

__all__ = ["handlers", "sweep", "sweep_diff", "swept"]

JSON = "sweep.json"
_HANDLERS = "mmlock.app.sweeping:handlers"
_LARGEST = 500_000_000
_NAMED = 6


def sweep(arguments: SweepArguments, *, progress: Progress = silent) -> Page:
    """Ask for every point, write the files, and count the answers. Raises UsageError or EnvironmentFault."""
    found, kept, done = swept(arguments, progress=progress)
    files = _write(found, arguments.out) if arguments.out is not None else ()
    axes = found.axes
    counts = (
        f"{len(axes.gpus)} devices, {len(axes.pythons)} Pythons, {len(axes.torches)} torches, "
        f"{len(axes.stacks)} stacks"
    )
    lines = [
        f"{axes.points:,} combinations: {counts}",
        *(f"  {state.value:<12} {number:>9,}" for state, number in states(found).items()),
        f"{done} questions answered now, {kept} kept from an earlier sweep",
        *(f"wrote {file}" for file in files),
    ]
    data = {
        "points": found.axes.points,
        "states": {state.value: number for state, number in states(found).items()},
        "matrix": found.matrix,
        "answered": done,
        "kept": kept,
        "files": [str(file) for file in files],
    }
    return Page(text="\n".join(lines) + "\n", data=data)


def swept(arguments: SweepArguments, *, progress: Progress = silent) -> tuple[Sweep, int, int]:
    """The sweep, how many of its questions were kept, and how many were answered now."""
    matrix = open_matrix(arguments.matrices)
    axes = resolve_axes(matrix, _axes(arguments.file), arguments)
    asked = questions(matrix, axes, mmlock=__version__, matrices=arguments.matrices)
    tasks = [task_of(question) for question, _, _ in asked]
    jobs = min(arguments.jobs or os.cpu_count() or 1, len(tasks))

    def start() -> tuple[Executor, Store]:
        return start_executor(arguments.execution, _HANDLERS, processes=jobs, most=len(tasks))

    kept = KeptResults(root=open_cache(os.environ) / "sweeps")
    progress(f"asking for {axes.points:,} combinations in {len(tasks)} questions")
    batch = run_batch(tasks, start, kept=kept, fresh=arguments.fresh, progress=progress)
    groups = []
    for (question, gpus, arch), task in zip(asked, tasks, strict=True):
        outcome = batch.outcomes[task.key]
        if isinstance(outcome, TaskFailure):
            raise _failed(question, outcome)
        groups.append(SweepGroup(gpus=gpus, arch=arch, stack=question.stack, answers=_answers(outcome)))
    found = Sweep(mmlock=__version__, matrix=matrix.digest, axes=axes, groups=tuple(groups))
    return found, batch.kept, batch.done


def _answers(outcome: TaskAnswer) -> tuple[tuple[PointAnswer, ...], ...]:
    return msgspec.json.decode(outcome.body, type=tuple[tuple[PointAnswer, ...], ...])


def _failed(question: SweepQuestion, failure: TaskFailure) -> MmlockError:
    return EnvironmentFault(
        f"no answer for {question.stack} on {question.gpu}: {failure.message}",
        causes=failure.causes,
        hints=[*failure.hints, "what was answered is kept: run the same command again"],
    )


def _axes(file: Path | None) -> Axes:
    if file is None:
        if not Path(SWEEP_FILE).is_file():
            return Axes()
        file = Path(SWEEP_FILE)
    text = read_text(str(file))
    if isinstance(text, Fault):
        raise UsageError(f"`{file}` cannot be read", causes=[text.text])
    return parse_axes(text, file)


# ---------------------------------------------------------------- in a worker


def handlers() -> Mapping[str, Handler]:
    """What a process of a sweep can do."""
    from mmlock.facts.matrix.load import keep_open

    keep_open()
    return {KIND: _handle}


def _handle(arguments: bytes, progress: Progress) -> bytes:
    del progress
    question = msgspec.json.decode(arguments, type=SweepQuestion)
    if question.mmlock != __version__:
        raise EnvironmentFault(
            "this worker has another mmlock than the sweep",
            causes=[f"the sweep was asked by {question.mmlock}, and the worker is {__version__}"],
            hints=["run the same mmlock everywhere, then ask again"],
        )
    return msgspec.json.encode(answer(_matrix(question.matrices), question))


@cache
def _matrix(root: str | None) -> Matrix:
    return open_matrix(Path(root) if root else None)


# ---------------------------------------------------------------- files


def _write(found: Sweep, out: Path) -> tuple[Path, ...]:
    from mmlock.farm.page import as_html, as_svg
    from mmlock.farm.tables import as_csv, as_json, as_parquet, has_parquet

    files = {
        JSON: as_json(found),
        "sweep.csv": as_csv(found).encode(),
        "index.html": as_html(found).encode(),
        "matrix.svg": as_svg(found).encode(),
    }
    if has_parquet():
        files["sweep.parquet"] = as_parquet(found)
    try:
        for name, body in files.items():
            write_aside(out / name, body, mode=None)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot write to `{out}`",
            causes=[error.strerror or str(error)],
            hints=["name a folder that you may write to, on a disk with free space"],
        ) from error
    return tuple(out / name for name in files)


def read(place: Path) -> Sweep:
    """A sweep from its file or folder. Raises UsageError."""
    file = place / JSON if place.is_dir() else place
    try:
        data = read_bounded(file, _LARGEST)
    except (OSError, UnreadableError) as error:
        raise UsageError(f"`{file}` cannot be read", causes=[str(error)]) from error
    return read_sweep(data, file)


# ---------------------------------------------------------------- what changed


def sweep_diff(arguments: SweepDiffArguments) -> Page:
    """What changed from one sweep to another, and for whom. Raises UsageError."""
    old, new = read(arguments.old), read(arguments.new)
    found = differences(old, new)
    data = {
        "old": {"matrix": old.matrix, "mmlock": old.mmlock},
        "new": {"matrix": new.matrix, "mmlock": new.mmlock},
        **msgspec.to_builtins(found),
    }
    return Page(text="\n".join(_told(found)) + "\n", data=data)


def _told(found: Differences) -> Iterable[str]:
    for change in found.changes:
        yield f"{change.turn.value}: {change.stack}: {_short(change.before)} -> {_short(change.after)}"
        yield f"  {_whom(change)}"
    changed = sum(change.points for change in found.changes)
    yield f"{changed:,} combinations changed, {found.same:,} did not"
    if found.only_old or found.only_new:
        yield f"only in the old sweep: {found.only_old:,}; only in the new one: {found.only_new:,}"


def _whom(change: PlanChange) -> str:
    parts = (
        ("", change.gpus),
        ("Python ", change.pythons),
        ("torch ", change.torches),
    )
    words = [f"{word}{_list(values)}" for word, values in parts]
    return f"{'; '.join(words)} ({change.points:,} combinations)"


def _list(values: tuple[str, ...]) -> str:
    shown = ", ".join(values[:_NAMED])
    return f"{shown} and {len(values) - _NAMED} more" if len(values) > _NAMED else shown


def _short(found: PointAnswer) -> str:
    if found.stop is not None:
        return f"{found.state.value} ({found.stop.value})"
    names = ", ".join(f"{one.name} {one.version}" for one in found.packages)
    return f"{found.state.value} (torch {found.torch}{', ' if names else ''}{names})"
