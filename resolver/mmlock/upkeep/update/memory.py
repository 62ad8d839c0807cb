"""What one run tells the next in the dashboard, hidden from people, so that the forge is asked less. Pure.

Nothing rests on it: whoever removes it has the next run ask again, and nothing is opened on its word alone.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from mmlock.upkeep.forges.model import Pull, PullStanding
from mmlock.upkeep.update.state import read_state

__all__ = [
    "FormerPull",
    "RunMemory",
    "SeenProposal",
    "former",
    "read_memory",
    "with_memory",
    "without_memory",
]

VERSION = 1
MOST = 150
"""Proposals that are remembered: the rest is looked up again."""
_MEMORY = re.compile(r"<!-- mmlock-memory:(\d{1,4}) ([A-Za-z0-9_=-]{1,60000}) -->")


class FormerPull(Struct, frozen=True, array_like=True):
    """What became of a pull request."""

    number: int
    key: str
    """Of what it proposed; empty: it was given up by us, or is not ours."""
    standing: PullStanding
    created: datetime
    again: bool = False
    """Whether a label asks to have it made again."""


class SeenProposal(Struct, frozen=True, array_like=True):
    """A proposal without an open pull request, as the last run saw it."""

    branch: str
    key: str
    pull: FormerPull | None
    """The newest one of that key; None: there was none."""


class RunMemory(Struct, frozen=True, array_like=True):
    """What the last run saw."""

    proposals: tuple[SeenProposal, ...] = ()
    said: tuple[str, ...] = ()
    """Commits of other people on our branches, of which their pull requests have been told."""

    def seen(self) -> Mapping[str, SeenProposal]:
        """By branch."""
        return {one.branch: one for one in self.proposals}


def former(pull: Pull, *, again: bool) -> FormerPull:
    """What counts of a pull request later. `again`: whether it has the label that asks for it."""
    state = read_state(pull.body)
    return FormerPull(
        number=pull.number,
        key=state.key if state is not None else "",
        standing=pull.standing,
        created=pull.created,
        again=again,
    )


def with_memory(body: str, memory: RunMemory) -> str:
    """The body of the dashboard with its hidden comment at the end."""
    word = base64.urlsafe_b64encode(msgspec.json.encode(memory)).decode()
    return f"{body.rstrip()}\n\n<!-- mmlock-memory:{VERSION} {word} -->\n"


def without_memory(body: str) -> str:
    """The body as people read it."""
    return _MEMORY.sub("", body).rstrip() + "\n"


def read_memory(body: str) -> RunMemory:
    """The last hidden comment; an empty memory where there is none that can be read."""
    found = next(reversed([*_MEMORY.finditer(body)]), None)
    if found is None or int(found[1]) != VERSION:
        return RunMemory()
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(found[2]), type=RunMemory)
    except (msgspec.MsgspecError, binascii.Error, UnicodeDecodeError, RecursionError):
        return RunMemory()
