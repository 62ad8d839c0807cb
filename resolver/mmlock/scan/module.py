"""A syntax tree -> `ModuleFacts`: one pass over all nodes, no name is looked up outside the file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from mmlock.scan.model import Called, Import, ModuleFacts, RunCondition, Typed, Used

__all__ = ["chain_of", "module_facts"]

_SURVIVED = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_LOADERS = frozenset({"load_ext", "load", "load_inline"})
_IMPORTERS = frozenset({"import_module", "__import__"})
_COMPARES = frozenset({"isinstance", "issubclass"})
_REGISTERS = frozenset({"register_module", "register"})


class _Where(NamedTuple):
    """In what a node is."""

    owner: str = ""
    when: RunCondition = RunCondition.ALWAYS
    under: str = ""


def module_facts(tree: ast.Module) -> ModuleFacts:
    """What one file imports, reads, defines and registers."""
    reader = _FactsReader()
    reader.block(tree.body, _Where())
    return reader.facts()


def chain_of(node: ast.AST) -> str:
    """`a.b.c` for an attribute chain on a name; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    parts.append(node.id)
    return ".".join(reversed(parts))


class _FactsReader:
    """Collects over an explicit stack: deep trees must not end the interpreter's own."""

    def __init__(self) -> None:
        self.imports: list[Import] = []
        self.typed: list[Typed] = []
        self.called: list[Called] = []
        self.defined: list[tuple[str, int]] = []
        self.registered: list[tuple[str, str]] = []
        self.chains: dict[tuple[str, str], int] = {}
        self.bases: list[tuple[str, int]] = []
        self.script = False
        self.stack: list[tuple[ast.AST, _Where]] = []

    def facts(self) -> ModuleFacts:
        """Chains are kept where their first name is imported or defined here, or may come of a star."""
        known = {one.bound for one in self.imports} | {name for name, _ in self.defined}
        star = any(one.name == "*" for one in self.imports)
        used = tuple(
            Used(chain=chain, line=line, owner=owner)
            for (owner, chain), line in self.chains.items()
            if star or chain.partition(".")[0] in known
        )
        return ModuleFacts(
            imports=tuple(self.imports),
            used=used,
            typed=tuple(self.typed),
            called=tuple(self.called),
            defined=tuple(self.defined),
            registered=tuple(self.registered),
            bases=tuple(self.bases),
            script=self.script,
        )

    def block(self, body: list[ast.stmt], where: _Where) -> None:
        """Read statements and everything in them."""
        self._push(body, where)
        while self.stack:
            node, inside = self.stack.pop()
            self._node(node, inside)

    def _push(self, nodes: list[ast.stmt] | list[ast.expr], where: _Where) -> None:
        self.stack.extend((node, where) for node in reversed(nodes))

    def _node(self, node: ast.AST, where: _Where) -> None:
        special = _SPECIAL.get(type(node))
        if special is None or not special(self, node, where):
            self._children(node, where)

    def _children(self, node: ast.AST, where: _Where) -> None:
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                self.stack.extend((item, where) for item in reversed(value) if isinstance(item, ast.AST))
            elif isinstance(value, ast.AST):
                self.stack.append((value, where))

    # ------------------------------------------------------------ names

    def on_name(self, node: ast.AST, where: _Where) -> bool:
        chain = chain_of(node)
        if chain:
            self.chains.setdefault((where.owner, chain), node.lineno)  # type: ignore[attr-defined]
        return bool(chain)

    def on_import(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.Import)
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            self._add(alias.name, None, bound, alias.lineno, where)
        return True

    def on_import_from(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.ImportFrom)
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            bound = "" if alias.name == "*" else alias.asname or alias.name
            self._add(module, alias.name, bound, alias.lineno, where)
        return True

    def _add(self, module: str, name: str | None, bound: str, line: int, where: _Where) -> None:
        self.imports.append(
            Import(module=module, name=name, bound=bound, line=line, when=where.when, owner=where.owner)
        )

    # ------------------------------------------------------------ statements

    def on_class(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.ClassDef)
        owner = self._define(node, where)
        self._children(node, where._replace(owner=owner))
        return True

    def on_function(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        owner = self._define(node, where)
        inside = where._replace(owner=owner, when=_later(where.when, RunCondition.CALLED))
        self._push(node.body, inside)
        # Annotations are left out: a type that is only named is not used.
        defaults = [value for value in (*node.args.defaults, *node.args.kw_defaults) if value is not None]
        self._push([*node.decorator_list, *defaults], where._replace(owner=owner))
        return True

    def _define(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, where: _Where) -> str:
        owner = where.owner or node.name
        if not where.owner:
            self.defined.append((node.name, node.lineno))
            self.registered.extend((name, owner) for name in _registered(node))
        return owner

    def on_annotated(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.AnnAssign)
        if node.value is not None:
            self._keyed(chain_of(node.target), node.value, where, in_dict=False)
        return True

    def on_lambda(self, node: ast.AST, where: _Where) -> bool:
        self._children(node, where._replace(when=_later(where.when, RunCondition.CALLED)))
        return True

    def on_if(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.If)
        test = ast.dump(node.test)
        self.stack.append((node.test, where))
        if "'__main__'" in test:
            self.script = self.script or not where.owner
            body = where._replace(when=_later(where.when, RunCondition.IF))
        elif "TYPE_CHECKING" in test and not isinstance(node.test, ast.UnaryOp):
            self._push(node.orelse, where)
            self._push(node.body, where._replace(when=RunCondition.TYPING))
            return True
        else:
            body = where._replace(when=_later(where.when, RunCondition.IF))
        self._push(node.orelse, body)
        self._push(node.body, body)
        return True

    def on_try(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.Try)
        survives = any(_survives(handler) for handler in node.handlers)
        guarded = where._replace(when=_later(where.when, RunCondition.GUARDED)) if survives else where
        branch = where._replace(when=_later(where.when, RunCondition.GUARDED))
        self._push(node.finalbody, where)
        self._push(node.orelse, guarded)
        for handler in reversed(node.handlers):
            self._push(handler.body, branch)
        self._push(node.body, guarded)
        return True

    # ------------------------------------------------------------ expressions

    def on_call(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.Call)
        function = chain_of(node.func)
        last = function.rpartition(".")[2]
        if last in _LOADERS:
            texts = tuple(_texts(node))
            self.called.append(Called(function=function, texts=texts, line=node.lineno, owner=where.owner))
        elif last in _IMPORTERS and node.args and (text := _text(node.args[0])):
            self._add(text, None, "", node.lineno, where)
        elif function == "getattr" and len(node.args) > 1 and (text := _text(node.args[1])):
            if chain := chain_of(node.args[0]):
                self.chains.setdefault((where.owner, f"{chain}.{text}"), node.lineno)
        elif last in _REGISTERS:
            self._registers(node)
        for keyword in node.keywords:
            self._keyed(keyword.arg, keyword.value, where, in_dict=True)
        # What something is only compared with is not used.
        self._push(node.args[:1] if function in _COMPARES else node.args, where)
        self.stack.append((node.func, where))
        return True

    def _registers(self, node: ast.Call) -> None:
        """`MODELS.register_module('Name', module=Class)`, called and not used as a decorator."""
        words = {keyword.arg: keyword.value for keyword in node.keywords}
        target = chain_of(words.get("module") or (node.args[-1] if node.args else node))
        if target and "." not in target:
            name = _text(words.get("name")) or next(filter(None, map(_text, node.args)), target)
            self.registered.append((name, target))

    def on_dict(self, node: ast.AST, where: _Where) -> bool:
        assert isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True):
            self._keyed(_text(key), value, where, in_dict=True)
            if key is not None and not isinstance(key, ast.Constant):
                self.stack.append((key, where))
        return True

    def _keyed(self, key: str | None, value: ast.expr, where: _Where, *, in_dict: bool) -> None:
        """A value under a key; below it are the dicts that the key names."""
        if key == "type" and in_dict:
            text = _text(value)
            chain = "" if text else chain_of(value)
            if text or chain:
                self.typed.append(
                    Typed(
                        text=text or chain,
                        literal=bool(text),
                        under=where.under,
                        line=value.lineno,
                        owner=where.owner,
                    )
                )
        if key == "_scope_" and (scope := _text(value)):
            # The registry of that package is imported to build what the dict describes.
            self._add(scope, None, "", value.lineno, where)
        self.stack.append((value, where._replace(under=key) if key and key != "type" else where))

    def on_assign(self, node: ast.AST, where: _Where) -> bool:
        """`nms = dict(...)` and `cfg.roi_layer = dict(...)` name what is on their right."""
        assert isinstance(node, ast.Assign)
        names = [chain_of(target).rpartition(".")[2] for target in node.targets]
        inside = where._replace(under=names[0]) if names[0] else where
        if names[0] == "_base_" and not where.owner:
            listed = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
            self.bases += [(text, item.lineno) for item in listed if (text := _joined(item))]
        self._push(node.targets, where)
        self.stack.append((node.value, inside))
        return True


def _later(outer: RunCondition, inner: RunCondition) -> RunCondition:
    """What two conditions, one inside the other, come to: the weaker promise to run."""
    order = (
        RunCondition.ALWAYS,
        RunCondition.IF,
        RunCondition.GUARDED,
        RunCondition.CALLED,
        RunCondition.TYPING,
    )
    return max(outer, inner, key=order.index)


def _survives(handler: ast.ExceptHandler) -> bool:
    """Whether the module goes on after an ImportError that this handler catches."""
    if any(isinstance(statement, ast.Raise) for statement in handler.body):
        return False
    caught = handler.type
    if caught is None:
        return True
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(chain_of(kind).rpartition(".")[2] in _SURVIVED for kind in kinds)


def _registered(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """The names under which decorators put a class into registries."""
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        chain = chain_of(call.func if call else decorator)
        if chain.rpartition(".")[2] not in _REGISTERS:
            continue
        named: list[str] = []
        if call:
            words = [keyword.value for keyword in call.keywords if keyword.arg == "name"]
            named = [text for value in (*call.args, *words) for text in _texts(value)]
        yield from named or [node.name]


def _text(node: ast.AST | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _joined(node: ast.expr) -> str:
    """A string, or strings that are added up; empty for anything else."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        first, second = _joined(node.left), _joined(node.right)
        return first + second if first and second else ""
    return _text(node)


def _texts(node: ast.AST) -> Iterator[str]:
    return (text for inner in ast.walk(node) if (text := _text(inner)))


_SPECIAL = {
    ast.Name: _FactsReader.on_name,
    ast.Attribute: _FactsReader.on_name,
    ast.Import: _FactsReader.on_import,
    ast.ImportFrom: _FactsReader.on_import_from,
    ast.ClassDef: _FactsReader.on_class,
    ast.FunctionDef: _FactsReader.on_function,
    ast.AsyncFunctionDef: _FactsReader.on_function,
    ast.Lambda: _FactsReader.on_lambda,
    ast.If: _FactsReader.on_if,
    ast.Try: _FactsReader.on_try,
    ast.Call: _FactsReader.on_call,
    ast.Dict: _FactsReader.on_dict,
    ast.AnnAssign: _FactsReader.on_annotated,
    ast.Assign: _FactsReader.on_assign,
}
