"""Names that are made by rule: `__all__` in pieces, and a module's own `__getattr__`."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Callable, Mapping

from msgspec import Struct

from mmlock.names.chains import chain_of, text_of

__all__ = ["AskedName", "ExportedNames", "Lookup", "denied_names", "no_table", "written_tables"]


class ExportedNames:
    """What is known of `__all__`."""

    def __init__(self) -> None:
        self.listed: dict[str, None] = {}
        self.seen = False
        self._whole = True

    @property
    def whole(self) -> tuple[str, ...] | None:
        """The names, where all of them are written down."""
        return tuple(self.listed) if self.seen and self._whole else None

    def computed(self) -> None:
        """It is made of something that is not written here."""
        self.seen, self._whole = True, False

    def extend(self, value: ast.expr) -> None:
        """Names of a literal list, of lists that are added up, or of one string."""
        self.seen = True
        if isinstance(value, ast.List | ast.Tuple | ast.Set):
            texts = [text_of(item) for item in value.elts]
            self._whole = self._whole and all(texts)
            self.listed.update(dict.fromkeys(filter(None, texts)))
        elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
            self.extend(value.left)
            self.extend(value.right)
        elif text := text_of(value):
            self.listed[text] = None
        else:
            self.computed()


class AskedName(Struct, frozen=True, kw_only=True):
    """What a module's `__getattr__` says of names."""

    made: frozenset[str]
    """It compares with them, and so may answer."""
    denied: frozenset[str]
    """It refuses them by name."""
    closed: bool
    """Whether it refuses everything else."""


Lookup = Callable[[str, str], "frozenset[str] | None"]
"""(module, name) -> the keys of the table of that name, where they are written down."""


def no_table(_module: str, _name: str) -> frozenset[str] | None:
    """Nothing is known of other modules."""
    return None


_NOTHING = AskedName(made=frozenset(), denied=frozenset(), closed=False)


def denied_names(tree: ast.Module, taken: Mapping[str, frozenset[str]]) -> AskedName:
    """What the `__getattr__` of a module does. `taken`: tables that it imports, by their names here."""
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "__getattr__" and node.args.args
    ]
    if len(functions) != 1:
        return _NOTHING
    function = functions[0]
    reader = _GetattrReader(function.args.args[0].arg, {**taken, **written_tables(tree.body)})
    closed = _raises(function.body[-1])
    for statement in function.body:
        if isinstance(statement, ast.If):
            closed = reader.branch(statement) and closed
        elif not _is_plain(statement):
            closed = False
    return AskedName(
        made=frozenset(reader.made), denied=frozenset(reader.denied - reader.made), closed=closed
    )


class _GetattrReader:
    """The branches of one `__getattr__`."""

    def __init__(self, asked: str, tables: Mapping[str, frozenset[str]]) -> None:
        self.asked = asked
        self.tables = tables
        self.made: set[str] = set()
        self.denied: set[str] = set()

    def branch(self, statement: ast.If) -> bool:
        """Take in one `if`; whether it answers to no other names than those that it names."""
        names = _compared(statement.test, self.asked, self.tables)
        known = names is not None or not _answers(statement.body)
        if names is not None:
            if _answers(statement.body):
                self.made |= names
            elif _raises(statement.body[-1]):
                self.denied |= names
        for other in statement.orelse:
            if isinstance(other, ast.If):
                known = self.branch(other) and known
            elif not _is_plain(other):
                known = False
        return known


def _answers(body: list[ast.stmt]) -> bool:
    """Whether a branch may return something."""
    return any(
        isinstance(inner, ast.Return | ast.Yield) for statement in body for inner in ast.walk(statement)
    )


def _raises(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Raise) or statement.exc is None:
        return False
    raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
    return chain_of(raised).rpartition(".")[2] == "AttributeError"


def _is_plain(statement: ast.stmt) -> bool:
    """Whether a statement of `__getattr__` can give no answer."""
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.Raise | ast.Pass | ast.Expr | ast.Global)


def _compared(test: ast.expr, asked: str, tables: Mapping[str, frozenset[str]]) -> frozenset[str] | None:
    """The names that a test is true for; None where others may be, too."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        parts = [_compared(part, asked, tables) for part in test.values]
        return None if None in parts else frozenset().union(*(part for part in parts if part))
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    if not (isinstance(test.left, ast.Name) and test.left.id == asked):
        return None
    right = test.comparators[0]
    if isinstance(test.ops[0], ast.Eq) and text_of(right):
        return frozenset({text_of(right)})
    if isinstance(test.ops[0], ast.In):
        return tables.get(right.id) if isinstance(right, ast.Name) else _keys(right, {})
    return None


def written_tables(body: list[ast.stmt]) -> dict[str, frozenset[str]]:
    """Tables of names that are written down: `__former_attrs__ = {"int": "..."}`; later ones see earlier."""
    known: dict[str, frozenset[str]] = {}
    queue = deque(body)
    while queue:
        statement = queue.popleft()
        if isinstance(statement, ast.If | ast.Try | ast.With):
            queue.extendleft(reversed([*statement.body, *getattr(statement, "orelse", [])]))
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            keys = _keys(statement.value, known)
            if isinstance(target, ast.Name) and keys is not None:
                known[target.id] = keys
    return known


def _keys(value: ast.expr, known: dict[str, frozenset[str]]) -> frozenset[str] | None:
    """The first strings of a literal table; None where some are not written down."""
    if isinstance(value, ast.Dict):
        texts = [text_of(key) for key in value.keys]
    elif isinstance(value, ast.List | ast.Tuple | ast.Set):
        texts = [
            text_of(item.elts[0]) if isinstance(item, ast.Tuple) and item.elts else text_of(item)
            for item in value.elts
        ]
    elif isinstance(value, ast.DictComp | ast.SetComp | ast.ListComp):
        return _comprehended(value, known)
    else:
        return None
    return frozenset(texts) if all(texts) else None


def _comprehended(
    value: ast.DictComp | ast.SetComp | ast.ListComp, known: dict[str, frozenset[str]]
) -> frozenset[str] | None:
    """`{n: ... for n, m in TABLE}`: the keys are the table's."""
    first = value.generators[0]
    key = value.key if isinstance(value, ast.DictComp) else value.elt
    target = first.target.elts[0] if isinstance(first.target, ast.Tuple) else first.target
    same = isinstance(key, ast.Name) and isinstance(target, ast.Name) and key.id == target.id
    if len(value.generators) > 1 or first.ifs or not same or not isinstance(first.iter, ast.Name):
        return None
    return known.get(first.iter.id)
