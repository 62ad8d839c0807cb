"""What an interpreter has otherwise than a lock. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import InvalidVersion, Version

from mmlock.lock.model import LockedEnv, LockedPackage
from mmlock.validate.model import Difference, InstalledPackage, Probe

TOOLS = frozenset({"pip", "setuptools", "wheel", "uv"})
"""What an environment may hold for installing; no kernel depends on it."""


def compare(env: LockedEnv, found: Probe) -> tuple[Difference, ...]:
    """Every difference, the graver ones first."""
    return (*_python(env, found), *_packages(env, found), *_extra(env, found))


def _python(env: LockedEnv, found: Probe) -> Iterator[Difference]:
    if found.minor != env.python or found.implementation != "CPython":
        text = f"it is {found.implementation} {found.minor}, the lock is for CPython {env.python}"
        yield Difference(kind="python", package="python", text=text)


def _packages(env: LockedEnv, found: Probe) -> Iterator[Difference]:
    for package in env.packages:
        there = found.packages.get(package.name)
        if there is None:
            yield Difference(
                kind="missing", package=package.name, text=f"{package.version} is locked and not installed"
            )
            continue
        if not same_version(there.version, package.version):
            text = f"{there.version} is installed, {package.version} is locked"
            yield Difference(kind="version", package=package.name, text=text)
        yield from _bytes(package, there)


def _bytes(package: LockedPackage, there: InstalledPackage) -> Iterator[Difference]:
    known = {file.sha256 for file in package.files}
    if there.sha256 is not None and there.sha256 not in known:
        text = f"it was installed from an archive with sha256 {there.sha256}, which is not in the lock"
        yield Difference(kind="bytes", package=package.name, text=text)
    for fault in there.faults:
        yield Difference(kind="files", package=package.name, text=fault)


def _extra(env: LockedEnv, found: Probe) -> Iterator[Difference]:
    locked = {package.name for package in env.packages}
    for name in sorted(set(found.packages) - locked - TOOLS):
        text = f"{found.packages[name].version} is installed and not in the lock"
        yield Difference(kind="extra", package=name, text=text)


def same_version(one: str, other: str) -> bool:
    """Whether two spellings mean the same release and build."""
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other
