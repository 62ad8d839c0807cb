"""What the set-up files of a project say as plain text: the one reader of `setup.py` and `setup.cfg`.

Nothing is run. What is not written out is marked: whoever needs all of a list looks at `whole`, whoever
collects what there is takes `lines`.
"""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

__all__ = ["SetupCall", "SetupList", "callee", "calls", "read_config", "read_setup"]


class SetupList(Struct, frozen=True, kw_only=True):
    """A list of requirements in a `setup.py`."""

    lines: tuple[tuple[int, str], ...]
    """The texts that are written out, each with the number of its line."""
    whole: bool
    """Whether that is all of the list."""
    files: tuple[str, ...] = ()
    """Names of text files that the code in it mentions: it may read them."""


class SetupCall(Struct, frozen=True, kw_only=True):
    """One call of `setup()`."""

    texts: Mapping[str, tuple[int, str]]
    """Arguments that are one text: `name`, `version`, `python_requires`, with their lines."""
    lists: Mapping[str, SetupList]
    """`install_requires` and `extras_require`, the latter with all extras in one."""
    open: bool
    """Whether a `**mapping` may say more."""


_TEXTS = frozenset({"name", "version", "python_requires"})
_LISTS = frozenset({"install_requires", "extras_require"})


def read_setup(tree: ast.Module) -> Iterator[SetupCall]:
    """The calls of `setup()` in a file."""
    named = _assigned(tree)
    for call in calls(tree):
        if callee(call) != "setup":
            continue
        words = {word.arg: word.value for word in call.keywords if word.arg is not None}
        texts = {
            key: (node.lineno, node.value)
            for key, node in words.items()
            if key in _TEXTS and isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        lists = {key: _list(node, named) for key, node in words.items() if key in _LISTS}
        yield SetupCall(texts=texts, lists=lists, open=any(word.arg is None for word in call.keywords))


def read_config(text: str) -> configparser.RawConfigParser | None:
    """A setup.cfg; None where it cannot be read."""
    # The reader takes quadratic time for a run of blanks; at the start of a line they mean something.
    text = "\n".join(re.sub(r"(?<=\S)\s{2,}", " ", line) for line in text.splitlines())
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except (configparser.Error, ValueError):
        return None
    return parser


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call below a node."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def callee(call: ast.Call) -> str:
    """The last name of what is called."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


# ---------------------------------------------------------------- values


def _assigned(tree: ast.Module) -> dict[str, ast.expr]:
    """What names stand for that are given one value and are touched by nothing else."""
    values: dict[str, list[ast.expr]] = {}
    touched: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            values.setdefault(node.targets[0].id, []).append(node.value)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            touched.add(node.value.id)  # `requires.append(...)`
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            touched.add(node.target.id)
    return {name: found[0] for name, found in values.items() if len(found) == 1 and name not in touched}


def _list(node: ast.expr, named: Mapping[str, ast.expr]) -> SetupList:
    lines: list[tuple[int, str]] = []
    whole = _collect(node, named, lines)
    resolved = named.get(node.id, node) if isinstance(node, ast.Name) else node
    texts = (inner.value for inner in ast.walk(resolved) if isinstance(inner, ast.Constant))
    files = () if whole else tuple(text for text in texts if isinstance(text, str) and text.endswith(".txt"))
    return SetupList(lines=tuple(lines), whole=whole, files=files)


def _collect(node: ast.expr, named: Mapping[str, ast.expr], lines: list[tuple[int, str]]) -> bool:
    """Note the texts of a list, by itself, by its name, or in parts; says whether they are all of it."""
    if isinstance(node, ast.Name) and node.id in named:
        rest = {key: value for key, value in named.items() if key != node.id}
        return _collect(named[node.id], rest, lines)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        # setuptools takes a text with several lines for a list.
        lines.extend((node.lineno, text.strip()) for text in node.value.split("\n") if text.strip())
        return True
    parts: list[ast.expr]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [node.left, node.right]
    elif isinstance(node, ast.Dict):
        parts = node.values
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        parts = node.elts
    else:
        return False
    answers = [_collect(part, named, lines) for part in parts]
    return all(answers) and not (isinstance(node, ast.Dict) and None in node.keys)
