"""Every regular expression of the package, with what is done with it: found in the sources, not listed."""

from __future__ import annotations

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mmlock

ROOT = Path(mmlock.__file__).parent
_METHODS = frozenset({"findall", "finditer", "fullmatch", "match", "search", "split", "sub"})
_MAY = re.compile(r"\bre\.[a-z]|\bpattern=")
"""What a module with a pattern holds: to parse all of them takes seconds."""
_NAME = "some-name"
"""Stands for what an f-string puts into a pattern: an escaped name."""


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """A pattern and a method that is called on it."""

    where: str
    """`doctor/log.py:44`."""
    pattern: str | bytes
    flags: int
    method: str

    @property
    def compiled(self) -> re.Pattern[str] | re.Pattern[bytes]:
        return re.compile(self.pattern, self.flags)


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A call whose pattern is not in the source."""

    where: str
    call: str


def uses() -> tuple[list[Use], list[Dynamic]]:
    """All patterns of the package, and the calls whose pattern is made at run time."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(ROOT.rglob("*.py"))}
    trees = {path: _nodes(text) for path, text in texts.items() if _MAY.search(text)}
    assigned = {path: _assigned(nodes) for path, nodes in trees.items()}
    public = {name for names in assigned.values() for name in names.values() if not name.startswith("_")}
    asking = re.compile(rf"\b(?:{'|'.join(sorted(public))})\b")
    others = {p: _nodes(text) for p, text in texts.items() if p not in trees and asking.search(text)}
    own = {path: _methods_of_names(nodes) for path, nodes in (trees | others).items()}
    found: list[Use] = []
    dynamic: list[Dynamic] = []
    for path, nodes in trees.items():
        names = assigned[path]
        methods = {name: own[path][name] for name in names.values()}
        for name in (name for name in names.values() if not name.startswith("_")):
            methods[name] = set().union(*(one.get(name, set()) for one in own.values()))
        for call in (node for node in nodes if isinstance(node, ast.Call)):
            where = f"{path.relative_to(ROOT).as_posix()}:{call.lineno}"
            for text, flags, asked in _of_call(call, names, methods):
                if text is None:
                    dynamic.append(Dynamic(where, ast.unparse(call)))
                else:
                    found += [Use(where, text, flags, method) for method in sorted(asked)]
    known = {(use.pattern, use.compiled.flags) for use in found}
    for place in sorted({one.where.partition(":")[0] for one in dynamic}):
        made = [one for one in _made(place) if (one.pattern, one.flags) not in known]
        found += [Use(place, one.pattern, one.flags, "finditer") for one in made]
    return found, dynamic


def _made(place: str) -> Iterator[re.Pattern[Any]]:
    """The patterns that a module holds once it is imported, in tables too."""
    module = importlib.import_module(f"mmlock.{place.removesuffix('.py').replace('/', '.')}")
    waiting: list[object] = [value for name, value in vars(module).items() if not name.startswith("__")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, re.Pattern):
            yield value
        elif isinstance(value, tuple | list | frozenset | set):
            waiting += value
        elif isinstance(value, Mapping):
            waiting += value.values()


def _of_call(
    call: ast.Call, names: dict[ast.Call, str], methods: dict[str, set[str]]
) -> Iterator[tuple[str | bytes | None, int, set[str]]]:
    """(pattern, flags, methods) that a call makes or uses."""
    for keyword in call.keywords:
        if keyword.arg == "pattern" and (text := _text(keyword.value)) is not None:
            yield text, 0, {"search"}
    func = call.func
    if not (isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == "re"):
        return
    if func.attr == "compile":
        # What is in a table is called by another name: the hardest use is supposed.
        asked = methods.get(names.get(call, ""), set()) or {"finditer"}
    elif func.attr in _METHODS:
        asked = {func.attr}
    else:
        return
    yield _text(call.args[0]), _flags(call), asked


def _nodes(text: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(text)))


def _assigned(nodes: tuple[ast.AST, ...]) -> dict[ast.Call, str]:
    return {
        node.value: target.id
        for node in nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _is_pattern(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _is_pattern(call: ast.Call) -> bool:
    func = call.func
    return isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == "re"


def _methods_of_names(nodes: tuple[ast.AST, ...]) -> dict[str, set[str]]:
    """Which methods a module calls on a name; a name that is passed on can meet any."""
    found: dict[str, set[str]] = defaultdict(set)
    called = set()
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr in _METHODS:
            name = node.value
            if isinstance(name, ast.Name):
                found[name.id].add(node.attr)
                called.add(name)
            elif isinstance(name, ast.Attribute):  # `module.NAME.search`
                found[name.attr].add(node.attr)
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node not in called:
            found[node.id].add("finditer")
    return found


def _text(node: ast.expr) -> str | bytes | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else re.escape(_NAME) for part in node.values
        )
    return None


def _flags(call: ast.Call) -> int:
    """Flags by name, wherever they stand among the arguments."""
    named = [
        node.attr
        for argument in (*call.args[1:], *(keyword.value for keyword in call.keywords))
        for node in ast.walk(argument)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "re"
    ]
    return sum(getattr(re, name) for name in set(named) if name.isupper())
