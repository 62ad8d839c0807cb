"""Which ops of mmcv a file reaches, by which words, on which line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from mmlock.core.names import OpNeeds, StrEnum
from mmlock.facts.matrix.code import Op
from mmlock.scan.model import Import, ModuleFacts, RunCondition, SourceLine

__all__ = ["OpCatalog", "OpReferenceKind", "OpUse", "op_uses"]

OPS = "mmcv.ops"
EXTENSION = "mmcv._ext"


class OpReferenceKind(StrEnum):
    """By which words an op is reached."""

    IMPORT = "import"  # its name is imported from mmcv.ops
    ATTRIBUTE = "attribute"  # `ops.nms`
    TYPE = "type"  # the `type` of a config dict
    SYMBOL = "symbol"  # its compiled function is loaded from mmcv._ext itself
    FRAMEWORK = "framework"  # through something that is imported of a framework
    BUILT = "built"  # through something that a framework builds by the `type` of a config dict
    MODULE = "module"  # mmcv.ops is imported, no op is named


class OpUse(Struct, frozen=True, kw_only=True):
    """One place where an op is reached."""

    op: str
    """Its name in mmcv.ops; empty for `module`."""
    how: OpReferenceKind
    spelled: str
    """As it is there: `DCNv2`, `mmcv.ops.nms`."""
    place: SourceLine
    when: RunCondition
    owner: str = ""
    """The top-level class or function it is in."""

    @property
    def imports(self) -> bool:
        """Whether the place is an import statement that binds the op's name."""
        return self.how in {OpReferenceKind.IMPORT, OpReferenceKind.FRAMEWORK}

    @property
    def loads(self) -> bool:
        """Whether the place itself makes Python load mmcv._ext."""
        return self.how in {OpReferenceKind.MODULE, OpReferenceKind.SYMBOL} or (
            self.how is OpReferenceKind.IMPORT and is_ops(self.spelled)
        )


class OpCatalog:
    """The ops by each word that means them."""

    def __init__(self, ops: Iterable[Op]) -> None:
        self.ops: Mapping[str, Op] = {op.name: op for op in ops}
        self.modules = {op.module for op in self.ops.values()}
        self.registered = {name: op.name for op in self.ops.values() for name in op.registry}
        self.symbols: dict[str, list[str]] = {}
        for op in self.ops.values():
            for symbol in op.symbols:
                self.symbols.setdefault(symbol, []).append(op.name)

    def typed(self, text: str, under: str) -> str | None:
        """The op that a `type` means below a key."""
        if text in self.registered:
            return self.registered[text]
        # What is registered under another name is not found under its own.
        op = self.ops.get(text)
        keys = op.under if op else ()
        names_op = any(key in {"*", under} or under.endswith(f"_{key}") for key in keys)
        return op.name if op and names_op else None

    def dotted(self, target: str) -> str | None:
        """The op that `mmcv.ops...` means; None when it is no name of an op."""
        rest = target.removeprefix(f"{OPS}.").split(".")
        # Once the package is loaded, `mmcv.ops.nms` is the function and no longer the module.
        for name in reversed(rest[:2]):
            if name in self.ops:
                return name
        if len(rest) > 1 and rest[0] in self.modules:
            return f"{rest[0]}.{rest[1]}"
        return rest[0] if rest[0] not in self.modules else None

    def moved(self, target: str) -> str | None:
        """An op that other modules of mmcv hand on under its own name, as mmcv 1.3 did."""
        name = target.rpartition(".")[2]
        return name if target.startswith("mmcv.cnn.") and self.registered.get(name) == name else None

    def of_symbol(self, symbol: str) -> str | None:
        """The op to which a function of mmcv._ext belongs.

        Who calls it directly has no plain form to fall back on, so an op that calls nothing else is meant.
        """
        callers = [self.ops[name] for name in self.symbols.get(symbol, ())]
        best = min(callers, key=lambda op: (op.needs is OpNeeds.FALLBACK, op.name), default=None)
        return best.name if best else None


def op_uses(facts: ModuleFacts, file: str, catalog: OpCatalog) -> Iterator[OpUse]:
    """Every place of one file at which an op is named."""
    yield from _imported(facts, file, catalog)
    yield from _attributes(facts, file, catalog)
    yield from _types(facts, file, catalog)
    yield from _symbols(facts, file, catalog)


def target_of(one: Import) -> str:
    """What the bound name of an import means, as a dotted name."""
    if one.name is None:
        top = one.module.partition(".")[0]
        return top if one.bound == top else one.module
    return f"{one.module}.{one.name}"


def is_ops(dotted: str) -> bool:
    """Whether a module is mmcv.ops or in it."""
    return dotted == OPS or dotted.startswith(f"{OPS}.")


def loads_ops(one: Import) -> bool:
    """Whether an import runs `mmcv/ops/__init__.py`."""
    return (
        is_ops(one.module)
        or (one.module == "mmcv" and one.name in {"ops", "_ext"})
        or one.module == EXTENSION
    )


def _imported(facts: ModuleFacts, file: str, catalog: OpCatalog) -> Iterator[OpUse]:
    for one in facts.imports:
        target = target_of(one)
        if one.name not in {None, "*"} and is_ops(one.module):
            op = catalog.dotted(target)
            how = OpReferenceKind.IMPORT if op else OpReferenceKind.MODULE
        elif moved := catalog.moved(target):
            op, how = moved, OpReferenceKind.IMPORT
        elif loads_ops(one):
            op, how = None, OpReferenceKind.MODULE
        else:
            continue
        place = SourceLine(file=file, line=one.line)
        yield OpUse(op=op or "", how=how, spelled=target, place=place, when=one.when, owner=one.owner)


def _attributes(facts: ModuleFacts, file: str, catalog: OpCatalog) -> Iterator[OpUse]:
    """`ops.nms`, and bare names after a star."""
    roots = {one.bound: target_of(one) for one in facts.imports if one.bound}
    star = any(one.name == "*" and is_ops(one.module) for one in facts.imports)
    own = {name for name, _ in facts.defined}
    for used in facts.used:
        root, dot, rest = used.chain.partition(".")
        target = f"{roots[root]}{dot}{rest}" if root in roots else ""
        if is_ops(target) and target != OPS and not is_ops(roots[root].rpartition(".")[0]):
            op = catalog.dotted(target)
        elif star and root not in roots and root not in own and root in catalog.ops:
            op = root
        else:
            continue
        if op:
            place = SourceLine(file=file, line=used.line)
            when = RunCondition.CALLED if used.owner else RunCondition.ALWAYS
            yield OpUse(
                op=op,
                how=OpReferenceKind.ATTRIBUTE,
                spelled=target or root,
                place=place,
                when=when,
                owner=used.owner,
            )


def _types(facts: ModuleFacts, file: str, catalog: OpCatalog) -> Iterator[OpUse]:
    for one in facts.typed:
        if one.literal and (op := catalog.typed(one.text, one.under)):
            place = SourceLine(file=file, line=one.line)
            yield OpUse(
                op=op,
                how=OpReferenceKind.TYPE,
                spelled=one.text,
                place=place,
                when=RunCondition.CALLED,
                owner=one.owner,
            )


def _symbols(facts: ModuleFacts, file: str, catalog: OpCatalog) -> Iterator[OpUse]:
    for call in facts.called:
        if call.function.rpartition(".")[2] != "load_ext" or "_ext" not in call.texts:
            continue
        place = SourceLine(file=file, line=call.line)
        for text in call.texts:
            if op := catalog.of_symbol(text):
                when = RunCondition.CALLED if call.owner else RunCondition.ALWAYS
                spelled = f"{EXTENSION}.{text}"
                yield OpUse(
                    op=op,
                    how=OpReferenceKind.SYMBOL,
                    spelled=spelled,
                    place=place,
                    when=when,
                    owner=call.owner,
                )
