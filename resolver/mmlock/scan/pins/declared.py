"""Files in which a project declares what it needs: TOML, INI, setup.py, conda environments, lock files."""

from __future__ import annotations

import json
import re
import sys
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

from mmlock.core.names import PackageName, normalize
from mmlock.core.versions import is_specifier
from mmlock.lock.setup_files import read_config, read_setup
from mmlock.scan.left_out import LeftOutReason, UnreadSourceError
from mmlock.scan.pins.commands import Said, conda_pin, pip_pin
from mmlock.scan.source import parse

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "LineFinder",
    "conda_environment",
    "lock_file",
    "pipfile",
    "pyproject",
    "setup_cfg",
    "setup_py",
    "toml",
]

Line = tuple[int, Said, bool]
"""Line, what is said, whether it is for an extra only."""

_ITEM = re.compile(r"(\s*)-\s*(?:[\"']\s*)?([^\"'#\s][^\"'#]*)(?:[\"']\s*)?(?:#.*)?$")


_LOOKED_AT = 200_000_000
"""So many characters are searched for the lines of values, which takes a fraction of a second."""
_OF_A_LINE = 500
"""What a line that must be looked at counts for."""


class LineFinder:
    """Finds the line on which a value is, in a format whose reader does not tell."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = text.splitlines(keepends=True)
        self._starts = list(accumulate(map(len, self._lines), initial=0))
        self._left = _LOOKED_AT
        self._last = 1

    def of(self, *words: str) -> int:
        """The first line that holds all of these. Late ones in a file of endless values get the last such."""
        rare = max(words, key=len)
        at = 0
        while self._left > 0:
            found = self._text.find(rare, at)
            self._left -= (found if found >= 0 else len(self._text)) - at + _OF_A_LINE
            if found < 0:
                return 1
            number = bisect_right(self._starts, found)
            if all(word in self._lines[number - 1] for word in words):
                self._last = number
                return number
            at = self._starts[number]
        return self._last


def toml(text: str) -> dict[str, Any]:
    """A TOML document. Raises UnreadSourceError."""
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError):
        raise UnreadSourceError(LeftOutReason.NOT_TOML) from None


def pyproject(text: str) -> Iterator[Line]:
    """`[project]` and Poetry's own tables."""
    document, lines = toml(text), LineFinder(text)
    project = _table(document, "project")
    yield from _python(project.get("requires-python"), lines)
    yield from _listed(project.get("dependencies"), lines, extra=False)
    for values in _table(project, "optional-dependencies").values():
        yield from _listed(values, lines, extra=True)
    poetry = _table(document, "tool", "poetry")
    yield from _poetry(_table(poetry, "dependencies"), lines, extra=False)
    for group in _table(poetry, "group").values():
        yield from _poetry(_table(group, "dependencies"), lines, extra=True)


def pipfile(text: str) -> Iterator[Line]:
    """`[packages]` and `[dev-packages]`."""
    document, lines = toml(text), LineFinder(text)
    yield from _poetry(_table(document, "packages"), lines, extra=False)
    yield from _poetry(_table(document, "dev-packages"), lines, extra=True)


def _python(bound: object, lines: LineFinder) -> Iterator[Line]:
    if isinstance(bound, str) and is_specifier(bound):
        yield lines.of("python", bound), Said(PackageName("python"), bound, f"python{bound}"), False


def _listed(values: object, lines: LineFinder, *, extra: bool) -> Iterator[Line]:
    for value in values if isinstance(values, list) else ():
        if isinstance(value, str) and (said := pip_pin(value)):
            yield lines.of(value), said, extra


def _poetry(table: Mapping[str, Any], lines: LineFinder, *, extra: bool) -> Iterator[Line]:
    for name, value in table.items():
        bound = value.get("version", "") if isinstance(value, dict) else value
        optional = isinstance(value, dict) and bool(value.get("optional"))
        if isinstance(bound, str) and (specifier := _poetry_specifier(bound)) is not None:
            said = Said(normalize(name), specifier, f"{name} = {bound}")
            yield lines.of(name, bound), said, extra or optional


def _poetry_specifier(text: str) -> str | None:
    """`^1.2` and `~1.2` in PEP 440; None where it is neither."""
    if text in {"*", ""}:
        return ""
    clauses: list[str] = []
    for part in text.replace(" ", "").split(","):
        if found := re.fullmatch(r"\^(\d{1,9})((?:\.\d{1,9})*)", part):
            upper = (
                f"{int(found[1]) + 1}" if int(found[1]) else f"0.{int((found[2] or '.0').split('.')[1]) + 1}"
            )
            clauses += [f">={part[1:]}", f"<{upper}"]
        elif re.fullmatch(r"~\d+\.\d+\.\d+", part):
            clauses.append(f"~={part[1:]}")
        elif re.fullmatch(r"~\d+(\.\d+)?", part):
            clauses.append(f"=={part[1:]}.*")
        else:
            clauses.append(f"=={part}" if part[:1].isdigit() else part)
    joined = ",".join(clauses)
    return joined if is_specifier(joined) else None


def lock_file(text: str) -> Iterator[Line]:
    """The packages of poetry.lock, uv.lock, pdm.lock, pylock.toml or Pipfile.lock."""
    if text.lstrip().startswith("{"):
        yield from _pipfile_lock(text)
        return
    document = toml(text)
    lines = text.splitlines()
    rows = document.get("package", document.get("packages", []))
    at = [number for number, line in enumerate(lines, start=1) if re.match(r"\[\[packages?\]\]\s*$", line)]
    for place, row in enumerate(rows if isinstance(rows, list) else []):
        name, version = (row.get("name"), row.get("version")) if isinstance(row, dict) else (None, None)
        if isinstance(name, str) and isinstance(version, str) and is_specifier(f"=={version}"):
            line = at[place] if place < len(at) else 1
            yield line, Said(normalize(name), f"=={version}", f"{name} {version}"), False


def _pipfile_lock(text: str) -> Iterator[Line]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadSourceError(LeftOutReason.NOT_JSON) from None
    lines = LineFinder(text)
    for name, row in _table(document, "default").items():
        bound = row.get("version") if isinstance(row, dict) else None
        if isinstance(bound, str) and is_specifier(bound):
            yield lines.of(f'"{name}"'), Said(normalize(name), bound, f"{name}{bound}"), False


def setup_cfg(text: str) -> Iterator[Line]:
    """`install_requires` and the extras of a declarative setuptools project."""
    reader = read_config(text)
    if reader is None:
        raise UnreadSourceError(LeftOutReason.NOT_INI)
    lines = LineFinder(text)
    yield from _python(reader.get("options", "python_requires", fallback=None), lines)
    parts = [(reader.get("options", "install_requires", fallback=""), False)]
    if reader.has_section("options.extras_require"):
        parts += [(value, True) for _, value in reader.items("options.extras_require")]
    for value, extra in parts:
        yield from _listed([line.strip() for line in value.splitlines() if line.strip()], lines, extra=extra)


def setup_py(text: str) -> tuple[list[Line], tuple[str, ...]]:
    """The literal requirements of `setup(...)`, and the requirement files it reads.

    Raises UnreadSourceError.
    """
    found: list[Line] = []
    files: list[str] = []
    for call in read_setup(parse(text)):
        for key, told in call.lists.items():
            extra = key == "extras_require"
            found += [(line, said, extra) for line, one in told.lines if (said := pip_pin(one))]
            files += () if extra else told.files
        line, bound = call.texts.get("python_requires", (0, ""))
        if bound and is_specifier(bound):
            found.append((line, Said(PackageName("python"), bound, f"python{bound}"), False))
    return found, tuple(files)


def conda_environment(text: str) -> Iterator[Line]:
    """The `dependencies` list of a conda environment, and its `pip` list. Other YAML is not read.

    What only conda provides is marked like what is for an extra: it may be no Python package at all.
    """
    inside, pip_depth = False, -1
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(r"\S", line) and not line.startswith(("-", "#")):
            inside = line.startswith("dependencies:")
            pip_depth = -1
            continue
        found = _ITEM.match(line) if inside else None
        if found is None:
            continue
        depth, item = len(found[1]), found[2].strip()
        if item == "pip:":
            pip_depth = depth
            continue
        if pip_depth >= 0 and depth <= pip_depth:
            pip_depth = -1
        # Of a line of pip's, options that follow a requirement say where its files are.
        words = re.split(r"\s--?[a-z]", item, maxsplit=1)[0].strip()
        if said := pip_pin(words) if pip_depth >= 0 else conda_pin(item):
            yield number, said, pip_depth < 0


def _table(document: object, *path: str) -> dict[str, Any]:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}
