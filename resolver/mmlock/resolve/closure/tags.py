"""Which wheels fit a target, and which of them fits best. The host's Python is never asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion

from mmlock.core.artifact import Artifact
from mmlock.core.names import Platform
from mmlock.resolve.closure.floors import MACOS, OLDEST_GLIBC, machine

_ALIASES = {"2.17": "manylinux2014", "2.12": "manylinux2010", "2.5": "manylinux1"}
"""Older names of manylinux floors, PEP 600. manylinux1 and 2010 exist on x86_64 only."""

SDIST_SUFFIXES = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz")


def split_python(python: str) -> tuple[tuple[int, int], bool]:
    """`3.12` -> ((3, 12), False), `3.13t` -> ((3, 13), True: free-threaded).

    Raises ValueError for anything else.
    """
    free_threaded = python.endswith("t")
    major, minor, *_ = (int(part) for part in python.removesuffix("t").split("."))
    return (major, minor), free_threaded


@lru_cache(maxsize=64)
def target_tags(python: str, platform: Platform, glibc: str | None) -> tuple[Tag, ...]:
    """Every wheel tag that CPython `python` takes on that platform, best first.

    `glibc` is the target's floor; a wheel that needs a newer one does not fit.
    """
    pair, free_threaded = split_python(python)
    platforms = list(_platforms(platform, glibc))
    interpreter = f"cp{pair[0]}{pair[1]}"
    # Named here, because by default packaging asks the host's build flags.
    abi = interpreter + ("t" if free_threaded else "m" if pair < (3, 8) else "")
    return (
        *cpython_tags(pair, [abi], platforms),
        *compatible_tags(pair, interpreter, platforms),
    )


def best_first(
    files: Iterable[Artifact], tags: Sequence[Tag], *, sdists: bool = False
) -> tuple[Artifact, ...]:
    """The files that fit, best first: as installers rank them, by tag, then by build number.

    Yanked files come after all others. With `sdists`, source archives fit too and come last.
    """
    ranks = _ranks(tags)
    keyed = [(key, file) for file in files if (key := _key(file, ranks, sdists=sdists)) is not None]
    return tuple(file for _, file in sorted(keyed, key=lambda pair: pair[0]))


_latest: tuple[Sequence[Tag], dict[Tag, int]] = ((), {})
"""The tags that were requested last, and their ranks: those of one target, for package after package."""


def _ranks(tags: Sequence[Tag]) -> dict[Tag, int]:
    global _latest  # noqa: PLW0603  # comparing hundreds of tags takes longer than ranking files by them
    known, ranks = _latest
    if known is not tags:
        ranks = {}
        for rank, tag in enumerate(tags):
            ranks.setdefault(tag, rank)
        _latest = tags, ranks
    return ranks


_Key = tuple[bool, int, int, str, str]


def _key(file: Artifact, ranks: dict[Tag, int], *, sdists: bool) -> _Key | None:
    """How good a file is, small is better; None when it does not fit."""
    if not file.is_wheel:
        fits = sdists and file.name.endswith(SDIST_SUFFIXES)
        return (file.yanked, len(ranks), 0, "", file.name) if fits else None
    try:
        _, _, build, tags = parse_wheel_filename(file.name)
    except (InvalidWheelFilename, InvalidVersion):
        return None
    rank = min((ranks[tag] for tag in tags if tag in ranks), default=None)
    if rank is None:
        return None
    number, suffix = build or (0, "")
    return (file.yanked, rank, -number, suffix, file.name)


def _platforms(platform: Platform, glibc: str | None) -> Iterator[str]:
    if platform is Platform.WINDOWS_X86_64:
        yield "win_amd64"
    elif platform.is_linux:
        yield from _manylinux(machine(platform), glibc or OLDEST_GLIBC)
    else:
        major, minor = (int(part) for part in MACOS.split("."))
        yield from mac_platforms((major, minor), machine(platform))


def _manylinux(arch: str, glibc: str) -> Iterator[str]:
    """The platform tags of a glibc, newest floor first, each followed by its older name."""
    major, minor = (int(part) for part in glibc.split(".")[:2])
    oldest = 5 if arch == "x86_64" else 17
    for floor in range(minor, oldest - 1, -1):
        yield f"manylinux_{major}_{floor}_{arch}"
        if alias := _ALIASES.get(f"{major}.{floor}"):
            yield f"{alias}_{arch}"
    # No index takes these from the public any more, torch's own index is full of them.
    yield f"linux_{arch}"
