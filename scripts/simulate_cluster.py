"""How a Ray cluster of mixed GPUs places many small tasks, by fake resources on this machine.

python scripts/simulate_cluster.py --tasks 10000

Nodes say that they have GPUs which they do not have; the tasks do nothing, so the time is that of the engine.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmlock.core.progress import Progress
from mmlock.work.batch import run_batch
from mmlock.work.kept import KeptResults
from mmlock.work.local import LocalExecutor
from mmlock.work.memory import MemoryStore
from mmlock.work.model import Handler, Task, TaskAnswer
from mmlock.work.ray import RayExecutor
from mmlock.work.ray_cluster import RayCluster

HANDLERS = "simulate_cluster:handlers"
NODES: Mapping[str, tuple[int, dict[str, str], dict[str, float]]] = {
    "CPUs only": (1, {}, {"cuda-toolkit": 4}),
    "a node of RTX 5090": (1, {"sm_120": "true"}, {}),
    "a node of H100 and A100": (1, {"sm_90": "true", "sm_80": "true"}, {}),
}
"""Processors, labels and resources that each node says it has."""
SHARES: Mapping[str, int] = {"cpu": 4, "sm_120": 3, "sm_90": 2, "sm_80,mem_gb=0.1": 1, "cuda-toolkit": 2}
"""How often each label is asked for."""


def handlers() -> Mapping[str, Handler]:
    """A task that takes no time."""

    def nothing(arguments: bytes, progress: Progress) -> bytes:
        del progress
        return arguments[::-1]

    return {"nothing": nothing}


def tasks_of(count: int) -> list[Task]:
    """Tasks of every label, mixed."""
    labels = [label for label, share in SHARES.items() for _ in range(share)]
    return [
        Task(kind="nothing", arguments=str(number).encode(), label=labels[number % len(labels)])
        for number in range(count)
    ]


def cluster() -> tuple[Any, Mapping[str, str]]:
    """The nodes, and their names by the first digits of their ids."""
    from ray.cluster_utils import Cluster

    made, names = Cluster(), {}
    for name, (cpus, labels, resources) in NODES.items():
        node = made.add_node(num_cpus=cpus, labels=labels, resources=resources)
        names[node.node_id[:12]] = name
    return made, names


def main() -> None:
    """Run the tasks on Ray and on local processes, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--local", action="store_true", help="on as many local processes, to compare")
    asked = parser.parse_args()
    here = str(Path(__file__).parent)
    sys.path.insert(0, here)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    tasks, store = tasks_of(asked.tasks), MemoryStore()
    names: Mapping[str, str] = {}
    started = time.monotonic()
    if asked.local:
        executor: Any = LocalExecutor(store, HANDLERS, processes=len(NODES), most_waiting=len(tasks) + 1)
    else:
        made, names = cluster()
        executor = RayExecutor(store, HANDLERS, RayCluster(made.address))
    ready = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        batch = run_batch(tasks, lambda: (executor, store), kept=KeptResults(root=Path(folder)))
    ended = time.monotonic()
    right = sum(batch.outcomes[t.key] == TaskAnswer(body=t.arguments[::-1]) for t in tasks)
    jobs = [store.get(task.key) for task in tasks]
    took = ended - ready
    print(f"{len(tasks):,} tasks, {right:,} right; started in {ready - started:.1f} s, done in {took:.1f} s")
    print(f"{1000 * took / len(tasks):.1f} ms a task; {time.process_time():.1f} CPU s of this process")
    print(f"begun more than once: {sum(job.attempts > 1 for job in jobs if job)}")
    placed = Counter((job.label, names.get(node_of(job.worker), "here")) for job in jobs if job)
    for (label, name), count in sorted(placed.items()):
        print(f"  {label:<18} {name:<26} {count:>6,}")


def node_of(worker: str | None) -> str:
    """The node in the name of a worker: `HOST:PID@NODE#ATTEMPT`."""
    return (worker or "").partition("@")[2].partition("#")[0]


if __name__ == "__main__":
    main()
