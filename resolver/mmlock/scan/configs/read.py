"""One config file with all its bases, merged as OpenMMLab's Config would, without running any of them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable
from copy import deepcopy
from posixpath import dirname, join, normpath

from msgspec import Struct

from mmlock.scan.configs.faults import ConfigFault, ConfigProblem
from mmlock.scan.configs.values import Leaf, Listed, Table, Value, evaluate, merge, typed
from mmlock.scan.left_out import LeftOutReason, UnreadSourceError
from mmlock.scan.model import SourceLine
from mmlock.scan.module import chain_of
from mmlock.scan.source import parse
from mmlock.scan.tree import NO_LINKS, Links, leads_out

__all__ = ["Config", "read_config"]

_YAML_TYPE = re.compile(r"\s*(?:-\s*)?type\s*:\s*['\"]?([\w.]+)")
_READ_BASE = "read_base"

Read = Callable[[str], str]
FindModule = Callable[[str, str], "str | None"]
"""Module and importer -> file of the project."""


class Config(Struct, frozen=True, kw_only=True):
    """A config and its bases, merged."""

    file: str
    files: tuple[str, ...]
    """Every file that was read for it, itself first."""
    values: Table
    faults: tuple[ConfigFault, ...]
    """What was not followed: a missing base, a circle, a base in another package."""

    @property
    def types(self) -> tuple[tuple[Leaf, str], ...]:
        """Every `type` that is left after the overrides, with the key it is at."""
        return tuple(typed(self.values))

    @property
    def imports(self) -> tuple[tuple[str, SourceLine], ...]:
        """The modules of `custom_imports`."""
        custom = self.values.get("custom_imports")
        listed = custom.get("imports") if isinstance(custom, dict) else None
        items = listed.items if isinstance(listed, Listed) else (listed,)
        leaves = (one for one in items if isinstance(one, Leaf))
        return tuple((one.literal, one.place) for one in leaves if isinstance(one.literal, str))


def read_config(file: str, read: Read, find_module: FindModule, links: Links = NO_LINKS) -> Config:
    """The config at a path of the project. Raises UnreadSourceError when the file itself cannot be read."""
    reader = _ConfigReader(read, find_module, links)
    try:
        values = reader.file(file, above=())
    except RecursionError:
        raise UnreadSourceError(LeftOutReason.TOO_COMPLEX) from None
    return Config(
        file=file, files=tuple(dict.fromkeys(reader.files)), values=values, faults=tuple(reader.faults)
    )


class _ConfigReader:
    def __init__(self, read: Read, find_module: FindModule, links: Links) -> None:
        self.read = read
        self.links = links
        self.find_module = find_module
        self.files: list[str] = []
        self.faults: list[ConfigFault] = []
        self.known: dict[str, Table] = {}

    def file(self, file: str, above: tuple[str, ...]) -> Table:
        """One file over its bases."""
        if file in self.known:  # a copy: who builds on it may change it
            return deepcopy(self.known[file])
        text = self.read(file)
        self.files.append(file)
        if file.endswith((".json", ".yaml", ".yml")):
            values = self._data(text, file, above)
        else:
            values = _Module(self, file, (*above, file)).run(parse(text))
        self.known[file] = values
        return deepcopy(values)

    def base(self, path: str, place: SourceLine, above: tuple[str, ...]) -> Table:
        """A base by its path; what cannot be followed is recorded, and empty."""
        file = normpath(join(dirname(place.file), path))
        if "::" in path:
            return self._fault(place, ConfigProblem.OTHER_PACKAGE, path)
        if leads_out(file):
            return self._fault(place, ConfigProblem.OUTSIDE, path)
        file = self.links.resolve(file)
        if file in above:
            return self._fault(place, ConfigProblem.CIRCLE, path)
        try:
            return self.file(file, above)
        except UnreadSourceError as why:
            missing = why.reason is LeftOutReason.MISSING
            problem = ConfigProblem.MISSING if missing else ConfigProblem.UNREAD
            return self._fault(place, problem, path, None if missing else why.reason)

    def _fault(
        self, place: SourceLine, problem: ConfigProblem, base: str = "", reason: LeftOutReason | None = None
    ) -> Table:
        self.faults.append(ConfigFault(place=place, problem=problem, base=base, reason=reason))
        return {}

    def _data(self, text: str, file: str, above: tuple[str, ...]) -> Table:
        """A config in JSON; of YAML only the lines with types are read."""
        place = SourceLine(file=file, line=1)
        if file.endswith(".json"):
            try:
                value = _plain(json.loads(text), place)
            except (ValueError, RecursionError):
                raise UnreadSourceError(LeftOutReason.NOT_JSON) from None
            own = value if isinstance(value, dict) else {}
            return merge(self.bases(own.pop("_base_", None), above), own)
        items: list[Value] = []
        for number, line in enumerate(text.splitlines(), start=1):
            if match := _YAML_TYPE.match(line):
                items.append({"type": Leaf(place=SourceLine(file=file, line=number), literal=match[1])})
        self._fault(place, ConfigProblem.TYPES_ONLY)
        return {"yaml": Listed(items=tuple(items))}

    def bases(self, value: Value | None, above: tuple[str, ...]) -> Table:
        """The bases that `_base_` names, merged in their order."""
        result: Table = {}
        for one in value.items if isinstance(value, Listed) else (value,):
            if isinstance(one, Leaf) and isinstance(one.literal, str):
                result = merge(result, self.base(one.literal, one.place, above))
        return result


def _plain(value: object, place: SourceLine) -> Value:
    if isinstance(value, dict):
        return {str(key): _plain(inner, place) for key, inner in value.items()}
    if isinstance(value, list):
        return Listed(items=tuple(_plain(inner, place) for inner in value))
    return Leaf(place=place, literal=value if isinstance(value, str | int | float | bool) else None)


class _Module:
    """The assignments of one Python config, in order."""

    def __init__(self, reader: _ConfigReader, file: str, above: tuple[str, ...]) -> None:
        self.reader = reader
        self.file = file
        self.above = above
        self.names: Table = {}
        self.base: Table = {}
        self.symbols: dict[str, str] = {}

    def run(self, tree: ast.Module) -> Table:
        """All statements; then what is left over the bases."""
        for statement in tree.body:
            if isinstance(statement, ast.Assign) and chain_of(statement.targets[0]) == "_base_":
                value = evaluate(statement.value, {}, {}, self.file)
                self.base = self.reader.bases(value, self.above)
        self.block(tree.body)
        own = {name: self._real(value) for name, value in self.names.items() if name != "_base_"}
        return merge(self.base, own)

    def block(self, body: Iterable[ast.stmt]) -> None:
        """Statements in order; branches and loops are read once, functions not at all."""
        for statement in body:
            match statement:
                case ast.Assign():
                    for target in statement.targets:
                        self.assign(target, self._value(statement.value))
                case ast.AnnAssign(value=ast.expr() as value):
                    self.assign(statement.target, self._value(value))
                case ast.AugAssign():
                    both = Listed(items=(self._value(statement.target), self._value(statement.value)))
                    self.assign(statement.target, both)
                case ast.Expr(value=ast.Call(func=ast.Attribute()) as call):
                    self.called(call)
                case ast.ImportFrom() | ast.Import():
                    self.imported(statement)
                case ast.With() | ast.If() | ast.For() | ast.Try() | ast.While():
                    if isinstance(statement, ast.With) and _reads_base(statement):
                        self.lazy_bases(statement)
                    else:
                        self.block(statement.body)
                        self.block(getattr(statement, "orelse", ()))

    def _value(self, node: ast.expr) -> Value:
        return evaluate(node, self.names, self.base, self.file)

    def assign(self, target: ast.expr, value: Value) -> None:
        """`x = ...`, `x['a'] = ...`, `x.a.b = ...`."""
        if isinstance(target, ast.Name):
            self.names[target.id] = value
            return
        key = None
        if isinstance(target, ast.Attribute):
            key = target.attr
        elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
            key = str(target.slice.value)
        holder = self._value(target.value) if isinstance(target, ast.Attribute | ast.Subscript) else None
        if key is not None and isinstance(holder, dict):
            holder[key] = value
        elif isinstance(target, ast.Tuple | ast.List):
            for item in target.elts:
                self.assign(item, value)

    def called(self, call: ast.Call) -> None:
        """`model.update(...)`, `x.append(...)`; other calls are not made."""
        assert isinstance(call.func, ast.Attribute)
        holder, method, args = self._value(call.func.value), call.func.attr, call.args
        if method == "update" and isinstance(holder, dict):
            given = self._value(ast.Call(func=ast.Name(id="dict"), args=args[:1], keywords=call.keywords))
            holder.update(given if isinstance(given, dict) else {})
        elif method in {"append", "extend", "insert"} and args:
            self.assign(call.func.value, Listed(items=(holder, self._value(args[-1]))))
        elif method == "pop" and isinstance(holder, dict) and args and isinstance(args[0], ast.Constant):
            holder.pop(str(args[0].value), None)

    def imported(self, statement: ast.Import | ast.ImportFrom) -> None:
        """Names that a lazy config uses as types."""
        for alias in statement.names:
            bound = alias.asname or alias.name.partition(".")[0]
            if isinstance(statement, ast.ImportFrom):
                self.symbols[bound] = f"{'.' * statement.level}{statement.module or ''}.{alias.name}"
            else:
                self.symbols[bound] = alias.name if alias.asname else bound

    def lazy_bases(self, statement: ast.With) -> None:
        """`with read_base(): from .base import *`."""
        for inner in statement.body:
            if not isinstance(inner, ast.ImportFrom):
                continue
            module = "." * inner.level + (inner.module or "")
            place = SourceLine(file=self.file, line=inner.lineno)
            file = self.reader.find_module(module, self.file)
            if file is None or file.endswith("/"):
                fault = ConfigFault(place=place, problem=ConfigProblem.NO_MODULE, base=module)
                self.reader.faults.append(fault)
                continue
            path = file if not dirname(self.file) else _relative(file, dirname(self.file))
            values = self.reader.base(path, place, self.above)
            for alias in inner.names:
                if alias.name == "*":
                    self.names.update(values)
                elif alias.name in values:
                    self.names[alias.asname or alias.name] = values[alias.name]

    def _real(self, value: Value, done: dict[int, Value] | None = None) -> Value:
        """Symbols by the names that imports gave them; what occurs twice is made once."""
        done = {} if done is None else done
        if isinstance(value, Leaf):
            root, dot, rest = value.symbol.partition(".")
            known = self.symbols.get(root)
            return Leaf(place=value.place, symbol=f"{known}{dot}{rest}") if known else value
        if id(value) not in done:
            if isinstance(value, dict):
                done[id(value)] = {key: self._real(inner, done) for key, inner in value.items()}
            else:
                done[id(value)] = Listed(items=tuple(self._real(item, done) for item in value.items))
        return done[id(value)]


def _relative(file: str, folder: str) -> str:
    from posixpath import relpath

    return relpath(file, folder)


def _reads_base(statement: ast.With) -> bool:
    calls = (item.context_expr for item in statement.items)
    return any(isinstance(c, ast.Call) and chain_of(c.func).rpartition(".")[2] == _READ_BASE for c in calls)
