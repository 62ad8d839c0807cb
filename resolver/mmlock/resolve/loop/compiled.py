"""The wheels of a lock that hold compiled code, and what came of looking at them.

Looking at one (`abi.py`) takes modules that most solves need none of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec import Struct

from mmlock.core.names import Confidence, Sha256, normalize
from mmlock.lock.model import Finding, FindingKind, Level, LockedEnv, LockedPackage
from mmlock.resolve.graph.rows import BinaryChoice, IndexChoice, Option
from mmlock.resolve.loop.loop import Resolution
from mmlock.resolve.loop.nogoods import Refusal, UnfitWheel
from mmlock.resolve.plan.closure_inputs import CUDA_LIBRARIES


class WheelCheck(Struct, frozen=True, kw_only=True):
    """A locked environment whose wheels were looked at, or the combination that was refused."""

    env: LockedEnv
    refusal: Refusal | None
    unfit: UnfitWheel | None = None
    """An ordinary package that does not go with the torch of the lock."""


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


def ordinary_wheels(env: LockedEnv, decided: Resolution, words: Collection[str]) -> Iterator[LockedPackage]:
    """Packages of the closure whose wheels may hold code for torch or CUDA.

    Those that require torch or a CUDA library, and those that have one of `words` in their name. Of a wheel
    for any platform there is nothing to read, and only ELF files are read.
    """
    if not env.target.platform.is_linux:
        return
    takers = {*decided.closed.takers}
    for package in env.packages:
        if package.name.startswith(CUDA_LIBRARIES):
            takers |= {normalize(via) for via in package.via}
    for package in env.packages:
        if package.core or package.name.startswith(CUDA_LIBRARIES) or not package.files:
            continue
        name = package.files[0].name
        compiled = name.endswith(".whl") and not name.endswith("-any.whl")
        if compiled and (package.name in takers or any(word in package.name for word in words)):
            yield package


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
