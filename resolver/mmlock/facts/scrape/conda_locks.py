"""Records of conda packages, as lock files that others published state them. Pure.

Reads `pixi.lock` (versions 5 to 7) and `conda-lock.yml` (version 1). conda-lock.yml states neither what a
package constrains nor when it was built.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from mmlock.core.names import Confidence, Sha256
from mmlock.facts.matrix.model import CondaRecord
from mmlock.files.strict_yaml import UnreadableYAMLError, yaml_mapping

__all__ = ["CondaFile", "UnreadableCondaLock", "conda_file", "record_of", "records"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_STEM = re.compile(r"([a-z0-9_][a-z0-9_.-]*)-([A-Za-z0-9_.!+]+)-([A-Za-z0-9_.!+]+)")
_NUMBER = re.compile(r"(?:.*_)?(\d{1,9})")
_ENDINGS = (".conda", ".tar.bz2")
_MAX = 64 << 20


class UnreadableCondaLock(Exception):
    """Bytes that are no lock file of a known kind; the text says why."""


class CondaFile(NamedTuple):
    """What the URL of a conda package says."""

    channel: str
    subdir: str
    name: str
    version: str
    build: str
    file: str


def conda_file(url: str) -> CondaFile | None:
    """What the URL of a conda package says; None for anything else, or not served by https."""
    parts = urlsplit(url)
    place, _, file = parts.path.rpartition("/")
    folder, _, subdir = place.rpartition("/")
    file = unquote(file)
    stem = next((file[: -len(end)] for end in _ENDINGS if file.endswith(end)), None)
    if parts.scheme != "https" or not parts.netloc or "@" in parts.netloc or stem is None or not folder:
        return None
    found = _STEM.fullmatch(stem)
    return (
        CondaFile(f"https://{parts.netloc}{folder}", subdir, found[1], found[2], found[3], file)
        if found
        else None
    )


def records(
    data: bytes, source: str, environments: Collection[str] = ()
) -> tuple[tuple[str, CondaRecord], ...]:
    """The records of a lock file, each with its subdir; those of other places than a channel are left out.

    `environments`: those of a pixi.lock whose packages are taken; none: all. Raises UnreadableCondaLock.
    """
    if len(data) > _MAX:
        raise UnreadableCondaLock(f"it has more than {_MAX >> 20} MB")
    document = _document(data)
    version = document.get("version")
    if isinstance(packages := document.get("packages"), list) and version in {5, 6, 7}:
        taken = _of_environments(document, environments) if environments else None
        rows = (_of_pixi(row, source) for row in packages if taken is None or _conda_url(row) in taken)
    elif isinstance(packages := document.get("package"), list) and version == 1:
        rows = (_of_conda_lock(row, source) for row in packages)
    else:
        raise UnreadableCondaLock("it is neither a pixi.lock (5 to 7) nor a conda-lock.yml (1)")
    return tuple(dict.fromkeys(row for row in rows if row is not None))


def _document(data: bytes) -> Mapping[str, Any]:
    try:
        return yaml_mapping(data.decode())
    except UnicodeDecodeError as fault:
        raise UnreadableCondaLock(f"it is no YAML: {fault}") from fault
    except UnreadableYAMLError as fault:
        raise UnreadableCondaLock(str(fault)) from fault


def _of_environments(document: Mapping[str, Any], names: Collection[str]) -> set[str]:
    """The URLs of the conda packages that some environments hold. Raises UnreadableCondaLock."""
    every = document.get("environments")
    found: set[str] = set()
    for name in names:
        held = every.get(name) if isinstance(every, dict) else None
        platforms = held.get("packages") if isinstance(held, dict) else None
        if not isinstance(platforms, dict):
            raise UnreadableCondaLock(f"it has no environment `{name}`")
        rows = (row for listed in platforms.values() if isinstance(listed, list) for row in listed)
        found |= {url for row in rows if (url := _conda_url(row))}
    return found


def _conda_url(row: Any) -> str | None:
    url = row.get("conda") if isinstance(row, dict) else None
    return url if isinstance(url, str) else None


def _of_pixi(row: Any, source: str) -> tuple[str, CondaRecord] | None:
    url = (
        (row.get("conda") or (row.get("url") if row.get("kind") == "conda" else None))
        if isinstance(row, dict)
        else None
    )
    return _record(url, row, tuple(_texts(row.get("depends"))), source) if isinstance(url, str) else None


def _of_conda_lock(row: Any, source: str) -> tuple[str, CondaRecord] | None:
    if not isinstance(row, dict) or row.get("manager") != "conda" or not isinstance(row.get("url"), str):
        return None
    depends = row.get("dependencies")
    specs = depends.items() if isinstance(depends, dict) else ()
    told = tuple(f"{name} {spec}".strip() for name, spec in specs if isinstance(name, str))
    hashes = row.get("hash")
    return _record(row["url"], hashes if isinstance(hashes, dict) else {}, told, source)


def _record(
    url: str, row: Mapping[str, Any], depends: tuple[str, ...], source: str
) -> tuple[str, CondaRecord] | None:
    found = conda_file(url)
    if found is None:
        return None
    made = record_of(found.channel, found.subdir, found.file, row, depends, source)
    return None if made is None else (found.subdir, made)


def record_of(
    channel: str, subdir: str, file: str, row: Mapping[str, Any], depends: tuple[str, ...], source: str
) -> CondaRecord | None:
    """The record of a file of a channel, from what a row says of it; None where the file has no such name.

    What has not the form that it must have is taken for not stated.
    """
    found = conda_file(f"https://host/channel/{subdir}/{file}")
    if found is None or found.subdir != subdir or found.file != file:
        return None
    sha256, md5, size, noarch = (row.get(key) for key in ("sha256", "md5", "size", "noarch"))
    number = row.get("build_number")
    named = _NUMBER.fullmatch(found.build)
    site, timestamp = row.get("python_site_packages_path"), row.get("timestamp")
    return CondaRecord(
        name=found.name,
        version=found.version,
        build=found.build,
        build_number=number if isinstance(number, int) else int(named[1]) if named else 0,
        channel=channel,
        file=file,
        sha256=Sha256(sha256) if isinstance(sha256, str) and _SHA256.fullmatch(sha256) else None,
        md5=md5 if isinstance(md5, str) and _MD5.fullmatch(md5) else None,
        size=size if isinstance(size, int) and size >= 0 else None,
        depends=tuple(sorted(depends)),
        constrains=tuple(sorted(_texts(row.get("constrains")))),
        timestamp=timestamp if isinstance(timestamp, int) else None,
        noarch=noarch if noarch in {"python", "generic"} else None,
        track_features=tuple(str(row.get("track_features") or "").split()),
        python_site_packages_path=site if isinstance(site, str) else None,
        source=(source,),
        confidence=Confidence.CAPTURED,
    )


def _texts(value: Any) -> Iterator[str]:
    yield from (text for text in value if isinstance(text, str)) if isinstance(value, list) else ()
