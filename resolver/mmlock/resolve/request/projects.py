"""What a project asks for, added to a request: its pins, its imports, its extensions, each with its place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import UsageError
from mmlock.core.names import PackageName, normalize
from mmlock.core.progress import Progress, silent
from mmlock.core.requirements import Asked, parse_requirement, unique
from mmlock.facts.matrix.curated import Module
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.resolve.request.project_names import name_constraints, name_notes
from mmlock.scan.bounds import ImportBound
from mmlock.scan.conclude import Need
from mmlock.scan.extensions import BuildKind, OwnExtension
from mmlock.scan.known import known_of
from mmlock.scan.model import RunCondition
from mmlock.scan.packages import PackageUse
from mmlock.scan.pins.model import Binding, ProjectPin
from mmlock.scan.reasons import left_out_by_reason
from mmlock.scan.scan import Scan, scan

Note = tuple[str, str]
"""A place and a sentence."""

_RUNS = frozenset({RunCondition.ALWAYS, RunCondition.IF})
_NO_PACKAGE = frozenset({"python", "cuda"})
_LITE = PackageName("mmcv-lite")
_GUARD = "guard this import, then mmcv without compiled ops is enough (`--allow-lite`)"
_MOST_LEFTOVERS = 5
_UNNAMED = "0.0.0"
"""The version that setuptools gives to what states none."""


def with_project(arguments: SolveArguments, *, progress: Progress = silent) -> SolveArguments:
    """The request and what its project asks for, in one. Raises UsageError when nothing is asked for."""
    assert arguments.project is not None
    matrix = open_matrix(arguments.matrices)
    scanned = scan(arguments.project, known_of(matrix), configs=arguments.configs, progress=progress)
    said = _ProjectRequest(matrix, scanned, arguments)
    requirements = unique((*arguments.requirements, *said.declared(), *said.imported()))
    extensions = tuple(said.extensions())
    if not requirements and not extensions and arguments.stack is None:
        raise UsageError(
            f"nothing in `{arguments.project}` requires a package",
            causes=["no file declares requirements, and no code imports a package known to mmlock"],
            hints=["add requirements: `mmlock solve 'mmdet>=3' --project ...`"],
        )
    declared = [pin for pin in scanned.pins if pin.binding is Binding.DECLARED]
    pythons = [pin.specifier for pin in declared if pin.name == "python"]
    bounds = [bound for bound in (arguments.requires_python, *pythons) if bound]
    return replace(
        arguments,
        requirements=requirements,
        constraints=unique(
            (*arguments.constraints, *said.bounded(), *name_constraints(matrix, scanned.needs))
        ),
        requires_python=",".join(dict.fromkeys(bounds)) or None,
        extensions=tuple(dict.fromkeys((*arguments.extensions, *extensions))),
        torch_ops=arguments.torch_ops or (said.exported() if arguments.allow_torch_ops else ()),
        allow_lite=arguments.allow_lite or scanned.conclusion.need is Need.NOTHING,
        notes=(*arguments.notes, *said.notes(), *name_notes(matrix, scanned.needs)),
    )


def _unnamed(row: Module | None) -> bool:
    """Whether a core package has one name for each CUDA, so that one must be named to ask for it."""
    if row is None or not row.core or normalize(row.module) in row.packages:
        return False
    return len(set(row.packages) - set(row.on_request)) > 1


def _importable(one: OwnExtension) -> set[str]:
    """The names that code of the project takes its modules by."""
    return {module.name.rpartition(".")[2] for module in one.modules if module.name}


class _ProjectRequest:
    """What a scan says, in the words of a request."""

    def __init__(self, matrix: Matrix, scanned: Scan, arguments: SolveArguments) -> None:
        self.scanned = scanned
        self.ops = matrix.ops
        self.modules = {row.module: row for row in matrix.modules}
        self.owner = {package: row for row in matrix.modules for package in row.packages}
        need = scanned.conclusion.need
        self.enough_lite = need is Need.NOTHING or (need is Need.IMPORT and arguments.allow_lite)
        self.named = {asked.name for asked in arguments.requirements}
        self.own = set().union(*(_importable(one) for one in scanned.extensions))

    def declared(self) -> Iterator[Asked]:
        """The pins that bind."""
        return (self._asked(pin) for pin in self._pins(Binding.DECLARED) if not pin.constraint)

    def _pins(self, *bindings: Binding) -> Iterator[ProjectPin]:
        return (p for p in self.scanned.pins if p.binding in bindings and p.name not in _NO_PACKAGE)

    def _asked(self, pin: ProjectPin) -> Asked:
        asked = parse_requirement(pin.text, str(pin.place))
        if isinstance(asked, Asked) and asked.name == pin.name and asked.url is None:
            return asked
        # Written in the words of another tool: conda, Poetry.
        clauses = ",".join(sorted(filter(None, (part.strip() for part in pin.specifier.split(",")))))
        return Asked(name=pin.name, specifier=clauses, marker=pin.marker, origin=str(pin.place))

    def imported(self) -> Iterator[Asked]:
        """Packages that the code imports and that nothing declares."""
        declared = {pin.name for pin in self._pins(Binding.DECLARED)} | self.named
        for use in self._needed():
            if declared & set(self._providers(use)):
                continue
            optional = [pin for pin in self._pins(Binding.OPTIONAL) if pin.name in self._providers(use)]
            bounds = {pin.specifier for pin in optional if pin.specifier}
            if use.known and len(bounds) == 1:
                yield self._asked(next(pin for pin in optional if pin.specifier))
            elif use.known:
                yield Asked(name=self._usual(use), origin=f"{use.place} imports {use.module}")
            elif any(pin.name in use.packages for pin in self.scanned.pins):
                yield Asked(name=use.packages[0], origin=f"{use.place} imports {use.module}")

    def _needed(self) -> Iterator[PackageUse]:
        for use in self.scanned.packages:
            row = self.modules.get(use.module)
            if use.when in _RUNS and not use.aside and use.module not in self.own and not _unnamed(row):
                yield use

    def _providers(self, use: PackageUse) -> tuple[PackageName, ...]:
        row = self.modules.get(use.module)
        return row.packages if row else use.packages

    def _usual(self, use: PackageUse) -> PackageName:
        """What to ask for: the module's own name means whichever package fits."""
        if use.module == "mmcv" and self.enough_lite and not self._old_mmcv():
            return _LITE
        plain = normalize(use.module)
        return plain if plain in use.packages else use.packages[0]

    def _old_mmcv(self) -> bool:
        return any(one.module == "mmcv" and one.specifier.startswith("<") for one in self.scanned.bounds)

    def bounded(self) -> Iterator[Asked]:
        """Constraints: those that are declared, and what the imports demand."""
        yield from (self._asked(pin) for pin in self._pins(Binding.DECLARED) if pin.constraint)
        for module, bounds in self._bounds().items():
            if len(bounds) == 1:
                one = bounds[0]
                row = self.modules[module]
                plain = normalize(module)
                name = plain if plain in row.packages else row.packages[0]
                yield Asked(name=name, specifier=one.specifier, origin=f"{one.place} imports {one.submodule}")

    def _bounds(self) -> dict[str, list[ImportBound]]:
        bounds: dict[str, list[ImportBound]] = {}
        for one in self.scanned.bounds:
            bounds.setdefault(one.module, []).append(one)
        return bounds

    def exported(self) -> tuple[str, ...]:
        """The ops that are reached, by names that mmcv.ops exports: of a part, those of its module."""
        reached = {name.rpartition(".")[2] for name in self.scanned.conclusion.ops}
        parts = {op.module for op in self.ops if op.name in reached and not op.exported}
        return tuple(
            op.name
            for op in self.ops
            if op.exported and op.until is None and (op.name in reached or op.module in parts)
        )

    def extensions(self) -> Iterator[str]:
        """Folders of extensions that the code imports, as `--extension` takes them."""
        for one in self._built():
            path = Path(os.path.relpath(self.scanned.root / one.folder)).as_posix()
            if one.name and one.version:
                yield path
            elif one.name:
                yield f"{one.name}=={_UNNAMED} @ {path}"

    def _built(self) -> list[OwnExtension]:
        wanted = {use.module for use in self.scanned.packages if use.when in _RUNS and not use.aside}
        wanted |= set(self.scanned.own_imports)
        return [
            one
            for one in self.scanned.extensions
            if one.kind is BuildKind.SETUP and one.folder != "." and _importable(one) & wanted
        ]

    def notes(self) -> Iterator[Note]:
        """What binds nothing and should be known."""
        yield from self._advice()
        for module, bounds in self._bounds().items():
            if len(bounds) > 1:
                both = " and ".join(f"{one.submodule} ({one.place})" for one in bounds)
                yield (
                    str(bounds[0].place),
                    f"no release of {module} has both {both}: neither is a bound",
                )
        declared = {pin.name for pin in self.scanned.pins}
        for use in self._needed():
            if not use.known and not declared & set(use.packages):
                text = f"`{use.module}` is imported but not declared: the lock may lack it"
                yield str(use.place), f"{text}; add it by the name of its distribution: `--with NAME`"
        for use in self.scanned.packages:
            if use.when in _RUNS and not use.aside and _unnamed(self.modules.get(use.module)):
                names = ", ".join(f"`{name}`" for name in use.packages[-2:])
                yield (
                    str(use.place),
                    f"`{use.module}` is imported: request the package you want, such as {names}",
                )
        if self.scanned.conclusion.need is Need.IMPORT:
            for place in self.scanned.conclusion.guard:
                said = "this mmcv has no compiled ops: guard this import" if self.enough_lite else _GUARD
                yield str(place), said
        yield from self._compiled()
        for why, parts in left_out_by_reason(self.scanned.left_out).items():
            more = f" (and {len(parts) - 1} more)" if len(parts) > 1 else ""
            yield str(parts[0]), f"not read: {why}{more}"

    def _compiled(self) -> Iterator[Note]:
        """Compiled code of the project's own that the lock does not build."""
        built = self._built()
        for one in self.scanned.extensions:
            names = ", ".join(sorted(_importable(one))) or one.folder
            place = str(one.modules[0].place)
            if one.kind is BuildKind.JIT:
                yield place, f"`{names}` is compiled when the project runs, and needs compilers there"
            elif one.folder == ".":
                yield place, f"`{names}` is built with the project itself: install the project after the lock"
            elif one in built and not one.name:
                hint = f"name it: `--extension 'NAME=={_UNNAMED} @ {one.folder}'`"
                yield place, f"`{names}` is imported, and its setup.py names no package: {hint}"
            elif one not in built:
                hint = f"`--extension {one.folder}` builds it"
                yield place, f"`{names}` is not imported, or only if present: {hint}"
        for left in self.scanned.leftovers[:_MOST_LEFTOVERS]:
            made = f" for Python {left.python}" if left.python else ""
            yield left.path, f"left over from an earlier build{made}: not part of the lock"

    def _advice(self) -> Iterator[Note]:
        seen: set[tuple[str, str]] = set()
        imported = {package for use in self._needed() for package in use.packages}
        for pin in self.scanned.pins:
            cuda = pin.name == "cuda"
            told = cuda or pin.name == "python" or pin.name in self.owner or pin.name in imported
            binds = pin.binding in {Binding.DECLARED, Binding.OPTIONAL} and not cuda
            if not pin.specifier or not told or binds or (pin.name, pin.specifier) in seen:
                continue
            seen.add((pin.name, pin.specifier))
            why = "torch has its own CUDA" if cuda else "not used as a bound"
            yield str(pin.place), f"`{pin.text}` (from a {pin.kind}): {why}"
