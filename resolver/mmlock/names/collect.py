"""Collects the names of a module over its syntax tree: imports, definitions, and where they are."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

from mmlock.core.names import StrEnum
from mmlock.names.aliases import Aliases
from mmlock.names.dynamic import ExportedNames, Lookup, denied_names
from mmlock.names.model import ModuleNames, NameUse, OpenReason, RunCondition, later

__all__ = ["NameCollector", "NamePlace", "NameScope"]


class NameScope(StrEnum):
    """What binds a name."""

    MODULE = "module"
    CLASS = "class"
    FUNCTION = "function"


class NamePlace(NamedTuple):
    """In what a node is."""

    when: RunCondition = RunCondition.ALWAYS
    attribute: RunCondition = RunCondition.ALWAYS
    """As `when`, for a missing attribute: other exceptions may be caught."""
    scope: NameScope = NameScope.MODULE

    def under(self, condition: RunCondition) -> NamePlace:
        return self._replace(when=later(self.when, condition), attribute=later(self.attribute, condition))


class NameCollector(ABC):
    """Collects names over an explicit stack: deep trees must not end the interpreter's own."""

    def __init__(self, module: str, *, package: bool) -> None:
        self.module = module
        self.home = module.split(".") if package else module.split(".")[:-1]
        self.given: set[str] = set()
        self.exports = ExportedNames()
        self.stars: dict[str, None] = {}
        self.open: OpenReason | None = None
        self.bound = Aliases()
        self.uses: list[NameUse] = []
        self.taken: list[tuple[str, str, str]] = []
        """(bound, module, name) of `from module import name as bound`."""
        self.written: dict[str, set[str]] = {}
        """Loop variables that go over strings which are written down."""
        self.stack: list[tuple[ast.AST, NamePlace]] = []

    # ------------------------------------------------------------ the walk

    def block(self, body: Iterable[ast.AST], where: NamePlace) -> None:
        """Read nodes and everything in them."""
        self.push(body, where)
        while self.stack:
            node, inside = self.stack.pop()
            if not self.special(node, inside):
                self.children(node, inside)

    @abstractmethod
    def special(self, node: ast.AST, where: NamePlace) -> bool:
        """Read a node that means something of itself; False: only its parts do."""

    def push(self, nodes: Iterable[ast.AST], where: NamePlace) -> None:
        self.stack.extend((node, where) for node in reversed(list(nodes)))

    def children(self, node: ast.AST, where: NamePlace) -> None:
        self.push(ast.iter_child_nodes(node), where)

    def bind(self, name: str, where: NamePlace) -> None:
        if where.scope is NameScope.MODULE:
            self.given.add(name)

    def opened(self, reason: OpenReason) -> None:
        self.open = self.open or reason

    def names(self, tree: ast.Module, tables: Lookup) -> ModuleNames:
        """What was collected."""
        denied: frozenset[str] = frozenset()
        if "__getattr__" in self.given:
            found = {
                bound: names
                for bound, module, name in self.taken
                if (names := tables(module, name)) is not None
            }
            asked = denied_names(tree, found)
            denied = asked.denied
            self.given |= asked.made
            if not asked.closed:
                self.opened(OpenReason.GETATTR)
        return ModuleNames(
            given=frozenset(self.given),
            exported=self.exports.whole,
            listed=frozenset(self.exports.listed),
            stars=tuple(self.stars),
            open=self.open,
            denied=denied,
            outside=self.bound.outside(),
            uses=(*self.uses, *self.bound.attributes()),
        )

    # ------------------------------------------------------------ import statements

    def on_import(self, node: ast.AST, where: NamePlace) -> bool:
        assert isinstance(node, ast.Import)
        for alias in node.names:
            top = alias.name.partition(".")[0]
            bound = alias.asname or top
            self.bind(bound, where)
            self.uses.append(NameUse(module=alias.name, name="", line=node.lineno, when=where.when))
            self.bound.module(bound, alias.name if alias.asname else top, where.when)
            if not alias.asname:
                self.bound.dotted.setdefault(top, set()).add(alias.name)
        return True

    def on_import_from(self, node: ast.AST, where: NamePlace) -> bool:
        assert isinstance(node, ast.ImportFrom)
        module = self._absolute(node)
        for alias in node.names:
            taken = "" if alias.name == "*" else alias.name
            if module:
                use = NameUse(module=module, name=taken, line=node.lineno, when=where.when)
                self.uses.append(use)
            if taken:
                bound = alias.asname or alias.name
                self.bind(bound, where)
                self.bound.rebound.add(bound)
                self.taken.append((bound, module, alias.name))
                if where.scope is NameScope.MODULE and bound == "__all__":
                    self.exports.computed()
            elif where.scope is NameScope.MODULE:
                self.stars[module or "?"] = None
        return True

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        kept = self.home[: len(self.home) - node.level + 1] if node.level <= len(self.home) else []
        return ".".join([*kept, *([node.module] if node.module else [])]) if kept else ""

    # ------------------------------------------------------------ definitions

    def on_function(self, node: ast.AST, where: NamePlace) -> bool:
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        self.bind(node.name, where)
        self.bound.rebound.add(node.name)
        self.bound.rebound |= _parameters(node.args)
        inside = where.under(RunCondition.CALLED)._replace(scope=NameScope.FUNCTION)
        self.push(node.body, inside)
        values = [value for value in (*node.args.defaults, *node.args.kw_defaults) if value is not None]
        # Annotations are left out: whether they run is another Python's matter.
        self.push([*node.decorator_list, *values], where)
        return True

    def on_lambda(self, node: ast.AST, where: NamePlace) -> bool:
        assert isinstance(node, ast.Lambda)
        self.bound.rebound |= _parameters(node.args)
        self.push([node.body], where.under(RunCondition.CALLED)._replace(scope=NameScope.FUNCTION))
        return True

    def on_class(self, node: ast.AST, where: NamePlace) -> bool:
        assert isinstance(node, ast.ClassDef)
        self.bind(node.name, where)
        self.bound.rebound.add(node.name)
        self.push([*node.decorator_list, *node.bases, *(word.value for word in node.keywords)], where)
        inside = where if where.scope is NameScope.FUNCTION else where._replace(scope=NameScope.CLASS)
        self.push(node.body, inside)
        return True

    def on_global(self, node: ast.AST, _: NamePlace) -> bool:
        """A function may bind it in the module, at any time."""
        assert isinstance(node, ast.Global)
        self.given.update(node.names)
        self.bound.rebound.update(node.names)
        return True

    def on_annotated(self, node: ast.AST, where: NamePlace) -> bool:
        assert isinstance(node, ast.AnnAssign)
        if node.value is not None:
            self.push([node.target, node.value], where)
            if self.is_all(node.target, where):
                self.exports.extend(node.value)
        return True

    def is_all(self, target: ast.AST, where: NamePlace) -> bool:
        return where.scope is NameScope.MODULE and isinstance(target, ast.Name) and target.id == "__all__"


def _parameters(arguments: ast.arguments) -> set[str]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    return {one.arg for one in every}
