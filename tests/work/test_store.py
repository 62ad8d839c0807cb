"""What every store does, whatever it keeps its jobs in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from mmlock.work.model import FailureKind, Job, JobProgress, JobState, Store, Task, TaskAnswer, TaskFailure

TASK = Task(kind="upper", arguments=b'{"a":1}', context=("matrix", "index"), label="cpu")


def claimed(store: Store, task: Task = TASK) -> Job:
    store.add(task)
    job = store.claim(task.key, "me")
    assert job is not None
    return job


def test_the_address_of_a_result_is_made_of_what_it_rests_on() -> None:
    others = [
        Task(kind="lower", arguments=TASK.arguments, context=TASK.context),
        Task(kind="upper", arguments=b"{}", context=TASK.context),
        Task(kind="upper", arguments=TASK.arguments, context=("matrix", "later")),
        Task(kind="upper", arguments=TASK.arguments, context=("matrixindex",)),
    ]
    assert len({TASK.key, *(task.key for task in others)}) == 5
    elsewhere = Task(kind="upper", arguments=TASK.arguments, context=TASK.context, label="gpu:sm_90")
    assert elsewhere.key == TASK.key


def test_equal_tasks_are_one_job_that_is_to_be_done_once(store: Store) -> None:
    first, new = store.add(TASK)
    again, newer = store.add(TASK)
    assert (first.key, new, newer) == (again.key, True, False)
    assert store.task(TASK.key) == TASK
    assert store.waiting() == (TASK.key,)


@pytest.mark.slow
def test_a_hundred_at_once_make_one_job(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: store.add(TASK), range(100)))
    assert sum(new for _, new in added) == 1


def test_a_job_is_begun_by_one_worker_only(store: Store) -> None:
    job = claimed(store)
    assert job.state is JobState.RUNNING
    assert job.attempts == 1
    assert store.claim(TASK.key, "another") is None


def test_a_result_is_kept_with_its_job(store: Store) -> None:
    job = claimed(store)
    assert store.finish(job, TaskAnswer(body=b"A" * 10_000))
    ended = store.get(TASK.key)
    assert ended is not None
    assert ended.state is JobState.DONE
    assert ended.ended is not None
    assert store.result(TASK.key) == b"A" * 10_000
    assert store.add(TASK) == (ended, False)


def test_a_refusal_is_an_answer_and_asking_again_does_not_change_it(store: Store) -> None:
    failure = TaskFailure(kind=FailureKind.NO_ANSWER, message="no", causes=("because",), hints=("else",))
    store.finish(claimed(store), failure)
    job, new = store.add(TASK)
    assert (job.state, job.failure, new) == (JobState.DONE, failure, False)


def test_what_the_surroundings_stopped_is_done_again_when_it_is_asked_again(store: Store) -> None:
    store.finish(claimed(store), TaskFailure(kind=FailureKind.SURROUNDINGS, message="no network"))
    store.say(TASK.key, [(1.0, "old")])
    job, new = store.add(TASK)
    assert (job.state, job.failure, new) == (JobState.QUEUED, None, True)
    assert store.events(TASK.key) == ()


def test_an_attempt_that_was_given_up_brings_nothing(store: Store) -> None:
    old = claimed(store)
    assert store.give_back(old)
    new = store.claim(TASK.key, "me")
    assert new is not None
    assert new.attempts == 2
    assert not store.beat(old)
    assert not store.finish(old, TaskAnswer(body=b"old"))
    assert not store.give_back(old)
    assert store.finish(new, TaskAnswer(body=b"new"))
    assert store.result(TASK.key) == b"new"


def test_a_cancelled_job_is_over_and_its_worker_is_told(store: Store) -> None:
    job = claimed(store)
    cancelled = store.cancel(TASK.key)
    assert cancelled is not None
    assert cancelled.state is JobState.CANCELLED
    assert not store.beat(job)
    assert not store.finish(job, TaskAnswer(body=b"late"))
    assert store.cancel("0" * 64) is None


def test_the_log_of_a_job_is_numbered_without_gaps(store: Store) -> None:
    store.add(TASK)
    store.say(TASK.key, [(1.0, "one"), (2.0, "two")])
    store.say(TASK.key, [(3.0, "three")])
    store.say("0" * 64, [(3.0, "of nobody")])
    assert [(e.number, e.text) for e in store.events(TASK.key)] == [(1, "one"), (2, "two"), (3, "three")]
    assert [e.text for e in store.events(TASK.key, after=2)] == ["three"]


def test_jobs_whose_worker_is_silent_are_found(store: Store) -> None:
    job = claimed(store)
    assert [one.key for one in store.silent(10_000)] == [job.key]
    assert store.silent(1_000) == ()
    store.beat(job)
    assert store.silent(1_003) == ()


def test_old_jobs_are_forgotten_with_all_that_is_kept_of_them(store: Store) -> None:
    tasks = [Task(kind="upper", arguments=str(number).encode()) for number in range(5)]
    for task in tasks[:4]:
        store.finish(claimed(store, task), TaskAnswer(body=b"x"))
        store.say(task.key, [(1.0, "line")])
    store.add(tasks[4])
    assert store.prune(2) == 2
    assert [store.get(task.key) is None for task in tasks] == [True, True, False, False, False]
    assert store.result(tasks[0].key) is None
    assert store.events(tasks[0].key) == ()
    assert store.count() == {JobState.DONE: 2, JobState.QUEUED: 1}
    assert [job.key for job in store.recent(2)] == [tasks[4].key, tasks[3].key]


def test_how_far_a_job_is_can_be_told_by_its_attempt_only(store: Store) -> None:
    job, _ = store.add(TASK)
    first = store.claim(job.key, "a")
    assert first is not None
    store.measure(first, JobProgress(what="files", done=3, total=9))
    assert (found := store.get(job.key)) is not None
    assert found.progress == JobProgress(what="files", done=3, total=9)
    store.give_back(first)
    second = store.claim(job.key, "b")
    assert second is not None
    assert second.progress is None
    store.measure(first, JobProgress(what="files", done=4))
    store.finish(second, TaskAnswer(body=b""))
    assert (ended := store.get(job.key)) is not None
    assert ended.progress is None


def test_the_end_of_a_log_and_the_jobs_of_a_kind_can_be_asked_for(store: Store) -> None:
    job, _ = store.add(TASK)
    store.add(Task(kind="other", arguments=b""))
    store.say(job.key, [(1.0, str(number)) for number in range(1, 10)])
    assert [event.text for event in store.events(job.key, last=2)] == ["8", "9"]
    assert [event.text for event in store.events(job.key, 8, last=5)] == ["9"]
    assert store.events("0" * 64, last=2) == ()
    assert [one.kind for one in store.recent(9, ["other"])] == ["other"]
    assert len(store.recent(9)) == 2
