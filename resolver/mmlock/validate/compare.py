"""In what an interpreter differs from a lock. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import InvalidVersion, Version

from mmlock.lock.model import LockedEnv, LockedPackage
from mmlock.validate.model import Difference, DifferenceKind, InstalledPackage, Probe

TOOLS = frozenset({"pip", "setuptools", "wheel", "uv"})
"""What an environment may hold for installing; no kernel depends on it."""


def compare(env: LockedEnv, probe: Probe) -> tuple[Difference, ...]:
    """Every difference, the graver ones first."""
    return (*_python(env, probe), *_packages(env, probe), *_extra(env, probe))


def _python(env: LockedEnv, probe: Probe) -> Iterator[Difference]:
    if probe.minor != env.python or probe.implementation != "CPython":
        yield Difference(
            kind=DifferenceKind.PYTHON,
            package="python",
            locked=f"CPython {env.python}",
            installed=f"{probe.implementation} {probe.minor}",
        )


def _packages(env: LockedEnv, probe: Probe) -> Iterator[Difference]:
    for package in env.packages:
        installed = probe.packages.get(package.name)
        if installed is None:
            yield Difference(kind=DifferenceKind.MISSING, package=package.name, locked=package.version)
            continue
        if not same_version(installed.version, package.version):
            yield Difference(
                kind=DifferenceKind.VERSION,
                package=package.name,
                locked=package.version,
                installed=installed.version,
            )
        yield from _bytes(package, installed)


def _bytes(package: LockedPackage, installed: InstalledPackage) -> Iterator[Difference]:
    known = {file.sha256 for file in package.files}
    if installed.sha256 is not None and installed.sha256 not in known:
        yield Difference(kind=DifferenceKind.BYTES, package=package.name, installed=installed.sha256)
    for fault in installed.faults:
        yield Difference(kind=DifferenceKind.FILES, package=package.name, detail=fault)


def _extra(env: LockedEnv, probe: Probe) -> Iterator[Difference]:
    locked = {package.name for package in env.packages}
    for name in sorted(set(probe.packages) - locked - TOOLS):
        yield Difference(kind=DifferenceKind.EXTRA, package=name, installed=probe.packages[name].version)


def same_version(one: str, other: str) -> bool:
    """Whether two spellings mean the same release and build."""
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other
