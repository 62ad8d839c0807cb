"""All modules of a distribution -> the public names that each gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from posixpath import basename, dirname

from msgspec import Struct, field

from mmlock.names.chains import parse_source
from mmlock.names.dynamic import written_tables
from mmlock.names.model import ModuleNames, OpenReason
from mmlock.names.read import read_module

__all__ = ["Given", "Modules", "given_names", "is_public"]

_COMPILED = (".so", ".pyd", ".dylib", ".dll", ".pyx")
_ASIDE = frozenset(
    {"tests", "test", "testing_data", "docs", "doc", "examples", "benchmarks", "tools", "demo"}
)
"""Folders beside or in a package that are no part of what it gives to others."""


class Given(Struct, frozen=True, kw_only=True):
    """What importing one module gives."""

    names: frozenset[str]
    """Public ones."""
    open: OpenReason | None = None
    denied: frozenset[str] = frozenset()
    """Names that are certainly not there, although the module is open."""


class Modules(Struct, kw_only=True):
    """The modules of one distribution, by their full names; each is read when it is first asked for."""

    files: Mapping[str, str]
    """Module -> path of its source; of a compiled one, too."""
    folders: frozenset[str]
    """Folders without `__init__.py`, as modules."""
    sources: Mapping[str, bytes]
    """Path -> source."""
    _read: dict[str, ModuleNames] = field(default_factory=dict)

    @classmethod
    def of(cls, paths: Iterable[str], sources: Mapping[str, bytes], tops: Iterable[str]) -> Modules:
        """The modules below some top-level names, out of the paths of a wheel or of an unpacked sdist."""
        wanted = frozenset(tops)
        files: dict[str, str] = {}
        for path in sorted(paths, key=lambda path: (not path.endswith("/__init__.py"), path)):
            module = _module_of(path)
            if module and module.partition(".")[0] in wanted:
                files.setdefault(module, path)
        parents = {module[:at] for module in files for at, c in enumerate(module) if c == "."}
        return cls(files=files, folders=frozenset(parents - files.keys()), sources=sources)

    def names(self, module: str) -> ModuleNames:
        """What one module's own text says."""
        known = self._read.get(module)
        if known is None:
            known = self._read[module] = self._look(module)
        return known

    def _look(self, module: str) -> ModuleNames:
        path = self.files.get(module)
        if path is None:
            return ModuleNames(open=OpenReason.FOLDER)
        source = self.sources.get(path)
        if not path.endswith(".py"):
            return ModuleNames(open=OpenReason.COMPILED)
        if source is None:
            return ModuleNames(open=OpenReason.UNREAD)
        package = basename(path) == "__init__.py"
        if b"__getattr__" in source:  # what it refuses may be listed elsewhere
            return read_module(source, module, package=package, tables=self._table)
        return _read_alike(source, module, package)

    def _table(self, module: str, name: str) -> frozenset[str] | None:
        source = self.sources.get(self.files.get(module, ""))
        tree = parse_source(source) if source is not None else None
        return written_tables(tree.body).get(name) if tree else None


@lru_cache(maxsize=16384)
def _read_alike(source: bytes, module: str, package: bool) -> ModuleNames:  # noqa: FBT001 - a cache key
    """Releases share most of their files: each text is read once."""
    return read_module(source, module, package=package)


def _module_of(path: str) -> str | None:
    """The module that a file is; None for anything else."""
    folder, name = dirname(path), basename(path)
    parts = folder.split("/") if folder else []
    if name.endswith(".py"):
        stem = name[:-3]
        parts = parts if stem == "__init__" else [*parts, stem]
    elif name.endswith(_COMPILED):
        parts = [*parts, name.partition(".")[0]]
    else:
        return None
    plain = bool(parts) and all(part.isidentifier() for part in parts)
    return ".".join(parts) if plain and not _ASIDE & set(parts[:-1]) else None


def is_public(name: str) -> bool:
    """Whether every part of a dotted name is meant for others; of the rest nothing is recorded."""
    return not any(part.startswith("_") for part in name.split("."))


def given_names(modules: Modules) -> dict[str, Given]:
    """The public modules and the public names of each, star imports followed."""
    stars = _Stars(modules=modules)
    outside = _outside(modules)
    found: dict[str, Given] = {}
    for module in sorted({*modules.files, *modules.folders}):
        if not is_public(module):
            continue
        own = modules.names(module)
        taken = stars.given(module)
        opened, added = taken.open, outside.get(module, frozenset())
        if "*" in added:
            opened = opened or OpenReason.OUTSIDE
        # Whoever refuses a name knows that it is not there, though a star might have brought it.
        denied = own.denied - taken.sure - added
        names = (taken.sure | taken.perhaps | added) - denied
        public = frozenset(name for name in names if is_public(name) and name.isidentifier())
        found[module] = Given(names=public, open=opened, denied=denied)
    tops = {module.partition(".")[0] for module in modules.files}
    for module in outside.keys() - found.keys():  # made when another module runs
        if module.partition(".")[0] in tops and is_public(module):
            found[module] = Given(names=frozenset(), open=OpenReason.OUTSIDE)
    return found


def _outside(modules: Modules) -> dict[str, frozenset[str]]:
    """Attributes that modules set on others."""
    found: dict[str, frozenset[str]] = {}
    for module in modules.files:
        for other, names in modules.names(module).outside.items():
            found[other] = found.get(other, frozenset()) | names
    return found


class _Taken(Struct, frozen=True, kw_only=True):
    """All names of a module, its star imports followed."""

    sure: frozenset[str]
    """Bound by its own text, or listed in the `__all__` of a star."""
    perhaps: frozenset[str]
    """Of stars whose `__all__` is put together at run time."""
    open: OpenReason | None


class _Stars(Struct, kw_only=True):
    """Follows `from x import *` through the modules of a distribution."""

    modules: Modules

    def given(self, module: str) -> _Taken:
        """All names of a module, and why it may have more."""
        sure: set[str] = set()
        perhaps: set[str] = set()
        opened: OpenReason | None = None
        for reached, star in self._reached(module):
            own = self.modules.names(reached)
            if star and own.exported is not None:
                sure |= frozenset(own.exported)
                continue
            if star:
                perhaps |= {name for name in own.given if not name.startswith("_")} | own.listed
            else:
                sure |= own.given
            if own.open is not None:
                opened = opened or (OpenReason.STAR if star else own.open)
            elif any(not self._is_own(other) for other in own.stars):
                opened = opened or OpenReason.STAR
        return _Taken(sure=frozenset(sure), perhaps=frozenset(perhaps), open=opened)

    def _reached(self, module: str) -> Iterator[tuple[str, bool]]:
        """The module itself, and all whose stars it takes, directly or through others."""
        yield module, False
        seen = {module}
        queue = [other for other in self.modules.names(module).stars if self._is_own(other)]
        while queue:
            other = queue.pop()
            if other in seen:
                continue
            seen.add(other)
            yield other, True
            own = self.modules.names(other)
            if own.exported is None:  # else what it takes itself is listed, or not handed on
                queue.extend(one for one in own.stars if self._is_own(one))

    def _is_own(self, module: str) -> bool:
        return module in self.modules.files
