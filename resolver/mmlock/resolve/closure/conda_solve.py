"""Asks rattler which packages of the channels make an environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Confidence, Sha256
from mmlock.facts.matrix.model import CondaRecord
from mmlock.lock.model import CondaPackage

if TYPE_CHECKING:
    from rattler import Gateway, PackageName, RepoDataRecord, Subdir

__all__ = [
    "ChannelRecords",
    "ChannelUnreachable",
    "CondaConflict",
    "CondaQuestion",
    "Live",
    "Recorded",
    "conda_package",
    "engine",
    "rattler_record",
    "spec_name",
]

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


class ChannelRecords(Protocol):
    """Where the packages of channels are known from."""

    def named(self, names: Sequence[str]) -> Mapping[str, Sequence[CondaRecord]]:
        """Every record of these names, by subdir. Raises ChannelUnreachable."""
        ...

    def solve(self, question: CondaQuestion) -> tuple[CondaPackage, ...] | CondaConflict:
        """The packages of the environment, by name; or why there is none. Raises ChannelUnreachable."""
        ...


class ChannelUnreachable(Exception):
    """A channel could not be read; the text says why."""


class Recorded(Struct, frozen=True, kw_only=True):
    """Packages of channels as the facts record them."""

    rows: Mapping[str, Sequence[CondaRecord]]
    """By subdir."""

    def named(self, names: Sequence[str]) -> Mapping[str, Sequence[CondaRecord]]:
        """Every record of these names."""
        return {key: tuple(row for row in rows if row.name in names) for key, rows in self.rows.items()}

    def solve(self, question: CondaQuestion) -> tuple[CondaPackage, ...] | CondaConflict:
        """The packages of the environment, by name; or why there is none."""
        source = _Source(self.rows)
        return _solved([source], question, None)


class Live(Struct, frozen=True, kw_only=True):
    """Packages of channels as the channels say it now; rattler reads and caches their pages."""

    channels: tuple[str, ...]
    subdir: str
    cache: Path
    exclude_newer: str | None = None
    """ISO 8601: later packages do not exist."""

    def named(self, names: Sequence[str]) -> Mapping[str, Sequence[CondaRecord]]:
        """Every record of these names. Raises ChannelUnreachable."""
        import asyncio

        from rattler.exceptions import GatewayError

        async def ask() -> list[RepoDataRecord]:
            found = await self._gateway().query(
                list(self.channels), [Subdir(self.subdir), Subdir("noarch")], list(names), recursive=False
            )
            return [record for records in found for record in records]

        from rattler import Subdir

        try:
            records = asyncio.run(ask())
        except (GatewayError, OSError) as error:
            raise ChannelUnreachable(" ".join(str(error).split())) from error
        rows: dict[str, list[CondaRecord]] = {}
        for record in records:
            package = _package_of(record)
            if package is not None and not self._later(package):
                rows.setdefault(package.subdir, []).append(_row(package))
        return rows

    def solve(self, question: CondaQuestion) -> tuple[CondaPackage, ...] | CondaConflict:
        """The packages of the environment, by name; or why there is none. Raises ChannelUnreachable."""
        return _solved(list(self.channels), question, self._gateway(), self.exclude_newer)

    def _gateway(self) -> Gateway:
        from rattler import Gateway

        return Gateway(cache_dir=self.cache)

    def _later(self, package: CondaPackage) -> bool:
        if self.exclude_newer is None or package.timestamp is None:
            return False
        return package.timestamp > moment(self.exclude_newer).timestamp() * 1000


def moment(text: str) -> datetime:
    """An ISO 8601 date or time, UTC where it names no zone."""
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _solved(
    sources: list[Any], question: CondaQuestion, gateway: Gateway | None, exclude_newer: str | None = None
) -> tuple[CondaPackage, ...] | CondaConflict:
    engine()
    import asyncio  # brings ssl along

    from rattler import (
        BuildString,
        ChannelPriority,
        GenericVirtualPackage,
        MatchSpec,
        PackageName,
        Subdir,
        Version,
        solve,
    )
    from rattler.exceptions import GatewayError, SolverError

    virtual = [
        GenericVirtualPackage(PackageName(name), Version(version), BuildString("0"))
        for name, version in question.virtual
    ]
    try:
        found = asyncio.run(
            solve(
                sources,
                [MatchSpec(text) for text in question.specs],
                gateway=gateway,
                platforms=[Subdir(question.subdir), Subdir("noarch")],
                virtual_packages=virtual,
                constraints=[MatchSpec(text) for text in question.constraints],
                channel_priority=ChannelPriority.Strict,
                exclude_newer=moment(exclude_newer) if exclude_newer else None,
                timestamp_policy="allow-missing",
            )
        )
    except SolverError as error:
        return CondaConflict(reason=str(error).removeprefix("Cannot solve the request because of: "))
    except (GatewayError, OSError) as error:
        raise ChannelUnreachable(" ".join(str(error).split())) from error
    known = sources[0].known if isinstance(sources[0], _Source) else {}
    packages = [known.get(record.url) or _package_of(record) for record in found]
    if bare := [record.name.normalized for record, one in zip(found, packages, strict=True) if one is None]:
        return CondaConflict(reason=f"the channel states no sha256 and md5 of {', '.join(sorted(bare))}")
    return tuple(sorted((one for one in packages if one is not None), key=lambda one: one.name))


def _package_of(record: RepoDataRecord) -> CondaPackage | None:
    """A record of a channel as a package of a lock; None for one without both hashes."""
    if record.sha256 is None or record.md5 is None:
        return None
    place = str(record.url).rpartition("/")[0].rpartition("/")[0]
    return CondaPackage(
        name=record.name.normalized,
        version=str(record.version),
        build=str(record.build),
        build_number=record.build_number,
        channel=place,
        subdir=record.subdir,
        file=record.file_name,
        sha256=Sha256(record.sha256.hex()),
        md5=record.md5.hex(),
        size=record.size,
        depends=tuple(record.depends),
        constrains=tuple(record.constrains),
        timestamp=int(record.timestamp.timestamp() * 1000) if record.timestamp else None,
        noarch=_noarch(record),
        python_site_packages_path=record.python_site_packages_path,
    )


def _noarch(record: RepoDataRecord) -> str | None:
    kind = record.noarch
    return "python" if kind.python else "generic" if kind.generic else None


def _row(package: CondaPackage) -> CondaRecord:
    """A package of a channel as a fact of this moment."""
    fields = {name: getattr(package, name) for name in package.__struct_fields__ if name != "subdir"}
    return CondaRecord(**fields, source=(package.url,), confidence=Confidence.CAPTURED)


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


def spec_name(text: str) -> str | None:
    """The package that a match specification is about; None for what is none. Raises EnvironmentFault."""
    engine()
    from rattler import MatchSpec
    from rattler.exceptions import InvalidMatchSpecError

    try:
        return MatchSpec(text).name.normalized  # None for a pattern
    except InvalidMatchSpecError:
        return None


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
