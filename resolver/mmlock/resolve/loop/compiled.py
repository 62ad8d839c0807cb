"""The wheels of a lock that hold compiled code, and what came of looking at them.

Looking at one (`abi.py`) takes modules that most solves need none of.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from mmlock.core.names import Confidence, Sha256
from mmlock.lock.model import Finding, FindingKind, Level, LockedEnv
from mmlock.resolve.graph.rows import BinaryChoice, IndexChoice, Option
from mmlock.resolve.loop.loop import Resolution
from mmlock.resolve.loop.nogoods import Refusal


class WheelCheck(Struct, frozen=True, kw_only=True):
    """A locked environment whose wheels were looked at, or the combination that was refused."""

    env: LockedEnv
    refusal: Refusal | None


def left_out() -> Finding:
    """What a lock says when the user did not want the check."""
    return Finding(
        level=Level.WARNING,
        kind=FindingKind.ABI,
        subject="abi",
        text="the wheels were not compared with torch (`--no-abi-check`)",
        source=("the request",),
        confidence=Confidence.MEASURED,
    )


def compiled_wheels(env: LockedEnv, decided: Resolution) -> Iterator[tuple[Option, str, Sha256 | None]]:
    """Options that are wheels with compiled code, with URL and hash of the file that will be installed."""
    options = {option.package: option for option in decided.solution.packages()}
    for package in env.packages:
        option = options.get(package.name) if package.core else None
        if option is not None and isinstance(option.choice, BinaryChoice):
            yield option, package.files[0].url, package.files[0].sha256
    for step in env.fetch:
        option = options.get(step.package)
        if option is not None and isinstance(option.choice, (BinaryChoice, IndexChoice)):
            yield option, step.url, None
