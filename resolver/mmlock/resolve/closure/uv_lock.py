"""uv's `pylock.toml`, read into packages. Pure.

Read by hand and not by `packaging.pylock`: that refuses a file without a hash, which mmlock must be able
to tell, and its import takes longer than uv does. A test holds both to the same packages.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct
from packaging.tags import Tag

from mmlock.core.artifact import Artifact, ClosedPackage
from mmlock.core.names import PackageName, Sha256, normalize
from mmlock.net.credentials import bare
from mmlock.resolve.closure.tags import best_first

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class LockFault(Struct, frozen=True, kw_only=True):
    """The text is not the lock we know: where, and what is wrong."""

    where: str
    text: str

    def __str__(self) -> str:
        return f"`{self.where}`: {self.text}"


def read_lock(data: bytes, without: frozenset[PackageName]) -> tuple[ClosedPackage, ...] | LockFault:
    """Every package of the lock but those in `without`, with all files it names, sorted by name."""
    try:
        tables = tomllib.loads(data.decode("utf-8"))["packages"]
    except (ValueError, KeyError, RecursionError) as error:
        return LockFault(where="packages", text=f"not a lock: {error}")
    if not isinstance(tables, list):
        return LockFault(where="packages", text="not a lock: it is no array of tables")
    packages: list[ClosedPackage] = []
    for at, table in enumerate(tables):
        where = f"packages[{at}]"
        try:
            name = normalize(table["name"])
            if name not in without:
                packages.append(ClosedPackage(name=name, version=table["version"], files=_files(table)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return LockFault(where=where, text=f"{type(error).__name__}: {error}")
    return tuple(sorted(packages, key=lambda package: package.name))


def fitting(
    package: ClosedPackage, tags: Sequence[Tag], sdists: frozenset[PackageName]
) -> tuple[Artifact, ...]:
    """The package's files that fit the target, best first."""
    return best_first(package.files, tags, sdists=package.name in sdists)


def _files(table: Mapping[str, Any]) -> tuple[Artifact, ...]:
    entries = [*table.get("wheels", ()), *(table[kind] for kind in ("archive", "sdist") if kind in table)]
    return tuple(_file(entry) for entry in entries)


def _file(entry: Mapping[str, Any]) -> Artifact:
    url = entry.get("url") or entry["path"]
    sha256 = entry.get("hashes", {}).get("sha256")
    upload = entry.get("upload-time")
    return Artifact(
        name=entry.get("name") or unquote(urlsplit(url).path.rpartition("/")[2]),
        url=bare(url),
        sha256=Sha256(sha256.lower()) if sha256 else None,
        size=entry.get("size"),
        upload_time=_utc(upload) if isinstance(upload, datetime) else None,
    )


def _utc(moment: datetime) -> str:
    moment = moment.astimezone(timezone.utc) if moment.tzinfo else moment
    return moment.replace(tzinfo=None).isoformat() + "Z"
