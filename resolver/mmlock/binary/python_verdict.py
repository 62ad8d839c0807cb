"""Whether the files of a wheel are for the Python that its tags name."""

from __future__ import annotations

import re
from itertools import product

from mmlock.binary.model import Answer, ArguedAnswer, CompiledExtension, Inspected

_CPYTHON = re.compile(r"cpython-(\d)(\d+)(t?)[a-z]*")
_TAG = re.compile(r"(cp|py)(\d)(\d*)")
_OLD_ABI = (3, 7)
"""Up to this Python the ABI tag ends in `m`."""


def judge_python(extension: Inspected, python: str | None) -> ArguedAnswer:
    """Compare file names with the wheel's tags and with the target's Python (`3.11`, `3.13t`)."""
    clashes = [text for one in extension.extensions if (text := _clash(one, extension.tags, python))]
    if clashes:
        return ArguedAnswer(answer=Answer.FAILS, evidence=tuple(clashes))
    named = sorted({one.python for one in extension.extensions if one.python})
    if named:
        return ArguedAnswer(answer=Answer.HOLDS, evidence=(f"its files are named for {', '.join(named)}",))
    if python and extension.tags and not _admitted(extension.tags, python):
        text = f"its tag `{extension.tags[0]}` does not admit Python {python}"
        return ArguedAnswer(answer=Answer.FAILS, evidence=(text,))
    return ArguedAnswer(answer=Answer.UNKNOWN, evidence=("the names of its files tell no Python",))


def _clash(one: CompiledExtension, tags: tuple[str, ...], python: str | None) -> str | None:
    """A file that the tags, or the target, will not look for."""
    found = _CPYTHON.fullmatch(one.python or "")
    if not found:
        return None
    named = f"{found[1]}.{found[2]}{found[3]}"
    if python and python != named:
        return f"`{one.path}` is for Python {named}, not {python}"
    if tags and not _admitted(tags, named):
        return f"`{one.path}` is for Python {named}, but the wheel is tagged `{tags[0]}`"
    return None


def _admitted(tags: tuple[str, ...], python: str) -> bool:
    """Whether a wheel tag (`cp39-abi3-...`, `py3-none-...`) lets that Python in."""
    for tag in tags:
        interpreters, abis, _ = tag.split("-", 2)
        if any(_lets_in(*pair, python) for pair in product(interpreters.split("."), abis.split("."))):
            return True
    return False


def _lets_in(interpreter: str, abi: str, python: str) -> bool:
    """As `packaging.tags` has it: what is not compiled, and the stable ABI, are for later Pythons too.

    `cp3`, with any ABI, is in no installer's list.
    """
    free = python.endswith("t")
    major, minor = (int(part) for part in python.rstrip("t").split(".")[:2])
    found = _TAG.fullmatch(interpreter)
    if not found or int(found[2]) != major:
        return False
    own = int(found[3]) if found[3] else None
    if found[1] == "py":
        return abi == "none" and (own is None or own <= minor)
    if abi == "abi3":  # a free-threaded Python has no stable ABI
        return own is not None and own <= minor and not free
    if abi == "none":
        return own == minor
    suffix = "t" if free else "m" if (major, minor) <= _OLD_ABI else ""
    return own == minor and abi == f"cp{major}{minor}{suffix}"
