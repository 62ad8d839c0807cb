"""What a worker must share with whoever asks it, so that a result is the same wherever it was made."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import cast

import mmlock

__all__ = ["differences", "surroundings"]


def surroundings(place: str | None) -> Mapping[str, str]:
    """This process: mmlock with a digest of its code, Python, and what `MODULE:NAME` adds (the facts)."""
    found = {"mmlock": f"{mmlock.__version__} ({_code()[:12]})", "Python": platform.python_version()}
    if place is not None:
        module, _, name = place.partition(":")
        found.update(cast("Callable[[], Mapping[str, str]]", getattr(import_module(module), name))())
    return found


def differences(wanted: Mapping[str, str], there: Mapping[str, str]) -> tuple[str, ...]:
    """Each thing that differs, in words: `Python 3.12.1, here 3.11.7`."""
    return tuple(
        f"{name} {there.get(name, 'absent')}, here {wanted.get(name, 'absent')}"
        for name in sorted({*wanted, *there})
        if wanted.get(name) != there.get(name)
    )


@cache
def _code() -> str:
    """The digest of the code of mmlock: two checkouts of one version differ in it."""
    root = Path(mmlock.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*")):
        if file.suffix in {".py", ".lp"}:
            digest.update(
                str(file.relative_to(root)).encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest()
            )
    return digest.hexdigest()
