"""What a project asks for, added to a request: its pins, its imports, its extensions, each with its place."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec.structs import replace

from mmlock.core.arguments import CONDA, SolveArguments
from mmlock.core.errors import UsageError
from mmlock.core.extension import ROOT
from mmlock.core.names import PackageName, normalize
from mmlock.core.progress import Progress, silent
from mmlock.core.project_pins import Guess
from mmlock.core.requirements import Asked, unique
from mmlock.core.versions import is_version, version
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.resolve.request.missing import require_provided
from mmlock.resolve.request.own_conflicts import binding_conflicts, require_agreement
from mmlock.resolve.request.packages import obtainable, unnamed
from mmlock.resolve.request.project_names import name_constraints, name_notes
from mmlock.resolve.request.project_pins import NO_PACKAGE, advice, asked_of, pin_notes, snapshot
from mmlock.scan.bounds import ImportBound
from mmlock.scan.conclude import Need
from mmlock.scan.extensions import BuildKind, OwnExtension
from mmlock.scan.known import known_of
from mmlock.scan.model import RunCondition
from mmlock.scan.packages import PackageUse
from mmlock.scan.pins.model import Binding, PinKind, ProjectPin
from mmlock.scan.reasons import left_out_by_reason
from mmlock.scan.scan import Scan, scan

Note = tuple[str, str]
"""A place and a sentence."""

_RUNS = frozenset({RunCondition.ALWAYS, RunCondition.IF})
_LITE = PackageName("mmcv-lite")
_GUARD = "guard this import, then mmcv without compiled ops is enough (`--allow-lite`)"
_MOST_LEFTOVERS = 5
_UNNAMED = "0.0.0"
"""The version that setuptools gives to what states none."""


def with_project(arguments: SolveArguments, *, progress: Progress = silent) -> SolveArguments:
    """The request and what its project asks for, in one. Raises UsageError when nothing is requested."""
    assert arguments.project is not None
    matrix = open_matrix(arguments.matrices)
    scanned = scan(arguments.project, known_of(matrix), configs=arguments.configs, progress=progress)
    scanned = with_package_names(matrix, scanned)
    said = _ProjectRequest(matrix, scanned, arguments)
    require_agreement(scanned.conflicts, said.named | said.without)
    require_provided(matrix, said.unprovided(), arguments.allow_missing)
    requirements = unique((*arguments.requirements, *said.declared(), *said.imported()))
    extensions = tuple(said.extensions())
    if not requirements and not extensions and arguments.stack is None:
        raise UsageError(
            f"nothing in `{arguments.project}` requires a package",
            causes=["no file declares requirements, and no code imports a package known to mmlock"],
            hints=["add requirements: `mmlock solve 'mmdet>=3' --project ...`"],
        )
    asked = {one.name for one in requirements}
    declared = [pin for pin in scanned.pins if pin.binding is Binding.DECLARED]
    pythons = [pin.specifier for pin in declared if pin.name == "python"]
    bounds = [bound for bound in (arguments.requires_python, *pythons) if bound]
    return replace(
        arguments,
        requirements=requirements,
        wishes=tuple(one for one in said.of_tools() if one.name not in asked),
        constraints=unique(
            (*arguments.constraints, *said.bounded(), *name_constraints(matrix, scanned.needs))
        ),
        requires_python=",".join(dict.fromkeys(bounds)) or None,
        extensions=tuple(dict.fromkeys((*arguments.extensions, *extensions))),
        torch_ops=arguments.torch_ops or (said.exported() if arguments.allow_torch_ops else ()),
        allow_lite=arguments.allow_lite or scanned.conclusion.need is Need.NOTHING,
        origins=tuple(dict.fromkeys((*arguments.origins, *said.of_channels()))),
        guesses=tuple(said.guesses()),
        undeclared=tuple(said.undeclared()),
        snapshot=tuple(snapshot(scanned.pins)),
        notes=(*arguments.notes, *said.notes(), *name_notes(matrix, scanned.needs)),
        pins=tuple(pin_notes(scanned.pins, said.owner, said.without)),
        advice=tuple(advice(scanned.pins, said.without)),
    )


def with_package_names(matrix: Matrix, scanned: Scan) -> Scan:
    """The scan with the names of repositories replaced by those of the packages that they make."""
    names = {row.name: row.package for row in matrix.repositories}
    pins = (
        replace(pin, name=names.get(pin.name, pin.name)) if pin.repository or pin.checkout else pin
        for pin in scanned.pins
    )
    return replace(scanned, pins=tuple(pins))


_BUILT = frozenset({*_RUNS, RunCondition.GUARDED})
"""Imports for which code of the project's own is built: what does without it is slower, or lacks a part."""


def _importable(one: OwnExtension) -> set[str]:
    """The names that code of the project takes its modules by; `*` stands for what is not known."""
    names = {text for module in one.modules for text in (module.name, *module.maybe) if text}
    found = {name.rpartition(".")[2] for name in names} - {"*"}
    if one.folder == ROOT or not one.name:
        return found
    # A folder of its own is a package of its own: `import pointops` runs `pointops._C`.
    own = one.name.replace("-", "_")
    return found | {name.partition(".")[0] for name in names if name.partition(".")[0] == own} | {own}


def _takes(wanted: Collection[str], one: OwnExtension) -> bool:
    """Whether some of these imports are of its modules."""
    return any(fnmatchcase(name, shape) for shape in _importable(one) for name in wanted)


def _stated(text: str | None) -> str:
    """A version that can are in a lock: of `0.6.0+%s`, whose rest is filled in by a build, the start."""
    start = (text or "").partition("+")[0]
    return start if is_version(start) else _UNNAMED


def _guess(use: PackageUse) -> Guess:
    return Guess(module=use.module, name=use.packages[0], place=str(use.place))


class _ProjectRequest:
    """What a scan says, in the words of a request."""

    def __init__(self, matrix: Matrix, scanned: Scan, arguments: SolveArguments) -> None:
        self.matrix = matrix
        self.scanned = scanned
        self.arguments = arguments
        self.ops = matrix.ops
        self.modules = {row.module: row for row in matrix.modules}
        self.owner = {package: row for row in matrix.modules for package in row.packages}
        need = scanned.conclusion.need
        self.enough_lite = need is Need.NOTHING or (need is Need.IMPORT and arguments.allow_lite)
        self.named = {asked.name for asked in arguments.requirements}
        self.without = frozenset(map(PackageName, (*arguments.without, *arguments.allow_missing)))
        # Where two files contradict each other, what the user asks for decides alone.
        self.settled = {one.name for one in binding_conflicts(scanned.conflicts)} & self.named
        self.own = set().union(*(_importable(one) for one in scanned.extensions))

    def declared(self) -> Iterator[Asked]:
        """The pins that bind."""
        return (asked_of(pin) for pin in self._binding())

    def _binding(self) -> Iterator[ProjectPin]:
        pins = self._pins(Binding.DECLARED)
        return (pin for pin in pins if not pin.repository and (not pin.constraint or self._of_conda(pin)))

    def _of_conda(self, pin: ProjectPin) -> bool:
        """Whether conda's package is one that is decided here under the same name."""
        return pin.kind is PinKind.CONDA and pin.name in self.owner

    def of_channels(self) -> Iterator[str]:
        """Packages of conda that the project declares and that the solver does not decide."""
        for pin in self._pins(Binding.DECLARED) if self.arguments.with_conda else ():
            if pin.kind is PinKind.CONDA and pin.constraint and not self._of_conda(pin):
                yield f"{CONDA}:{pin.text.rpartition('::')[2].strip()}"

    def _pins(self, *bindings: Binding) -> Iterator[ProjectPin]:
        return (
            p
            for p in self.scanned.pins
            if p.binding in bindings and p.name not in NO_PACKAGE | self.without | self.settled
        )

    def imported(self) -> Iterator[Asked]:
        """Packages that the code imports and that nothing declares."""
        return self._asked(self._needed())

    def of_tools(self) -> Iterator[Asked]:
        """Packages that only tools and demos import: in the lock where they hold."""
        return self._asked(use for use in self.scanned.packages if use.apart and self._runs(use))

    def _asked(self, uses: Iterable[PackageUse]) -> Iterator[Asked]:
        declared = {pin.name for pin in self._binding()} | self.named
        # What is installed from a repository is there, and no release of an unknown name is asked for.
        repositories = {pin.name for pin in self._pins(*Binding) if pin.repository}
        for use in uses:
            if declared & set(self._providers(use)) or self._unobtainable(use):
                continue
            optional = [pin for pin in self._pins(Binding.OPTIONAL) if pin.name in self._providers(use)]
            bounds = {pin.specifier for pin in optional if pin.specifier}
            if use.known and len(bounds) == 1:
                yield asked_of(next(pin for pin in optional if pin.specifier))
            elif use.known:
                yield Asked(name=self._usual(use), origin=f"{use.place} imports {use.module}")
            elif not repositories & set(use.packages) and any(
                pin.name in use.packages for pin in self.scanned.pins
            ):
                yield Asked(name=use.packages[0], origin=f"{use.place} imports {use.module}")

    def unprovided(self) -> Iterator[PackageUse]:
        """Imports that nothing declares, of modules of which no distribution can come into a lock."""
        declared = {pin.name for pin in self._pins(*Binding)} | self.named
        uses = (use for use in self._needed() if use.reached and (not use.known or self._unobtainable(use)))
        return (use for use in uses if declared.isdisjoint(use.packages))

    def guesses(self) -> Iterator[Guess]:
        """Unexplained imports of the main scripts: what they name may be on an index."""
        return (_guess(use) for use in self._unexplained() if use.reached)

    def undeclared(self) -> Iterator[Guess]:
        """Unexplained imports of other files: what they name may come in with the rest, or be missing."""
        return (_guess(use) for use in self._unexplained() if not use.reached)

    def _unexplained(self) -> Iterator[PackageUse]:
        """Imports of modules that no fact knows and no file declares."""
        declared = {pin.name for pin in self.scanned.pins} | self.named
        for use in self._needed():
            if not use.known and declared.isdisjoint(use.packages):
                yield use

    def _needed(self) -> Iterator[PackageUse]:
        for use in self.scanned.packages:
            if not use.apart and self._runs(use):
                yield use

    def _runs(self, use: PackageUse) -> bool:
        return use.when in _RUNS and not use.aside and not self._is_own(use.module) and not self._left(use)

    def _is_own(self, module: str) -> bool:
        return any(fnmatchcase(module, shape) for shape in self.own)

    def _left(self, use: PackageUse) -> bool:
        """Whether the user leaves it out, by the name of the module or of a distribution."""
        return not self.without.isdisjoint({normalize(use.module), *self._providers(use)})

    def _unobtainable(self, use: PackageUse) -> bool:
        """Whether mmlock can name how to get it and cannot put it into a lock."""
        described = self.matrix.described
        providers = self._providers(use)
        return all(name in described and not obtainable(self.matrix, name) for name in providers)

    def _providers(self, use: PackageUse) -> tuple[PackageName, ...]:
        row = self.modules.get(use.module)
        return row.packages if row else use.packages

    def _usual(self, use: PackageUse) -> PackageName:
        """What to ask for: the module's own name means whichever package fits."""
        if use.module == "mmcv" and self.enough_lite and not self._old_mmcv():
            return _LITE
        row = self.modules.get(use.module)
        plain = normalize(use.module)
        # Of a module with one distribution for each CUDA, the module is asked for: the solver knows the CUDA.
        return plain if plain in use.packages or (row and unnamed(row)) else use.packages[0]

    def _old_mmcv(self) -> bool:
        return any(one.module == "mmcv" and one.specifier.startswith("<") for one in self.scanned.bounds)

    def bounded(self) -> Iterator[Asked]:
        """Constraints: those that are declared, and what the imports demand."""
        pins = self._pins(Binding.DECLARED)
        yield from (asked_of(pin) for pin in pins if pin.constraint and not pin.repository)
        for module, bounds in self._bounds().items():
            if len(bounds) == 1:
                one = bounds[0]
                origin = f"{one.place} imports {one.submodule}"
                yield Asked(name=self._name(module), specifier=one.specifier, origin=origin)
        for own in self.scanned.asserts:
            origin = f"{own.place} fails to import otherwise"
            yield Asked(name=self._name(own.module), specifier=own.specifier, origin=origin)

    def _name(self, module: str) -> PackageName:
        """What a bound on a module is on: its own name means whichever package provides it."""
        row, plain = self.modules[module], normalize(module)
        return plain if plain in row.packages or unnamed(row) else row.packages[0]

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
            if one.name and one.version and is_version(one.version):
                yield path
            elif one.name:
                yield f"{one.name}=={_stated(one.version or one.packaged)} @ {path}"

    def _built(self) -> list[OwnExtension]:
        """Those that are imported; of several of one name the newest, of equal ones the first."""
        by_name: dict[str, list[OwnExtension]] = {}
        for one in self._imported():
            by_name.setdefault(normalize(one.name or one.folder), []).append(one)
        return [max(same, key=lambda one: version(_stated(one.version))) for same in by_name.values()]

    def _imported(self) -> list[OwnExtension]:
        used = (use for use in self.scanned.packages if use.when in _BUILT)
        wanted = {use.module for use in used if not use.aside and not use.apart}
        wanted |= set(self.scanned.own_imports)
        given = {text.rpartition("@")[2].strip() for text in self.arguments.extensions}
        return [
            one
            for one in self.scanned.extensions
            if one.kind is BuildKind.SETUP
            and not self._named_by_user(one, given)
            and normalize(one.name or "") not in self.without
            and _takes(wanted, one)
        ]

    def _named_by_user(self, one: OwnExtension, given: Collection[str]) -> bool:
        """Whether the user named a folder of the same distribution: that one is meant."""
        same = (other for other in self.scanned.extensions if other.name == one.name)
        folders = {Path(os.path.relpath(self.scanned.root / other.folder)).as_posix() for other in same}
        return not folders.isdisjoint(given)

    def notes(self) -> Iterator[Note]:
        """What binds nothing and should be known."""
        for module, bounds in self._bounds().items():
            if len(bounds) > 1:
                both = " and ".join(f"{one.submodule} ({one.place})" for one in bounds)
                yield (
                    str(bounds[0].place),
                    f"no release of {module} has both {both}: neither is a bound",
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
            elif one in built and not one.name:
                hint = f"name it: `--extension 'NAME=={_UNNAMED} @ {one.folder}'`"
                yield place, f"`{names}` is imported, and its setup.py names no package: {hint}"
            elif one in built and one.folder == ROOT:
                text = f"the lock builds {one.name} from the project itself, as it is now: scripts in its"
                yield place, f"{text} top folder import the sources there, which have no `{names}`"
            elif (chosen := next((other for other in built if other.name == one.name), one)) is not one:
                text = f"`{names}` is built from `{chosen.folder}`, which has the same name"
                yield place, f"{text}: `--extension {one.folder}` takes this one"
            elif one not in built:
                hint = f"`--extension {one.folder}` builds it"
                yield place, f"`{names}` is not imported: {hint}"
        for left in self.scanned.leftovers[:_MOST_LEFTOVERS]:
            made = f" for Python {left.python}" if left.python else ""
            yield left.path, f"left over from an earlier build{made}: not part of the lock"
