"""What the reference pages are made of: tables, fields of structs with their docstrings, keys of JSON."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints

from msgspec import NODEFAULT, Struct
from msgspec.structs import fields

from mmlock.core.names import StrEnum

__all__ = ["json_keys", "struct_lines", "table"]


def cell(text: str) -> str:
    """A text as one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """A table in Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return [f"| {' | '.join(cell(part) for part in line)} |" for line in lines]


@cache
def _tree(file: str) -> ast.Module:
    return ast.parse(Path(file).read_text(encoding="utf-8"))


def _body(thing: type) -> list[ast.stmt]:
    tree = _tree(inspect.getfile(thing))
    return next(
        node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == thing.__name__
    )


# ---------------------------------------------------------------- structs


def struct_lines(row: type, *, level: str, below: set[type] | None = None, deep: bool = False) -> list[str]:
    """A struct as a table of its fields; then the structs and vocabularies that its fields hold.

    `below` collects what was shown already; None: show this struct alone. `deep`: with a heading of its own.
    """
    lines = [f"{level} {row.__name__}", ""] if deep else []
    lines += [_first(row), "", *_fields(row)]
    if below is None:
        return lines
    below.add(row)
    for inner in _inside(row):
        if inner in below:
            continue
        below.add(inner)
        if issubclass(inner, StrEnum):
            lines += ["", f"{level} {inner.__name__}", "", _first(inner), "", *_members(inner)]
        else:
            lines += ["", *struct_lines(inner, level=level, below=below, deep=True)]
    return lines


def _first(thing: type) -> str:
    return " ".join(inspect.cleandoc(thing.__doc__ or "").split("\n\n")[0].split())


def _fields(row: type) -> list[str]:
    body = _body(row)
    told: dict[str, tuple[str, str]] = {}
    for place, node in enumerate(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            after = body[place + 1] if place + 1 < len(body) else None
            text = ""
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                text = " ".join(str(after.value.value).split())
            told[node.target.id] = (ast.unparse(node.annotation), text)
    lines = ["| field | type | must be there | meaning |", "| --- | --- | --- | --- |"]
    for field in fields(row):  # type: ignore[type-var]
        kind, text = told[field.name]
        must = field.default is NODEFAULT and field.default_factory is NODEFAULT
        lines.append(_row(f"`{field.encode_name}`", f"`{kind}`", "yes" if must else "no", text))
    return lines


def _members(kind: type[StrEnum]) -> list[str]:
    source = Path(inspect.getfile(kind)).read_text(encoding="utf-8").splitlines()
    lines = ["| value | meaning |", "| --- | --- |"]
    for node in _body(kind):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            comment = source[node.lineno - 1].partition("  # ")[2]
            lines.append(_row(f"`{node.value.value}`", comment))
    return lines


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _inside(row: type) -> Iterator[type]:
    """Structs and vocabularies in the types of the fields, in order."""
    for kind in get_type_hints(row, include_extras=False).values():
        yield from _parts(kind)


def _parts(kind: Any) -> Iterator[type]:
    if isinstance(kind, type) and issubclass(kind, (Struct, StrEnum)):
        yield kind
    for part in get_args(kind):
        yield from _parts(part)


# ---------------------------------------------------------------- JSON


def json_keys(place: str) -> Iterator[str]:
    """The top-level keys of what a function gives as data, or the fields of a struct that is given whole.

    Read are dict displays that are returned, named `data`, or passed as `data=`; `**` of a function or a
    struct's values of the same module is followed where it is a plain call, and left out otherwise.
    """
    if place.startswith("struct "):
        module, _, name = place.removeprefix("struct ").rpartition(".")
        yield from (field.encode_name for field in fields(getattr(import_module(module), name)))
        return
    module, _, name = place.rpartition(".")
    yield from _keys(import_module(module), name)


def _keys(module: ModuleType, name: str) -> Iterator[str]:
    function = next(
        node
        for node in ast.walk(_tree(inspect.getfile(module)))
        if isinstance(node, ast.FunctionDef) and node.name == name
    )
    for value in _values(function):
        if not isinstance(value, ast.Dict):
            continue
        for key, inner in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant):
                yield str(key.value)
            elif isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name):
                found = getattr(module, inner.func.id, None)
                if inspect.isfunction(found) and found.__module__ == module.__name__:
                    yield from _keys(module, inner.func.id)


def _values(function: ast.FunctionDef) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value
        if isinstance(node, ast.keyword) and node.arg == "data":
            yield node.value
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any("data" in _names(target) for target in targets):
                yield from _given(node.value)


def _given(value: ast.expr) -> Iterator[ast.expr]:
    """The dict of `data = {...}` and of `text, data = ..., {...}`."""
    yield from value.elts if isinstance(value, ast.Tuple) else [value]


def _names(target: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}
