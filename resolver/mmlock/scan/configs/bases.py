"""The `_base_` lines of a whole tree: those that lead nowhere, in circles, or into other packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import dirname, join, normpath

from mmlock.scan.configs.faults import ConfigFault, ConfigProblem
from mmlock.scan.model import ModuleFacts, SourceLine
from mmlock.scan.tree import ProjectTree, leads_out

__all__ = ["base_faults"]


def base_faults(modules: Mapping[str, ModuleFacts], tree: ProjectTree) -> Iterator[ConfigFault]:
    """Every base that cannot be followed."""
    edges: dict[str, dict[str, SourceLine]] = {}
    for file, facts in modules.items():
        for text, line in facts.bases:
            place = SourceLine(file=file, line=line)
            base = normpath(join(dirname(file), text))
            if "::" in text:
                yield ConfigFault(place=place, problem=ConfigProblem.OTHER_PACKAGE, base=text)
            elif leads_out(base):
                yield ConfigFault(place=place, problem=ConfigProblem.OUTSIDE, base=text)
            elif not tree.has(base):
                yield ConfigFault(place=place, problem=ConfigProblem.MISSING, base=text)
            else:
                edges.setdefault(file, {})[tree.links.resolve(base)] = place
    for file, place in _in_circles(edges):
        yield ConfigFault(place=place, problem=ConfigProblem.CIRCLE, base=file)


def _in_circles(edges: Mapping[str, Mapping[str, SourceLine]]) -> Iterator[tuple[str, SourceLine]]:
    """A file of each circle, and the line of it that closes the circle."""
    done: set[str] = set()
    for start in edges:
        path: list[tuple[str, Iterator[tuple[str, SourceLine]]]] = []
        here = start
        above: set[str] = set()
        while True:
            if here not in done and here not in above:
                above.add(here)
                path.append((here, iter(edges.get(here, {}).items())))
            if not path:
                break
            file, following = path[-1]
            step = next(following, None)
            if step is None:
                path.pop()
                above.discard(file)
                done.add(file)
                here = file
                continue
            here, place = step
            if here in above:
                yield here, place
