"""The table of all locks, kept between two marks of a document."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from mmlock.core.errors import EnvironmentFault
from mmlock.facts.matrix.store import replace as put
from mmlock.lock.model import BuildStep, LockedEnv
from mmlock.upkeep.catalogue.state import Entry
from mmlock.validate.model import Result, Status, Verdict

BEGIN = "<!-- mmlock locks: begin -->"
END = "<!-- mmlock locks: end -->"
_EMPTY = f"# Locks\n\n{BEGIN}\n{END}\n"
"""What a document starts as."""
_BETWEEN = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
_HEAD = ("Stack", "Target", "Python", "torch", "mmcv", "Still to do", "Validated")


def put_table(file: Path, entries: Iterable[Entry], folder: Path) -> bool:
    """Write the table into its place; False when it is there already."""
    return put(file, _filled(file, entries, folder).encode())


def stale_table(file: Path, entries: Iterable[Entry], folder: Path) -> bool:
    """Whether the document holds another table, or is not there."""
    return not file.exists() or _filled(file, entries, folder) != file.read_text(encoding="utf-8")


def _filled(file: Path, entries: Iterable[Entry], folder: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = _EMPTY
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise EnvironmentFault(f"cannot read `{file}`", causes=[why], hints=[_hint()]) from error
    if _BETWEEN.search(text) is None:
        raise EnvironmentFault(f"`{file}` has no marks for the table of the locks", hints=[_hint()])
    body = "\n".join([BEGIN, *table(entries, folder, file.parent), END])
    return _BETWEEN.sub(lambda _: body, text, count=1)


def _hint() -> str:
    return f"add the lines `{BEGIN}` and `{END}` to it, or remove `table` from the catalogue"


def table(entries: Iterable[Entry], folder: Path, base: Path) -> Iterator[str]:
    """Markdown, a line for each pair."""
    yield f"| {' | '.join(_HEAD)} |"
    yield f"|{' --- |' * len(_HEAD)}"
    before = None
    for entry in entries:
        pair = entry.pair
        page = "why.md" if entry.env is not None else "refused.toml"
        place = Path(os.path.relpath(folder / pair.stack / pair.target / page, base)).as_posix()
        stack = pair.stack if pair.stack != before else ""
        before = pair.stack
        yield f"| {' | '.join((stack, f'[{pair.target}]({place})', *_cells(entry)))} |"


def _cells(entry: Entry) -> tuple[str, ...]:
    env = entry.env
    if env is None:
        told = entry.refused.error.replace("|", r"\|") if entry.refused is not None else "not solved yet"
        return "", "", "", "", f"no lock: {told}"
    return env.python, env.torch, mmcv_of(env), todo(env), run(entry.verdict)


def mmcv_of(env: LockedEnv) -> str:
    """The mmcv of the lock; other distributions of it are named."""
    named = [*((p.name, p.version) for p in env.packages), *((s.package, s.version) for s in env.steps)]
    found = [(name, version) for name, version in named if name in {"mmcv", "mmcv-full", "mmcv-lite"}]
    return ", ".join(version if name == "mmcv" else f"{name} {version}" for name, version in found)


def todo(env: LockedEnv) -> str:
    """What keeps the lock from being sealed."""
    if env.sealed:
        return "sealed"
    builds = [f"{step.package}{'' if step.verified else ' (untested recipe)'}" for step in env.build]
    parts = [f"build {', '.join(builds)}"] if builds else []
    fetched = [step.package for step in env.steps if not isinstance(step, BuildStep)]
    return "; ".join([*parts, *([f"download {', '.join(fetched)}"] if fetched else [])])


def run(verdict: Verdict | None) -> str:
    """What was run of it, never more than that."""
    if verdict is None:
        return "no"
    rows = [row for suite in verdict.suites for row in suite.checks]
    passed = sum(row.status is Status.PASSED for row in rows)
    day = verdict.started.partition("T")[0]
    if verdict.result is Result.FAILED:
        return f"**failed** on {verdict.device}, {day}"
    where = f"on {verdict.device}" if verdict.on_target else f"on {verdict.device} only, not on its hardware"
    skipped = sum(row.status is Status.SKIPPED for row in rows)
    return f"{passed} checks passed {where}, {skipped} skipped, {day}"
