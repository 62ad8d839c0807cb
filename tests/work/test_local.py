from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from mmlock.work.local import LocalExecutor
from mmlock.work.memory import MemoryStore
from mmlock.work.model import Busy, FailureKind, Job, JobProgress, JobState, Task

HANDLERS = "work_handlers:table"
LONG = 60.0


class Ends:
    """Waits for jobs to end, and for lines of their logs."""

    def __init__(self, executor: LocalExecutor) -> None:
        self.executor = executor
        self.changed = threading.Condition()
        executor.listen(self._heard)

    def _heard(self, key: str) -> None:
        del key
        with self.changed:
            self.changed.notify_all()

    def job(self, task: Task) -> Job:
        def over() -> bool:
            job = self.executor.store.get(task.key)
            return job is not None and job.state.over

        with self.changed:
            assert self.changed.wait_for(over, LONG)
        job = self.executor.store.get(task.key)
        assert job is not None
        return job

    def line(self, task: Task, text: str) -> None:
        with self.changed:
            assert self.changed.wait_for(
                lambda: any(text in event.text for event in self.executor.store.events(task.key)), LONG
            )


@contextmanager
def running(store: MemoryStore | None = None, *, processes: int = 1, **more: object) -> Iterator[Ends]:
    executor = LocalExecutor(store or MemoryStore(), HANDLERS, processes=processes, **more)  # type: ignore[arg-type]
    try:
        yield Ends(executor)
    finally:
        executor.close()


def task(kind: str, arguments: object = "hello") -> Task:
    return Task(kind=kind, arguments=str(arguments).encode())


@pytest.mark.slow
def test_one_process_does_one_task_after_another_and_outlives_their_failures(tmp_path: Path) -> None:
    plug = tmp_path / "plug"
    with running() as ends:
        submit, store = ends.executor.submit, ends.executor.store
        for kind in ("refuse", "bug", "nobody"):
            submit(task(kind))
        submit(task("unplugged", plug))
        submit(task("upper"))
        assert ends.job(task("upper")).state is JobState.DONE
        assert store.result(task("upper").key) == b"HELLO"
        assert [event.text for event in store.events(task("upper").key)] == ["writing it large"]

        refused = ends.job(task("refuse"))
        assert refused.state is JobState.DONE
        assert refused.failure is not None
        assert refused.failure.causes == ("hello",)
        assert refused.failure.hints == ("ask for less",)

        bug = ends.job(task("bug"))
        assert bug.failure is not None
        assert bug.failure.kind is FailureKind.CRASH
        assert any("ZeroDivisionError" in event.text for event in store.events(bug.key))
        assert ends.job(task("nobody")).state is JobState.FAILED

        assert ends.job(task("unplugged", plug)).state is JobState.FAILED
        plug.touch()
        submit(task("unplugged", plug))
        assert ends.job(task("unplugged", plug)).state is JobState.DONE


@pytest.mark.slow
def test_a_task_whose_process_dies_is_done_once_more_and_then_fails_with_its_log(tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    once.write_text("x")
    twice.write_text("xx")
    with running() as ends:
        ends.executor.submit(task("die_until", once))
        ends.executor.submit(task("die_until", twice))
        saved = ends.job(task("die_until", once))
        assert (saved.state, saved.attempts) == (JobState.DONE, 2)
        lost = ends.job(task("die_until", twice))
        assert (lost.state, lost.attempts) == (JobState.FAILED, 2)
        assert lost.failure is not None
        assert lost.failure.kind is FailureKind.LOST
        said = [event.text for event in ends.executor.store.events(lost.key)]
        assert said == ["2 deaths left", "1 deaths left"]


@pytest.mark.slow
def test_a_cancelled_task_ends_with_all_that_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with running() as ends:
        ends.executor.submit(task("hang", note))
        ends.line(task("hang", note), "hanging")
        started = psutil.Process(int(note.read_text()))
        cancelled = ends.executor.cancel(task("hang", note).key)
        assert cancelled is not None
        assert cancelled.state is JobState.CANCELLED
        gone, alive = psutil.wait_procs([started], timeout=LONG)
        assert gone
        assert not alive
        ends.executor.submit(task("upper"))
        assert ends.job(task("upper")).state is JobState.DONE


@pytest.mark.slow
def test_a_task_that_takes_too_long_is_ended_and_says_so(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with running(limit=0.5) as ends:
        ends.executor.submit(task("hang", note))
        job = ends.job(task("hang", note))
        assert job.failure is not None
        assert job.failure.kind is FailureKind.LIMIT


@pytest.mark.slow
def test_what_a_closed_executor_left_is_done_by_the_next_one(tmp_path: Path) -> None:
    store, note = MemoryStore(), tmp_path / "pid"
    with running(store) as ends:
        ends.executor.submit(task("hang", note))
        ends.executor.submit(task("upper"))
        ends.line(task("hang", note), "hanging")
    assert {job.state for job in store.recent(9)} == {JobState.QUEUED}
    with running(store, processes=2) as ends:
        assert ends.job(task("upper")).state is JobState.DONE


def test_no_more_is_taken_than_may_wait() -> None:
    with running(processes=0, most_waiting=1) as ends:
        first = ends.executor.submit(task("upper"))
        assert ends.executor.submit(task("upper")).key == first.key
        with pytest.raises(Busy) as raised:
            ends.executor.submit(task("upper", "other"))
        assert raised.value.hints


@pytest.mark.slow
def test_after_a_renewal_the_next_task_is_done_by_another_process() -> None:
    with running() as ends:
        first = task("process", "1")
        ends.executor.submit(first)
        ends.job(first)
        same = task("process", "2")
        ends.executor.submit(same)
        ends.job(same)
        ends.executor.renew()
        other = task("process", "3")
        ends.executor.submit(other)
        ends.job(other)
        told = [ends.executor.store.result(one.key) for one in (first, same, other)]
    assert told[0] == told[1] != told[2]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux finds what left its parent and its session")
def test_what_went_its_own_way_ends_with_its_task_and_others_do_not_wait_for_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    far = Task(kind="scatter", arguments=str(note).encode(), label="build")
    with running(apart=1, limits={"scatter": 600.0}, limit=60.0) as ends:
        ends.executor.submit(far)
        ends.line(far, "scattered")
        ends.executor.submit(task("upper"))
        assert ends.job(task("upper")).state is JobState.DONE
        job = ends.executor.store.get(far.key)
        assert job is not None
        assert job.progress == JobProgress(what="parts", done=1, total=2)
        left = psutil.Process(int(note.read_text()))
        ends.executor.cancel(far.key)
        assert psutil.wait_procs([left], timeout=LONG)[0]
