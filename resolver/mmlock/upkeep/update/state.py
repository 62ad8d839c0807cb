"""What a pull request, the dashboard and a commit of ours say to the next run, hidden from people. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

import msgspec
from msgspec import Struct

__all__ = [
    "PullState",
    "fingerprint",
    "is_fingerprint",
    "marker",
    "read_state",
    "tickbox",
    "ticked",
    "trailer",
    "with_state",
    "without_state",
]

VERSION = 1
_STATE = re.compile(r"<!-- mmlock-update:(\d{1,4}) ([A-Za-z0-9_=-]{1,20000}) -->")
_TICKED = re.compile(
    r"^[ \t]*[-*] \[[xX]\] <!-- mmlock:([a-z-]+)(?: ([A-Za-z0-9][A-Za-z0-9._/-]*))? -->", re.MULTILINE
)
_TRAILER = "Mmlock-Update"


class PullState(Struct, frozen=True, kw_only=True):
    """Of one pull request."""

    key: str
    """What it proposes: the same key is the same proposal, whatever the base."""
    branch: str
    head: str
    """The commit for which everything was said: statuses, body."""
    pairs: tuple[str, ...]
    """The locks in it."""


def with_state(body: str, state: PullState) -> str:
    """The body with its hidden comment at the end."""
    word = base64.urlsafe_b64encode(msgspec.json.encode(state)).decode()
    return f"{body.rstrip()}\n\n<!-- mmlock-update:{VERSION} {word} -->\n"


def read_state(body: str) -> PullState | None:
    """The last hidden comment; None where there is none of a version that is known."""
    found = next(reversed([*_STATE.finditer(body)]), None)
    if found is None or int(found[1]) != VERSION:
        return None
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(found[2]), type=PullState)
    except (msgspec.MsgspecError, binascii.Error, UnicodeDecodeError, RecursionError):
        return None


def without_state(body: str) -> str:
    """The body of a pull request that is ours no longer: nobody takes it for one that a person closed."""
    return _STATE.sub("", body).rstrip() + "\n"


def tickbox(verb: str, subject: str, text: str) -> str:
    """A line that people tick: `text` is Markdown."""
    words = f"{verb} {subject}" if subject else verb
    return f"- [ ] <!-- mmlock:{words} --> {text}"


def ticked(body: str) -> frozenset[tuple[str, str]]:
    """The boxes that someone ticked: verb and subject."""
    return frozenset((found[1], found[2] or "") for found in _TICKED.finditer(body))


def marker(kind: str, key: str) -> str:
    """Hidden in a comment, so that the same is not said twice."""
    return f"<!-- mmlock-said:{VERSION} {kind} {hashlib.sha256(key.encode()).hexdigest()[:16]} -->"


# ---------------------------------------------------------------- commits


def fingerprint(tree: str, branch: str) -> str:
    """What a commit of ours says about itself: with another tree it is someone else's."""
    return hashlib.sha256(f"mmlock-update-{VERSION}\0{tree}\0{branch}".encode()).hexdigest()[:40]


def trailer(tree: str, branch: str) -> str:
    """The last line of the commit's message."""
    return f"{_TRAILER}: {fingerprint(tree, branch)}"


def is_fingerprint(message: str, tree: str, branch: str) -> bool:
    """Whether a commit with that message and tree is one we made for that branch."""
    return trailer(tree, branch) in message.splitlines()
