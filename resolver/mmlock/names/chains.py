"""Small questions to syntax trees that several readers ask."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

__all__ = ["chain_of", "parse_source", "strings_of", "survives", "text_of"]

_IMPORT_FAULTS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_NAME_FAULTS = frozenset({"AttributeError", "ImportError", "Exception", "BaseException"})


def parse_source(source: bytes | str) -> ast.Module | None:
    """The tree of a source; None for what is no Python that this interpreter can parse."""
    try:
        with warnings.catch_warnings():
            # What others wrote (`"\d"`) is not this program's to warn about.
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def chain_of(node: ast.AST) -> str:
    """`a.b.c` for an attribute chain on a name; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    parts.append(node.id)
    return ".".join(reversed(parts))


def text_of(node: ast.AST | None) -> str:
    """A string that is written down; empty for anything else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def strings_of(node: ast.AST) -> Iterator[str]:
    """Every string in a node."""
    return (text for inner in ast.walk(node) if (text := text_of(inner)))


def survives(handlers: list[ast.ExceptHandler], *, attribute: bool = False) -> bool:
    """Whether code goes on after a missing module or name (`attribute`: a missing attribute)."""
    faults = _NAME_FAULTS if attribute else _IMPORT_FAULTS
    return any(_catches(handler, faults) for handler in handlers)


def _catches(handler: ast.ExceptHandler, faults: frozenset[str]) -> bool:
    if any(isinstance(statement, ast.Raise) for statement in handler.body):
        return False
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    # What cannot be told apart (`except _FAULTS:`) may catch it.
    return any(
        not (last := chain_of(kind).rpartition(".")[2]) or last in faults or last.isupper() for kind in kinds
    )
