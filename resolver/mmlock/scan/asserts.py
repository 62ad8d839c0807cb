"""What a project's own modules refuse to be imported with: its copy of mmdet checks the mmcv beside it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from msgspec import Struct

from mmlock.facts.scrape.checks import asserts
from mmlock.scan.left_out import UnreadSourceError
from mmlock.scan.model import SourceLine
from mmlock.scan.packages import is_aside
from mmlock.scan.source import parse
from mmlock.scan.tree import ProjectTree

__all__ = ["ProjectAssert", "project_asserts"]

_WORDS = ("__version__", "assert", "raise")
_DEEPEST = 3
"""Folders: a check deeper in a tree is about a part of it."""


class ProjectAssert(Struct, frozen=True, kw_only=True):
    """A bound that a module of the project checks when it is imported."""

    module: str
    specifier: str
    place: SourceLine


def project_asserts(
    tree: ProjectTree, files: Iterable[str], known: frozenset[str]
) -> Iterator[ProjectAssert]:
    """The checks of versions of known packages, each file's in one bound per package."""
    for file in files:
        if not file.endswith("__init__.py") or is_aside(file) or file.count("/") > _DEEPEST:
            continue
        try:
            text = tree.text(file)
            if _WORDS[0] not in text or not any(word in text for word in _WORDS[1:]):
                continue
            parsed = parse(text)
            bounds: dict[str, list[str]] = {}
            for one in asserts(text):
                if one.module in known:
                    bounds.setdefault(one.module, []).append(f"{one.op}{one.version}")
        except (UnreadSourceError, SyntaxError, ValueError, RecursionError):
            continue
        for module, clauses in bounds.items():
            yield ProjectAssert(
                module=module,
                specifier=",".join(sorted(set(clauses))),
                place=SourceLine(file=file, line=_line(parsed)),
            )


def _line(tree: ast.Module) -> int:
    """Of the first statement that can refuse."""
    return next((node.lineno for node in tree.body if isinstance(node, ast.Assert | ast.If)), 1)
