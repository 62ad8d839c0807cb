"""Asks rattler which packages of the channels make an environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Sha256
from mmlock.facts.matrix.model import CondaRecord
from mmlock.lock.model import CondaPackage

if TYPE_CHECKING:
    from rattler import PackageName, RepoDataRecord, Subdir

__all__ = ["CondaConflict", "CondaQuestion", "ask_rattler", "conda_package", "engine", "rattler_record"]

Virtual = tuple[str, str]
"""Name and version of a virtual package: `("__cuda", "12.9")`."""


class CondaQuestion(Struct, frozen=True, kw_only=True):
    """What is to be in an environment, and on which machine."""

    subdir: str
    specs: tuple[str, ...]
    """Match specs of what must be there."""
    constraints: tuple[str, ...]
    """Match specs of what must hold where such a package is there at all."""
    virtual: tuple[Virtual, ...]
    """Virtual packages of the target, not of this machine."""


class CondaConflict(Struct, frozen=True, kw_only=True):
    """No set of records fits."""

    reason: str
    """The engine's own explanation, whole."""


def engine() -> str:
    """`rattler 0.28.0`. Raises EnvironmentFault where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"rattler {version('py-rattler')}"
    except PackageNotFoundError as error:
        raise EnvironmentFault(
            "conda environments need rattler, which is not installed",
            causes=["it is an extra of mmlock"],
            hints=["pip install 'mmlock[conda]'"],
        ) from error


def ask_rattler(
    records: Mapping[str, Sequence[CondaRecord]], question: CondaQuestion
) -> tuple[CondaPackage, ...] | CondaConflict:
    """The packages of the environment, by name; or why there is none."""
    engine()
    import asyncio  # brings ssl along

    from rattler import (
        BuildString,
        ChannelPriority,
        GenericVirtualPackage,
        MatchSpec,
        PackageName,
        Version,
        solve,
    )
    from rattler.exceptions import SolverError

    source = _Source(records)
    virtual = [
        GenericVirtualPackage(PackageName(name), Version(version), BuildString("0"))
        for name, version in question.virtual
    ]
    try:
        found = asyncio.run(
            solve(
                [source],
                [MatchSpec(text) for text in question.specs],
                platforms=[question.subdir, "noarch"],  # type: ignore[list-item]
                virtual_packages=virtual,
                constraints=[MatchSpec(text) for text in question.constraints],
                channel_priority=ChannelPriority.Strict,
            )
        )
    except SolverError as error:
        return CondaConflict(reason=str(error).removeprefix("Cannot solve the request because of: "))
    known = source.known
    return tuple(sorted((known[record.url] for record in found), key=lambda one: one.name))


class _Source:
    """Recorded packages, as rattler asks for them."""

    def __init__(self, records: Mapping[str, Sequence[CondaRecord]]) -> None:
        self.known: dict[str, CondaPackage] = {}
        self._by_name: dict[tuple[str, str], list[CondaPackage]] = {}
        for subdir, rows in records.items():
            for row in rows:
                if (package := conda_package(subdir, row)) is not None:
                    self.known[package.url] = package
                    self._by_name.setdefault((subdir, package.name), []).append(package)

    async def fetch_package_records(self, platform: Subdir, name: PackageName) -> list[RepoDataRecord]:
        """The records of one name."""
        return [
            rattler_record(package) for package in self._by_name.get((str(platform), name.normalized), ())
        ]

    def package_names(self, platform: Subdir) -> list[str]:
        """Every name there is for a platform."""
        return [name for subdir, name in self._by_name if subdir == str(platform)]


def conda_package(subdir: str, row: CondaRecord) -> CondaPackage | None:
    """A record as a package of a lock; None for one without both hashes, which no lock holds."""
    if row.sha256 is None or row.md5 is None:
        return None
    return CondaPackage(
        name=row.name,
        version=row.version,
        build=row.build,
        build_number=row.build_number,
        channel=row.channel,
        subdir=subdir,
        file=row.file,
        sha256=Sha256(row.sha256),
        md5=row.md5,
        size=row.size,
        depends=row.depends,
        constrains=row.constrains,
        timestamp=row.timestamp,
        noarch=row.noarch,
        python_site_packages_path=row.python_site_packages_path,
    )


def rattler_record(package: CondaPackage) -> RepoDataRecord:
    """A locked package as rattler takes it."""
    from rattler import BuildString, PackageRecord, RepoDataRecord

    record = PackageRecord(
        name=package.name,
        version=package.version,
        build=BuildString(package.build),
        build_number=package.build_number,
        subdir=package.subdir,
        noarch=package.noarch,  # type: ignore[arg-type]
        depends=list(package.depends),
        constrains=list(package.constrains),
        sha256=bytes.fromhex(package.sha256),
        md5=bytes.fromhex(package.md5),
        size=package.size,
        python_site_packages_path=package.python_site_packages_path,
    )
    return RepoDataRecord(record, package.file, package.url, package.channel)
