"""What a config expression means, as far as it is literal; every leaf knows its place."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct

from mmlock.scan.model import SourceLine
from mmlock.scan.module import chain_of

__all__ = ["Leaf", "Listed", "Table", "Value", "evaluate", "merge", "typed"]

Table: TypeAlias = "dict[str, Value]"

_DELETE = "_delete_"


class Leaf(Struct, frozen=True, kw_only=True):
    """A literal, a name of a lazy config, or something that only running the config could tell."""

    place: SourceLine
    literal: str | int | float | bool | None = None
    symbol: str = ""
    """The dotted name that a lazy config writes: `mmdet.models.RetinaNet`."""


class Listed(Struct, frozen=True, kw_only=True):
    """Values in a list, and those inside an expression that was not evaluated."""

    items: tuple[Value, ...]


Value: TypeAlias = "Leaf | Listed | Table"


def evaluate(node: ast.expr, names: Mapping[str, Value], base: Table, file: str) -> Value:
    """The value of an expression. Names that are not known become symbols; calls are not made."""
    known = _known(node, names, base, file)
    return _unknown(node, names, base, file) if known is None else known


def _known(node: ast.expr, names: Mapping[str, Value], base: Table, file: str) -> Value | None:
    """The value of what is literal; None for all else."""
    result: Value | None = None
    match node:
        case ast.Constant():
            value = node.value if isinstance(node.value, str | int | float | bool) else None
            result = Leaf(place=SourceLine(file=file, line=node.lineno), literal=value)
        case ast.Dict():
            result = _table(zip(node.keys, node.values, strict=True), names, base, file)
        case ast.Call(func=ast.Name(id="dict")):
            pairs = [(ast.Constant(word.arg) if word.arg else None, word.value) for word in node.keywords]
            first = evaluate(node.args[0], names, base, file) if node.args else {}
            result = {**(first if isinstance(first, dict) else {}), **_table(pairs, names, base, file)}
        case ast.List() | ast.Tuple():
            result = Listed(items=tuple(evaluate(item, names, base, file) for item in node.elts))
        case ast.Set(elts=[ast.Set(elts=[inner])]):  # {{_base_.model}}
            result = _looked_up(chain_of(inner), names, base)
        case ast.Name() | ast.Attribute() if chain := chain_of(node):
            symbol = Leaf(place=SourceLine(file=file, line=node.lineno), symbol=chain)
            result = _looked_up(chain, names, base) or symbol
        case ast.BinOp(op=ast.Add()):
            first, second = (evaluate(part, names, base, file) for part in (node.left, node.right))
            result = _added(first, second)
        case ast.Subscript(slice=ast.Constant(value=key)):
            result = _item(evaluate(node.value, names, base, file), key)
    return result


def _added(first: Value, second: Value) -> Value | None:
    """Two texts as one; of anything else both parts."""
    if isinstance(first, Leaf) and isinstance(second, Leaf):
        whole = isinstance(first.literal, str) and isinstance(second.literal, str)
        return Leaf(place=first.place, literal=f"{first.literal}{second.literal}") if whole else None
    return Listed(items=(first, second))


def _table(
    pairs: Iterable[tuple[ast.expr | None, ast.expr]], names: Mapping[str, Value], base: Table, file: str
) -> Table:
    result: Table = {}
    for key, value in pairs:
        made = evaluate(value, names, base, file)
        if key is None:  # **other
            result.update(made if isinstance(made, dict) else {})
        elif isinstance(key, ast.Constant):
            result[str(key.value)] = made
        else:
            result[f"<{ast.unparse(key)[:40]}>"] = made
    return result


def _looked_up(chain: str, names: Mapping[str, Value], base: Table) -> Value | None:
    root, *rest = chain.split(".")
    value = base if root == "_base_" else names.get(root)
    for part in rest:
        value = _item(value, part)
    return value


def _item(value: Value | None, key: object) -> Value | None:
    if isinstance(value, dict):
        return value.get(str(key))
    if isinstance(value, Listed) and isinstance(key, int) and -len(value.items) <= key < len(value.items):
        return value.items[key]
    return None


def _unknown(node: ast.expr, names: Mapping[str, Value], base: Table, file: str) -> Value:
    """What is inside an expression that is not evaluated: its parts still name types."""
    parts: list[Value] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            parts.append(evaluate(child, names, base, file))
        elif isinstance(child, ast.keyword | ast.comprehension):
            inner = child.value if isinstance(child, ast.keyword) else child.iter
            parts.append(evaluate(inner, names, base, file))
    kept = tuple(part for part in parts if not isinstance(part, Leaf) or part.symbol)
    return Listed(items=kept) if kept else Leaf(place=SourceLine(file=file, line=node.lineno))


def merge(base: Table, child: Table) -> Table:
    """A config over its base: tables are merged key by key unless the child says `_delete_`."""
    merged = dict(base)
    for key, value in child.items():
        below = merged.get(key)
        if isinstance(value, dict):
            deletes = value.get(_DELETE)
            replaces = isinstance(deletes, Leaf) and deletes.literal is True
            kept = {name: inner for name, inner in value.items() if name != _DELETE}
            merged[key] = merge(below, kept) if isinstance(below, dict) and not replaces else kept
        else:
            merged[key] = value
    return merged


def typed(value: Value) -> Iterator[tuple[Leaf, str]]:
    """Every `type` of a table in a value, with the key that the table is at; each table once."""
    stack: list[tuple[Value, str]] = [(value, "")]
    seen: set[int] = set()
    while stack:
        here, under = stack.pop()
        if isinstance(here, Leaf) or id(here) in seen:
            continue
        seen.add(id(here))
        if isinstance(here, Listed):
            stack += [(item, under) for item in reversed(here.items)]
            continue
        leaf = here.get("type")
        if isinstance(leaf, Leaf) and (isinstance(leaf.literal, str) or leaf.symbol):
            yield leaf, under
        stack += [(inner, key) for key, inner in reversed(here.items())]
