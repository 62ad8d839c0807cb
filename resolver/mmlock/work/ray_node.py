"""A task on a node of a Ray cluster: in a warm process beside Ray's worker, told step by step.

What goes over the wire is text and bytes, so that a node with another mmlock can still say which one it has.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator, Mapping
from multiprocessing.connection import wait

import msgspec

from mmlock.core.errors import MmlockError
from mmlock.work.model import Task, TaskAnswer, TaskFailure
from mmlock.work.process import TaskProcess
from mmlock.work.surroundings import differences, surroundings

__all__ = ["Step", "digest_of", "steps"]

Step = tuple[str, bytes, str]
"""A word, what it says, and the digest of that.

`refused`: the node is another one than wanted, a line for each difference; `begun`: by which worker; `say`: a
line of the log; `answer`: the result; `failure`: a TaskFailure as JSON; `gone`: the process died.
"""

_LOOK = 0.5
_warm: dict[str, TaskProcess] = {}


def digest_of(key: str, body: bytes) -> str:
    """What a result of a job hashes to: the same bytes of another job do not."""
    return hashlib.sha256(key.encode() + body).hexdigest()


def steps(packed: bytes, wanted: Mapping[str, str], handlers: str, place: str | None) -> Iterator[Step]:
    """Do a task, and tell how far it is."""
    try:
        other = differences(wanted, surroundings(place))
    except MmlockError as error:
        other = (error.message,)
    if other:
        yield ("refused", "\n".join(other).encode(), "")
        return
    task = msgspec.msgpack.decode(packed, type=Task)
    yield ("begun", f"{socket.gethostname()}:{os.getpid()}".encode(), "")
    process = _warm.pop(handlers, None) or TaskProcess(handlers, "ray")
    done = False
    try:
        process.send(task)
        while True:
            # Ray interrupts a task between two steps of Python only, so none may wait for ever.
            word, value = process.received(wait(process.waited, timeout=_LOOK))
            if word == "say":
                yield ("say", str(value).encode(), "")
            elif word == "done":
                done = True
                _warm[handlers] = process
                yield _told(task, value)
                return
            elif word == "gone":
                yield ("gone", b"", "")
                return
    finally:  # given up by Ray, too: with the process goes all that it started
        if not done:
            process.end()


def _told(task: Task, outcome: TaskAnswer | TaskFailure) -> Step:
    if isinstance(outcome, TaskAnswer):
        return ("answer", outcome.body, digest_of(task.key, outcome.body))
    body = msgspec.json.encode(outcome)
    return ("failure", body, digest_of(task.key, body))
