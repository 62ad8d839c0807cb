"""PEP 508 markers on a target: which Pythons they hold on, and what an extra brings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from packaging._parser import Variable
from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.names import PackageName, Platform, normalize

__all__ = ["NEWEST_PATCH", "active", "holds", "marker_environment", "named_extras", "parsed", "requirement"]

NEWEST_PATCH = 99
"""A lock is for the newest patch release of its Python, whichever that is: `>=3.9.1` holds on 3.9."""

_SYSTEMS = {
    Platform.LINUX_X86_64: ("posix", "linux", "Linux", "x86_64"),
    Platform.LINUX_AARCH64: ("posix", "linux", "Linux", "aarch64"),
    Platform.MACOS_ARM64: ("posix", "darwin", "Darwin", "arm64"),
    Platform.MACOS_X86_64: ("posix", "darwin", "Darwin", "x86_64"),
    Platform.WINDOWS_X86_64: ("nt", "win32", "Windows", "AMD64"),
}


def marker_environment(platform: Platform, python: str, extra: str = "") -> dict[str, str]:
    """The PEP 508 environment of a target, never the host's."""
    os_name, sys_platform, system, machine = _SYSTEMS[platform]
    python = python.removesuffix("t")  # markers do not tell free-threaded Pythons apart
    full = f"{python}.{NEWEST_PATCH}"
    return {
        "implementation_name": "cpython",
        "implementation_version": full,
        "os_name": os_name,
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": system,
        "platform_version": "",
        "python_full_version": full,
        "python_version": python,
        "sys_platform": sys_platform,
        "extra": extra,
    }


@lru_cache(maxsize=4096)
def _marker(text: str) -> Marker:
    return Marker(text)


@lru_cache(maxsize=65536)
def holds(marker: str | None, platform: Platform, python: str, extras: tuple[str, ...] = ()) -> bool:
    """Whether a marker holds, for one of the extras where it names one. Raises InvalidMarker."""
    if marker is None:
        return True
    found = _marker(marker)
    return any(found.evaluate(marker_environment(platform, python, extra)) for extra in ("", *extras))


@lru_cache(maxsize=4096)
def parsed(requirements: tuple[str, ...]) -> tuple[Requirement, ...]:
    """Requirements that can be read; the matrix lint reports the others."""
    return tuple(one for text in requirements if (one := requirement(text)))


@lru_cache(maxsize=16384)  # releases of a package repeat each other
def requirement(text: str) -> Requirement | None:
    """A requirement; None when it cannot be read."""
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


@lru_cache(maxsize=4096)
def named_extras(requirements: tuple[str, ...]) -> frozenset[str]:
    """Extras that the markers of a package's requirements name, in normal form."""
    # packaging has a tree of a marker and no public way to it.
    trees = (one.marker._markers for one in parsed(requirements) if one.marker)  # noqa: SLF001
    return frozenset(normalize(extra) for tree in trees for extra in _extras_in(tree))


def _extras_in(tree: Any) -> Iterator[str]:
    """The values that `extra` is compared with, on whichever side it is."""
    match tree:
        case list():
            for part in tree:
                yield from _extras_in(part)
        case (left, operator, right) if operator.value == "==":
            variables = [side for side in (left, right) if isinstance(side, Variable)]
            if any(variable.value == "extra" for variable in variables):
                yield from (side.value for side in (left, right) if side not in variables)


def active(package: PackageName, requirements: tuple[str, ...], extras: Iterable[str]) -> tuple[str, ...]:
    """The extras in force: those asked for, and those of the package itself that they name. Sorted."""
    found = set(extras)
    queue = list(found)
    while queue:
        extra = queue.pop()
        for one in parsed(requirements):
            own = one.extras and normalize(one.name) == package
            if own and one.marker and extra in named_extras((str(one),)):
                more = {normalize(name) for name in one.extras} - found
                found |= more
                queue += more
    return tuple(sorted(found))
