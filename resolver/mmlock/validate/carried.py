"""A validation that runs elsewhere: what goes there in one archive, and what comes back.

bundle.json      what to install and to run, with the digests of all check files
validate.py      installs and runs it: needs a Python of the lock's version, and nothing else
kernels/*.py     the checks
lock/            the lock folder with all its wheels
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from msgspec import Struct

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.files.atomic import aside
from mmlock.lock.model import LockedEnv
from mmlock.validate.conclude import wanted_device
from mmlock.validate.digest import lock_digest
from mmlock.validate.model import Digest, KernelDevice, Moment, Probe, SuiteRun
from mmlock.validate.probe import read_probe
from mmlock.validate.runner import KERNELS, RunOptions, kernels_digest, suite_run
from mmlock.validate.suites import KernelSuite

__all__ = [
    "CarriedResult",
    "CarriedSuite",
    "Manifest",
    "manifest_of",
    "read_result",
    "suites_of",
    "write_archive",
]

SCHEMA = 1
SCRIPT = Path(__file__).parent / "bundled" / "validate.py"
MANIFEST = "bundle.json"
LARGEST = 64 * 1024 * 1024
"""Bytes of a result; one with every suite has about half a megabyte."""
_READABLE = 0o644


class CarriedSuite(Struct, frozen=True, kw_only=True):
    """A suite as the script gets it."""

    name: str
    package: str
    words: str


class Manifest(Struct, frozen=True, kw_only=True):
    """What an archive is for: `bundle.json`."""

    schema: int = SCHEMA
    tool: str
    lock_digest: Digest
    python: str
    packages: int
    device: KernelDevice
    """What the lock is for."""
    environment: Mapping[str, str]
    deep: tuple[str, ...]
    """Packages whose installed files are hashed."""
    suites: tuple[CarriedSuite, ...]
    kernels: Mapping[str, Digest]
    """Check file -> sha256."""
    kernels_digest: Digest
    seed: int
    limit: float


class SuiteRows(Struct, frozen=True, kw_only=True):
    """What the process of a suite told."""

    name: str
    package: str
    words: str
    rows: tuple[dict[str, Any], ...]
    code: int | None
    tail: str


class CarriedResult(Struct, frozen=True, kw_only=True):
    """What came back: `result.json`, as the script writes it."""

    bundle: Manifest
    probe: dict[str, Any]
    device: KernelDevice
    suites: tuple[SuiteRows, ...]
    seconds: dict[str, float]
    started: Moment
    fresh: bool

    def probed(self) -> Probe:
        """What the interpreter said of itself. Raises KeyError, TypeError or ValidationError."""
        return msgspec.convert(msgspec.to_builtins(read_probe(self.probe)), Probe)


def manifest_of(
    env: LockedEnv, chosen: Iterable[tuple[KernelSuite, str]], *, seed: int, limit: float, tool: str
) -> Manifest:
    """What to run for a lock. Raises UsageError for a device that no suite runs on."""
    device = wanted_device(env.target)
    if device is None:
        raise UsageError(f"no kernel suite runs on {env.target.kind.value} devices")
    pairs = tuple(chosen)
    return Manifest(
        tool=tool,
        lock_digest=lock_digest(env),
        python=env.python,
        packages=len(env.packages),
        device=device,
        environment=dict(env.environment),
        deep=tuple(sorted(package for suite, package in pairs if suite.name != "torch")),
        suites=tuple(
            CarriedSuite(name=suite.name, package=package, words=suite.words) for suite, package in pairs
        ),
        kernels={
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(KERNELS.glob("*.py"))
        },
        kernels_digest=kernels_digest(),
        seed=seed,
        limit=limit,
    )


# ---------------------------------------------------------------- there


def write_archive(manifest: Manifest, lock: Path, target: Path) -> int:
    """Write the archive, whole or not at all; gives its size. The same lock gives the same bytes.

    `lock`: a folder with all files of the lock. A name that ends in `gz` is compressed.
    Raises EnvironmentFault.
    """
    root = PurePosixPath(target.name.partition(".")[0] or "validation")
    body = json.dumps(msgspec.to_builtins(manifest), indent=1, sort_keys=True).encode() + b"\n"
    files = {
        root / "validate.py": SCRIPT,
        **{root / "kernels" / path.name: path for path in sorted(KERNELS.glob("*.py"))},
        **{
            root / "lock" / path.relative_to(lock).as_posix(): path
            for path in sorted(lock.rglob("*"))
            if path.is_file() and not path.is_symlink()
        },
    }
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with aside(target) as place, _opened(place, target.name) as archive:
            _put(archive, root / MANIFEST, io.BytesIO(body), len(body))
            for name, path in files.items():
                with path.open("rb") as stream:
                    _put(archive, name, stream, path.stat().st_size)
    except OSError as error:
        raise EnvironmentFault(
            f"the archive cannot be written to `{target}`",
            causes=[error.strerror or str(error)],
            hints=["name a file on a disk with free space: an archive holds every wheel of the lock"],
        ) from error
    return target.stat().st_size


def _opened(place: Path, name: str) -> tarfile.TarFile:
    if name.endswith("gz"):
        return tarfile.open(place, "w:gz", compresslevel=1)
    return tarfile.open(place, "w")


def _put(archive: tarfile.TarFile, name: PurePosixPath, stream: Any, size: int) -> None:
    about = tarfile.TarInfo(name.as_posix())
    about.size, about.mode = size, _READABLE
    archive.addfile(about, stream)


# ---------------------------------------------------------------- and back


def read_result(data: bytes, where: str) -> CarriedResult:
    """The result in the bytes of a file. Raises UsageError for anything else."""
    try:
        found = msgspec.json.decode(data, type=CarriedResult)
        _require(found)
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"`{where}` is not the result of a carried validation",
            causes=[f"{type(error).__name__}: {error}"],
            hints=["name the `result.json` that `validate.py` of the archive wrote"],
        ) from error
    return found


def _require(found: CarriedResult) -> None:
    """Raise for a document that is not what its type promises."""
    if found.bundle.schema != SCHEMA:
        raise ValueError(f"it has schema {found.bundle.schema}, and {SCHEMA} is known")
    found.probed()


def suites_of(result: CarriedResult, chosen: Iterable[tuple[KernelSuite, str]]) -> tuple[SuiteRun, ...]:
    """The suites that the lock has, as they ran; one that did not run is broken, and says so.

    Raises KeyError, TypeError, ValueError or ValidationError for rows that cannot be read.
    """
    options = RunOptions(device=result.device, seed=result.bundle.seed, limit=result.bundle.limit)
    held = {(one.name, one.words): one for one in result.suites}
    found = []
    for suite, package in chosen:
        one = held.get((suite.name, suite.words))
        if one is None:
            found.append(
                SuiteRun(
                    name=suite.name, package=package, checks=(), broken="its checks are not in the result"
                )
            )
        else:
            found.append(suite_run(suite, package, options, one.rows, code=one.code, tail=one.tail))
    return tuple(found)
