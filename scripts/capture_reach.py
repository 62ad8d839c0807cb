"""Write `matrices/openmmlab/reach/`: which ops of mmcv the releases of the frameworks reach.

    python scripts/capture_reach.py SDIST...    # each framework after those it builds on

Archives are read in memory and nothing of them is run. Rows of other releases stay as they are.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from mmlock.core.names import Confidence, PackageName, normalize
from mmlock.facts.matrix import store
from mmlock.facts.matrix.eras import modules_of_mmcv_2
from mmlock.facts.matrix.layout import SECTIONS
from mmlock.facts.matrix.load import open_matrix
from mmlock.facts.matrix.model import Reach
from mmlock.facts.scrape.archives import read_tree
from mmlock.scan.definitions import Definitions, entries
from mmlock.scan.frameworks import choose, framework_uses
from mmlock.scan.left_out import UnreadSourceError
from mmlock.scan.model import ModuleFacts
from mmlock.scan.module import module_facts
from mmlock.scan.ops import OpCatalog, op_uses
from mmlock.scan.project import Project
from mmlock.scan.source import parse, to_text

SOURCES = {
    "sdist": "the release's sdist on PyPI, read without running anything by `scripts/capture_reach.py`"
}


def modules_of(archive: Path, module: str) -> dict[str, ModuleFacts]:
    """The Python files of one package in an archive, by path inside it."""
    tree = read_tree(archive.name, archive.read_bytes())
    found: dict[str, ModuleFacts] = {}
    for path in sorted(tree.texts):
        if path.startswith(f"{module}/") and path.endswith(".py") and "/.mim/" not in path:
            try:
                found[path] = module_facts(parse(to_text(tree.texts[path])))
            except UnreadSourceError as why:
                print(f"{archive.name}: {path} {why}", file=sys.stderr)
    return found


def reach(
    package: PackageName, release: str, archive: Path, known: dict[PackageName, tuple[Reach, ...]]
) -> Reach:
    """The row of one release."""
    matrix = open_matrix(Path("matrices"))
    module = next(row.module for row in matrix.modules if package in row.packages)
    project = Project(modules_of(archive, module))
    imported = {one.module.partition(".")[0] for facts in project.modules.values() for one in facts.imports}
    chosen = choose(known, {}, imported, modules_of_mmcv_2(matrix.mmcv_eras, matrix.modules))
    frameworks = {name: one for name, one in chosen.items() if name != module and name in imported}
    catalog = OpCatalog(matrix.ops)
    own = frozenset(name for facts in project.modules.values() for name, _ in facts.registered)
    uses = [use for file, facts in project.modules.items() for use in op_uses(facts, file, catalog)]
    uses += [
        use for file, facts in project.modules.items() for use in framework_uses(facts, file, frameworks, own)
    ]
    return Reach(
        version=release,
        module=module,
        entries=loading(project),
        mmengine="mmengine" in imported,
        named=named(Definitions(project, uses)),
        ops=tuple(sorted({use.op for use in uses if use.op})),
        source=("sdist",),
        confidence=Confidence.MEASURED,
    )


def loading(project: Project) -> dict[str, str]:
    """Modules whose import loads mmcv.ops, without those inside a listed package."""
    found: dict[str, str] = {}
    for file, place in sorted(entries(project).items(), key=lambda item: (item[0].count("/"), item[0])):
        name = re.sub(r"(/__init__)?\.py$", "", file).replace("/", ".")
        if not any(name.startswith(f"{above}.") for above in found):
            found[name] = str(place)
    return dict(sorted(found.items()))


def named(definitions: Definitions) -> dict[str, tuple[str, ...]]:
    """The ops behind each definition, by its name and by the names it is registered under."""
    found: dict[str, set[str]] = {}
    nodes = {(file, name): {name} for file, names in definitions.own.items() for name in names}
    for name, registered in definitions.registered.items():
        for node in registered:
            nodes[node].add(name)
    for node, names in nodes.items():
        if ops := definitions.reached([node]):
            for name in names:
                found.setdefault(name, set()).update(ops)
    return {name: tuple(sorted(ops)) for name, ops in sorted(found.items())}


def main() -> int:
    """Write the rows of the archives that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("archives", nargs="+", type=Path)
    root = Path("matrices")
    matrix = open_matrix(root)
    known = {package: matrix.reach(package) for package in matrix.reach_packages}
    for archive in parser.parse_args().archives:
        name, _, release = archive.name.removesuffix(".tar.gz").rpartition("-")
        package = normalize(name)
        row = reach(package, release, archive, known)
        others = [old for old in known.get(package, ()) if old.version != release]
        known[package] = (*others, row)
        path = root / SECTIONS["reach"].path_for(package)
        path.parent.mkdir(exist_ok=True)
        store.replace(path, store.encode("reach", known[package], SOURCES))
        print(f"{path}: {release}, {len(row.ops)} ops, {len(row.named)} names, {len(row.entries)} entries")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
