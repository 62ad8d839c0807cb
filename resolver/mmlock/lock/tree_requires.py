"""What an extension of the user's own tree will ask for once it is installed, as far as plain text tells it.

Which file counts is what setuptools decides: a `[project]` table that does not leave its dependencies
`dynamic` speaks alone; else what setup.py passes to `setup()`, and then setup.cfg. Nothing is run.
"""

from __future__ import annotations

import ast
import configparser
import sys
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.extension import Requires

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["callee", "calls", "config", "pyproject", "requires_of"]


class _Unread(Exception):
    """What is said where is no plain text."""


def requires_of(files: Mapping[str, bytes]) -> Requires:
    """The requirements of a tree, or which file does not tell them as plain text."""
    try:
        return Requires(lines=tuple(_requires(files)))
    except _Unread as unread:
        return Requires(lines=(), unread=str(unread))


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
    """Requirements as the lock keeps them. Raises _Unread for what is none."""
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
    except ValueError:
        return {}


def _dynamic(whole: Mapping[str, Any], files: Mapping[str, bytes]) -> list[str] | None:
    try:
        told = whole["tool"]["setuptools"]["dynamic"]["dependencies"]["file"]
    except (KeyError, TypeError):
        return None
    return _of_files(told, files, "pyproject.toml")


# ---------------------------------------------------------------- setup.cfg


def config(data: bytes) -> configparser.ConfigParser:
    """A setup.cfg; an empty one where it cannot be read."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(data.decode())
    except (configparser.Error, ValueError):
        return configparser.ConfigParser()
    return parser


def _of_config(files: Mapping[str, bytes]) -> list[str] | None:
    told = config(files.get("setup.cfg", b"")).get("options", "install_requires", fallback=None)
    if told is None:
        return None
    if told.strip().startswith("file:"):
        names = [name.strip() for name in told.strip().removeprefix("file:").split(",")]
        return _of_files(names, files, "setup.cfg")
    return _lines(told.splitlines(), "setup.cfg")


# ---------------------------------------------------------------- setup.py


def calls(data: bytes) -> Iterator[ast.Call]:
    """Every call in a Python file; none where it is no Python 3."""
    if (tree := _parsed(data)) is not None:
        yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def callee(call: ast.Call) -> str:
    """The last name of what is called."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _parsed(data: bytes) -> ast.Module | None:
    try:
        return ast.parse(data)
    except (SyntaxError, ValueError):
        return None


def _of_setup(files: Mapping[str, bytes]) -> list[str] | None:
    data = files.get("setup.py", b"")
    tree = _parsed(data)
    if tree is None:
        raise _Unread("setup.py")
    named = _assigned(tree)
    for call in calls(data):
        if callee(call) != "setup":
            continue
        for word in call.keywords:
            if word.arg == "install_requires":
                return _lines(_value(word.value, named), "setup.py")
            if word.arg is None:  # `**config`: whatever it holds
                raise _Unread("setup.py")
    return None


def _assigned(tree: ast.Module) -> dict[str, ast.expr]:
    """What names stand for that are given one value and are touched by nothing else."""
    values: dict[str, list[ast.expr]] = {}
    touched: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            values.setdefault(node.targets[0].id, []).append(node.value)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            touched.add(node.value.id)  # `requires.append(...)`
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            touched.add(node.target.id)
    return {name: found[0] for name, found in values.items() if len(found) == 1 and name not in touched}


def _value(node: ast.expr, named: Mapping[str, ast.expr]) -> object:
    """A list that is written out, by itself, by the name it was given, or in parts. Raises _Unread."""
    if isinstance(node, ast.Name) and node.id in named:
        return _value(named[node.id], {name: value for name, value in named.items() if name != node.id})
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _value(node.left, named), _value(node.right, named)
        return [*left, *right] if isinstance(left, list) and isinstance(right, list) else None
    try:
        told = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise _Unread("setup.py") from error
    return told.split("\n") if isinstance(told, str) else list(told) if isinstance(told, tuple) else told
