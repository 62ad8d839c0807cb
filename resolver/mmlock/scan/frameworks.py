"""What a project reaches through the frameworks it is built on, by the tables of scanned releases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.names import PackageName
from mmlock.core.versions import allows, version
from mmlock.facts.matrix.code import Reach
from mmlock.scan.model import ModuleFacts, RunCondition, SourceLine
from mmlock.scan.ops import OpReferenceKind, OpUse, target_of

__all__ = ["Framework", "FrameworkLoad", "choose", "framework_loads", "framework_uses"]


class Framework(Struct, frozen=True, kw_only=True):
    """A release of a framework that stands for the one a project uses."""

    package: PackageName
    reach: Reach


class FrameworkLoad(Struct, frozen=True, kw_only=True):
    """An import of the project that makes a framework import mmcv.ops."""

    place: SourceLine
    when: RunCondition
    module: str
    """What is imported: `mmdet.models`."""
    package: PackageName
    version: str
    source: str
    """File and line in the framework."""


def choose(
    tables: Mapping[PackageName, tuple[Reach, ...]],
    pins: Mapping[PackageName, str],
    imported: Iterable[str],
    of_mmcv_2: frozenset[str],
    lacks: Callable[[PackageName, Reach], bool] = lambda _, __: False,
) -> dict[str, Framework]:
    """One release for every framework, by import name: what the pins allow, else one of its era.

    `lacks` tells that a release has not every name that the project takes: then it is of another era. Where
    that tells nothing, whoever imports one of `of_mmcv_2` is code for mmcv 2.
    """
    old = of_mmcv_2.isdisjoint(imported)
    chosen: dict[str, Framework] = {}
    for package, rows in tables.items():
        ordered = sorted(rows, key=lambda row: version(row.version))
        allowed = [row for row in ordered if package in pins and allows(pins[package], row.version)]
        complete = [row for row in ordered if not lacks(package, row)] or ordered
        eras = [row for row in complete if row.mmengine is not old]
        fitting = allowed or eras or complete
        if fitting:
            chosen[fitting[-1].module] = Framework(package=package, reach=fitting[-1])
    return chosen


def framework_uses(
    facts: ModuleFacts, file: str, frameworks: Mapping[str, Framework], own: frozenset[str]
) -> Iterator[OpUse]:
    """Ops behind the names that a file takes of a framework; `own` are names the project registers itself."""
    for one in facts.imports:
        framework = frameworks.get(one.module.partition(".")[0])
        if framework and one.name and one.name != "*":
            use = _behind(
                framework, one.name, target_of(one), SourceLine(file=file, line=one.line), one.owner
            )
            yield from (replace(op, when=one.when) for op in use)
    for typed in facts.typed:
        name = typed.text.rpartition(".")[2]
        if not typed.literal or name in own:
            continue
        for framework in frameworks.values():
            built = _behind(framework, name, typed.text, SourceLine(file=file, line=typed.line), typed.owner)
            yield from (replace(op, how=OpReferenceKind.BUILT) for op in built)


def _behind(framework: Framework, name: str, spelled: str, place: SourceLine, owner: str) -> Iterator[OpUse]:
    through = f"{framework.package} {framework.reach.version}: {spelled}"
    for op in framework.reach.named.get(name, ()):
        yield OpUse(
            op=op,
            how=OpReferenceKind.FRAMEWORK,
            spelled=through,
            place=place,
            when=RunCondition.CALLED,
            owner=owner,
        )


def framework_loads(
    facts: ModuleFacts, file: str, frameworks: Mapping[str, Framework]
) -> Iterator[FrameworkLoad]:
    """The imports of a file that run an import of mmcv.ops inside a framework."""
    for one in facts.imports:
        framework = frameworks.get(one.module.partition(".")[0])
        if framework is None or one.when is RunCondition.TYPING:
            continue
        parts = target_of(one).split(".") if one.name != "*" else one.module.split(".")
        names = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
        hit = next((name for name in names if name in framework.reach.entries), None)
        if hit is not None:
            yield FrameworkLoad(
                place=SourceLine(file=file, line=one.line),
                when=one.when,
                module=hit,
                package=framework.package,
                version=framework.reach.version,
                source=framework.reach.entries[hit],
            )
