"""One source -> `ModuleNames`: one pass over its syntax tree, over an explicit stack.

What is given is taken widely (each name that some branch binds), and whatever could make names at run time
makes the module open: a name is absent only where nothing in the text could have made it. What is needed is
taken narrowly: `ALWAYS` is said only of what runs whenever the module does.
"""

from __future__ import annotations

import ast

from mmlock.names.aliases import REGISTERED
from mmlock.names.chains import chain_of, parse_source, survives, text_of
from mmlock.names.collect import NameCollector, NamePlace, NameScope
from mmlock.names.dynamic import Lookup, no_table
from mmlock.names.model import ModuleNames, OpenReason, RunCondition, later

__all__ = ["read_module"]

LIMIT = 4 * 1024 * 1024
"""Bytes of a source; what is larger is data."""

_NAMESPACES = frozenset({"globals", "locals", "vars"})
_READS = frozenset({"get", "keys", "values", "items", "copy"})
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_INNER = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def read_module(source: bytes | str, module: str, *, package: bool, tables: Lookup = no_table) -> ModuleNames:
    """What a module gives and needs. `package`: whether it is an `__init__.py`.

    `tables`: the keys of a table that is written down in another module.
    """
    tree = parse_source(source) if len(source) <= LIMIT else None
    if tree is None:
        return ModuleNames(open=OpenReason.UNREAD)
    reader = _Reader(module, package=package)
    reader.block(tree.body, NamePlace())
    return reader.names(tree, tables)


class _Reader(NameCollector):
    """With the conditions under which code runs, and what it does to names at run time."""

    # ------------------------------------------------------------ conditions

    def on_if(self, node: ast.AST, where: NamePlace) -> bool:
        assert isinstance(node, ast.If)
        typing = "TYPE_CHECKING" in chain_of(node.test)
        self.push(node.orelse, where if typing else where.under(RunCondition.IF))
        self.push(node.body, where.under(RunCondition.TYPING if typing else RunCondition.IF))
        self.push([node.test], where)
        return True

    def on_if_expression(self, node: ast.AST, where: NamePlace) -> bool:
        assert isinstance(node, ast.IfExp)
        self.push([node.body, node.orelse], where.under(RunCondition.IF))
        self.push([node.test], where)
        return True

    def on_both(self, node: ast.AST, where: NamePlace) -> bool:
        assert isinstance(node, ast.BoolOp)
        self.push(node.values[1:], where.under(RunCondition.IF))
        self.push(node.values[:1], where)
        return True

    def on_loop(self, node: ast.AST, where: NamePlace) -> bool:
        if isinstance(node, ast.For) and isinstance(node.target, ast.Name):
            items = node.iter.elts if isinstance(node.iter, ast.List | ast.Tuple) else []
            texts = [text_of(item) for item in items]
            if texts and all(texts):
                self.written.setdefault(node.target.id, set()).update(texts)
        self.children(node, where.under(RunCondition.IF))
        return True

    def on_comprehension(self, node: ast.AST, where: NamePlace) -> bool:
        """Its own names are nobody's; a walrus inside is rare enough to be taken for the module's."""
        inner = where.under(RunCondition.IF)
        for generator in getattr(node, "generators", ()):
            for target in ast.walk(generator.target):
                if isinstance(target, ast.Name):
                    self.bound.rebound.add(target.id)
            self.push([generator.iter, *generator.ifs], inner)
        values = [getattr(node, name) for name in ("elt", "key", "value") if hasattr(node, name)]
        self.push(values, inner)
        return True

    def on_try(self, node: ast.AST, where: NamePlace) -> bool:
        handlers: list[ast.ExceptHandler] = getattr(node, "handlers", [])
        guarded = RunCondition.GUARDED
        inside = where
        if survives(handlers):
            inside = inside._replace(when=later(inside.when, guarded))
        if survives(handlers, attribute=True):
            inside = inside._replace(attribute=later(inside.attribute, guarded))
        self.push(getattr(node, "finalbody", []), where)
        self.push(getattr(node, "orelse", []), inside)
        for handler in handlers:
            if handler.name:
                self.bind(handler.name, where)
            self.push(handler.body, where.under(guarded))
            self.push([handler.type] if handler.type else [], where.under(guarded))
        self.push(getattr(node, "body", []), inside)
        return True

    def on_with(self, node: ast.AST, where: NamePlace) -> bool:
        assert isinstance(node, ast.With | ast.AsyncWith)
        for item in node.items:
            self.push([item.context_expr, *([item.optional_vars] if item.optional_vars else [])], where)
        called = [item.context_expr.func for item in node.items if isinstance(item.context_expr, ast.Call)]
        quiet = any(chain_of(function).rpartition(".")[2] in {"suppress", "raises"} for function in called)
        self.push(node.body, where.under(RunCondition.GUARDED) if quiet else where)
        return True

    # ------------------------------------------------------------ names and attributes

    def on_name(self, node: ast.AST, where: NamePlace) -> bool:
        assert isinstance(node, ast.Name)
        if isinstance(node.ctx, ast.Store):
            self.bind(node.id, where)
            self.bound.rebound.add(node.id)
        return True

    def on_pattern(self, node: ast.AST, where: NamePlace) -> bool:
        """A part of a `match` that binds a name."""
        name = getattr(node, "name", None) or getattr(node, "rest", None)
        if name:
            self.bind(name, where)
            self.bound.rebound.add(name)
        return False

    def on_attribute(self, node: ast.AST, where: NamePlace) -> bool:
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

    def on_assign(self, node: ast.AST, where: NamePlace) -> bool:
        assert isinstance(node, ast.Assign)
        for target in node.targets:
            if self.is_all(target, where):
                self.exports.extend(node.value)
        self.push([*node.targets, node.value], where)
        return True

    def on_augmented(self, node: ast.AST, where: NamePlace) -> bool:
        assert isinstance(node, ast.AugAssign)
        if self.is_all(node.target, where):
            self.exports.extend(node.value)
        return False

    def on_subscript(self, node: ast.AST, where: NamePlace) -> bool:
        """`globals()["x"]`, `sys.modules[__name__]`."""
        assert isinstance(node, ast.Subscript)
        called = node.value.func if isinstance(node.value, ast.Call) else None
        if chain_of(called or node) in _NAMESPACES and called is not None:
            if isinstance(node.ctx, ast.Store):
                if texts := self._texts(node.slice):
                    self.given |= texts
                elif chain_of(called) == "globals" or where.scope is NameScope.MODULE:
                    self.opened(OpenReason.NAMESPACE)
            self.push([node.slice], where)
            return True
        chain = chain_of(node.value)
        if chain.rpartition(".")[2] == "modules" and chain in {"sys.modules", "modules"}:
            if isinstance(node.ctx, ast.Store) and (text := text_of(node.slice)):
                self.bound.set_there.append((f"{REGISTERED}{text}", "*"))
            else:
                self.opened(OpenReason.REPLACED)
        elif chain.endswith(".__dict__") and isinstance(node.ctx, ast.Store):
            head = chain.rpartition(".")[0]
            self.bound.set_there.append((head, text_of(node.slice) or "*"))
        return False

    def _texts(self, node: ast.expr) -> set[str]:
        """The strings that an expression can be, where all of them are written down."""
        if isinstance(node, ast.Name):
            return self.written.get(node.id, set())
        return {text} if (text := text_of(node)) else set()

    def on_call(self, node: ast.AST, where: NamePlace) -> bool:
        assert isinstance(node, ast.Call)
        function = chain_of(node.func)
        last = function.rpartition(".")[2]
        if function in _NAMESPACES and not node.args:
            if function == "globals" or where.scope is NameScope.MODULE:
                self.opened(OpenReason.NAMESPACE)
        elif function == "exec" and where.scope is not NameScope.FUNCTION:
            self.opened(OpenReason.NAMESPACE)
        elif function == "setattr" and node.args:
            self._sets(node)
        elif function == "hasattr" and len(node.args) > 1 and (text := text_of(node.args[1])):
            self.bound.tested.add(f"{chain_of(node.args[0])}.{text}")
        elif last in {"append", "extend"} and function.startswith("__all__.") and node.args:
            self.exports.extend(node.args[0])
        elif isinstance(node.func, ast.Attribute) and node.func.attr in _READS:
            inner = node.func.value
            if isinstance(inner, ast.Call) and chain_of(inner.func) in _NAMESPACES and not inner.args:
                self.push([*node.args, *(word.value for word in node.keywords)], where)
                return True
        return False

    def _sets(self, node: ast.Call) -> None:
        """`setattr(x, "name", ...)`: on a module, perhaps."""
        target = node.args[0]
        text = text_of(node.args[1]) if len(node.args) > 1 else ""
        if chain := chain_of(target):
            self.bound.set_there.append((chain, text or "*"))
        elif any(chain_of(inner) == "sys.modules" for inner in ast.walk(target)):
            self.opened(OpenReason.REPLACED)

    def _set_all(self, chain: str) -> None:
        if chain:
            self.bound.set_there.append((chain, "*"))
        else:
            self.opened(OpenReason.REPLACED)

    def special(self, node: ast.AST, where: NamePlace) -> bool:
        """As the table below says."""
        found = _SPECIAL.get(type(node))
        return found is not None and found(self, node, where)


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
