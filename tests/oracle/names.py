"""The files of `matrices/names/`, read by nothing of mmlock: what releases take by name, and lack."""

from __future__ import annotations

from functools import cache

from facts import ROOT, ver
from packaging.version import Version

Taken = tuple[str, str]
"""A module and a name in it; empty: the module itself."""
Lines = dict[str, tuple[tuple[frozenset[Version], tuple[str, ...]], ...]]


@cache
def table(kind: str, package: str) -> tuple[tuple[Version, ...], Lines, int]:
    """The releases of a file, its lines by module, and how deep the recorded modules are."""
    file = ROOT / "names" / kind / f"{package}.names"
    releases: list[Version] = []
    lines: dict[str, list[tuple[frozenset[Version], tuple[str, ...]]]] = {}
    depth, module = 99, ""
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        words = line.split()
        if line.startswith("release "):
            releases.append(ver(words[1]))
        elif line.startswith("depth "):
            depth = int(words[1])
        elif line.startswith("module "):
            module = words[1]
            lines[module] = []
        elif line.startswith(" "):
            lines[module].append((span(words[0], tuple(releases)), tuple(words[1:])))
    return tuple(releases), {name: tuple(found) for name, found in lines.items()}, depth


@cache
def span(text: str, releases: tuple[Version, ...]) -> frozenset[Version]:
    found: set[Version] = set()
    for part in text.split(","):
        first, dots, last = part.partition("..")
        low = ver(first) if first else min(releases)
        high = ver(last) if last else max(releases) if dots else low
        found |= {one for one in releases if low <= one <= high}
    return frozenset(found)


@cache
def taken(package: str, version: str) -> dict[str, frozenset[Taken]]:
    """Import name -> what importing a release takes of it, whatever else is there."""
    found: dict[str, set[Taken]] = {}
    for module, lines in table("needed", package)[1].items():
        for releases, (when, entry, _, *names) in lines:
            if when == "always" and entry != "-" and ver(version) in releases:
                pairs = {(module, "" if name == "." else name) for name in names}
                found.setdefault(module.partition(".")[0], set()).update(pairs)
    return {top: frozenset(pairs) for top, pairs in found.items()}


@cache
def was_read(package: str, version: str) -> bool:
    return ver(version) in table("given", package)[0]


@cache
def cells(package: str, version: str, module: str) -> frozenset[str]:
    """What a file says of a module in one release: its names and marks."""
    lines = table("given", package)[1].get(module, ())
    return frozenset(name for releases, names in lines if ver(version) in releases for name in names)


@cache
def lacks(package: str, version: str, pair: Taken) -> bool:
    """Whether a release that was read certainly has no such name."""
    if not was_read(package, version):
        return False
    module, name = pair
    parts, depth = module.split("."), table("given", package)[2]
    for at, part in enumerate(parts):
        if part.startswith("_") or at >= depth:
            return False
        if not cells(package, version, ".".join(parts[: at + 1])):
            parent = cells(package, version, ".".join(parts[:at])) if at else frozenset()
            return not parent & {part, "*"}
    here = cells(package, version, module)
    deeper = len(parts) >= depth or bool(cells(package, version, f"{module}.{name}"))
    public = bool(name) and not name.startswith("_")
    return public and (f"!{name}" in here or not (deeper or here & {name, "*"}))
