"""A Ray cluster that goes away in the middle: by hand, since Ray starts slowly on a busy machine."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: `pip install 'mmlock[ray]'`"),
]

SUPPORT = Path(__file__).parents[1] / "support"
LONG = 300.0

GOES_AWAY = """
import sys, time
import psutil
from mmlock.work.memory import MemoryStore
from mmlock.work.model import JobState, Task
from mmlock.work.ray import RayExecutor
from mmlock.work.ray_cluster import RayCluster

store = MemoryStore()
executor = RayExecutor(store, "work_handlers:table", RayCluster(processes=1), patience=3.0)
tasks = [Task(kind="upper", arguments=b"first"), Task(kind="hang", arguments=sys.argv[1].encode())]
tasks.append(Task(kind="upper", arguments=b"last"))
for one in tasks:
    executor.submit(one)
def wait(key, state):
    while store.get(key).state is not state:
        time.sleep(0.1)
wait(tasks[0].key, JobState.DONE)
wait(tasks[1].key, JobState.RUNNING)
for process in psutil.Process().children(recursive=True):
    if process.name() == sys.argv[2]:
        process.kill()
for one in tasks[1:]:
    wait(one.key, JobState.FAILED)
    print(store.get(one.key).failure.message)
executor.close()
print(store.result(tasks[0].key))
"""


@pytest.mark.parametrize("service", ["gcs_server", "raylet"])
def test_a_cluster_that_goes_away_fails_what_is_left_and_keeps_what_is_done(
    tmp_path: Path, service: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", GOES_AWAY, str(tmp_path / "pid"), service],
        env={**os.environ, "PYTHONPATH": str(SUPPORT), "RAY_worker_niceness": "0"},
        capture_output=True,
        text=True,
        timeout=2 * LONG,
        check=False,
    )

    assert done.stdout.splitlines() == ["the Ray cluster went away"] * 2 + ["b'FIRST'"], done.stderr
