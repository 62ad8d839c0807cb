"""What this machine can give to a build: cores, memory, disk. Limits of a container count."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import Platform

_CGROUP = Path("/sys/fs/cgroup")
_HERE = {
    ("linux", "x86_64"): Platform.LINUX_X86_64,
    ("linux", "aarch64"): Platform.LINUX_AARCH64,
    ("darwin", "arm64"): Platform.MACOS_ARM64,
    ("darwin", "x86_64"): Platform.MACOS_X86_64,
}
_GB = 1e9
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FREE = "`mmlock wheelhouse prune` frees what old builds left, or set MMLOCK_CACHE_DIR elsewhere"


class Resources(Struct, frozen=True, kw_only=True):
    """Cores and memory that a build may use now."""

    cores: int
    memory_mb: int | None
    """None: this system does not tell."""


def resources(cgroup: Path = _CGROUP, meminfo: Path = Path("/proc/meminfo")) -> Resources:
    """Cores that may be used, and memory that is free."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _words(cgroup / "cpu.max")
    if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit():  # noqa: PLR2004  quota and period
        cores = max(1, min(cores, int(quota[0]) // max(1, int(quota[1]))))
    limits = [limit for limit in (_free_kb(meminfo), _cgroup_kb(cgroup)) if limit is not None]
    return Resources(cores=cores, memory_mb=min(limits) // 1000 if limits else None)


def _free_kb(meminfo: Path) -> int | None:
    with suppress(OSError, ValueError):
        rows = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
        return int(rows["MemAvailable"].split()[0]) if "MemAvailable" in rows else None
    return None


def _cgroup_kb(cgroup: Path) -> int | None:
    limit, used = _words(cgroup / "memory.max"), _words(cgroup / "memory.current")
    if limit and used and limit[0].isdigit() and used[0].isdigit():
        return max(0, int(limit[0]) - int(used[0])) // 1000
    return None


def _words(path: Path) -> list[str]:
    with suppress(OSError):
        return path.read_text().split()
    return []


def jobs(have: Resources, job_mb: int, asked: int | None = None) -> int:
    """How many files to compile at once: what was asked, else what cores and memory bear.

    Raises EnvironmentFault when not even one fits into the memory.
    """
    if asked is not None:
        if asked < 1:
            raise UsageError("--jobs must be at least 1")
        return asked
    if have.memory_mb is None or job_mb <= 0:
        return have.cores
    fit = have.memory_mb // job_mb
    if fit < 1:
        raise EnvironmentFault(
            "there is too little memory to compile this",
            causes=[f"one compile job takes about {job_mb} MB, {have.memory_mb} MB are free"],
            hints=["free some memory or add swap; `--jobs 1` tries in spite of it"],
        )
    return min(have.cores, fit)


def room_for(folder: Path, wanted: int) -> None:
    """Raise EnvironmentFault unless `folder`'s disk has that many bytes left."""
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < wanted:
        raise EnvironmentFault(
            f"the disk of `{folder}` is too full",
            causes=[f"about {wanted / _GB:.1f} GB are needed, {free / _GB:.1f} GB are free"],
            hints=[_FREE],
        )


@contextmanager
def full_disk_told() -> Iterator[None]:
    """What a disk refuses while a build writes to it becomes an EnvironmentFault."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        where = f" at `{error.filename}`" if error.filename else ""
        raise EnvironmentFault(
            "the disk is full",
            causes=[f"{error.strerror}{where}"],
            hints=[_FREE, "run the same command again to go on where it stopped"],
        ) from error


def this_platform() -> Platform | None:
    """The platform of this machine in the words of a lock; None where no build can run."""
    return _HERE.get((sys.platform, platform.machine()))


def require_platform(wanted: Platform) -> None:
    """Raise EnvironmentFault when wheels for that platform cannot be built here."""
    here = this_platform()
    if here is None:
        raise EnvironmentFault(
            f"mmlock cannot build wheels on {sys.platform} ({platform.machine()})",
            causes=[f"it builds on {', '.join(sorted(known.value for known in _HERE.values()))}"],
            hints=["run `mmlock build` on such a machine; the sealed lock then installs anywhere it is for"],
        )
    if here is not wanted:
        raise EnvironmentFault(
            f"wheels for {wanted.value} cannot be built on this machine",
            causes=[f"it is {here.value}"],
            hints=["run `mmlock build` on such a machine, or there: `mmlock export LOCK --format script`"],
        )
