"""The words of wheel names, translated to those of the matrix."""

from __future__ import annotations

import re
from collections.abc import Iterable

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)

from mmlock.core.names import Platform
from mmlock.core.versions import InvalidVersion, cuda_of_variant, version

__all__ = [
    "WheelName",
    "cuda_of_variant",
    "glibc_of_tag",
    "is_old_wheel",
    "minor",
    "newest",
    "platform_of_tag",
    "platforms_of",
    "python_of_tag",
    "pythons_of",
    "release_of",
    "sorted_archs",
    "wheel_name",
]

_PYTHON_TAG = re.compile(r"cp(\d)(\d+)m?(t?)$")
_MANYLINUX = re.compile(r"manylinux_2_(\d+)_")
_WHEEL = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._]*)-(?P<version>[A-Za-z0-9._!]+(?:\+[A-Za-z0-9._]+)?)(?:-\d[^-]*)?"
    r"-(?P<python>[a-z0-9._]+)-(?P<abi>[a-z0-9_.]+)-(?P<tag>[A-Za-z0-9_.]+)\.whl"
)

OLDEST_PYTHON = "3.6"
"""Older wheels are not recorded: no supported torch can be installed there."""


class WheelName:
    """The parts of a wheel's file name, as the name spells them."""

    __slots__ = ("abi", "name", "python", "tag", "version")

    def __init__(self, match: re.Match[str]) -> None:
        self.name = match["name"]
        self.version = match["version"]
        self.python = match["python"]
        self.abi = match["abi"]
        self.tag = match["tag"]

    @property
    def pythons(self) -> tuple[str, ...]:
        """`cp313-cp313t` is the free-threaded build, whose ABI tag tells so."""
        return pythons_of([self.abi if self.abi.endswith("t") else self.python])

    @property
    def platform(self) -> Platform | None:
        return platform_of_tag(self.tag)


def wheel_name(text: str) -> WheelName | None:
    """The parts of a wheel's name; None when it is not one, or could be more than a file name."""
    match = _WHEEL.fullmatch(text)
    if match is None:
        return None
    try:
        version(match["version"])
    except InvalidVersion:
        return None
    return WheelName(match)


def python_of_tag(tag: str) -> str:
    """`cp310` -> `3.10`, `cp37m` -> `3.7`, `cp313t` -> `3.13t`; `3.10` stays."""
    match = _PYTHON_TAG.match(tag)
    return f"{match[1]}.{match[2]}{match[3]}" if match else tag


def pythons_of(tags: Iterable[str]) -> tuple[str, ...]:
    """Pythons in version order; empty for `py3` tags, which any Python 3 takes."""
    found = {python_of_tag(tag) for tag in tags if not tag.startswith("py")}
    kept = (text for text in found if _is_supported(text))
    return tuple(sorted(kept, key=lambda text: (version(text.rstrip("t")), text)))


def _is_supported(text: str) -> bool:
    known = re.fullmatch(r"\d\.\d+t?", text) is not None
    return known and version(text.rstrip("t")) >= version(OLDEST_PYTHON)


def minor(text: str) -> str:
    """`2.1.0.dev20230731` -> `2.1`, `12.4.1` -> `12.4`."""
    return ".".join(text.split(".")[:2])


def sorted_archs(archs: Iterable[str]) -> tuple[str, ...]:
    """Archs without repetition, smallest number first."""

    def order(arch: str) -> tuple[str, int, str]:
        kind, _, rest = arch.partition("_")
        digits = re.match(r"\d+", rest)
        return ("", int(digits[0]), rest) if digits else (kind, 0, arch)

    return tuple(sorted(set(archs), key=order))


def platform_of_tag(tag: str) -> Platform | None:
    """The platform of a wheel tag; None for `any` and machines that are not covered."""
    last = tag.rpartition(".")[2]
    if "linux" in last:
        machine = {"x86_64": Platform.LINUX_X86_64, "aarch64": Platform.LINUX_AARCH64}
        return next((found for name, found in machine.items() if last.endswith(name)), None)
    if last.startswith("macosx"):
        return Platform.MACOS_ARM64 if last.endswith("arm64") else Platform.MACOS_X86_64
    return Platform.WINDOWS_X86_64 if last == "win_amd64" else None


def platforms_of(tags: Iterable[str]) -> tuple[Platform, ...]:
    """The platforms of some wheel tags."""
    return tuple(sorted({found for tag in tags if (found := platform_of_tag(tag)) is not None}))


def glibc_of_tag(tags: Iterable[str]) -> str | None:
    """What glibc a Linux x86_64 tag promises; None when it says nothing that can be trusted.

    manylinux1 is such a case: torch wheels kept it for old pips and need more.
    """
    for tag in tags:
        if platform_of_tag(tag) is Platform.LINUX_X86_64:
            match = _MANYLINUX.search(tag)
            return f"2.{match[1]}" if match else "2.17" if "manylinux2014" in tag else None
    return None


def newest(*versions: str | None) -> str | None:
    """The highest of some glibc versions, each a floor."""
    return max(filter(None, versions), key=version, default=None)


def release_of(name: str) -> str | None:
    """The version in a file name, as the index spells it; None for eggs, installers and the like."""
    try:
        if name.endswith(".whl"):
            parse_wheel_filename(name)
            return name.split("-")[1]
        if name.endswith((".tar.gz", ".zip")):
            parse_sdist_filename(name)
            return name.removesuffix(".zip").removesuffix(".tar.gz").rpartition("-")[2]
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None
    return None


def is_old_wheel(name: str) -> bool:
    """Wheels for Pythons before 3.6: nothing that is supported takes them."""
    return (
        name.endswith(".whl")
        and name.split("-")[-3].startswith("cp")
        and not pythons_of([name.split("-")[-3]])
    )
