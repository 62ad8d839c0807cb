"""What `import` of an installed package runs into, by its sources and compiled files; nothing is imported."""

from __future__ import annotations

import ast
import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from mmlock.doctor.environment.model import Distribution
from mmlock.doctor.environment.paths import is_file
from mmlock.files.reading import UnreadableError, read_bounded

_MOST_FILES = 200
"""So many modules of one package are followed."""
_MOST_BYTES = 2 * 1024 * 1024
_NUMPY = (b"numpy.core.multiarray", b"numpy._core.multiarray", b"numpy._core._multiarray_umath")
"""What `import_array` asks for when a compiled module is loaded."""


class Imported(Struct, frozen=True, kw_only=True):
    """A module that is imported on the way."""

    module: str
    """Its first part."""
    file: str
    """Relative to the site folder."""
    line: int
    """0: a compiled file."""


def imported_by(dist: Distribution, wanted: frozenset[str]) -> Imported | None:
    """Where an `import` of a distribution's package reaches one of the modules, without a `try` around it."""
    for init in dist.inits:
        for found in _reached(dist.site, init):
            if found.module in wanted:
                return found
    if "numpy" in wanted:
        for path in dist.compiled:
            if path not in dist.missing and _asks_for_numpy(dist.site / path):
                return Imported(module="numpy", file=path, line=0)
    return None


def _asks_for_numpy(path: Path) -> bool:
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return any(data.find(word) >= 0 for word in _NUMPY)
    except (OSError, ValueError):
        return False


def _reached(site: Path, start: str) -> Iterator[Imported]:
    """Every module that is imported from a package's `__init__` on, its own modules followed."""
    top = start.partition("/")[0]
    waiting, seen = [start], {start}
    while waiting and len(seen) <= _MOST_FILES:
        file = waiting.pop(0)
        for names, line in _imports(site, file):
            for name in names:
                if name.partition(".")[0] != top:
                    yield Imported(module=name.partition(".")[0], file=file, line=line)
                    continue
                for path in _files(site, name):
                    if path not in seen:
                        seen.add(path)
                        waiting.append(path)


def _files(site: Path, name: str) -> Iterator[str]:
    """The files that importing a dotted name runs."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        stem = "/".join(parts[:count])
        for path in (f"{stem}/__init__.py", f"{stem}.py"):
            if is_file(site / path):
                yield path
                break


def _imports(site: Path, file: str) -> Iterator[tuple[Sequence[str], int]]:
    """The dotted names that a module imports when it runs, outside of functions, `try` and `if`."""
    try:
        tree = ast.parse(read_bounded(site / file, _MOST_BYTES))
    except (UnreadableError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    package = file.split("/")[:-1]
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield [alias.name for alias in node.names], node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            if stem:
                yield (
                    [stem, *(f"{stem}.{alias.name}" for alias in node.names if alias.name != "*")],
                    node.lineno,
                )
