"""Versions, bounds and how OpenMMLab compares them.

Two comparisons exist and differ on pre-releases. *Specifiers* (`Requires-Dist`) follow PEP 440.
*Asserts* (`mmdet/__init__.py`) compare `digit_version` tuples: the local part is ignored and a
pre-release sorts before its final, so `2.0.0rc1 < 2.0.0` holds, which PEP 440's `<2.0.0` denies.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

__all__ = [
    "InvalidVersion",
    "Version",
    "allows",
    "allows_python",
    "assert_holds",
    "cuda_of_variant",
    "digit_version",
    "is_prerelease",
    "is_specifier",
    "is_version",
    "version",
]

_OPERATORS: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
    "==": eq,
    "!=": ne,
}


_LONGEST = 1000
"""Of a version or a clause. Python converts no number of some thousand digits."""


@lru_cache(maxsize=65536)
def version(text: str) -> Version:
    """Parse once, remember. Raises InvalidVersion."""
    if len(text) > _LONGEST:
        raise InvalidVersion(f"Invalid version: longer than {_LONGEST} characters")
    return Version(text)


@lru_cache(maxsize=65536)
def is_prerelease(text: str) -> bool:
    """Whether PEP 440 calls it a pre-release (`1.0.0rc6`, `2.0.dev1`)."""
    return version(text).is_prerelease


@lru_cache(maxsize=8192)
def _specifiers(text: str) -> SpecifierSet:
    if len(text) > _LONGEST and any(len(clause) > _LONGEST for clause in text.split(",")):
        raise InvalidSpecifier(f"Invalid specifier: longer than {_LONGEST} characters")
    return SpecifierSet(text)


@lru_cache(maxsize=262144)
def allows(specifier: str, candidate: str) -> bool:
    """Whether a PEP 440 specifier admits `candidate`, pre-releases included.

    Raises InvalidSpecifier or InvalidVersion.
    """
    return not specifier or _specifiers(specifier).contains(version(candidate), prereleases=True)


_NEWEST_PATCH = 99
"""Above every patch release of any Python."""


@lru_cache(maxsize=8192)
def allows_python(specifier: str, minor: str) -> bool:
    """Whether a specifier admits some patch release of a Python (`3.8`): `>=3.8.1` admits later ones of 3.8.

    Raises InvalidSpecifier or InvalidVersion.
    """
    if not specifier:
        return True
    # What a specifier admits changes only beside the releases that it names.
    numbers = (re.match(r"\d+\.\d+\.(\d+)", clause.version) for clause in _specifiers(specifier))
    patches = {int(number[1]) for number in numbers if number}
    near = {max(0, patch + step) for patch in patches for step in (-1, 0, 1)}
    return any(allows(specifier, f"{minor}.{patch}") for patch in sorted({0, _NEWEST_PATCH} | near))


@lru_cache(maxsize=65536)
def digit_version(text: str) -> tuple[int, ...]:
    """The tuple OpenMMLab packages compare: four release numbers, then stage and its number.

    Stage is -3 alpha, -2 beta, -1 rc, -4 other pre-releases (dev), 0 final, 1 post.
    Source: `mmengine/utils/version_utils.py` (same in mmcv since 1.3.17).
    """
    parsed = version(text)
    release = (*parsed.release[:4], 0, 0, 0, 0)[:4]
    if parsed.is_prerelease:
        stage, number = parsed.pre or ("dev", 0)
        return (*release, {"a": -3, "b": -2, "rc": -1}.get(stage, -4), number)
    if parsed.is_postrelease:
        return (*release, 1, parsed.post or 0)
    return (*release, 0, 0)


def assert_holds(operator: str, bound: str, candidate: str) -> bool:
    """Whether an import-time check `digit_version(candidate) OP digit_version(bound)` passes."""
    return _OPERATORS[operator](digit_version(candidate), digit_version(bound))


def is_version(text: str) -> bool:
    """Whether a text is one PEP 440 version."""
    try:
        version(text)
    except InvalidVersion:
        return False
    return True


def is_specifier(text: str) -> bool:
    """Whether the text can be read as a PEP 440 specifier set."""
    try:
        _specifiers(text)
    except InvalidSpecifier:
        return False
    return True


def cuda_of_variant(variant: str) -> str | None:
    """The CUDA of a torch variant: `cu118` -> `11.8`; None for `cpu` and ROCm."""
    digits = variant.removeprefix("cu")
    return f"{digits[:-1]}.{digits[-1]}" if digits.isdigit() else None
