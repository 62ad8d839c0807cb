"""What a package imports when its entry modules are imported: other packages, and own modules it lacks.

Only statements that always run are followed: not those in functions, under `if`, or in a `try` that
survives an ImportError. So a name found here is needed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence

from msgspec import Struct, field

from mmlock.facts.scrape.archives import ArchiveTree

__all__ = ["ENTRIES", "Imports", "imported"]

ENTRIES = ("", "apis", "models", "core", "datasets", "ops", "structures", "evaluation")
"""The modules users import: the package itself and these parts of it, where it has them."""

_SURVIVES = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})

_ONCE_STDLIB = frozenset({"asynchat", "asyncore", "distutils", "imp", "smtpd", "pipes", "cgi", "crypt"})
"""Left the standard library, but were in it when these releases were made."""


class Imports(Struct):
    """What importing an entry module needs."""

    packages: set[str] = field(default_factory=set)
    """Top-level names that are neither its own nor of the standard library."""
    missing: set[str] = field(default_factory=set)
    """Own modules that the archive does not hold."""


class _Walk(Struct):
    """One interpreter that has imported nothing yet."""

    tree: ArchiveTree
    module: str
    found: Imports
    parsed: dict[str, tuple[ast.Import | ast.ImportFrom, ...]]
    """Path -> its imports; shared by the walks of one archive."""
    seen: set[str] = field(default_factory=set)

    def load(self, name: str) -> None:
        """Import a module of the package with its parents, as Python would."""
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            here = ".".join(parts[:end])
            if here in self.seen:
                continue
            self.seen.add(here)
            path = self.path_of(here)
            if path is None:
                if not self._is_namespace(here):
                    self.found.missing.add(name)
                    return
                continue
            self._run(here, path)

    def path_of(self, name: str) -> str | None:
        """The file of a module; None when there is none."""
        stem = name.replace(".", "/")
        return next((path for path in (f"{stem}/__init__.py", f"{stem}.py") if path in self.tree.paths), None)

    def _is_namespace(self, name: str) -> bool:
        folder = name.replace(".", "/") + "/"
        return any(path.startswith(folder) and path.endswith(".py") for path in self.tree.paths)

    def _run(self, name: str, path: str) -> None:
        if path not in self.parsed:
            self.parsed[path] = _read(self.tree.text(path) or "")
        package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
        for statement in self.parsed[path]:
            if isinstance(statement, ast.Import):
                for alias in statement.names:
                    self._named(alias.name)
            else:
                self._from(statement, package)

    def _from(self, statement: ast.ImportFrom, package: str) -> None:
        base = statement.module or ""
        if statement.level:
            above = package.split(".")
            kept = above[: len(above) - statement.level + 1]
            base = ".".join([*kept, base] if base else kept)
        if not base:
            return
        self._named(base)
        if base.partition(".")[0] == self.module:
            for alias in statement.names:
                if self.path_of(f"{base}.{alias.name}") is not None:
                    self.load(f"{base}.{alias.name}")

    def _named(self, name: str) -> None:
        top = name.partition(".")[0]
        if top == self.module:
            self.load(name)
        elif top not in sys.stdlib_module_names and top not in _ONCE_STDLIB:
            self.found.packages.add(top)


def _read(source: str) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """The imports of a module; none of one written for another Python, or broken: it says nothing."""
    import warnings

    try:
        with warnings.catch_warnings():
            # What others wrote (`"\d"`) is not this program's to warn about.
            warnings.simplefilter("ignore")
            body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError):
        return ()
    return tuple(_always(body))


def _always(body: Sequence[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports of a body that run whenever it does."""
    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield statement
        elif isinstance(statement, ast.ClassDef | ast.With):
            yield from _always(statement.body)
        elif isinstance(statement, ast.Try):
            if not any(_survives(handler.type) for handler in statement.handlers):
                yield from _always(statement.body)
            yield from _always(statement.finalbody)


def _survives(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(name, ast.Name) and name.id in _SURVIVES for name in names)


def imported(tree: ArchiveTree, module: str) -> Imports:
    """What all entry modules of a package need together."""
    found = Imports()
    parsed: dict[str, tuple[ast.Import | ast.ImportFrom, ...]] = {}
    for entry in ENTRIES:
        name = f"{module}.{entry}" if entry else module
        walk = _Walk(tree, module, found, parsed)
        if walk.path_of(name) is not None:
            walk.load(name)
    return found
