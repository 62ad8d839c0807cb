"""The version checks of a module, read from its syntax tree: what it refuses at import. Nothing is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from mmlock.core.versions import InvalidVersion, version
from mmlock.facts.matrix.model import Assert

__all__ = ["asserts"]

_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_INVERSE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


class _Names:
    """What the top level of a module binds: packages, versions of packages, version texts."""

    def __init__(self, body: Sequence[ast.stmt]) -> None:
        self.modules: dict[str, str] = {}
        self.versions: dict[str, str] = {}
        """Name -> module whose `__version__` it holds."""
        self.texts: dict[str, str] = {}
        for statement in body:
            self._bind(statement)

    def _bind(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            self._import(statement)
        elif isinstance(statement, ast.Try | ast.If):
            for inner in statement.body:
                self._bind(inner)
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    self._assign(target.id, statement.value)

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                self.modules[alias.asname or alias.name.partition(".")[0]] = alias.name.partition(".")[0]
        elif statement.module and not statement.level:
            for alias in statement.names:
                if alias.name == "__version__":
                    self.versions[alias.asname or alias.name] = statement.module.partition(".")[0]

    def _assign(self, name: str, value: ast.expr) -> None:
        if (module := self.module_of(value)) is not None:
            self.versions[name] = module
        elif (text := self.text_of(value)) is not None:
            self.texts[name] = text

    def module_of(self, value: ast.expr) -> str | None:
        """The module whose version an expression is, however it is parsed."""
        if isinstance(value, ast.Attribute) and value.attr == "__version__":
            return self.modules.get(value.value.id) if isinstance(value.value, ast.Name) else None
        if isinstance(value, ast.Name):
            return self.versions.get(value.id)
        if isinstance(value, ast.Call) and value.args:
            return self.module_of(value.args[0])
        return None

    def text_of(self, value: ast.expr) -> str | None:
        """The version text an expression is, however it is parsed."""
        if isinstance(value, ast.Constant):
            return value.value if isinstance(value.value, str) and _is_version(value.value) else None
        if isinstance(value, ast.Name):
            return self.texts.get(value.id)
        if isinstance(value, ast.Call) and value.args:
            return self.text_of(value.args[0])
        return None


def _is_version(text: str) -> bool:
    try:
        version(text)
    except InvalidVersion:
        return False
    return re.match(r"\d", text) is not None


def asserts(source: str) -> tuple[Assert, ...]:
    """What must hold when this module is imported. Raises SyntaxError."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `"\d"` in what others wrote
        tree = ast.parse(source)
    names = _Names(tree.body)
    found: list[Assert] = []
    for statement in tree.body:
        if isinstance(statement, ast.Assert):
            found += _compared(names, statement.test, refused=False)
        elif isinstance(statement, ast.If) and any(isinstance(inner, ast.Raise) for inner in statement.body):
            found += _compared(names, statement.test, refused=True)
    return tuple(dict.fromkeys(found))


def _compared(names: _Names, test: ast.expr, *, refused: bool) -> Iterator[Assert]:
    """The comparisons that each decide alone. `refused`: the condition is what must not hold.

    Of `A or B` neither has to hold, and of a refused `A and B` neither has to fail: those say nothing.
    """
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _compared(names, test.operand, refused=not refused)
    elif isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or if refused else ast.And):
        for part in test.values:
            yield from _compared(names, part, refused=refused)
    elif isinstance(test, ast.Compare) and (len(test.ops) == 1 or not refused):
        left = test.left
        for operator, right in zip(test.ops, test.comparators, strict=True):
            sign = _SIGNS.get(type(operator))
            if sign is not None and (found := _one(names, left, sign, right, refused=refused)):
                yield found
            left = right


def _one(names: _Names, left: ast.expr, sign: str, right: ast.expr, *, refused: bool) -> Assert | None:
    module, bound = names.module_of(left), names.text_of(right)
    if module is None:
        module, bound, sign = names.module_of(right), names.text_of(left), _MIRROR[sign]
    if module is None or bound is None:
        return None
    return Assert(module=module, op=_INVERSE[sign] if refused else sign, version=bound)
