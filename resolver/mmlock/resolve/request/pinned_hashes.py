"""Hashes that requirements files demand, held against the files of a lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from mmlock.core.artifact import Artifact
from mmlock.core.errors import NoAnswer
from mmlock.core.names import Confidence, PackageName
from mmlock.core.requirements import Asked
from mmlock.core.versions import InvalidVersion, allows
from mmlock.lock.model import Finding, FindingKind, Level, LockedEnv, LockedPackage

_SHA256 = "sha256:"


def hold_hashes(env: LockedEnv, requirements: Iterable[Asked]) -> LockedEnv:
    """The lock with only those files that were requested by hash. Raises NoAnswer when there is none."""
    demands = [asked for asked in requirements if asked.hashes]
    if not demands:
        return env
    packages = tuple(_narrowed(package, demands) for package in env.packages)
    for step in env.build:
        if isinstance(step.source, Artifact):
            _matching((step.source,), step.package, step.version, demands)
    unknown = tuple(
        _unchecked(step.package, step.version)
        for step in env.fetch
        if any(_of(demands, step.package, step.version))
    )
    return replace(env, packages=packages, findings=(*env.findings, *unknown))


def _narrowed(package: LockedPackage, demands: Iterable[Asked]) -> LockedPackage:
    files = _matching(package.files, package.name, package.version, demands)
    return package if files == package.files else replace(package, files=files)


def _matching(
    files: tuple[Artifact, ...], name: PackageName, version: str, demands: Iterable[Asked]
) -> tuple[Artifact, ...]:
    mine = list(_of(demands, name, version))
    known = {text.removeprefix(_SHA256) for asked in mine for text in asked.hashes if _SHA256 in text}
    kept = tuple(file for file in files if file.sha256 in known)
    if not mine or kept:
        return kept if mine else files
    raise NoAnswer(
        f"no file of {name} {version} for this target has a requested hash",
        causes=[
            *(f"{asked.origin}: {', '.join(asked.hashes)}" for asked in mine),
            *(f"{file.name}: {_SHA256}{file.sha256 or 'unknown'}" for file in files),
        ],
        hints=["pass the sha256 of that file with `--hash`, or leave the hashes out: the lock has its own"],
    )


def _of(demands: Iterable[Asked], name: PackageName, version: str) -> Iterator[Asked]:
    return (asked for asked in demands if asked.name == name and _admits(asked, version))


def _admits(asked: Asked, version: str) -> bool:
    try:
        return allows(asked.specifier, version)
    except InvalidVersion:
        return False


def _unchecked(name: PackageName, version: str) -> Finding:
    return Finding(
        level=Level.WARNING,
        kind=FindingKind.HASH,
        subject=name,
        text=f"the requested hash of {name} {version} could not be compared: its index publishes none",
        source=("the request",),
        confidence=Confidence.MEASURED,
    )
