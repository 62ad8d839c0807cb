"""Tasks on a real Ray cluster of this machine: two nodes, of which one has an `sm_120`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from mmlock.work import ray as ray_executor
from mmlock.work.local import LocalExecutor
from mmlock.work.memory import MemoryStore
from mmlock.work.model import Executor, FailureKind, Job, JobState, Task
from mmlock.work.ray import RayExecutor
from mmlock.work.ray_cluster import RayCluster

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: `pip install 'mmlock[ray]'`"),
    pytest.mark.slow,
    # Ray leaves sockets and files to the end of the process, and its own code warns.
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("ray"),
]

HANDLERS = "work_handlers:table"
SHARED = "work_handlers:shared"
SUPPORT = Path(__file__).parents[1] / "support"
LONG = 300.0


class Lent(RayCluster):
    """A cluster that outlives its executors."""

    def close(self) -> None:
        return

    def end(self) -> None:
        super().close()


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("PYTHONPATH", str(SUPPORT))
        environ.setenv("RAY_USAGE_STATS_ENABLED", "0")
        environ.setenv("RAY_worker_niceness", "0")  # by default workers get what others leave
        cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "resources": {"cuda-toolkit": 1}}
        )
        cluster.add_node(num_cpus=1, labels={"sm_120": "true"})
        yield cluster
        cluster.shutdown()


@pytest.fixture(scope="module")
def cluster(nodes: Any) -> Iterator[Lent]:
    lent = Lent(nodes.address)
    yield lent
    lent.end()


@contextmanager
def running(cluster: RayCluster, **more: Any) -> Iterator[RayExecutor]:
    executor = RayExecutor(MemoryStore(), HANDLERS, cluster, patience=2.0, **more)
    try:
        yield executor
    finally:
        executor.close()


def task(kind: str, arguments: object = "hello", label: str = "cpu") -> Task:
    return Task(kind=kind, arguments=str(arguments).encode(), label=label)


def over(executor: RayExecutor | LocalExecutor, done: Task) -> Job:
    return until(executor, done, lambda job: job.state.over)


def until(executor: RayExecutor | LocalExecutor, wanted: Task, fits: Any) -> Job:
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        job = executor.store.get(wanted.key)
        if job is not None and fits(job):
            return job
        time.sleep(0.05)
    raise AssertionError(executor.store.get(wanted.key))


def test_answers_refusals_and_bugs_are_those_of_the_local_executor(cluster: Lent) -> None:
    asked = [task(kind) for kind in ("upper", "refuse", "bug", "nobody")]
    told = []
    local = LocalExecutor(MemoryStore(), HANDLERS, processes=1)
    with running(cluster) as there:
        for executor in (local, there):
            ask: Executor = executor
            for one in asked:
                ask.submit(one)
            jobs = [over(executor, one) for one in asked]
            store = executor.store
            told.append([(job.state, job.failure, store.result(job.key)) for job in jobs])
        said = [event.text for event in there.store.events(asked[0].key)]
    local.close()

    assert told[0] == told[1]
    assert told[1][0] == (JobState.DONE, None, b"HELLO")
    assert said == ["writing it large"]


def test_a_label_that_no_node_has_ends_the_task_in_seconds_and_is_named(cluster: Lent) -> None:
    with running(cluster) as there:
        served = [task("upper", name, name) for name in ("sm_120", "cuda-toolkit", "mem_gb=0.1")]
        nowhere, apart = task("upper", "x", "sm_90"), task("upper", "y", "sm_120,cuda-toolkit")
        for one in (*served, nowhere, apart):
            there.submit(one)
        assert {over(there, one).state for one in served} == {JobState.DONE}
        failed = [over(there, one).failure for one in (nowhere, apart)]

    assert [failure and failure.kind for failure in failed] == [FailureKind.SURROUNDINGS] * 2
    assert failed[0] is not None
    assert failed[0].causes == ("no node has `sm_90`",)
    assert "--labels sm_90=true" in failed[0].hints[0]
    assert failed[1] is not None
    assert failed[1].causes == ("no node has all of `sm_120,cuda-toolkit` together",)


@pytest.mark.parametrize("kind", ["die_until", "orphan_until"])
def test_a_killed_worker_costs_one_retry_and_a_second_one_the_task(
    cluster: Lent, tmp_path: Path, kind: str
) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    once.write_text("x")
    twice.write_text("xx")
    with running(cluster) as there:
        for path in (once, twice):
            there.submit(task(kind, path))
        saved, lost = (over(there, task(kind, path)) for path in (once, twice))
        assert there.store.result(saved.key) == b"alive"

    assert (saved.state, saved.attempts) == (JobState.DONE, 2)
    assert (lost.state, lost.attempts) == (JobState.FAILED, 2)
    assert lost.failure is not None
    assert lost.failure.kind is FailureKind.LOST


def test_a_node_with_other_facts_is_refused_and_both_are_said(
    cluster: Lent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_FACTS", "newer")
    with running(cluster, place=SHARED) as there:
        there.submit(task("upper"))
        job = over(there, task("upper"))

    assert job.failure is not None
    assert job.failure.kind is FailureKind.SURROUNDINGS
    refused = [cause for cause in job.failure.causes if "is refused" in cause]
    assert len(refused) == 2, "both nodes were tried"
    assert all(cause.endswith("facts older, here newer") for cause in refused)


def test_a_result_that_does_not_hash_to_its_name_is_refused(
    cluster: Lent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_executor, "digest_of", lambda key, body: f"{len(key)}{len(body)}")
    with running(cluster) as there:
        there.submit(task("upper"))
        job = over(there, task("upper"))
        said = [event.text for event in there.store.events(job.key)]

    assert job.state is JobState.FAILED
    assert job.attempts == 2
    assert said.count("the result does not hash to its name, and is refused") == 2


def test_a_cancelled_task_ends_with_all_that_it_started(cluster: Lent, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with running(cluster) as there:
        there.submit(task("hang", note))
        until(there, task("hang", note), lambda job: job.state is JobState.RUNNING and note.exists())
        started = psutil.Process(int(note.read_text()))
        there.cancel(task("hang", note).key)
        gone, alive = psutil.wait_procs([started], timeout=LONG)
        assert (len(gone), alive) == (1, [])
        there.submit(task("upper"))
        assert over(there, task("upper")).state is JobState.DONE


def test_a_task_that_takes_too_long_is_ended_and_says_so(cluster: Lent, tmp_path: Path) -> None:
    with running(cluster, limit=0.5) as there:
        there.submit(task("hang", tmp_path / "pid"))
        job = over(there, task("hang", tmp_path / "pid"))

    assert job.failure is not None
    assert job.failure.kind is FailureKind.LIMIT
