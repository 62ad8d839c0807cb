"""What an extension of the user's own tree will ask for once it is installed, as far as plain text tells it.

Which file counts is what setuptools decides: a `[project]` table that does not leave its dependencies
`dynamic` speaks alone; else what setup.py passes to `setup()`, and then setup.cfg. Nothing is run.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.extension import ExtensionRequires
from mmlock.lock.setup_files import read_config, read_setup

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["parsed", "pyproject", "requires_of"]


class _Unread(Exception):
    """What is said where is no plain text."""


def requires_of(files: Mapping[str, bytes]) -> ExtensionRequires:
    """The requirements of a tree, or which file does not tell them as plain text."""
    try:
        return ExtensionRequires(lines=tuple(_requires(files)))
    except _Unread as unread:
        return ExtensionRequires(lines=(), unread=str(unread))


def _requires(files: Mapping[str, bytes]) -> list[str]:
    whole = pyproject(files.get("pyproject.toml", b""))
    table = whole.get("project")
    if isinstance(table, dict):
        if "dependencies" in table:
            return _lines(table["dependencies"], "pyproject.toml")
        if "dependencies" not in (table.get("dynamic") or ()):
            return []
        if (told := _dynamic(whole, files)) is not None:
            return told
    for read in (_of_setup, _of_config):
        if (told := read(files)) is not None:
            return told
    return []


def _lines(told: object, where: str) -> list[str]:
    """Requirements as the lock keeps them. Raises _Unread for anything else."""
    if not isinstance(told, (list, tuple)) or not all(isinstance(text, str) for text in told):
        raise _Unread(where)
    try:
        return [str(Requirement(text)) for text in told if text.strip()]
    except InvalidRequirement as error:
        raise _Unread(where) from error


def _of_files(names: object, files: Mapping[str, bytes], where: str) -> list[str]:
    """The lines of requirement files that lie in the tree. Raises _Unread for those that do not."""
    found = []
    for name in [names] if isinstance(names, str) else names if isinstance(names, list) else ():
        data = files.get(str(PurePosixPath(str(name))))
        if data is None:
            raise _Unread(f"{where}, which names `{name}`")
        rows = (row.partition(" #")[0].strip() for row in data.decode(errors="replace").splitlines())
        found += _lines([row for row in rows if row and not row.startswith("#")], str(name))
    return found


# ---------------------------------------------------------------- pyproject.toml


def pyproject(data: bytes) -> dict[str, Any]:
    """The tables of a pyproject.toml; none where it cannot be read."""
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        return {}


def _dynamic(whole: Mapping[str, Any], files: Mapping[str, bytes]) -> list[str] | None:
    try:
        told = whole["tool"]["setuptools"]["dynamic"]["dependencies"]["file"]
    except (KeyError, TypeError):
        return None
    return _of_files(told, files, "pyproject.toml")


# ---------------------------------------------------------------- setup.cfg and setup.py


def _of_config(files: Mapping[str, bytes]) -> list[str] | None:
    parser = read_config(files.get("setup.cfg", b"").decode(errors="replace"))
    told = parser.get("options", "install_requires", fallback=None) if parser is not None else None
    if told is None:
        return None
    if told.strip().startswith("file:"):
        names = [name.strip() for name in told.strip().removeprefix("file:").split(",")]
        return _of_files(names, files, "setup.cfg")
    return _lines(told.splitlines(), "setup.cfg")


def _of_setup(files: Mapping[str, bytes]) -> list[str] | None:
    tree = parsed(files.get("setup.py", b""))
    if tree is None:
        raise _Unread("setup.py")
    for call in read_setup(tree):
        told = call.lists.get("install_requires")
        if told is not None:
            if not told.whole:
                raise _Unread("setup.py")
            return _lines([text for _, text in told.lines], "setup.py")
        if call.open:
            raise _Unread("setup.py")
    return None


def parsed(data: bytes) -> ast.Module | None:
    """A Python file; None where it is no Python 3."""
    try:
        return ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
