"""Pages of conda channels -> records: `repodata.json`, the same packed with zstd, and sharded repodata. Pure.

Sharded: `repodata_shards.msgpack.zst` names the shard of each package by its sha256; a shard has the records
of one package. What a page says of a package is believed only where it has the form that a record must have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from mmlock.core.names import Sha256
from mmlock.facts.matrix.model import CondaRecord
from mmlock.facts.scrape.conda_locks import record_of

__all__ = ["ShardIndex", "UnreadableRepodata", "read_repodata", "read_shard", "read_shard_index", "unpacked"]

_LARGEST = 2 << 30
"""Bytes of a page when it is unpacked; conda-forge's largest has half a billion."""
_FREE, _RATIO = 64 << 20, 100


class UnreadableRepodata(Exception):
    """Bytes that are no page of a channel; the text says why."""


class ShardIndex(Struct, frozen=True, kw_only=True):
    """Which shard each package of a channel is in."""

    base: str
    """Where the shards are, as the page says it: absolute, or relative to the page."""
    shards: Mapping[str, Sha256]
    """Package -> the sha256 of its shard as it is served."""


def unpacked(data: bytes) -> bytes:
    """The content of zstd-packed bytes. Raises UnreadableRepodata."""
    limit = min(_LARGEST, _FREE + _RATIO * len(data))
    try:
        import zstandard
    except ImportError as error:
        raise UnreadableRepodata("zstandard is not installed: pip install 'mmlock[conda]'") from error
    try:
        with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as stream:
            found: bytes = stream.read(limit + 1)
    except zstandard.ZstdError as error:
        raise UnreadableRepodata(f"it cannot be unpacked: {error}") from error
    if len(found) > limit:
        raise UnreadableRepodata(f"it has more than {limit >> 20} MB when it is unpacked")
    return found


def read_repodata(data: bytes, channel: str, subdir: str, source: str) -> tuple[CondaRecord, ...]:
    """The records of a `repodata.json`. Raises UnreadableRepodata."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableRepodata(f"it is no JSON: {error}") from error
    return tuple(_records(document, channel, subdir, source))


def read_shard(data: bytes, channel: str, subdir: str, source: str) -> tuple[CondaRecord, ...]:
    """The records of a shard, packed as it is served. Raises UnreadableRepodata."""
    return tuple(_records(_msgpack(unpacked(data)), channel, subdir, source))


def read_shard_index(data: bytes) -> ShardIndex:
    """The page that names the shards. Raises UnreadableRepodata."""
    document = _msgpack(unpacked(data))
    info, shards = (document.get(key) for key in ("info", "shards")) if isinstance(document, dict) else (0, 0)
    if not isinstance(info, dict) or not isinstance(shards, dict):
        raise UnreadableRepodata("it names no shards")
    base = info.get("shards_base_url", "")
    found = {
        name: Sha256(digest.hex() if isinstance(digest, bytes) else str(digest))
        for name, digest in shards.items()
        if isinstance(name, str) and isinstance(digest, (bytes, str))
    }
    return ShardIndex(base=base if isinstance(base, str) else "", shards=found)


def _msgpack(data: bytes) -> Any:
    try:
        return msgspec.msgpack.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableRepodata(f"it is no msgpack: {error}") from error


def _records(document: Any, channel: str, subdir: str, source: str) -> Iterator[CondaRecord]:
    if not isinstance(document, dict):
        raise UnreadableRepodata("it is no mapping")
    info = document.get("info")
    told = info.get("subdir") if isinstance(info, dict) else None
    if told not in {None, subdir}:
        raise UnreadableRepodata(f"it is of `{told!s:.40}`, not of `{subdir}`")
    removed = document.get("removed")
    gone = set(removed) if isinstance(removed, list) and all(isinstance(x, str) for x in removed) else set()
    for key in ("packages", "packages.conda"):
        rows = document.get(key)
        for file, row in rows.items() if isinstance(rows, dict) else ():
            if isinstance(file, str) and isinstance(row, dict) and file not in gone:
                yield from _record(file, _plain(row), channel, subdir, source)


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Hashes are bytes in a shard."""
    return {str(k): v.hex() if isinstance(v, bytes) else v for k, v in row.items()}


def _record(
    file: str, row: Mapping[str, Any], channel: str, subdir: str, source: str
) -> Iterator[CondaRecord]:
    """The record, where name, version, build and file of a row are one and the same."""
    depends = row.get("depends")
    told = tuple(text for text in depends if isinstance(text, str)) if isinstance(depends, list) else ()
    found = record_of(channel, subdir, file, row, told, source)
    if found is None or (found.name, found.version, found.build) != (
        row.get("name"),
        row.get("version"),
        row.get("build"),
    ):
        return
    if found.sha256 is not None and found.md5 is not None:  # no lock could hold another one
        yield found
