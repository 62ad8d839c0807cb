"""Jobs in a database: SQLite for one machine, PostgreSQL for several."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mmlock.work.database import working
from mmlock.work.memory import after as with_outcome
from mmlock.work.memory import asked_again, attempt, new_job
from mmlock.work.model import (
    Event,
    Job,
    JobKey,
    JobProgress,
    JobState,
    Outcome,
    Task,
    TaskAnswer,
    TaskFailure,
)
from mmlock.work.tables import EVENTS, JOBS, RESULTS

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.sql.elements import ColumnElement

__all__ = ["SqlStore"]

_OVER = [state.value for state in JobState if state.over]
_ABOUT = [column for column in JOBS.c if column.name not in {"arguments", "context", "lock"}]
_LONGEST_LINE = 2_000


class SqlStore:
    """The jobs of a database whose tables are up to date. Each method raises EnvironmentFault without it."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self.engine = engine
        self._clock = clock

    @contextmanager
    def _step(self) -> Iterator[Connection]:
        with working(), self.engine.begin() as connection:
            yield connection

    def add(self, task: Task) -> tuple[Job, bool]:
        job = new_job(task, self._clock())
        row = {
            **_row(job),
            "lock": task.lock,
            "arguments": task.arguments,
            "context": json.dumps(task.context),
        }
        dialect = postgresql if self.engine.dialect.name == "postgresql" else sqlite
        with self._step() as at:
            put = dialect.insert(JOBS).values(row).on_conflict_do_nothing(index_elements=["key"])
            if at.execute(put).rowcount:
                return job, True
            held = _job(at.execute(select(*_ABOUT).where(JOBS.c.key == job.key)).one())
            if not asked_again(held):
                return held, False
            at.execute(delete(EVENTS).where(EVENTS.c.key == job.key))
            anew = update(JOBS).where(JOBS.c.key == job.key, JOBS.c.state == held.state.value).values(row)
            return job, bool(at.execute(anew).rowcount)

    def get(self, key: str) -> Job | None:
        with self._step() as at:
            row = at.execute(select(*_ABOUT).where(JOBS.c.key == key)).one_or_none()
        return None if row is None else _job(row)

    def task(self, key: str) -> Task | None:
        about = (JOBS.c.kind, JOBS.c.arguments, JOBS.c.context, JOBS.c.label, JOBS.c.lock)
        with self._step() as at:
            row = at.execute(select(*about).where(JOBS.c.key == key)).one_or_none()
        if row is None:
            return None
        return Task(
            kind=row.kind,
            arguments=bytes(row.arguments),
            context=tuple(json.loads(row.context)),
            label=row.label,
            lock=row.lock,
        )

    def result(self, key: str) -> bytes | None:
        with self._step() as at:
            body = at.execute(select(RESULTS.c.body).where(RESULTS.c.key == key)).scalar_one_or_none()
        return None if body is None else zlib.decompress(body)

    def claim(self, key: str, worker: str) -> Job | None:
        now = self._clock()
        values = {
            "state": JobState.RUNNING.value,
            "attempts": JOBS.c.attempts + 1,
            "started": now,
            "beat": now,
            "worker": attempt(worker),
            "progress": None,
        }
        queued = (JOBS.c.key == key, JOBS.c.state == JobState.QUEUED.value)
        with self._step() as at:
            row = at.execute(update(JOBS).where(*queued).values(values).returning(*_ABOUT)).one_or_none()
        return None if row is None else _job(row)

    def beat(self, claimed: Job) -> bool:
        with self._step() as at:
            ran = at.execute(update(JOBS).where(*_running(claimed)).values(beat=self._clock()))
            return bool(ran.rowcount)

    def finish(self, claimed: Job, outcome: Outcome) -> bool:
        ended = with_outcome(claimed, outcome, self._clock())
        with self._step() as at:
            values = {name: value for name, value in _row(ended).items() if name != "progress"}
            if not at.execute(update(JOBS).where(*_running(claimed)).values(values)).rowcount:
                return False
            at.execute(delete(RESULTS).where(RESULTS.c.key == claimed.key))
            if isinstance(outcome, TaskAnswer):
                at.execute(insert(RESULTS).values(key=claimed.key, body=zlib.compress(outcome.body, 1)))
            return True

    def give_back(self, claimed: Job) -> bool:
        values = {"state": JobState.QUEUED.value, "started": None}
        with self._step() as at:
            return bool(at.execute(update(JOBS).where(*_running(claimed)).values(values)).rowcount)

    def cancel(self, key: str) -> Job | None:
        values = {"state": JobState.CANCELLED.value, "ended": self._clock()}
        with self._step() as at:
            at.execute(update(JOBS).where(JOBS.c.key == key, JOBS.c.state.not_in(_OVER)).values(values))
            row = at.execute(select(*_ABOUT).where(JOBS.c.key == key)).one_or_none()
        return None if row is None else _job(row)

    def say(self, key: str, lines: Sequence[tuple[float, str]]) -> None:
        if not lines:
            return
        with self._step() as at:
            # The row of the job is taken first: two who write at once get different numbers.
            if (
                at.execute(select(JOBS.c.key).where(JOBS.c.key == key).with_for_update()).one_or_none()
                is None
            ):
                return
            last = at.execute(select(func.max(EVENTS.c.number)).where(EVENTS.c.key == key)).scalar() or 0
            rows = [
                {"key": key, "number": last + i, "at": moment, "text": text[:_LONGEST_LINE].replace("\0", "")}
                for i, (moment, text) in enumerate(lines, start=1)
            ]
            at.execute(insert(EVENTS), rows)

    def measure(self, claimed: Job, progress: JobProgress) -> None:
        values = {"progress": msgspec.json.encode(progress).decode()}
        with self._step() as at:
            at.execute(update(JOBS).where(*_running(claimed)).values(values))

    def events(self, key: str, after: int = 0, *, last: int | None = None) -> tuple[Event, ...]:
        asked = select(EVENTS).where(EVENTS.c.key == key, EVENTS.c.number > after)
        asked = (
            asked.order_by(EVENTS.c.number)
            if last is None
            else asked.order_by(EVENTS.c.number.desc()).limit(last)
        )
        with self._step() as at:
            found = [Event(number=row.number, at=row.at, text=row.text) for row in at.execute(asked)]
        return tuple(found if last is None else reversed(found))

    def recent(self, limit: int, kinds: Collection[str] = ()) -> tuple[Job, ...]:
        asked = select(*_ABOUT).order_by(JOBS.c.queued.desc()).limit(limit)
        if kinds:
            asked = asked.where(JOBS.c.kind.in_(kinds))
        with self._step() as at:
            return tuple(_job(row) for row in at.execute(asked))

    def count(self) -> Mapping[JobState, int]:
        asked = select(JOBS.c.state, func.count()).group_by(JOBS.c.state)
        with self._step() as at:
            return {JobState(state): number for state, number in at.execute(asked)}

    def silent(self, since: float) -> tuple[Job, ...]:
        asked = select(*_ABOUT).where(JOBS.c.state == JobState.RUNNING.value, JOBS.c.beat < since)
        with self._step() as at:
            return tuple(_job(row) for row in at.execute(asked))

    def waiting(self) -> tuple[JobKey, ...]:
        asked = select(JOBS.c.key).where(JOBS.c.state == JobState.QUEUED.value).order_by(JOBS.c.queued)
        with self._step() as at:
            return tuple(JobKey(key) for key in at.execute(asked).scalars())

    def prune(self, keep: int) -> int:
        newest = (
            select(JOBS.c.key)
            .where(JOBS.c.state.in_(_OVER))
            .order_by(func.coalesce(JOBS.c.ended, JOBS.c.queued).desc())
            .limit(keep)
        )
        gone = delete(JOBS).where(JOBS.c.state.in_(_OVER), JOBS.c.key.not_in(newest))
        with self._step() as at:
            return at.execute(gone).rowcount


def _running(claimed: Job) -> tuple[ColumnElement[bool], ...]:
    """That the very attempt still is the one that counts."""
    return (
        JOBS.c.key == claimed.key,
        JOBS.c.state == JobState.RUNNING.value,
        JOBS.c.worker == claimed.worker,
    )


def _row(job: Job) -> dict[str, Any]:
    failure = msgspec.json.encode(job.failure).decode() if job.failure else None
    return {
        "key": job.key,
        "kind": job.kind,
        "label": job.label,
        "state": job.state.value,
        "attempts": job.attempts,
        "queued": job.queued,
        "started": job.started,
        "ended": job.ended,
        "worker": job.worker,
        "failure": failure,
        "progress": msgspec.json.encode(job.progress).decode() if job.progress else None,
    }


def _job(row: Any) -> Job:
    return Job(
        key=JobKey(row.key),
        kind=row.kind,
        label=row.label,
        state=JobState(row.state),
        attempts=row.attempts,
        queued=row.queued,
        started=row.started,
        ended=row.ended,
        worker=row.worker,
        failure=msgspec.json.decode(row.failure, type=TaskFailure) if row.failure else None,
        progress=msgspec.json.decode(row.progress, type=JobProgress) if row.progress else None,
    )
