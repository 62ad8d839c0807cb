"""What new wheels hold (GPU archs, C++ ABI, libcudart, glibc), read from parts of them.

Names and metadata do not tell it, and a row without it serves no GPU. Rows that appeared in this refresh are
read; older ones of a package that `--inspect` names, too. What cannot be read stays unknown and is reported.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct, field, structs

from mmlock.core.artifact import Artifact
from mmlock.core.names import Confidence, PackageName, Platform
from mmlock.core.progress import Progress
from mmlock.facts.locate import best_wheel
from mmlock.facts.matrix.merge import Facts
from mmlock.facts.matrix.model import Binary, TorchBuild
from mmlock.facts.matrix.provenance import dated, seen_on
from mmlock.facts.refresh.indexes import Overlay
from mmlock.facts.refresh.report import IndexOutcome
from mmlock.facts.scrape import pytorch, pytorch_files
from mmlock.facts.scrape.binaries import ABI_OF_TORCH, abi_of_torch
from mmlock.facts.scrape.tags import cuda_of_variant, newest, wheel_name
from mmlock.net.fetching import Fetcher, FetchFault
from mmlock.net.http import Client

if TYPE_CHECKING:
    from mmlock.binary.build_facts import Holds

__all__ = ["MOST", "Reading", "concluded", "inspect_new"]

MOST = 24
"""Wheels read in one refresh: a day's news, not a history; each costs up to a hundred megabytes."""

_READABLE = frozenset({Platform.LINUX_X86_64, Platform.LINUX_AARCH64})
"""Only ELF files are read."""


class Reading(Struct, frozen=True, kw_only=True):
    """With what the wheels are read."""

    client: Client
    facts: Overlay
    named: frozenset[str]
    """Packages whose older rows are read as well."""
    places: Mapping[str, str]
    """Index -> where it is read: wheels of a mirrored index are read there."""
    cache: Path
    progress: Progress
    day: str


class _Task(Struct, frozen=True, kw_only=True):
    """A wheel, and the rows that it speaks for."""

    package: PackageName
    schema: str
    rows: tuple[Any, ...]
    wheel: Artifact


def inspect_new(reading: Reading) -> IndexOutcome | None:
    """Read the wheels of new rows; None when there is nothing to read."""
    before = reading.client.traffic.requests, reading.client.traffic.received
    started = time.monotonic()
    unknown: list[str] = []
    tasks = [*_torch_tasks(reading, unknown), *_binary_tasks(reading, unknown)]
    if not tasks and not unknown:
        return None
    hint = f"no more than {MOST} wheels are read at once; name its package with `--inspect`"
    unknown += [f"{task.wheel.name}: {hint}" for task in tasks[MOST:]]
    read, hosts = 0, _Hosts(client=reading.client)
    for task in tasks[:MOST]:
        reading.progress(f"reading parts of {task.wheel.name}")
        told = hosts.why_not(task.wheel.url) or _apply(reading, task)
        if isinstance(told, str):
            unknown.append(f"{task.wheel.name}: {told}")
        else:
            read += 1
    return IndexOutcome(
        name="wheels",
        unit="wheels",
        place="",
        read=read,
        stale=(),
        warnings=tuple(f"its contents stay unknown: {text}" for text in unknown),
        last=None,
        requests=reading.client.traffic.requests - before[0],
        received=reading.client.traffic.received - before[1],
        seconds=time.monotonic() - started,
    )


class _Hosts(Struct):
    """Which hosts can be reached: one request learns it, and one that is down is not asked again."""

    client: Client
    answers: dict[str, str | None] = field(default_factory=dict)

    def why_not(self, url: str) -> str | None:
        """Why a wheel cannot be read; None when its host answers."""
        host = urlsplit(url).netloc
        if host not in self.answers:
            answer = self.client.get_range(url, -1, 0)
            down = isinstance(answer, FetchFault) and answer.status is None
            self.answers[host] = answer.text if isinstance(answer, FetchFault) and down else None
        return self.answers[host]


# ---------------------------------------------------------------- what is read


def _torch_tasks(reading: Reading, unknown: list[str]) -> Iterator[_Task]:
    for row in _lacking(reading, "torch-builds", None, "torch"):
        what = f"torch {row.torch} {row.variant} {row.platform}"
        if row.platform not in _READABLE or not (row.cuda or row.variant == "cpu"):
            unknown.append(f"{what}: only CUDA builds for Linux are read")
        elif (wheel := _torch_wheel(reading, row)) is None:
            unknown.append(f"{what}: no file of it is recorded")
        else:
            yield _Task(package=PackageName("torch"), schema="torch-builds", rows=(row,), wheel=wheel)


def _torch_wheel(reading: Reading, row: TorchBuild) -> Artifact | None:
    if row.on_pypi:
        return _best(reading, "torch", row.torch, row.platform)
    found = _best(reading, pytorch_files.PACKAGE, f"{row.torch}+{row.variant}", row.platform, name="torch")
    if found is None:
        return None
    inside = found.url.removeprefix(pytorch.BASE)
    return structs.replace(found, url=f"{reading.places[pytorch.NAME].rstrip('/')}{inside}")


def _binary_tasks(reading: Reading, unknown: list[str]) -> Iterator[_Task]:
    """One wheel speaks for all rows of a release that differ in torch or C++ ABI only."""
    for package in reading.facts.packages("binaries"):
        groups: dict[tuple[str, str | None], list[Binary]] = {}
        for row in _lacking(reading, "binaries", package, package):
            if not row.same_variant and package != "torch-npu":
                groups.setdefault((row.version, row.cuda), []).append(row)
        for (release, _), rows in groups.items():
            if not any(platform in _READABLE for row in rows for platform in row.platforms):
                unknown.append(f"{package} {release}: it has no wheel for Linux, and only ELF files are read")
                continue
            wheel = _linked(rows[0]) or _best(reading, package, release, Platform.LINUX_X86_64)
            if wheel is None:
                unknown.append(f"{package} {release}: no file of it is recorded")
            else:
                yield _Task(package=package, schema="binaries", rows=tuple(rows), wheel=wheel)


def _linked(row: Binary) -> Artifact | None:
    """The wheel of a row that names its URL, for the newest of its Pythons."""
    if row.url is None or not row.pythons:
        return None
    url = row.url.replace("{py}", "cp" + row.pythons[-1].replace(".", "").removesuffix("t"))
    return Artifact(name=url.rpartition("/")[2], url=url, sha256=None)


def _lacking(reading: Reading, schema: str, package: str | None, named: str) -> tuple[Any, ...]:
    """Rows without archs: new ones, and all of a package that was named."""
    rows = [row for row in reading.facts.rows(schema, package) if _lacks(row)]
    if named in reading.named:
        return tuple(rows)
    known = reading.facts.before(schema, package)
    return tuple(row for row in rows if reading.facts.key(schema, row) not in known)


def _lacks(row: Any) -> bool:
    """Whether a wheel could tell more than the row does."""
    if isinstance(row, TorchBuild) and row.platform in _READABLE and row.cxx11_abi is None:
        return True
    return row.archs is None or bool(row.unread)


def _best(
    reading: Reading, package: str, release: str, platform: Platform, name: str | None = None
) -> Artifact | None:
    wanted = (name or package).replace("-", "_")
    files = []
    for row in reading.facts.rows("files", package):
        parts = wheel_name(row.name)
        if parts and parts.name == wanted and parts.version == release and parts.platform is platform:
            files.append(Artifact(name=row.name, url=row.url, sha256=row.sha256, size=row.size))
    return best_wheel(files, None)


# ---------------------------------------------------------------- what it told


def _apply(reading: Reading, task: _Task) -> str | None:
    """Lay what a wheel holds over its rows; why it told nothing."""
    from mmlock.binary.build_facts import Unread, read_build, read_extension_wheel

    client: Fetcher = reading.client
    if task.schema == "torch-builds":
        holds = read_build(client, task.wheel.url)
    else:
        holds = read_extension_wheel(client, task.wheel.url, task.wheel.sha256, reading.cache)
    if isinstance(holds, Unread):
        return holds.why
    if holds.archs is None and any(row.archs is None for row in task.rows):
        return "its GPU code could not be read whole"
    (first, *_) = task.rows
    declared = cuda_of_variant(first.variant) if isinstance(first, TorchBuild) else None
    if holds.cuda and declared and holds.cuda != declared:
        return f"it says CUDA {holds.cuda}, its name CUDA {declared}; neither is believed"
    source = dated("elf", reading.day)
    follows = dated("torch-abi", reading.day)
    builds = reading.facts.rows("torch-builds")
    rows = tuple(concluded(_row(row, holds, source), builds, follows) for row in task.rows)
    package = None if task.schema == "torch-builds" else task.package
    sources = {source: f"sections of ELF files in one wheel of each release, read by range on {reading.day}"}
    if any(follows in row.source for row in rows):
        sources[follows] = f"C++ ABI of the torch builds of that CUDA in torch/builds.json, {reading.day}"
    reading.facts.lay(
        Facts(schema=task.schema, package=package, rows=rows, sources=sources), trust_removals=False
    )
    return None


def _row(row: Any, holds: Holds, source: str) -> Any:
    """A row with what the wheel holds; what its name told and the wheel does not tell stays."""
    new = structs.replace(
        row,
        archs=holds.archs if row.archs is None else row.archs,
        ptx=holds.ptx if row.archs is None else row.ptx,
        cudart=holds.cudart if holds.cudart or not row.cudart else row.cudart,
        cxx11_abi=row.cxx11_abi if row.cxx11_abi is not None else holds.cxx11_abi,
        glibc=newest(row.glibc, holds.glibc),
        confidence=Confidence.MEASURED,
        unread=(),
    )
    return seen_on(new, source)


def concluded(row: Any, builds: Iterable[TorchBuild], source: str) -> Any:
    """A row with the C++ ABI of the torch it is for, where its wheel does not tell its own: inferred."""
    if not isinstance(row, Binary) or row.cxx11_abi is not None:
        return row
    abi = abi_of_torch(row, builds)
    if abi is None:
        return row
    note = "; ".join(filter(None, (row.note, ABI_OF_TORCH)))
    return seen_on(structs.replace(row, cxx11_abi=abi, confidence=Confidence.INFERRED, note=note), source)
