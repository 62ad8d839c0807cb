"""The `_base_` lines of a whole tree: those that lead nowhere, in circles, or into other packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import dirname, join, normpath

from mmlock.scan.model import ModuleFacts, Place

__all__ = ["base_faults"]


def base_faults(modules: Mapping[str, ModuleFacts], files: frozenset[str]) -> Iterator[tuple[str, str]]:
    """A place and what is wrong there, for every base that cannot be followed."""
    edges: dict[str, dict[str, Place]] = {}
    for file, facts in modules.items():
        for text, line in facts.bases:
            place = Place(file=file, line=line)
            base = normpath(join(dirname(file), text))
            if "::" in text:
                package = text.partition("::")[0]
                yield str(place), f"base `{text}` lies in the package {package}"
            elif base not in files:
                yield str(place), f"base `{text}` is not there"
            else:
                edges.setdefault(file, {})[base] = place
    for file, place in _in_circles(edges):
        yield str(place), f"base leads back to {file} itself"


def _in_circles(edges: Mapping[str, Mapping[str, Place]]) -> Iterator[tuple[str, Place]]:
    """A file of each circle, and the line of it that closes the circle."""
    done: set[str] = set()
    for start in edges:
        path: list[tuple[str, Iterator[tuple[str, Place]]]] = []
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
