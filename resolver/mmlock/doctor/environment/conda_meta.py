"""What conda records of its own packages in a prefix: `conda-meta/*.json`, read as data."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path

import msgspec
from msgspec import Struct

from mmlock.core.names import normalize
from mmlock.doctor.environment.model import CondaInstalled, CondaOwned, CondaRecordFault, OwnedState
from mmlock.files.reading import UnreadableError, read_bounded

__all__ = ["META", "read_conda"]

META = "conda-meta"
_NO_RECORD = "not a record of conda"
_MOST_RECORDS = 20_000
_LARGEST = 256 << 20
_LARGEST_LIST = 64 << 20
_INFO = re.compile(
    r"(?:^|.*/)site-packages/(?P<record>(?P<name>[A-Za-z0-9_.-]+?)-(?P<version>[A-Za-z0-9_.!+]+)"
    r"(?:-py[\d.]+)?\.(?:dist|egg)-info)(?:/(?P<file>[^/]+))?"
)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_PART = re.compile(r"[A-Za-z0-9_.!+]*")
_PROOF = "RECORD"
"""The list of files that an installer writes of its own: no two installations have the same bytes in it."""


class _Path(Struct, frozen=True):
    path: str = msgspec.field(default="", name="_path")
    sha256: str | None = None
    sha256_in_prefix: str | None = None


class _Paths(Struct, frozen=True):
    paths: tuple[_Path, ...] = ()


class _Meta(Struct, frozen=True):
    """The part of a record that is looked at."""

    name: str
    version: str
    build: str = ""
    channel: str | None = None
    depends: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    paths_data: _Paths = _Paths()


_DECODER = msgspec.json.Decoder(_Meta)


def read_conda(
    prefix: Path, sites: Iterable[Path]
) -> tuple[tuple[CondaInstalled, ...], tuple[CondaRecordFault, ...]]:
    """The conda packages of a prefix by name, and the records that cannot be read.

    `sites` are the folders that the prefix imports from: of each package's Python distributions it is told
    whether they are still there as conda installed them.
    """
    folder = prefix / META
    try:
        with os.scandir(folder) as listed:
            names = sorted(
                entry.name for entry in islice(listed, _MOST_RECORDS) if entry.name.endswith(".json")
            )
    except OSError:
        return (), ()
    own = [site for site in sites if prefix in site.parents]
    found: list[CondaInstalled] = []
    faults: list[CondaRecordFault] = []
    for name in names:
        try:
            meta = _DECODER.decode(read_bounded(folder / name, _LARGEST))
        except UnreadableError as error:
            faults.append(CondaRecordFault(path=folder / name, detail=error.text))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            faults.append(CondaRecordFault(path=folder / name, detail=_NO_RECORD))
        else:
            if _NAME.fullmatch(meta.name) and _PART.fullmatch(meta.version) and _PART.fullmatch(meta.build):
                found.append(_installed(meta, own))
            else:
                faults.append(CondaRecordFault(path=folder / name, detail=_NO_RECORD))
    return tuple(sorted(found, key=lambda one: one.name)), tuple(faults)


def _installed(meta: _Meta, sites: list[Path]) -> CondaInstalled:
    return CondaInstalled(
        name=meta.name,
        version=meta.version,
        build=meta.build,
        channel=meta.channel,
        depends=tuple(dict.fromkeys(spec.split(maxsplit=1)[0] for spec in meta.depends if spec.split())),
        owns=tuple(_owned(meta, sites)),
    )


def _owned(meta: _Meta, sites: list[Path]) -> Iterator[CondaOwned]:
    """Its distributions, each once."""
    hashes = {one.path: one.sha256_in_prefix or one.sha256 for one in meta.paths_data.paths}
    seen: set[str] = set()
    for path in (*meta.files, *hashes):
        match = _INFO.fullmatch(path) if "-info" in path else None
        if match is None or match["record"] in seen:
            continue
        seen.add(match["record"])
        proofs = (value for place, value in hashes.items() if place.endswith(f"/{match['record']}/{_PROOF}"))
        yield CondaOwned(
            distribution=normalize(match["name"]),
            version=match["version"],
            record=match["record"],
            state=_state(match["record"], next(proofs, None), sites),
        )


def _state(record: str, proof: str | None, sites: list[Path]) -> OwnedState:
    """Whether the record of a distribution is the one that conda laid down."""
    there = next((site / record for site in sites if (site / record).exists()), None)
    if there is None:
        return OwnedState.GONE
    if proof is None:
        return OwnedState.UNKNOWN
    try:
        data = read_bounded(there / _PROOF, _LARGEST_LIST)
    except UnreadableError:
        return OwnedState.CHANGED
    return OwnedState.KEPT if sha256(data).hexdigest() == proof else OwnedState.CHANGED
