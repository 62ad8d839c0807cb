"""What the configs that were named need of a project: ops, files, packages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from mmlock.scan.configs.read import Config
from mmlock.scan.configs.values import Leaf
from mmlock.scan.definitions import Definitions, Node
from mmlock.scan.frameworks import Framework
from mmlock.scan.model import RunCondition
from mmlock.scan.ops import OpCatalog, OpReferenceKind, OpUse
from mmlock.scan.project import Project

__all__ = ["Narrowed", "narrow"]


class Narrowed(Struct, frozen=True, kw_only=True):
    """The part of a project that some configs reach."""

    files: frozenset[str]
    """Files that run when the configs are used, the configs included."""
    uses: tuple[OpUse, ...]
    types: int
    """Types that the configs name, overrides applied."""
    own: tuple[str, ...]
    """Those of them that the project registers."""


def narrow(
    configs: Iterable[Config],
    project: Project,
    uses: tuple[OpUse, ...],
    catalog: OpCatalog,
    frameworks: Mapping[str, Framework],
) -> Narrowed:
    """Follow the types of configs to definitions, and these to ops and files."""
    definitions = Definitions(project, uses)
    starts: dict[Node, None] = {}
    reached_uses: list[OpUse] = []
    own: set[str] = set()
    files: set[str] = set()
    types: set[str] = set()
    for config in configs:
        files |= set(config.files)
        for leaf, under in config.types:
            name = str(leaf.literal or leaf.symbol).rpartition(".")[2]
            types.add(name)
            nodes = _nodes(leaf, name, definitions)
            starts.update(dict.fromkeys(nodes))
            if nodes:
                own.add(name)
            else:
                reached_uses += _outside(leaf, under, catalog, frameworks)
        for module, place in config.imports:
            target = project.file_of(module, place.file) or project.file_of(module, "x.py")
            if target is not None and target in project.modules:
                starts[target, ""] = None
    ran = set(project.reached_from([file for file, _ in starts]))
    reached = definitions.reached(node for node in starts if node[1])
    reached_uses += _of_definitions(reached, uses)
    reached_uses += [
        replace(use, op="", how=OpReferenceKind.MODULE) for use in uses if use.loads and use.place.file in ran
    ]
    return Narrowed(
        files=frozenset(files | ran),
        uses=tuple(dict.fromkeys(reached_uses)),
        types=len(types),
        own=tuple(sorted(own)),
    )


def _nodes(leaf: Leaf, name: str, definitions: Definitions) -> list[Node]:
    """The definitions of the project that a type means."""
    if leaf.symbol:
        module, _, last = leaf.symbol.rpartition(".")
        file = definitions.project.file_of(module, leaf.place.file) if module.strip(".") else None
        node = definitions.find(file, last) if file and file in definitions.bound else None
        return [node] if node else []
    return definitions.registered.get(name, [])


def _outside(leaf: Leaf, under: str, catalog: OpCatalog, frameworks: Mapping[str, Framework]) -> list[OpUse]:
    """Ops behind a type that the project does not define."""
    text = str(leaf.literal or leaf.symbol)
    name = text.rpartition(".")[2]
    op = catalog.typed(name, under)
    if op is None and "mmcv.ops" in leaf.symbol and name in catalog.ops:
        op = name
    if op:
        return [
            OpUse(op=op, how=OpReferenceKind.TYPE, spelled=text, place=leaf.place, when=RunCondition.CALLED)
        ]
    return [
        OpUse(
            op=behind,
            how=OpReferenceKind.BUILT,
            spelled=f"{one.package} {one.reach.version}: {name}",
            place=leaf.place,
            when=RunCondition.CALLED,
        )
        for one in frameworks.values()
        for behind in one.reach.named.get(name, ())
    ]


def _of_definitions(reached: Mapping[str, Node], uses: tuple[OpUse, ...]) -> list[OpUse]:
    """The place in the definition's file where each op is named."""
    by_place: dict[tuple[str, str], OpUse] = {}
    for use in uses:
        by_place.setdefault((use.op, use.place.file), use)
    return [by_place[op, node[0]] for op, node in reached.items() if (op, node[0]) in by_place]
