"""A project folder -> `Scan`: everything that is read, put together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from posixpath import basename, dirname, normpath

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.errors import UsageError
from mmlock.core.extension import tree_digest
from mmlock.core.names import PackageName
from mmlock.core.progress import Progress, silent
from mmlock.facts.matrix.code import Op, Reach
from mmlock.facts.matrix.curated import MmcvEra, Module, Submodule
from mmlock.facts.matrix.eras import modules_of_mmcv_2
from mmlock.names.check import missing_names
from mmlock.names.needed import Needed
from mmlock.names.tables import GivenTable
from mmlock.scan.asserts import ProjectAssert, project_asserts
from mmlock.scan.bounds import ImportBound, import_bounds
from mmlock.scan.conclude import Conclusion, conclude
from mmlock.scan.configs.bases import base_faults
from mmlock.scan.configs.faults import ConfigFault
from mmlock.scan.configs.narrow import narrow
from mmlock.scan.configs.read import Config, read_config
from mmlock.scan.entries import entries
from mmlock.scan.extensions import (
    COMPILED,
    Digest,
    OwnExtension,
    below,
    has_cuda,
    in_setup,
    jit_loads,
    stated_version,
)
from mmlock.scan.frameworks import Framework, FrameworkLoad, choose, framework_loads, framework_uses
from mmlock.scan.left_out import LeftOut, UnreadSourceError
from mmlock.scan.leftovers import BuildLeftover, leftovers
from mmlock.scan.model import ModuleFacts, RunCondition
from mmlock.scan.module import module_facts
from mmlock.scan.needs import project_needs
from mmlock.scan.notebook import code_cells, notebook_facts
from mmlock.scan.ops import OpCatalog, OpUse, op_uses
from mmlock.scan.packages import PackageUse, elsewhere, packages
from mmlock.scan.pins.collect import collect
from mmlock.scan.pins.conflicts import PinConflict, conflicts
from mmlock.scan.pins.model import Binding, ProjectPin
from mmlock.scan.project import Project, Step
from mmlock.scan.reasons import reason_text
from mmlock.scan.source import parse
from mmlock.scan.tree import ProjectTree, list_files

__all__ = ["Scan", "ScanFacts", "scan"]


class ScanFacts(Struct, frozen=True, kw_only=True):
    """The facts a scan rests on."""

    ops: tuple[Op, ...]
    modules: tuple[Module, ...]
    submodules: tuple[Submodule, ...]
    eras: tuple[MmcvEra, ...]
    reach: Mapping[PackageName, tuple[Reach, ...]]
    names: Callable[[PackageName], GivenTable | None]
    """The names that releases of a package give; None: not recorded."""


class Scan(Struct, frozen=True, kw_only=True):
    """What a project's sources say."""

    root: Path
    files: int
    """Python files that were read."""
    configs: tuple[str, ...]
    """Configs that narrow the answer; empty: it is about the whole tree."""
    ran: tuple[str, ...] | None
    """Files that these configs reach; None: no config was named."""
    config_faults: tuple[ConfigFault, ...]
    """Lines of configs that were not followed."""
    conclusion: Conclusion
    uses: tuple[OpUse, ...]
    loads: tuple[FrameworkLoad, ...]
    """Imports of frameworks that load mmcv.ops."""
    packages: tuple[PackageUse, ...]
    own_imports: tuple[str, ...]
    """Names that its code takes relative to itself, sorted: a compiled module may be among them."""
    bounds: tuple[ImportBound, ...]
    """What its imports demand of packages."""
    asserts: tuple[ProjectAssert, ...]
    """What its own modules refuse to be imported with."""
    extensions: tuple[OwnExtension, ...]
    """Compiled code of its own."""
    leftovers: tuple[BuildLeftover, ...]
    pins: tuple[ProjectPin, ...]
    """Every version that is written down, the most binding first."""
    conflicts: tuple[PinConflict, ...]
    elsewhere: Mapping[str, str]
    """Modules of the project that are imported from where they would not be found, and their folders."""
    chains: Mapping[str, tuple[Step, ...]]
    """File with ops -> the imports by which a script reaches it; absent where none does."""
    left_out: tuple[LeftOut, ...]
    """What was not read, and why."""
    needs: tuple[Needed, ...] = ()
    """The names that it takes of packages."""


def scan(root: Path, known: ScanFacts, *, configs: Iterable[str] = (), progress: Progress = silent) -> Scan:
    """Read a tree; `configs` narrow the answer to what they need. Raises UsageError for what is not there."""
    tree = list_files(root)
    progress(f"{len(tree.files)} files in {root}")
    left_out = list(tree.left_out)
    project = Project(read_modules(tree, left_out), tree.links)
    sorted_files = entries(project)
    used = packages(project, known.modules, reached=sorted_files.reached, apart=sorted_files.apart)
    pins, unread_pins = _pins(tree, known)
    needs = project_needs(project, tree.text)
    lacks, of_mmcv_2 = partial(_lacks, known, needs), modules_of_mmcv_2(known.eras, known.modules)
    frameworks = choose(known.reach, _bounds(pins), (one.module for one in used), of_mmcv_2, lacks)
    mine = {name: one for name, one in frameworks.items() if name in {use.module for use in used}}
    uses = tuple(_uses(project, OpCatalog(known.ops), mine))
    only: frozenset[str] | None = None
    if read := tuple(_configs(configs, tree, project)):
        narrowed = narrow(read, project, uses, OpCatalog(known.ops), mine)
        uses, only = narrowed.uses, narrowed.files
        used = packages(project, known.modules, only, reached=only)
    inside = [file for file in project.modules if only is None or file in only]
    # The script that runs a config imports frameworks, too: these count for the whole tree.
    # A kernel that only a tool or an ablation takes is not the project's.
    main = inside if only is not None else [file for file in inside if file not in sorted_files.apart]
    loads = [load for file, facts in project.modules.items() for load in framework_loads(facts, file, mine)]
    faults = [fault for one in read for fault in one.faults] if read else base_faults(project.modules, tree)
    return Scan(
        root=root,
        files=len(project.modules),
        configs=tuple(one.file for one in read),
        ran=None if only is None else tuple(sorted(only)),
        config_faults=tuple(faults),
        conclusion=conclude(uses, loads, {op.name: op for op in known.ops}),
        uses=tuple(sorted(uses, key=lambda use: (use.place, use.op, use.how))),
        loads=tuple(sorted(loads, key=lambda load: load.place)),
        packages=used,
        own_imports=tuple(sorted(set(_own_imports(project, main)))),
        bounds=tuple(import_bounds(used, known.submodules)),
        asserts=tuple(project_asserts(tree, inside, frozenset(row.module for row in known.modules))),
        extensions=tuple(_extensions(tree, project)),
        leftovers=tuple(leftovers(root, tree.files)),
        pins=tuple(pins),
        conflicts=conflicts(pins),
        elsewhere=elsewhere(project, {row.module for row in known.modules}),
        chains=_chains(project, {use.place.file for use in uses}),
        left_out=tuple(dict.fromkeys((*left_out, *unread_pins))),
        needs=needs,
    )


def _pins(tree: ProjectTree, known: ScanFacts) -> tuple[list[ProjectPin], list[LeftOut]]:
    """Every version that is written down, the most binding first; and the files that could not be read."""
    found, unread = collect(tree.files, tree.text, tree.links)
    pins = [_of_one_machine(pin, known.modules) for pin in found]
    pins.sort(key=lambda pin: (_BINDING.index(pin.binding), pin.place))
    return pins, unread


def _lacks(known: ScanFacts, needs: Iterable[Needed], package: PackageName, row: Reach) -> bool:
    """Whether a release of a framework lacks a name that the project takes of it whenever it runs."""
    table = known.names(package)
    runs = (need for need in needs if need.entry is not None and need.when is RunCondition.ALWAYS)
    of_it = (need for need in runs if need.module.partition(".")[0] == row.module)
    return table is not None and any(missing_names(table, row.version, of_it))


def _configs(configs: Iterable[str], tree: ProjectTree, project: Project) -> Iterable[Config]:
    """The configs that were named, by their path in the project or from here. Raises UsageError."""
    for name in configs:
        file = _file_named(name, tree)
        try:
            yield read_config(file, tree.text, project.file_of, tree.links)
        except UnreadSourceError as why:
            raise UsageError(
                f"`--config {name}` cannot be read", causes=[f"{file}: {reason_text(why.at(file))}"]
            ) from why


def _file_named(name: str, tree: ProjectTree) -> str:
    known = set(tree.files)
    here = Path(os.path.relpath(os.path.realpath(name), tree.real)).as_posix()
    for path in (tree.links.resolve(normpath(name.replace(os.sep, "/"))), here):
        if path in known:
            return path
    near = get_close_matches(name, known, n=1)
    raise UsageError(
        f"`--config {name}`: no such file in `{tree.root}`",
        hints=[f"did you mean `{near[0]}`?"] if near else ["name it by its path in the project"],
    )


def _own_imports(project: Project, files: Iterable[str]) -> Iterable[str]:
    """Last names of imports inside the project: a compiled module of its own may be among them."""
    for file in files:
        for one in project.modules[file].imports:
            if one.when in _IMPORTED and project.is_local(one.module, file):
                yield one.module.rpartition(".")[2] if one.name is None else one.name


_IMPORTED = frozenset({RunCondition.ALWAYS, RunCondition.IF, RunCondition.GUARDED})
"""What runs with its module; code that does without its own kernel is still made for it."""


def _extensions(tree: ProjectTree, project: Project) -> Iterable[OwnExtension]:
    for file in tree.files:
        if basename(file) == "setup.py" and file in project.modules:
            text = tree.text(file)
            if "cpp_extension" in text:
                files = list(below(tree.files, dirname(file) or "."))
                digest = _digest(tree, files, dirname(file))
                extension = in_setup(parse(text), file, digest, cuda_files=has_cuda(files))
                yield from (_with_version(tree, project, extension),) if extension else ()

    def digest_of(folder: str) -> Digest:
        sources = [name for name in below(tree.files, folder) if name.endswith((*COMPILED, ".py"))]
        return _digest(tree, sources, "" if folder == "." else folder)

    yield from jit_loads(project, digest_of)


def _with_version(tree: ProjectTree, project: Project, one: OwnExtension) -> OwnExtension:
    """The extension with the version of its package, where its set-up file reads it from there."""
    if one.version is not None or one.name is None:
        return one
    package = normpath(f"{one.folder}/{one.name}")
    for file in (f"{package}/version.py", f"{package}/_version.py", f"{package}/__init__.py"):
        if file in project.modules and (found := stated_version(parse(tree.text(file)))):
            return replace(one, packaged=found)
    return one


def _digest(tree: ProjectTree, files: Iterable[str], folder: str) -> Digest:
    """Over the files that can be read; names are from the folder."""
    held: list[tuple[str, bytes]] = []
    for file in files:
        try:
            held.append((file.removeprefix(f"{folder}/") if folder else file, tree.read(file)))
        except UnreadSourceError as why:
            held.append((file, why.reason.value.encode()))
    return Digest(sha256=tree_digest(held), files=len(held))


_BINDING = tuple(Binding)


def _of_one_machine(pin: ProjectPin, modules: Iterable[Module]) -> ProjectPin:
    """The pin; of an ordinary package that conda resolved down to its build, as what another tool locked."""
    decided = any(row.core and pin.name in row.packages for row in modules)
    if not pin.exported or decided or pin.name in {"python", "torch"}:
        return pin
    return replace(pin, binding=Binding.LOCKED)


def _bounds(pins: Iterable[ProjectPin]) -> dict[PackageName, str]:
    """The most binding bound of each package; pins come in that order."""
    bounds: dict[PackageName, str] = {}
    for pin in pins:
        if pin.specifier:
            bounds.setdefault(pin.name, pin.specifier)
    return bounds


def _uses(project: Project, catalog: OpCatalog, frameworks: Mapping[str, Framework]) -> Iterable[OpUse]:
    own = frozenset(name for facts in project.modules.values() for name, _ in facts.registered)
    for file, facts in project.modules.items():
        yield from op_uses(facts, file, catalog)
        yield from framework_uses(facts, file, frameworks, own)


def read_modules(tree: ProjectTree, left_out: list[LeftOut]) -> dict[str, ModuleFacts]:
    """Every Python file that can be read."""
    result: dict[str, ModuleFacts] = {}
    for file in tree.files:
        try:
            if file.endswith(".py"):
                result[file] = module_facts(parse(tree.text(file)))
            elif file.endswith(".ipynb"):
                result[file] = notebook_facts(code_cells(tree.text(file)))
        except UnreadSourceError as why:
            left_out.append(why.at(file))
    return result


def _chains(project: Project, files: set[str]) -> dict[str, tuple[Step, ...]]:
    starts = [file for file, facts in project.modules.items() if facts.script]
    reached = project.reached_from(starts)
    return {file: reached[file] for file in sorted(files) if file in reached}
