"""The modules of a project: which file an import means, and by which imports a file is reached."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Mapping
from posixpath import dirname

from msgspec import Struct

from mmlock.scan.model import Import, ModuleFacts, RunCondition, SourceLine
from mmlock.scan.tree import NO_LINKS, Links

__all__ = ["Project", "Step"]


class Step(Struct, frozen=True, kw_only=True):
    """One import inside the project: where it is, and the file it runs."""

    place: SourceLine
    file: str


class Project:
    """All modules of a tree, by file."""

    def __init__(self, modules: Mapping[str, ModuleFacts], links: Links = NO_LINKS) -> None:
        self.modules = modules
        self.links = links
        self._files = frozenset(modules)
        self.folders = frozenset(_folders(modules))
        self._found: dict[tuple[str, str], str | None] = {}

    def file_of(self, module: str, importer: str) -> str | None:
        """The file (or folder, with a `/` at its end) of the project that a module name means in a file."""
        if module.startswith("."):
            return self._relative(module, importer)
        key = (dirname(importer), module)
        if key not in self._found:
            self._found[key] = self._absolute(module, dirname(importer))
        return self._found[key]

    def is_local(self, module: str, importer: str) -> bool:
        """Whether the first part of a name is a module of the project."""
        return module.startswith(".") or self.file_of(module.partition(".")[0], importer) is not None

    def has(self, folder: str, dotted: str) -> bool:
        """Whether a folder holds a module of that name."""
        return self._below(folder, dotted.split(".")) is not None

    def runs(self, file: str) -> Iterator[Step]:
        """The project's files that importing this one runs, by the imports that always run."""
        for one in self.modules[file].imports:
            if one.when in {RunCondition.ALWAYS, RunCondition.IF, RunCondition.GUARDED}:
                for target in self.targets(one, file):
                    yield Step(place=SourceLine(file=file, line=one.line), file=target)

    def targets(self, one: Import, importer: str) -> Iterator[str]:
        """The files an import runs: packages on the way, the module, a module taken by name."""
        dots = len(one.module) - len(one.module.lstrip("."))
        parts = one.module[dots:].split(".") if one.module[dots:] else []
        names = ["." * dots + ".".join(parts[:end]) for end in range(0 if dots else 1, len(parts) + 1)]
        if one.name not in {None, "*"}:
            names.append(one.module + ("" if one.module.endswith(".") else ".") + str(one.name))
        for name in names:
            target = self.file_of(name, importer) if name else None
            if target is not None and target in self._files and target != importer:
                yield target

    def reached_from(self, starts: list[str]) -> dict[str, tuple[Step, ...]]:
        """Each file that some start reaches, with the shortest chain of imports to it."""
        chains: dict[str, tuple[Step, ...]] = dict.fromkeys(starts, ())
        queue = deque(starts)
        while queue:
            file = queue.popleft()
            for step in self.runs(file):
                if step.file not in chains:
                    chains[step.file] = (*chains[file], step)
                    queue.append(step.file)
        return chains

    # ------------------------------------------------------------ finding

    def _relative(self, module: str, importer: str) -> str | None:
        rest = module.lstrip(".")
        folder = dirname(importer)
        for _ in range(len(module) - len(rest) - 1):
            if not folder:
                return None
            folder = dirname(folder)
        return self._below(folder, rest.split(".") if rest else [])

    def _absolute(self, module: str, folder: str) -> str | None:
        """In the importer's folder, then in each one above it, then in their `src`."""
        parts = module.split(".")
        while True:
            for base in (folder, f"{folder}/src" if folder else "src"):
                if self._below(base, parts[:1]) is not None:
                    return self._below(base, parts)
            if not folder:
                return None
            folder = dirname(folder)

    def _below(self, folder: str, parts: list[str]) -> str | None:
        stem = "/".join([folder, *parts] if folder else parts)
        package = f"{stem}/__init__.py" if stem else "__init__.py"
        for name in (f"{stem}.py", package) if parts else (package,):
            file = self.links.resolve(name)
            if file in self._files:
                return file
        stem = self.links.resolve(stem)
        return f"{stem}/" if stem in self.folders else None


def _folders(files: Mapping[str, ModuleFacts]) -> Iterator[str]:
    """Every folder that holds Python files, at any depth."""
    seen: set[str] = set()
    for file in files:
        folder = dirname(file)
        while folder and folder not in seen:
            seen.add(folder)
            yield folder
            folder = dirname(folder)


def is_stdlib(module: str) -> bool:
    """Whether a module belongs to Python itself, in any release that still matters."""
    return module.partition(".")[0] in sys.stdlib_module_names | _ONCE


_ONCE = frozenset(
    {"asynchat", "asyncore", "distutils", "imp", "smtpd", "pipes", "cgi", "crypt", "__builtin__"}
)
