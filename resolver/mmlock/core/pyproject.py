"""What a `pyproject.toml` asks for: dependencies, extras, dependency groups. Text in, values out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from packaging.dependency_groups import resolve_dependency_groups
from packaging.errors import ExceptionGroup

from mmlock.core.faults import Fault
from mmlock.core.names import normalize
from mmlock.core.requirements import Asked, Gathered, parse_requirement, unique
from mmlock.core.versions import is_specifier

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_DYNAMIC = "write the list into `[project]`, or export it to a file and give that with -r"


def parse_project(
    text: str, name: str, *, extras: Sequence[str] = (), groups: Sequence[str] = ()
) -> tuple[Gathered, tuple[Fault, ...]]:
    """Read a pyproject.toml; `name` is what messages call it. With faults, the value is incomplete."""
    try:
        document = tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return Gathered(), (Fault(where=name, text=f"is not TOML: {error}"),)
    reader = _Project(document, name)
    reader.read(extras, groups)
    gathered = Gathered(requirements=unique(reader.asked), requires_python=reader.requires_python)
    return gathered, tuple(reader.faults)


class _Project:
    """Collects what one project asks for."""

    def __init__(self, document: Mapping[str, Any], name: str) -> None:
        self.document = document
        self.name = name
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self.requires_python: str | None = None

    def read(self, extras: Sequence[str], groups: Sequence[str]) -> None:
        project = self.document.get("project")
        if isinstance(project, dict):
            self._dependencies(project)
            self._extras(project, extras)
        elif project is not None:
            self.fault("project", "is not a table")
        elif extras or not groups:
            hint = "the dependencies of other layouts (`tool.poetry`, setup.py) must be exported to a file"
            self.fault("project", "is missing, so there are no dependencies to read", hint)
        if groups:
            self._groups(groups)

    def fault(self, key: str, text: str, hint: str | None = None) -> None:
        self.faults.append(Fault(where=f"{self.name}: {key}", text=text, hint=hint))

    def _dependencies(self, project: Mapping[str, Any]) -> None:
        bound = project.get("requires-python")
        if bound is not None and not (isinstance(bound, str) and is_specifier(bound)):
            self.fault("project.requires-python", f"`{bound}` is not a version specifier")
        else:
            self.requires_python = bound
        if "dependencies" in _texts(project.get("dynamic")):
            self.fault("project.dependencies", "is dynamic: only a build can tell it", _DYNAMIC)
        else:
            self._list("project.dependencies", project.get("dependencies", []))

    def _list(self, key: str, value: object) -> None:
        if not isinstance(value, list):
            self.fault(key, "is not a list of requirements")
            return
        for place, item in enumerate(value):
            where = f"{self.name}: {key}[{place}]"
            if not isinstance(item, str):
                self.faults.append(Fault(where=where, text="is not text"))
                continue
            found = parse_requirement(item, where)
            if isinstance(found, Fault):
                self.faults.append(found)
            else:
                self.asked.append(found)

    def _extras(self, project: Mapping[str, Any], extras: Sequence[str]) -> None:
        """Take the extras, and those that they name through the project itself (`proj[all]`)."""
        if not extras:
            return
        if "optional-dependencies" in _texts(project.get("dynamic")):
            self.fault("project.optional-dependencies", "is dynamic: only a build can tell it", _DYNAMIC)
            return
        table = project.get("optional-dependencies", {})
        if not isinstance(table, dict):
            self.fault("project.optional-dependencies", "is not a table")
            return
        own = normalize(str(project.get("name", "")))
        known = {normalize(key): key for key in table}
        waiting, seen = [normalize(extra) for extra in extras], set[str]()
        while waiting:
            extra = waiting.pop(0)
            if extra in seen:
                continue
            seen.add(extra)
            if extra not in known:
                hint = _names("extras", table)
                self.fault("project.optional-dependencies", f"has no extra `{extra}`", hint)
                continue
            before = len(self.asked)
            self._list(f"project.optional-dependencies.{known[extra]}", table[known[extra]])
            added = self.asked[before:]
            self.asked[before:] = [asked for asked in added if asked.name != own]
            waiting += [normalize(inner) for asked in added if asked.name == own for inner in asked.extras]

    def _groups(self, groups: Sequence[str]) -> None:
        table = self.document.get("dependency-groups", {})
        if not isinstance(table, dict):
            self.fault("dependency-groups", "is not a table")
            return
        known = {normalize(key) for key in table}
        for group in groups:
            key = f"dependency-groups.{group}"
            if normalize(group) not in known:
                self.fault("dependency-groups", f"has no group `{group}`", _names("groups", table))
                continue
            try:
                self._list(key, list(resolve_dependency_groups(table, group)))
            except ExceptionGroup as error:
                self.faults += [
                    Fault(where=f"{self.name}: {key}", text=_first_line(e)) for e in error.exceptions
                ]


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _names(what: str, table: Iterable[str]) -> str:
    listed = ", ".join(f"`{key}`" for key in sorted(table))
    return f"it has the {what} {listed}" if listed else f"it has no {what}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
