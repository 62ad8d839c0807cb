"""The names that a project takes of other packages, each at its surest place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from mmlock.names.model import ModuleNames, NameUse, RunCondition
from mmlock.names.needed import Needed, best_places, is_stdlib
from mmlock.names.read import read_module
from mmlock.scan.left_out import UnreadSourceError
from mmlock.scan.packages import is_aside
from mmlock.scan.project import Project

__all__ = ["project_needs"]


def project_needs(project: Project, read: Callable[[str], str]) -> tuple[Needed, ...]:
    """What the files take that no test, demo or set-up file takes alone. `read`: a file's source.

    A need's entry is the script from which its file is reached; the file itself where there is no script.
    """
    found = {
        file: _names(file, read) for file in project.modules if file.endswith(".py") and not is_aside(file)
    }
    patched: dict[str, frozenset[str]] = {}
    for names in found.values():
        for module, attributes in names.outside.items():
            patched[module] = patched.get(module, frozenset()) | attributes
    return tuple(best_places(_placed(project, found, _entries(project, found)), patched))


def _names(file: str, read: Callable[[str], str]) -> ModuleNames:
    try:
        source = read(file)
    except UnreadSourceError:
        return ModuleNames()
    parts = file.removesuffix(".py").split("/")
    package = parts[-1] == "__init__"
    return read_module(source, ".".join(parts[:-1] if package else parts), package=package)


def _entries(project: Project, found: Mapping[str, ModuleNames]) -> dict[str, str]:
    """File -> the script that reaches it."""
    scripts = [file for file in found if project.modules[file].script]
    if not scripts:
        return {file: file for file in found}
    chains = project.reached_from(scripts)
    return {file: chain[0].place.file if chain else file for file, chain in chains.items() if file in found}


def _placed(
    project: Project, found: Mapping[str, ModuleNames], entries: Mapping[str, str]
) -> Iterator[Needed]:
    for file, names in found.items():
        for use in names.uses:
            if use.when is not RunCondition.TYPING and _is_foreign(project, use, file):
                yield Needed(
                    module=use.module,
                    name=use.name,
                    when=use.when,
                    entry=entries.get(file),
                    file=file,
                    line=use.line,
                )


def _is_foreign(project: Project, use: NameUse, file: str) -> bool:
    return bool(use.module) and not is_stdlib(use.module) and not project.is_local(use.module, file)
