from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mmlock.core.errors import EnvironmentFault
from mmlock.work.batch import run_batch
from mmlock.work.kept import KeptResults
from mmlock.work.memory import MemoryStore
from mmlock.work.model import FailureKind, Job, Outcome, Task, TaskAnswer, TaskFailure


class Here:
    """An executor that does tasks when they are submitted."""

    def __init__(self, do: Callable[[Task], Outcome]) -> None:
        self.store = MemoryStore()
        self.did: list[Task] = []
        self.closed = 0
        self._do = do
        self._heard: Callable[[str], object] = lambda _: None

    def submit(self, task: Task) -> Job:
        job, _ = self.store.add(task)
        self.store.say(job.key, [(0.0, f"doing {task.arguments.decode()}"), (1.0, "done with it")])
        self.did.append(task)
        claimed = self.store.claim(job.key, "here")
        assert claimed is not None
        self.store.finish(claimed, self._do(task))
        self._heard(job.key)
        return job

    def cancel(self, key: str) -> Job | None:
        return self.store.cancel(key)

    def listen(self, heard: Callable[[str], object]) -> Callable[[], None]:
        self._heard = heard
        return lambda: None

    def close(self) -> None:
        self.closed += 1


def upper(task: Task) -> Outcome:
    return TaskAnswer(body=task.arguments.upper())


def tasks(*words: bytes) -> list[Task]:
    return [Task(kind="upper", arguments=word) for word in words]


def test_what_is_kept_is_not_done_again(tmp_path: Path) -> None:
    kept = KeptResults(root=tmp_path)
    first, second = Here(upper), Here(upper)

    run_batch(tasks(b"a", b"b"), lambda: (first, first.store), kept=kept)
    batch = run_batch(tasks(b"a", b"b", b"c"), lambda: (second, second.store), kept=kept)

    assert [task.arguments for task in second.did] == [b"c"]
    assert (batch.kept, batch.done) == (2, 1)
    assert [batch.outcomes[t.key] for t in tasks(b"a", b"c")] == [
        TaskAnswer(body=b"A"),
        TaskAnswer(body=b"C"),
    ]


def test_with_nothing_left_to_do_no_executor_is_made(tmp_path: Path) -> None:
    kept = KeptResults(root=tmp_path)
    here = Here(upper)
    run_batch(tasks(b"a"), lambda: (here, here.store), kept=kept)

    batch = run_batch(tasks(b"a", b"a"), lambda: pytest.fail("made one"), kept=kept)

    assert (batch.kept, batch.done) == (1, 0)


def test_fresh_does_everything_again(tmp_path: Path) -> None:
    kept = KeptResults(root=tmp_path)
    here = Here(upper)
    run_batch(tasks(b"a"), lambda: (here, here.store), kept=kept)
    again = Here(upper)

    run_batch(tasks(b"a"), lambda: (again, again.store), kept=kept, fresh=True)

    assert len(again.did) == 1


def test_a_result_that_does_not_hash_to_what_was_noted_counts_as_none(tmp_path: Path) -> None:
    kept = KeptResults(root=tmp_path)
    (task,) = tasks(b"a")
    kept.put(task.key, b"A")
    file = next(path for path in tmp_path.rglob("*") if path.is_file())
    file.write_bytes(file.read_bytes()[:-1] + b"B")

    assert kept.get(task.key) is None


def test_a_failure_is_an_outcome_and_is_not_kept(tmp_path: Path) -> None:
    kept = KeptResults(root=tmp_path)
    here = Here(lambda _: TaskFailure(kind=FailureKind.SURROUNDINGS, message="no disk"))
    (task,) = tasks(b"a")

    batch = run_batch([task], lambda: (here, here.store), kept=kept)

    assert isinstance(batch.outcomes[task.key], TaskFailure)
    assert kept.get(task.key) is None


def test_what_is_done_stays_kept_when_the_executor_goes_away(tmp_path: Path) -> None:
    kept = KeptResults(root=tmp_path)

    def gone(task: Task) -> Outcome:
        if task.arguments == b"b":
            raise EnvironmentFault("the cluster went away")
        return upper(task)

    here = Here(gone)
    with pytest.raises(EnvironmentFault, match="went away"):
        run_batch(tasks(b"a", b"b"), lambda: (here, here.store), kept=kept)

    assert here.closed == 1
    again = Here(upper)
    batch = run_batch(tasks(b"a", b"b"), lambda: (again, again.store), kept=kept)
    assert [task.arguments for task in again.did] == [b"b"]
    assert {batch.outcomes[t.key] for t in tasks(b"a", b"b")} == {
        TaskAnswer(body=b"A"),
        TaskAnswer(body=b"B"),
    }


def test_what_a_job_says_of_itself_is_passed_on_once(tmp_path: Path) -> None:
    here = Here(upper)
    heard: list[str] = []

    run_batch(tasks(b"a"), lambda: (here, here.store), kept=KeptResults(root=tmp_path), progress=heard.append)

    assert heard == ["doing a", "done with it"]
