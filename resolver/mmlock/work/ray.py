"""Tasks on a Ray cluster: placed by what they need, done once more when a worker dies.

One thread speaks with Ray. What is true of a job is in the store: a job is begun when a node says so, and an
outcome counts only when it hashes to what the node says and the node is like this process.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct, field

from mmlock.work.labels import needs_of
from mmlock.work.listeners import Listeners
from mmlock.work.local import retry_or_fail, too_long
from mmlock.work.model import FailureKind, Job, JobState, Outcome, Store, Task, TaskAnswer, TaskFailure
from mmlock.work.ray_cluster import RayCluster, RayNode, missing, placement, slots
from mmlock.work.ray_node import digest_of
from mmlock.work.surroundings import surroundings

__all__ = ["RayExecutor"]

_LOOK = 0.5
_ROUND = 2.0
"""Seconds between two looks at the nodes."""
_BEAT = 5.0
_LEAVE = 5.0
"""Seconds that what is given up has to end."""
_SHORT = 12
"""Digits of a node's id in the name of a worker."""
_TAIL = 3
"""Lines of a traceback that an outcome has."""
_AHEAD = 2
"""Tasks given to Ray for each that it can do at the same time, so that no node waits for this thread."""


class _Flight(Struct, kw_only=True, eq=False):
    """A task that Ray has."""

    task: Task
    stream: Any
    given: float
    job: Job | None = None
    """None: no node has begun it."""
    began: float = 0.0
    beaten: float = 0.0
    lines: list[tuple[float, str]] = field(default_factory=list)


class RayExecutor:
    """An executor on Ray, with a store. `close` it."""

    def __init__(
        self,
        store: Store,
        handlers: str,
        cluster: RayCluster,
        *,
        place: str | None = None,
        limit: float = 600.0,
        patience: float = 10.0,
    ) -> None:
        """`place`: `MODULE:NAME` of what else must be alike on all nodes, such as the digest of the facts.

        `patience`: seconds that a task waits for a node that can take it, or a cluster that does not answer.
        """
        self.store = store
        self.cluster = cluster
        self._call = _remote(cluster.ray, surroundings(place), handlers, place)
        self._limit, self._patience = limit, patience
        self._inbox: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._waiting: dict[str, deque[str]] = {}
        self._stranded: dict[str, float] = {}
        self._flights: dict[Any, _Flight] = {}
        self._nodes: tuple[RayNode, ...] = ()
        self._refused: dict[str, str] = {}
        """Nodes that are not like this process, by id, and why."""
        self._unwanted: set[str] = set()
        self._answered = self._looked = time.monotonic()
        self._listeners = Listeners()
        self._stopping = threading.Event()
        self._gone = False
        self._look_at_nodes()
        self._thread = threading.Thread(target=self._run, name="mmlock-ray", daemon=True)
        self._thread.start()

    def submit(self, task: Task) -> Job:
        """The job of a task. Raises UsageError for a label that is none."""
        needs_of(task.label)
        job, new = self.store.add(task)
        if new:
            self._inbox.put(job.key)
        return job

    def cancel(self, key: str) -> Job | None:
        """End a job and what it started."""
        job = self.store.cancel(key)
        if job is not None:
            self._unwanted.add(key)
            self._listeners.tell(key)
        return job

    def listen(self, heard: Callable[[str], object]) -> Callable[[], None]:
        """Have `heard` called with the key of every job that changes."""
        return self._listeners.add(heard)

    def close(self) -> None:
        """End what runs, which is queued again, and leave the cluster."""
        self._stopping.set()
        self._thread.join()
        self.cluster.close()

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 - whoever waits for a job hears of it
                self._fail_all(
                    TaskFailure(
                        kind=FailureKind.CRASH,
                        message=f"mmlock failed: {type(error).__name__}",
                        causes=tuple(traceback.format_exc().splitlines()[-_TAIL:]),
                        hints=("this is a bug: please report it",),
                    )
                )
        streams = list(self._flights)
        for flight in tuple(self._flights.values()):
            self._end(flight, cancel=True)
            if flight.job is not None:
                self.store.give_back(flight.job)
        with suppress(Exception):  # until what they started has ended, or the cluster is gone
            if streams and not self._gone:
                self.cluster.ray.wait(streams, num_returns=len(streams), timeout=_LEAVE, fetch_local=False)

    def _turn(self) -> None:
        self._take_in()
        self._give_out()
        for stream in self._ready():
            self._hear(stream)
        now = time.monotonic()
        if now - self._looked > _ROUND:
            self._looked = now
            self._look_at_nodes()
            self._look_at_flights(now)
        if self._gone:
            self._fail_all(
                TaskFailure(
                    kind=FailureKind.SURROUNDINGS,
                    message="the Ray cluster went away",
                    hints=("what was done is kept: start the cluster, then run the same command again",),
                )
            )

    def _take_in(self) -> None:
        with suppress(queue.Empty):
            while True:
                idle = not (self._flights or any(self._waiting.values()))
                key = self._inbox.get(timeout=_LOOK) if idle else self._inbox.get_nowait()
                task = self.store.task(key)
                if task is not None:
                    self._waiting.setdefault(task.label, deque()).append(key)

    def _give_out(self) -> None:
        """Give Ray what it can do now and soon; fail what no node could take for too long."""
        fit = tuple(node for node in self._nodes if node.id not in self._refused)
        flying: dict[str, int] = {}
        for flight in self._flights.values():
            flying[flight.task.label] = flying.get(flight.task.label, 0) + 1
        for label, keys in self._waiting.items():
            if not keys:
                continue
            needs = needs_of(label)
            room = _AHEAD * sum(slots(node, needs) for node in fit) - flying.get(label, 0)
            if room <= 0 and not flying.get(label):
                since = self._stranded.setdefault(label, time.monotonic())
                if time.monotonic() - since > self._patience:
                    self._fail_stranded(label, needs)
                continue
            self._stranded.pop(label, None)
            for _ in range(min(room, len(keys))):
                self._give(keys.popleft(), needs)

    def _give(self, key: str, needs: Mapping[str, float]) -> None:
        job, task = self.store.get(key), self.store.task(key)
        if job is None or task is None or job.state is not JobState.QUEUED:
            return
        how = placement(self._nodes, needs, self._refused)
        stream = self._call.options(
            num_returns="streaming",
            max_retries=0,  # the store counts them
            num_cpus=how.cpus,
            memory=how.memory or None,
            resources=dict(how.resources),
            label_selector=dict(how.labels),
        ).remote(msgspec.msgpack.encode(task))
        self._flights[stream] = _Flight(task=task, stream=stream, given=time.monotonic())

    def _ready(self) -> list[Any]:
        """The tasks that say something, once one does."""
        held = list(self._flights)
        if not held:
            if any(self._waiting.values()):
                self._stopping.wait(_LOOK)
            return []
        ready, _ = self.cluster.ray.wait(held, num_returns=1, timeout=_LOOK, fetch_local=False)
        if ready and len(held) > 1:
            ready, _ = self.cluster.ray.wait(held, num_returns=len(held), timeout=0, fetch_local=False)
        return list(ready)

    def _hear(self, stream: Any) -> None:
        flight = self._flights.get(stream)
        if flight is None:
            return
        try:
            word, body, digest = self.cluster.ray.get(next(stream))
        except StopIteration:
            self._lost(flight, "the worker ended without a result")
        except self.cluster.ray.exceptions.RayError as error:
            self._gone = self._gone or isinstance(error, self.cluster.ray.exceptions.LocalRayletDiedError)
            self._lost(flight, f"Ray says: {type(error).__name__}")
        else:
            self._told(flight, str(word), bytes(body), str(digest))

    def _told(self, flight: _Flight, word: str, body: bytes, digest: str) -> None:
        key = flight.task.key
        if word == "begun":
            self._begun(flight, body.decode())
        elif word == "say":
            flight.lines.append((time.time(), body.decode(errors="replace")))
            self.store.say(key, tuple(flight.lines))
            flight.lines.clear()
            self._listeners.tell(key)
        elif word == "refused":
            node, _, why = body.decode().partition("\n")
            self._refused[node] = why.replace("\n", "; ")
            self._end(flight)
            self._inbox.put(key)
        elif word in {"answer", "failure"} and digest == digest_of(key, body):
            outcome: Outcome = (
                TaskAnswer(body=body) if word == "answer" else msgspec.json.decode(body, type=TaskFailure)
            )
            self._end(flight)
            if flight.job is not None:
                self.store.finish(flight.job, outcome)
            self._listeners.tell(key)
        elif word in {"answer", "failure"}:
            self._lost(flight, "the result does not hash to its name, and is refused")
        else:
            self._lost(flight, "the process that did it died")

    def _begun(self, flight: _Flight, worker: str) -> None:
        flight.job = self.store.claim(flight.task.key, worker)
        flight.began = flight.beaten = time.monotonic()
        if flight.job is None:  # cancelled meanwhile
            self._end(flight, cancel=True)
        self._listeners.tell(flight.task.key)

    def _lost(self, flight: _Flight, why: str) -> None:
        """A worker went away: the task is done once more, or fails."""
        key = flight.task.key
        self._end(flight)
        self.store.say(key, ((time.time(), why),))
        job = flight.job or self.store.claim(key, "ray")
        if job is not None and retry_or_fail(self.store, job):
            self._inbox.put(key)
        self._listeners.tell(key)

    def _end(self, flight: _Flight, *, cancel: bool = False) -> None:
        self._flights.pop(flight.stream, None)
        if cancel:
            with suppress(Exception):  # it may be over, or the cluster gone
                # Not by force: then Ray kills the worker at once, and what it started goes on.
                self.cluster.ray.cancel(flight.stream, force=False)

    # ------------------------------------------------------------ what goes wrong

    def _look_at_nodes(self) -> None:
        now = time.monotonic()
        if self.cluster.reachable():
            self._answered = now
            with suppress(self.cluster.ray.exceptions.RayError):
                self._nodes = self.cluster.nodes()
        self._gone = self._gone or now - self._answered > self._patience

    def _look_at_flights(self, now: float) -> None:
        fit = tuple(node for node in self._nodes if node.id not in self._refused)
        for flight in tuple(self._flights.values()):
            key = flight.task.key
            if key in self._unwanted:
                self._unwanted.discard(key)
                self._end(flight, cancel=True)
            elif flight.job is None:
                if not any(slots(node, needs_of(flight.task.label)) for node in fit):
                    self._end(flight, cancel=True)  # its node went away: it waits for another
                    self._inbox.put(key)
            elif now - flight.began > self._limit:
                self._end(flight, cancel=True)
                self.store.finish(flight.job, too_long(self._limit))
                self._listeners.tell(key)
            elif now - flight.beaten > _BEAT:
                flight.beaten = now
                if not self.store.beat(flight.job):
                    self._end(flight, cancel=True)

    def _fail_stranded(self, label: str, needs: Mapping[str, float]) -> None:
        fit = [node for node in self._nodes if node.id not in self._refused]
        lacking = missing(fit, needs) if fit else ()
        named = ", ".join(f"`{name}`" for name in lacking)
        causes = [
            *([f"no node has {named}"] if lacking else []),
            *([f"no node has all of `{label}` together"] if fit and not lacking else []),
            *(f"node {self._address(node)} is refused: {why}" for node, why in sorted(self._refused.items())),
        ]
        hints = ["start mmlock, Python and the facts of this machine there"] if self._refused else []
        if lacking and "=" not in lacking[0]:
            hints += [f"start a node that has it: `ray start --address HOST:PORT --labels {lacking[0]}=true`"]
        failure = TaskFailure(
            kind=FailureKind.SURROUNDINGS,
            message=f"no node of the cluster can take a task that needs `{label}`",
            causes=tuple(causes),
            hints=tuple(hints),
        )
        keys, self._waiting[label] = self._waiting[label], deque()
        self._stranded.pop(label, None)
        for key in keys:
            self._fail(key, failure)

    def _address(self, node: str) -> str:
        return next((one.address for one in self._nodes if one.id == node), node[:_SHORT])

    def _fail_all(self, failure: TaskFailure) -> None:
        for key in self._open():
            self._fail(key, failure)

    def _open(self) -> Iterator[str]:
        """All that is not over; nothing of it is with Ray or waits any more."""
        for flight in tuple(self._flights.values()):
            self._flights.pop(flight.stream)
            if flight.job is not None:
                self.store.give_back(flight.job)
            yield flight.task.key
        for keys in self._waiting.values():
            while keys:
                yield keys.popleft()
        with suppress(queue.Empty):
            while True:
                yield self._inbox.get_nowait()

    def _fail(self, key: str, failure: TaskFailure) -> None:
        job = self.store.claim(key, "ray")
        if job is not None:
            self.store.finish(job, failure)
        self._listeners.tell(key)


def _remote(ray: Any, wanted: Mapping[str, str], handlers: str, place: str | None) -> Any:
    """The function that a node calls. It is sent whole, so that a node without mmlock can say so."""
    told, short = dict(wanted), _SHORT

    def do(packed: bytes) -> Any:
        import ray as there

        node = there.get_runtime_context().get_node_id()
        try:
            from mmlock.work import ray_node
        except ImportError as error:
            yield ("refused", f"{node}\nmmlock absent ({error})".encode(), "")
            return
        for word, body, digest in ray_node.steps(packed, told, handlers, place):
            if word == "refused":
                body = node.encode() + b"\n" + body  # noqa: PLW2901 - the rest is as it came
            elif word == "begun":
                body += f"@{node[:short]}".encode()  # noqa: PLW2901
            yield (word, body, digest)

    return ray.remote(do)
