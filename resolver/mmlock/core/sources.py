"""Everything a user asks for, from words, files and a project, put together.

Reading is injected: `read` takes a path as it was named and gives the text, or the fault.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from mmlock.core.faults import Fault, usage_error
from mmlock.core.pyproject import parse_project
from mmlock.core.requirements import Asked, Gathered, Include, parse_file, parse_requirement

Read = Callable[[str], "str | Fault"]

COMMAND_LINE = "the command line"


class Inputs(Struct, frozen=True, kw_only=True):
    """Where requirements come from, as named on the command line."""

    requirements: tuple[str, ...] = ()
    """Requirement strings."""
    constraints: tuple[str, ...] = ()
    """Requirement strings that only bound what is needed anyway."""
    files: tuple[str, ...] = ()
    constraint_files: tuple[str, ...] = ()
    project: str | None = None
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def gather(inputs: Inputs, read: Read) -> Gathered:
    """Read all inputs. Raises UsageError that tells every fault with its file and line."""
    faults: list[Fault] = []
    gathered = Gathered(
        requirements=_words(inputs.requirements, faults), constraints=_words(inputs.constraints, faults)
    )
    if inputs.project is not None:
        gathered += _project(inputs.project, inputs, read, faults)
    elif inputs.extras or inputs.groups:
        option = "--extra" if inputs.extras else "--group"
        hint = "name the project: --project pyproject.toml"
        faults.append(Fault(where=option, text="selects a part of a project", hint=hint))
    for constraint, paths in ((False, inputs.files), (True, inputs.constraint_files)):
        for path in paths:
            include = Include(path=path, constraint=constraint, where=path)
            gathered += _file(include, read, faults, above=())
    if faults:
        raise usage_error(faults)
    return gathered


def _words(texts: Sequence[str], faults: list[Fault]) -> tuple[Asked, ...]:
    asked: list[Asked] = []
    for text in texts:
        found = parse_requirement(text, COMMAND_LINE)
        if isinstance(found, Fault):
            faults.append(found)
        else:
            asked.append(found)
    return tuple(asked)


def _project(path: str, inputs: Inputs, read: Read, faults: list[Fault]) -> Gathered:
    text = read(path)
    if isinstance(text, Fault):
        faults.append(text)
        return Gathered()
    gathered, found = parse_project(text, path, extras=inputs.extras, groups=inputs.groups)
    faults += found
    return gathered


def _file(include: Include, read: Read, faults: list[Fault], *, above: tuple[str, ...]) -> Gathered:
    """One requirements file and what it includes; `above` are the files that led here."""
    if "://" in include.path:
        hint = "download it and name the copy"
        faults.append(Fault(where=include.where, text=f"`{include.path}` is not a local file", hint=hint))
        return Gathered()
    if include.path in above:
        faults.append(Fault(where=include.where, text=f"`{include.path}` includes itself"))
        return Gathered()
    text = read(include.path)
    if isinstance(text, Fault):
        faults.append(text if include.where == include.path else _through(include, text))
        return Gathered()
    parsed = parse_file(text, include.path, constraint=include.constraint)
    faults += parsed.faults
    gathered = parsed.gathered
    for inner in parsed.includes:
        gathered += _file(inner, read, faults, above=(*above, include.path))
    return gathered


def _through(include: Include, fault: Fault) -> Fault:
    return Fault(where=include.where, text=f"`{fault.where}`: {fault.text}", hint=fault.hint)
