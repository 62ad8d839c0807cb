"""A request made of what a user stated: values by the ids of `solve_options`, whoever read them.

The command line, `mmlock.toml` and programs hand over the same values, so that an option means the same
everywhere. Reading files is injected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from mmlock.core.arguments import SolveArguments, parse_platform
from mmlock.core.artifact import IndexSettings, NamedIndex
from mmlock.core.faults import Fault, usage_error
from mmlock.core.named_indexes import parse_named
from mmlock.core.requirements import Asked, Gathered, merge_index
from mmlock.core.solve_option import OptionKind
from mmlock.core.solve_options import OPTIONS
from mmlock.core.sources import Inputs, gather

Values = Mapping[str, Any]
"""By the id of an option; an option that nobody stated is absent, None or empty.

A requirement is text, or `Asked` where its place is known better than "the command line".
"""


class Files(Protocol):
    """How a request reads the files that it names."""

    def text(self, path: str, /) -> str | Fault:
        """The text of a file, or what is wrong with it."""
        ...

    def project(self, path: str, /, *, parts: bool) -> str | None:
        """The pyproject.toml that a project path means; None for a folder that has none to read.

        `parts`: extras or groups of it are requested, so there must be one.
        """
        ...

    def is_folder(self, path: str, /) -> bool:
        """Whether a folder is there."""
        ...


class NoFiles:
    """For a request that may name no file."""

    def text(self, path: str, /) -> str | Fault:
        """Refuse."""
        return Fault(where=path, text="files cannot be read")

    def project(self, path: str, /, *, parts: bool) -> str | None:
        """Take the path as it is."""
        del parts
        return path

    def is_folder(self, path: str, /) -> bool:
        """Say no."""
        del path
        return False


_GATHERED = frozenset({OptionKind.REQUIREMENT, OptionKind.FILE, OptionKind.PROJECT})
"""Kinds that `_gathered` reads."""
_READ_OTHERWISE = frozenset({"platform", "prerelease", "requires_python"})


def stated(values: Values, files: Files) -> SolveArguments:
    """The request, not yet checked. Raises UsageError with every fault of what it names."""
    faults: list[Fault] = []
    fields: dict[str, Any] = {}
    for option in OPTIONS:
        value = values.get(option.id)
        if option.field is None or "." in option.field or option.kind in _GATHERED or not value:
            continue
        if option.field not in _READ_OTHERWISE:
            fields[option.field] = tuple(value) if option.repeatable else value
    if (text := values.get("platform")) is not None:
        platform = parse_platform(text)
        if isinstance(platform, Fault):
            faults.append(platform)
        else:
            fields["platform"] = platform
    fields["project"] = _folder(values, files, faults)
    index = _index(values, faults)
    if faults:
        raise usage_error(faults)
    gathered = _gathered(values, files)
    bounds = (gathered.requires_python, values.get("requires_python"))
    return SolveArguments(
        **fields,
        requirements=gathered.requirements,
        constraints=gathered.constraints,
        requires_python=",".join(bound for bound in bounds if bound) or None,
        index=merge_index(gathered.index, index),
        prerelease=gathered.prerelease or bool(values.get("pre")),
    )


def _gathered(values: Values, files: Files) -> Gathered:
    """The requirements and constraints of all inputs together."""
    requirements, texts = _apart(values.get("with_", ()))
    constraints, bounds = _apart(values.get("constraints", ()))
    project = values.get("project")
    parts = bool(values.get("extras") or values.get("groups"))
    inputs = Inputs(
        requirements=tuple(texts),
        constraints=tuple(bounds),
        files=tuple(values.get("files", ())),
        constraint_files=tuple(values.get("constraint_files", ())),
        project=None if project is None else files.project(str(project), parts=parts),
        extras=tuple(values.get("extras", ())),
        groups=tuple(values.get("groups", ())),
    )
    own = Gathered(requirements=tuple(requirements), constraints=tuple(constraints))
    return own + gather(inputs, files.text)


def _apart(items: Iterable[str | Asked]) -> tuple[list[Asked], list[str]]:
    """Requirements that were read already, and those that are text."""
    return [i for i in items if isinstance(i, Asked)], [i for i in items if isinstance(i, str)]


def _index(values: Values, faults: list[Fault]) -> IndexSettings:
    """The index settings of the options; those in requirements files come before."""
    named = values.get("named_indexes", ())
    texts = [item for item in named if isinstance(item, str)]
    return IndexSettings(
        index_url=values.get("index_url"),
        extra_index_urls=tuple(values.get("extra_index_url", ())),
        find_links=tuple(values.get("find_links", ())),
        no_index=bool(values.get("no_index")),
        named=(
            *(item for item in named if isinstance(item, NamedIndex)),
            *parse_named(texts, values.get("index_packages", ()), faults),
        ),
    )


def index_settings(values: Values) -> IndexSettings:
    """The index settings alone, for verbs that take nothing else of a solve. Raises UsageError."""
    faults: list[Fault] = []
    index = _index(values, faults)
    checked = SolveArguments(index=index).checked().index if not faults else index
    if faults:
        raise usage_error(faults)
    return checked


def _folder(values: Values, files: Files, faults: list[Fault]) -> Path | None:
    """The folder to scan; None for a pyproject.toml that was named itself."""
    project = values.get("project")
    if project is not None and files.is_folder(str(project)):
        return Path(project)
    if values.get("configs"):
        text, hint = "selects a part of a project", "name its folder: --project DIR"
        faults.append(Fault(where="--config", text=text, hint=hint))
    return None
