"""One source -> `ModuleNames`: one pass over its syntax tree, over an explicit stack.

What is given is taken widely (each name that some branch binds), and whatever could make names at run time
makes the module open: a name is absent only where nothing in the text could have made it. What is needed is
taken narrowly: `ALWAYS` is said only of what runs whenever the module does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import NamedTuple

from mmlock.core.names import StrEnum
from mmlock.names.aliases import REGISTERED, Aliases
from mmlock.names.chains import chain_of, parse_source, survives, text_of
from mmlock.names.dynamic import ExportedNames, Lookup, denied_names, no_table
from mmlock.names.model import ModuleNames, NameUse, OpenReason, RunCondition, later

__all__ = ["read_module"]

LIMIT = 4 * 1024 * 1024
"""Bytes of a source; what is larger is data."""

_NAMESPACES = frozenset({"globals", "locals", "vars"})
_READS = frozenset({"get", "keys", "values", "items", "copy"})
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_INNER = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class _Scope(StrEnum):
    MODULE = "module"
    CLASS = "class"
    FUNCTION = "function"


class _Where(NamedTuple):
    """In what a node stands."""

    when: RunCondition = RunCondition.ALWAYS
    attribute: RunCondition = RunCondition.ALWAYS
    """As `when`, for a missing attribute: other exceptions may be caught."""
    scope: _Scope = _Scope.MODULE

    def under(self, condition: RunCondition) -> _Where:
        return self._replace(when=later(self.when, condition), attribute=later(self.attribute, condition))


def read_module(source: bytes | str, module: str, *, package: bool, tables: Lookup = no_table) -> ModuleNames:
    """What a module gives and needs. `package`: whether it is an `__init__.py`.

    `tables`: the keys of a table that is written down in another module.
    """
    tree = parse_source(source) if len(source) <= LIMIT else None
    if tree is None:
        return ModuleNames(open=OpenReason.UNREAD)
    reader = _Reader(module, package=package)
    reader.block(tree.body, _Where())
    return reader.names(tree, tables)


class _Reader:
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
        self.stack: list[tuple[ast.AST, _Where]] = []

    # ------------------------------------------------------------ the walk

    def block(self, body: Iterable[ast.AST], where: _Where) -> None:
        """Read nodes and everything in them."""
        self._push(body, where)
        while self.stack:
            node, inside = self.stack.pop()
            special = _SPECIAL.get(type(node))
            if special is None or not special(self, node, inside):
                self._children(node, inside)

    def _push(self, nodes: Iterable[ast.AST], where: _Where) -> None:
        self.stack.extend((node, where) for node in reversed(list(nodes)))

    def _children(self, node: ast.AST, where: _Where) -> None:
        self._push(ast.iter_child_nodes(node), where)

    def _bind(self, name: str, where: _Where) -> None:
        if where.scope is _Scope.MODULE:
            self.given.add(name)

    def _opened(self, reason: OpenReason) -> None:
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
                self._opened(OpenReason.GETATTR)
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

    def on_import(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.Import)
        for alias in node.names:
            top = alias.name.partition(".")[0]
            bound = alias.asname or top
            self._bind(bound, where)
            self.uses.append(NameUse(module=alias.name, name="", line=node.lineno, when=where.when))
            self.bound.module(bound, alias.name if alias.asname else top, where.when)
            if not alias.asname:
                self.bound.dotted.setdefault(top, set()).add(alias.name)
        return True

    def on_import_from(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.ImportFrom)
        module = self._absolute(node)
        for alias in node.names:
            taken = "" if alias.name == "*" else alias.name
            if module:
                use = NameUse(module=module, name=taken, line=node.lineno, when=where.when)
                self.uses.append(use)
            if taken:
                bound = alias.asname or alias.name
                self._bind(bound, where)
                self.bound.rebound.add(bound)
                self.taken.append((bound, module, alias.name))
                if where.scope is _Scope.MODULE and bound == "__all__":
                    self.exports.computed()
            elif where.scope is _Scope.MODULE:
                self.stars[module or "?"] = None
        return True

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        kept = self.home[: len(self.home) - node.level + 1] if node.level <= len(self.home) else []
        return ".".join([*kept, *([node.module] if node.module else [])]) if kept else ""

    # ------------------------------------------------------------ definitions

    def on_function(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        self._bind(node.name, where)
        self.bound.rebound.add(node.name)
        self.bound.rebound |= _parameters(node.args)
        inside = where.under(RunCondition.CALLED)._replace(scope=_Scope.FUNCTION)
        self._push(node.body, inside)
        values = [value for value in (*node.args.defaults, *node.args.kw_defaults) if value is not None]
        # Annotations are left out: whether they run is another Python's matter.
        self._push([*node.decorator_list, *values], where)
        return True

    def on_lambda(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.Lambda)
        self.bound.rebound |= _parameters(node.args)
        self._push([node.body], where.under(RunCondition.CALLED)._replace(scope=_Scope.FUNCTION))
        return True

    def on_class(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.ClassDef)
        self._bind(node.name, where)
        self.bound.rebound.add(node.name)
        self._push([*node.decorator_list, *node.bases, *(word.value for word in node.keywords)], where)
        inside = where if where.scope is _Scope.FUNCTION else where._replace(scope=_Scope.CLASS)
        self._push(node.body, inside)
        return True

    def on_global(self, node: ast.AST, _: _Where) -> bool:
        """A function may bind it in the module, at any time."""
        assert isinstance(node, ast.Global)
        self.given.update(node.names)
        self.bound.rebound.update(node.names)
        return True

    def on_annotated(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.AnnAssign)
        if node.value is not None:
            self._push([node.target, node.value], where)
            if self._is_all(node.target, where):
                self.exports.extend(node.value)
        return True

    # ------------------------------------------------------------ conditions

    def on_if(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.If)
        typing = "TYPE_CHECKING" in chain_of(node.test)
        self._push(node.orelse, where if typing else where.under(RunCondition.IF))
        self._push(node.body, where.under(RunCondition.TYPING if typing else RunCondition.IF))
        self._push([node.test], where)
        return True

    def on_if_expression(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.IfExp)
        self._push([node.body, node.orelse], where.under(RunCondition.IF))
        self._push([node.test], where)
        return True

    def on_both(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.BoolOp)
        self._push(node.values[1:], where.under(RunCondition.IF))
        self._push(node.values[:1], where)
        return True

    def on_loop(self, node: ast.AST, where: _Where) -> bool:
        if isinstance(node, ast.For) and isinstance(node.target, ast.Name):
            items = node.iter.elts if isinstance(node.iter, ast.List | ast.Tuple) else []
            texts = [text_of(item) for item in items]
            if texts and all(texts):
                self.written.setdefault(node.target.id, set()).update(texts)
        self._children(node, where.under(RunCondition.IF))
        return True

    def on_comprehension(self, node: ast.AST, where: _Where) -> bool:
        """Its own names are nobody's; a walrus inside is rare enough to be taken for the module's."""
        inner = where.under(RunCondition.IF)
        for generator in getattr(node, "generators", ()):
            for target in ast.walk(generator.target):
                if isinstance(target, ast.Name):
                    self.bound.rebound.add(target.id)
            self._push([generator.iter, *generator.ifs], inner)
        values = [getattr(node, name) for name in ("elt", "key", "value") if hasattr(node, name)]
        self._push(values, inner)
        return True

    def on_try(self, node: ast.AST, where: _Where) -> bool:
        handlers: list[ast.ExceptHandler] = getattr(node, "handlers", [])
        guarded = RunCondition.GUARDED
        inside = where
        if survives(handlers):
            inside = inside._replace(when=later(inside.when, guarded))
        if survives(handlers, attribute=True):
            inside = inside._replace(attribute=later(inside.attribute, guarded))
        self._push(getattr(node, "finalbody", []), where)
        self._push(getattr(node, "orelse", []), inside)
        for handler in handlers:
            if handler.name:
                self._bind(handler.name, where)
            self._push(handler.body, where.under(guarded))
            self._push([handler.type] if handler.type else [], where.under(guarded))
        self._push(getattr(node, "body", []), inside)
        return True

    def on_with(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.With | ast.AsyncWith)
        for item in node.items:
            self._push([item.context_expr, *([item.optional_vars] if item.optional_vars else [])], where)
        called = [item.context_expr.func for item in node.items if isinstance(item.context_expr, ast.Call)]
        quiet = any(chain_of(function).rpartition(".")[2] in {"suppress", "raises"} for function in called)
        self._push(node.body, where.under(RunCondition.GUARDED) if quiet else where)
        return True

    # ------------------------------------------------------------ names and attributes

    def on_name(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.Name)
        if isinstance(node.ctx, ast.Store):
            self._bind(node.id, where)
            self.bound.rebound.add(node.id)
        return True

    def on_pattern(self, node: ast.AST, where: _Where) -> bool:
        """A part of a `match` that binds a name."""
        name = getattr(node, "name", None) or getattr(node, "rest", None)
        if name:
            self._bind(name, where)
            self.bound.rebound.add(name)
        return False

    def on_attribute(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.Attribute)
        chain = chain_of(node)
        if not chain:
            return False
        if isinstance(node.ctx, ast.Store):
            head, _, last = chain.rpartition(".")
            self.bound.set_there.append((head, last))
            self.bound.tested.add(chain)
        elif isinstance(node.ctx, ast.Load):
            self.bound.chains.append((chain, node.lineno, where.attribute))
            if chain.endswith((".modules.update", ".__dict__.update")):
                self._set_all(chain.rpartition(".__dict__")[0])
        return True

    def on_assign(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.Assign)
        for target in node.targets:
            if self._is_all(target, where):
                self.exports.extend(node.value)
        self._push([*node.targets, node.value], where)
        return True

    def on_augmented(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.AugAssign)
        if self._is_all(node.target, where):
            self.exports.extend(node.value)
        return False

    def _is_all(self, target: ast.AST, where: _Where) -> bool:
        return where.scope is _Scope.MODULE and isinstance(target, ast.Name) and target.id == "__all__"

    def on_subscript(self, node: ast.AST, where: _Where) -> bool:
        """`globals()["x"]`, `sys.modules[__name__]`."""
        assert isinstance(node, ast.Subscript)
        called = node.value.func if isinstance(node.value, ast.Call) else None
        if chain_of(called or node) in _NAMESPACES and called is not None:
            if isinstance(node.ctx, ast.Store):
                if texts := self._texts(node.slice):
                    self.given |= texts
                elif chain_of(called) == "globals" or where.scope is _Scope.MODULE:
                    self._opened(OpenReason.NAMESPACE)
            self._push([node.slice], where)
            return True
        chain = chain_of(node.value)
        if chain.rpartition(".")[2] == "modules" and chain in {"sys.modules", "modules"}:
            if isinstance(node.ctx, ast.Store) and (text := text_of(node.slice)):
                self.bound.set_there.append((f"{REGISTERED}{text}", "*"))
            else:
                self._opened(OpenReason.REPLACED)
        elif chain.endswith(".__dict__") and isinstance(node.ctx, ast.Store):
            head = chain.rpartition(".")[0]
            self.bound.set_there.append((head, text_of(node.slice) or "*"))
        return False

    def _texts(self, node: ast.expr) -> set[str]:
        """The strings that an expression can be, where all of them are written down."""
        if isinstance(node, ast.Name):
            return self.written.get(node.id, set())
        return {text} if (text := text_of(node)) else set()

    def on_call(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.Call)
        function = chain_of(node.func)
        last = function.rpartition(".")[2]
        if function in _NAMESPACES and not node.args:
            if function == "globals" or where.scope is _Scope.MODULE:
                self._opened(OpenReason.NAMESPACE)
        elif function == "exec" and where.scope is not _Scope.FUNCTION:
            self._opened(OpenReason.NAMESPACE)
        elif function == "setattr" and node.args:
            self._sets(node)
        elif function == "hasattr" and len(node.args) > 1 and (text := text_of(node.args[1])):
            self.bound.tested.add(f"{chain_of(node.args[0])}.{text}")
        elif last in {"append", "extend"} and function.startswith("__all__.") and node.args:
            self.exports.extend(node.args[0])
        elif isinstance(node.func, ast.Attribute) and node.func.attr in _READS:
            inner = node.func.value
            if isinstance(inner, ast.Call) and chain_of(inner.func) in _NAMESPACES and not inner.args:
                self._push([*node.args, *(word.value for word in node.keywords)], where)
                return True
        return False

    def _sets(self, node: ast.Call) -> None:
        """`setattr(x, "name", ...)`: on a module, perhaps."""
        target = node.args[0]
        text = text_of(node.args[1]) if len(node.args) > 1 else ""
        if chain := chain_of(target):
            self.bound.set_there.append((chain, text or "*"))
        elif any(chain_of(inner) == "sys.modules" for inner in ast.walk(target)):
            self._opened(OpenReason.REPLACED)

    def _set_all(self, chain: str) -> None:
        if chain:
            self.bound.set_there.append((chain, "*"))
        else:
            self._opened(OpenReason.REPLACED)


def _parameters(arguments: ast.arguments) -> set[str]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    return {one.arg for one in every}


_SPECIAL = {
    ast.Import: _Reader.on_import,
    ast.ImportFrom: _Reader.on_import_from,
    ast.FunctionDef: _Reader.on_function,
    ast.AsyncFunctionDef: _Reader.on_function,
    ast.Lambda: _Reader.on_lambda,
    ast.ClassDef: _Reader.on_class,
    ast.Global: _Reader.on_global,
    ast.AnnAssign: _Reader.on_annotated,
    ast.If: _Reader.on_if,
    ast.IfExp: _Reader.on_if_expression,
    ast.BoolOp: _Reader.on_both,
    **dict.fromkeys(_LOOPS, _Reader.on_loop),
    **dict.fromkeys(_INNER, _Reader.on_comprehension),
    ast.Try: _Reader.on_try,
    **({ast.TryStar: _Reader.on_try} if hasattr(ast, "TryStar") else {}),
    ast.With: _Reader.on_with,
    ast.AsyncWith: _Reader.on_with,
    ast.Name: _Reader.on_name,
    ast.Attribute: _Reader.on_attribute,
    ast.Assign: _Reader.on_assign,
    ast.AugAssign: _Reader.on_augmented,
    ast.Subscript: _Reader.on_subscript,
    ast.Call: _Reader.on_call,
    ast.MatchAs: _Reader.on_pattern,
    ast.MatchStar: _Reader.on_pattern,
    ast.MatchMapping: _Reader.on_pattern,
}
