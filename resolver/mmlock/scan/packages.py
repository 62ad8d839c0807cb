"""Which packages a project imports, and from which distribution each comes."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from msgspec import Struct

from mmlock.core.names import PackageName, normalize
from mmlock.facts.matrix.curated import Module
from mmlock.scan.model import RunCondition, SourceLine
from mmlock.scan.project import Project, is_stdlib

__all__ = ["PackageUse", "elsewhere", "packages"]

_RANK = (RunCondition.ALWAYS, RunCondition.IF, RunCondition.GUARDED, RunCondition.CALLED, RunCondition.TYPING)


_RUNS = frozenset({RunCondition.ALWAYS, RunCondition.IF})
_ASIDE = frozenset({"tests", "test", "docs", "doc", "docker", "examples"})


class Taken(Struct, frozen=True, kw_only=True):
    """A module that is imported, and from where."""

    name: str
    when: RunCondition
    place: SourceLine


class PackageUse(Struct, frozen=True, kw_only=True):
    """A module that is neither Python's nor the project's, and the distributions that provide it."""

    module: str
    packages: tuple[PackageName, ...]
    """Any one of them provides it; the first is the usual one."""
    known: bool
    """Whether the matrix says so; else the import name is taken for the name of the distribution."""
    when: RunCondition
    """The surest of all imports of it."""
    place: SourceLine
    """Of that import."""
    count: int
    """How many import statements there are."""
    submodules: tuple[Taken, ...]
    """What of it is imported, by name, each at the surest place."""
    aside: bool
    """Whether only tests, documentation and set-up files import it."""
    apart: bool
    """Whether, of what is no test, only tools and demos import it."""
    reached: bool
    """Whether a main script of the project runs an import of it that nothing guards."""


def packages(
    project: Project,
    modules: Iterable[Module],
    only: frozenset[str] | None = None,
    *,
    reached: Container[str] = (),
    apart: Container[str] = (),
) -> tuple[PackageUse, ...]:
    """All packages that some file (of `only` these) imports, by name.

    `reached` are the files that main scripts run, `apart` those that count like tests.
    """
    table = {row.module: row for row in modules}
    imports: dict[str, list[tuple[RunCondition, SourceLine, str]]] = {}
    own = elsewhere(project, table)
    for file, facts in project.modules.items():
        for one in facts.imports if only is None or file in only else ():
            top = one.module.partition(".")[0]
            if not top or not top.isidentifier() or is_stdlib(top) or top in own:
                continue
            if project.is_local(one.module, file):
                continue
            imports.setdefault(top, []).append((one.when, SourceLine(file=file, line=one.line), one.module))
    return tuple(
        _use(module, places, table, reached=reached, apart=apart)
        for module, places in sorted(imports.items())
    )


def elsewhere(project: Project, known: Container[str]) -> dict[str, str]:
    """Modules of the project that are imported from where Python would not find them, and where they lie.

    Such as a folder next to the importer's, put on the path by hand or by a link that is not there.
    """
    folders: dict[str, list[str]] = {}
    for folder in sorted(project.folders, key=lambda folder: (folder.count("/"), folder)):
        folders.setdefault(folder.rpartition("/")[2], []).append(folder)
    result: dict[str, str] = {}
    for file, facts in project.modules.items():
        for one in facts.imports:
            top, _, rest = one.module.partition(".")
            if not rest or top in known or top not in folders or project.is_local(one.module, file):
                continue
            # Only a folder that has the very part that is imported is meant.
            for folder in folders[top]:
                if project.has(folder, rest):
                    result.setdefault(top, folder)
    return result


def _use(
    module: str,
    places: list[tuple[RunCondition, SourceLine, str]],
    table: Mapping[str, Module],
    *,
    reached: Container[str],
    apart: Container[str],
) -> PackageUse:
    def away(file: str) -> bool:
        return is_aside(file) or file in apart

    ordered = sorted(
        places, key=lambda one: (is_aside(one[1].file), one[1].file in apart, _RANK.index(one[0]), one[1])
    )
    when, place, _ = ordered[0]
    taken: dict[str, Taken] = {}
    for condition, where, name in ordered:
        if not away(where.file):
            taken.setdefault(name, Taken(name=name, when=condition, place=where))
    row = table.get(module)
    return PackageUse(
        module=module,
        packages=tuple(p for p in row.packages if p not in row.on_request) if row else (normalize(module),),
        known=row is not None,
        when=when,
        place=place,
        count=len(places),
        submodules=tuple(taken[name] for name in sorted(taken)),
        aside=is_aside(place.file),
        apart=place.file in apart,
        reached=any(ran in _RUNS and where.file in reached for ran, where, _ in places),
    )


def is_aside(file: str) -> bool:
    """Whether a file is no part of what the project does: a test, a text's configuration, a set-up file."""
    parts = file.split("/")
    name = parts[-1]
    set_up = name in {"setup.py", "conftest.py"} or name.startswith("test_")
    return set_up or any(part in _ASIDE for part in parts[:-1])
