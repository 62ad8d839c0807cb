"""Which files of a project are where it starts, and which only help around it: tools, demos, scripts."""

from __future__ import annotations

import re
from posixpath import basename, dirname

from msgspec import Struct

from mmlock.scan.packages import is_aside
from mmlock.scan.project import Project

__all__ = ["Entries", "entries"]

_APART = frozenset(
    {"tools", "tool", "demo", "demos", "scripts", "script", "benchmark", "benchmarks"}
    | {"analyze", "analysis", "ablation", "ablations"}
)
_MAIN = re.compile(
    r"(?:dist_)?(?:train|test|main|run|eval|evaluate|infer|inference|finetune|pretrain)(?:[_-]\w*)?\.py"
)


class Entries(Struct, frozen=True, kw_only=True):
    """The files of a project by the part they play."""

    reached: frozenset[str]
    """What its main scripts import, and these; of a library, what importing its packages runs."""
    apart: frozenset[str]
    """Tools and demos that nothing else imports: what only they import is not what the project needs."""


def entries(project: Project) -> Entries:
    """Sort the files of a tree."""
    files = [file for file in project.modules if not is_aside(file)]
    helpers = {file for file in files if _is_apart(file)}
    starts = [f for f in files if f not in helpers and project.modules[f].script and _near_the_top(f)]
    starts += [f for f in sorted(helpers) if _MAIN.fullmatch(basename(f)) and f.count("/") == 1]
    if not starts:
        starts = [f for f in files if not dirname(f) or (f.count("/") == 1 and basename(f) == "__init__.py")]
    reached = frozenset(project.reached_from(starts))
    rest = [file for file in files if file not in helpers]
    used = frozenset(project.reached_from([*starts, *rest]))
    return Entries(reached=reached, apart=frozenset(helpers - used))


def _is_apart(file: str) -> bool:
    return any(part in _APART for part in dirname(file).split("/"))


def _near_the_top(file: str) -> bool:
    """A script deep in a package is run by hand, to try that module alone."""
    return file.count("/") <= 1
