"""What a word on the command line means as a wheel: a file, a URL, or a release of a package."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from mmlock.core.artifact import Artifact
from mmlock.core.errors import EnvironmentFault, NoAnswer, UsageError
from mmlock.core.names import PackageName, Sha256, normalize
from mmlock.facts.matrix.load import Matrix
from mmlock.net.fetching import Fetcher
from mmlock.net.lookup import LookupFault, LookupKind, file_version, find_files

PYPI = "https://pypi.org/simple"
_HINT = "name a wheel, its URL, a folder, an environment, or a package with its version (`xformers==0.0.22`)"


class LocatedWheel(Struct, frozen=True, kw_only=True):
    """A wheel to read."""

    where: str
    """Path or URL."""
    name: str
    package: PackageName | None
    sha256: Sha256 | None

    @property
    def artifact(self) -> Artifact:
        return Artifact(name=self.name, url=self.where, sha256=self.sha256)


def locate(matrix: Matrix, client: Fetcher, thing: str, python: str | None) -> LocatedWheel:
    """The wheel that is meant. Raises UsageError, NoAnswer or EnvironmentFault."""
    if "://" in thing:
        parts = urlsplit(thing)
        if parts.scheme not in {"http", "https"}:
            raise UsageError(f"cannot read `{thing}`: only http and https are fetched", hints=[_HINT])
        name = unquote(PurePosixPath(parts.path).name)
        sha256 = re.search(r"sha256=([0-9a-f]{64})", parts.fragment)
        where = thing.partition("#")[0]
        digest = Sha256(sha256[1]) if sha256 else None
        return LocatedWheel(where=where, name=name, package=_package(name), sha256=digest)
    path = Path(thing)
    if path.exists():
        return LocatedWheel(where=thing, name=path.name, package=_package(path.name), sha256=None)
    return _release(matrix, client, thing, python)


def _release(matrix: Matrix, client: Fetcher, thing: str, python: str | None) -> LocatedWheel:
    try:
        asked = Requirement(thing)
        pins = [Version(clause.version) for clause in asked.specifier if clause.operator in {"==", "==="}]
    except (InvalidRequirement, InvalidVersion) as error:
        raise UsageError(f"there is no `{thing}` here, and it names no package", hints=[_HINT]) from error
    if len(pins) != 1:
        hint = f"add a version: `{asked.name}==...`"
        raise UsageError(
            f"there is no `{thing}` here, and as a package it has no exact version", hints=[hint]
        )
    package, version = normalize(asked.name), pins[0]
    files = _recorded(matrix, package, version) or _indexed(client, package, version)
    wheel = best_wheel(files, python)
    if wheel is None:
        raise NoAnswer(
            f"`{package}=={version}` has no wheel that can be read",
            causes=[f"it has {len(files)} files, none of them a wheel for Linux"],
            hints=["give the URL of a wheel that is elsewhere, or a wheel that you built"],
        )
    return LocatedWheel(where=wheel.url, name=wheel.name, package=package, sha256=wheel.sha256)


def _recorded(matrix: Matrix, package: PackageName, version: Version) -> list[Artifact]:
    """Files that the matrix has of a release."""
    return [
        Artifact(name=file.name, url=file.url, sha256=file.sha256, size=file.size)
        for file in matrix.files(package)
        if file_version(file.name, package) == version
    ]


def _indexed(client: Fetcher, package: PackageName, version: Version) -> list[Artifact]:
    found = find_files(client, PYPI, package, str(version))
    if not isinstance(found, LookupFault):
        return list(found)
    if found.kind is LookupKind.NOT_FOUND:
        raise NoAnswer(found.text, hints=["give the URL of a wheel that is elsewhere"])
    raise EnvironmentFault(f"`{package}=={version}` cannot be looked up", causes=[found.text])


def best_wheel(files: Iterable[Artifact], python: str | None) -> Artifact | None:
    """The wheel for Linux on x86-64, of that Python or of the newest; else any with compiled code."""
    ranked = []
    for file in files:
        try:
            tags = parse_wheel_filename(file.name)[3] if file.is_wheel else ()
        except InvalidWheelFilename:
            continue
        for tag in tags:
            linux = "linux" in tag.platform and "musl" not in tag.platform
            number = re.fullmatch(r"(?:cp|py)3(\d*)", tag.interpreter)
            wanted = f"cp{python.replace('.', '')}" if python else None
            fits = wanted is None or tag.interpreter == wanted or tag.abi in {"abi3", "none"}
            minor = int(number[1] or 0) if number else -1
            plain = not tag.abi.endswith("t")
            ranked.append(
                ((fits, linux and tag.platform.endswith("x86_64"), linux, plain, minor), file.name, file)
            )
    ranked = [row for row in ranked if row[0][0] and (row[0][2] or row[2].name.endswith("-any.whl"))]
    return max(ranked, key=lambda row: row[:2])[2] if ranked else None


def _package(name: str) -> PackageName | None:
    try:
        return normalize(parse_wheel_filename(name)[0])
    except InvalidWheelFilename:
        return None
