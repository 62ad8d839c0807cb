"""What a text is about: the distribution of the file, module, wheel or build that failed.

Modules are looked up by their whole name: `torch_sparse` is not torch, `mmcv_custom` is not mmcv.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from mmlock.core.names import normalize
from mmlock.doctor.log_window import after, before, blamed
from mmlock.doctor.model import Log, Subject, SymptomMatch, Told
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Module

MMCV = "mmcv"
TORCH = "torch"


# ---------------------------------------------------------------- by a file


class CompiledFile(Struct, frozen=True, kw_only=True):
    """A path of a compiled file, taken apart."""

    top: str
    """The module it belongs to, by its folder or its own name."""
    stem: str
    """Its own name without suffixes: `_ext`, `selective_scan_cuda`."""
    installed: bool
    """Whether it is in a folder of installed packages."""
    parts: tuple[str, ...]


_SITE = re.compile(r"(?:site|dist)-packages")
_EGG = re.compile(r"(?P<name>[A-Za-z][\w.]*?)-(?P<version>\d[\w.+]*?)-py\d[\w.-]*\.egg")


def compiled_file(path: str) -> CompiledFile:
    """What the path of a compiled file says."""
    parts = tuple(part for part in re.split(r"[/\\]", path.strip()) if part)
    stem = parts[-1].partition(".")[0] if parts else ""
    place = next((at for at in range(len(parts) - 1, -1, -1) if _SITE.fullmatch(parts[at])), None)
    if place is not None and place + 1 < len(parts):
        own = parts[place + 1 :]
        if own[0].endswith(".egg"):
            own = own[1:] or own
        return CompiledFile(top=own[0].partition(".")[0], stem=stem, installed=True, parts=parts)
    folder = parts[-2] if len(parts) > 1 else ""
    return CompiledFile(top=folder or stem, stem=stem, installed=False, parts=parts)


def of_file(path: str, matrix: Matrix) -> Subject:
    """Whose a compiled file is."""
    file = compiled_file(path)
    for module in dict.fromkeys((file.stem, file.top)):
        if found := of_module(module, matrix, Told.FILE):
            return found
    if egg := next((egg for part in file.parts if (egg := _EGG.fullmatch(part))), None):
        if found := of_module(egg["name"], matrix, Told.FILE):
            return found
        return Subject(told=Told.FILE, module=egg["name"], version=egg["version"], own=True)
    return Subject(
        told=Told.FILE, module=file.stem if not file.installed else file.top, own=not file.installed
    )


# ---------------------------------------------------------------- by a module or a distribution


def of_module(module: str, matrix: Matrix, told: Told = Told.MODULE) -> Subject | None:
    """The facts on a module, by its whole name; None when there are none."""
    row = next((row for row in matrix.modules if row.module == module), None)
    if row is not None and not _only_described(row, matrix):
        package = str(row.packages[-1] if len(row.packages) > _FLAVOURS else row.packages[0])
        return Subject(told=told, module=module, package=package, decided=row.core)
    if part := next((part for part in matrix.compiled_modules if part.module == module), None):
        return Subject(
            told=told,
            module=module,
            package=part.package,
            project=part.project,
            build=part.build,
            own=part.package is None,
            decided=part.package is not None and part.package in _decided(matrix),
        )
    return None


_FLAVOURS = 6
"""A module with more distributions has one for each CUDA: the newest is the last."""


def of_package(name: str, matrix: Matrix, version: str | None = None) -> Subject:
    """A distribution that a text names."""
    package = normalize(name)
    row = next((row for row in matrix.modules if package in row.packages), None)
    if row is not None and _only_described(row, matrix):
        row = None
    part = next((part for part in matrix.compiled_modules if part.package == package), None)
    project = next((part for part in matrix.compiled_modules if normalize(part.module) == package), None)
    if row is None and part is None and project is not None:  # on no index: its name there may be anybody's
        return of_module(project.module, matrix, Told.BUILD) or Subject(told=Told.BUILD)
    return Subject(
        told=Told.BUILD,
        module=row.module if row else part.module if part else "",
        package=str(package),
        version=version,
        build=part.build if part else None,
        decided=row.core if row else str(package) in _decided(matrix),
    )


def _only_described(row: Module, matrix: Matrix) -> bool:
    """Whether facts tell how its authors build a compiled package, and no lock can hold one."""
    return row.core and not any(matrix.lockable(name) for name in row.packages)


def _decided(matrix: Matrix) -> frozenset[str]:
    names = (name for row in matrix.modules if row.core for name in row.packages)
    return frozenset(str(name) for name in names if matrix.lockable(name))


# ---------------------------------------------------------------- by a build

_NAME = r"(?P<name>[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9])"
_VERSION = r"(?P<version>\d[\w.!+]*)"
_BEFORE = (
    rf"Failed to (?:build|download and build|prepare metadata for|fetch) `{_NAME}(?:(?:==|@){_VERSION})?",
    rf"\bhint: .{{0,80}}`{_NAME}@{_VERSION}` depends on",
    rf"Installing {_NAME} \((?P<version>[^\s)]{{1,40}})[^)]{{0,60}}\): Failed",
    rf"Building wheel for {_NAME} \(",
    rf"Running setup\.py (?:install|bdist_wheel|develop|clean|egg_info) for {_NAME}",
    rf"Getting requirements to build wheel.{{0,40}}for {_NAME}",
    rf"^\s*Collecting {_NAME}(?:==|@|\s|$|[<>=~!\[;(])(?:{_VERSION})?",
    rf"(?:Downloading|Using cached|Processing)\s(?:\S{{0,300}}[/\\])?{_NAME}-{_VERSION}\.(?:tar\.gz|zip)",
    rf"pip-install-\w+[/\\]{_NAME}_[0-9a-f]{{16,40}}[/\\]",
    rf"sdists-v\d+[/\\]pypi[/\\]{_NAME}[/\\]{_VERSION}[/\\]",
    rf"Guessing wheel URL: .{{0,300}}[/\\]{_NAME}-{_VERSION}",
)
_AFTER = (
    rf"Failed building wheel for {_NAME}",
    rf"Failed to build {_NAME}\s*$",
    rf"Failed to build installable wheels for .{{0,80}}\({_NAME}",
    rf"Could not build wheels for {_NAME}",
    rf"Failed to (?:build|download and build) `{_NAME}(?:(?:==|@){_VERSION})?",
    rf"`{_NAME}@{_VERSION}` depends on `torch`",
    rf"Unable to find installation candidates for {_NAME} \({_VERSION}\)",
    rf"Guessing wheel URL: .{{0,300}}[/\\]{_NAME}-{_VERSION}",
    rf"python setup\.py (?:bdist_wheel|egg_info) did not run successfully for {_NAME}",
)
_BUILDS_BEFORE = tuple(re.compile(pattern) for pattern in _BEFORE)
_BUILDS_AFTER = tuple(re.compile(pattern) for pattern in _AFTER)
_NO_NAMES = frozenset({"wheel", "installable", "some", "the", "a", "one", "building", "pyproject"})
_WINDOW = 400


def of_build(match: SymptomMatch, log: Log, matrix: Matrix) -> Subject | None:
    """The package that was being built where a match is: what failed after it, else what began before."""
    for line in match.lines:
        for pattern in (*_BUILDS_AFTER, *_BUILDS_BEFORE):
            if found := _built(pattern, line.text):
                return of_package(found[0], matrix, found[1])
    found = (
        _first(_BUILDS_BEFORE[:3], (line.text for line in before(log, match, 12)))
        or _first(_BUILDS_AFTER, (line.text for line in after(log, match, _WINDOW)))
        or _first(_BUILDS_BEFORE, (line.text for line in before(log, match, _WINDOW)))
    )
    return of_package(found[0], matrix, found[1]) if found else None


def _first(patterns: tuple[re.Pattern[str], ...], texts: Iterator[str]) -> tuple[str, str | None] | None:
    for text in texts:
        if _DONE.search(text):
            return None
        for pattern in patterns:
            if found := _built(pattern, text):
                return found
    return None


def _built(pattern: re.Pattern[str], text: str) -> tuple[str, str | None] | None:
    found = pattern.search(text)
    if found is None or found["name"].lower() in _NO_NAMES:
        return None
    return found["name"], found.groupdict().get("version")


# ---------------------------------------------------------------- any of these

_BELOW = frozenset({"torch", "setuptools", "pip", "numpy", "importlib", "_distutils_hack", "distutils"})
"""Frames of these are below whoever called them."""
_SOURCES = re.compile(
    r"(?<![\w./\\-])[/\\]?(?P<path>(?:[\w.-]+[/\\])+[\w.-]+\.(?:cu|cpp|cc|cxx|cuh|h|hpp))\b"
)
_DONE = re.compile(
    r"Successfully (?:installed|built)|Requirement already satisfied|Installed \d+ packages? in"
)
"""After such a line nothing is being built any more."""


def subject_of(match: SymptomMatch, log: Log, matrix: Matrix) -> Subject | None:
    """Who failed, by the surest of what a text tells; None when it does not tell."""
    path = match.fields.get("path") or ""
    if path and (path.count("/") or path.count("\\") or ".so" in path or ".pyd" in path):
        return of_file(path, matrix)
    if (module := match.fields.get("module")) and (found := of_module(module.partition(".")[0], matrix)):
        return found
    if package := match.fields.get("package"):
        return of_package(package, matrix, match.fields.get("version"))
    return (
        _of_sources((line.text for line in match.lines), matrix)
        or of_frames(match, log, matrix)
        or of_build(match, log, matrix)
        or _of_sources((line.text for line in before(log, match, _NEAR)), matrix)
    )


_NEAR = 20


def of_frames(match: SymptomMatch, log: Log, matrix: Matrix) -> Subject | None:
    """The innermost package of the traceback, what is below any caller left out."""
    for top, _ in blamed(log, match):
        if top not in _BELOW:
            return of_module(top, matrix, Told.FRAME) or Subject(told=Told.FRAME, module=top)
    return None


def _of_sources(texts: Iterator[str], matrix: Matrix) -> Subject | None:
    """Whose sources a compiler was at: the innermost folder with a known name."""
    for text in texts:
        for found in _SOURCES.finditer(text[:2000]):
            folders = re.split(r"[/\\]", found["path"])[:-1]
            if any(_SITE.fullmatch(part) for part in folders):
                continue  # headers that are included
            for part in reversed(folders):
                if part != TORCH and (known := of_module(part, matrix, Told.BUILD)):
                    return known
    return None
