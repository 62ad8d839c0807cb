"""Whether a wheel's file name fits a target: read from the name itself, tag by tag."""

from __future__ import annotations

import re

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from mmlock.core.names import Platform
from mmlock.core.versions import version

__all__ = ["misfit"]

_LEGACY = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_(.+)\Z")
_MACOS = re.compile(r"macosx_\d+_\d+_(.+)\Z")
_ARCH = {
    Platform.LINUX_X86_64: "x86_64",
    Platform.LINUX_AARCH64: "aarch64",
    Platform.MACOS_ARM64: "arm64",
    Platform.MACOS_X86_64: "x86_64",
}
_FAT = {
    Platform.MACOS_ARM64: {"arm64", "universal2"},
    Platform.MACOS_X86_64: {"x86_64", "universal2", "universal", "intel", "fat64", "fat3"},
}
_OLD_ABI = (3, 7)
"""Up to this Python the ABI tag ends in `m`."""


def misfit(file: str, python: str, platform: Platform, glibc: str | None) -> str | None:
    """Why no tag of the wheel fits the target; None when one does."""
    try:
        tags = parse_wheel_filename(file)[3]
    except InvalidWheelFilename as error:
        return f"`{file}` is not a wheel file name: {error}"
    here = [tag for tag in tags if _platform_fits(tag.platform, platform, glibc)]
    if not here:
        floor = f" with glibc {glibc}" if glibc else ""
        return f"`{file}` is not for {platform.value}{floor}"
    if not any(_python_fits(tag, python) for tag in here):
        return f"`{file}` is not for Python {python}"
    return None


def _python_fits(tag: Tag, python: str) -> bool:
    free = python.endswith("t")
    major, minor = (int(part) for part in python.removesuffix("t").split("."))
    kind, digits = tag.interpreter[:2], tag.interpreter[2:]
    if not digits.isdigit():
        return False
    built = (int(digits[0]), int(digits[1:] or -1))
    if built[0] != major:
        return False
    if kind == "cp" and built[1] < 0:  # `cp3` is in no installer's list
        return False
    if tag.abi == "none":
        return built[1] <= minor if kind == "py" else kind == "cp" and built[1] == minor
    if kind == "cp" and tag.abi == "abi3":
        return not free and built[1] <= minor
    suffix = "t" if free else "m" if (major, minor) <= _OLD_ABI else ""
    return kind == "cp" and built[1] == minor and tag.abi == f"cp{major}{minor}{suffix}"


def _platform_fits(tag: str, platform: Platform, glibc: str | None) -> bool:
    if tag in {"any", platform.value}:
        return True
    if match := _MACOS.match(tag):
        return match[1] in _FAT.get(platform, ())
    needed = _glibc(tag, _ARCH.get(platform, ""))
    return needed is not None and platform.is_linux and _reaches(glibc, needed)


def _reaches(glibc: str | None, needed: str) -> bool:
    return glibc is not None and version(glibc) >= version(needed)


def _glibc(tag: str, arch: str) -> str | None:
    """The glibc a manylinux tag of this machine asks for."""
    if match := _MANYLINUX.match(tag):
        return f"{match[1]}.{match[2]}" if match[3] == arch else None
    name, _, machine = tag.partition("_")
    return _LEGACY.get(name) if machine == arch else None
