"""Archives that only hold a name on the index: nothing to import in them, and nothing that they require.

Looked for among what was requested by name, and only in files so small that they are read in one go.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from hashlib import sha256

from mmlock.core.artifact import Artifact
from mmlock.core.errors import NoAnswer
from mmlock.core.names import PackageName
from mmlock.facts.scrape.archives import ArchiveTree, BadArchive, read_tree
from mmlock.lock.model import LockedEnv
from mmlock.net.fetching import Fetched, Fetcher

__all__ = ["SMALL", "holds_nothing", "refuse_placeholders"]

SMALL = 10_000
"""Bytes: real packages of that size exist, and are read; placeholders are smaller."""

_CODE = (".py", ".pyi", ".so", ".pyd", ".dylib", ".pth")
_AROUND = frozenset({"setup.py", "conftest.py", "noxfile.py"})


def refuse_placeholders(env: LockedEnv, requested: Iterable[str], client: Fetcher) -> None:
    """Raise NoAnswer for a requested package whose file holds nothing. What cannot be read is left alone."""
    names = frozenset(requested)
    for package in env.packages:
        if package.core or package.name not in names or not package.files:
            continue
        file = package.files[0]
        tree = _read(file, client)
        if tree is not None and holds_nothing(tree):
            raise _placeholder(package.name, file)


def _placeholder(name: PackageName, file: Artifact) -> NoAnswer:
    return NoAnswer(
        f"`{name}` on the package index is a placeholder",
        causes=[f"`{file.name}` ({file.size} bytes) defines nothing, and requires nothing"],
        hints=["find out where the project that is meant publishes its wheels or sources"],
    )


def _read(file: Artifact, client: Fetcher) -> ArchiveTree | None:
    """The archive, if it is small and has the recorded hash."""
    if file.size is None or file.size > SMALL or file.sha256 is None or "://" not in file.url:
        return None
    answer = client.get(file.url)
    if not isinstance(answer, Fetched) or len(answer.body) > SMALL:
        return None
    if sha256(answer.body).hexdigest() != file.sha256:
        return None
    try:
        return read_tree(file.name, answer.body)
    except BadArchive:
        return None


def holds_nothing(tree: ArchiveTree) -> bool:
    """Whether an archive has no code that defines something, and its metadata require no other package."""
    code = [
        path
        for path in tree.paths
        if path.endswith(_CODE) and path not in _AROUND and not path.startswith(("test/", "tests/", "docs/"))
    ]
    return all(_inert(tree, path) for path in code) and not any(_requires(tree, path) for path in tree.paths)


def _inert(tree: ArchiveTree, path: str) -> bool:
    """Whether a module defines nothing: it is empty, or does nothing but raise."""
    text = tree.text(path)
    if not path.endswith(".py") or text is None:
        return False
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(isinstance(node, ast.Raise | ast.Pass) or _is_text(node) for node in body)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _requires(tree: ArchiveTree, path: str) -> bool:
    if path.rpartition("/")[2] in {"METADATA", "PKG-INFO"}:
        return "\nRequires-Dist:" in (tree.text(path) or "")
    if path.endswith(".egg-info/requires.txt"):
        return bool((tree.text(path) or "").strip())
    # What a set-up file declares is not run: it may require anything.
    return path in {"setup.py", "setup.cfg", "pyproject.toml"} and (
        "install_requires" in (tree.text(path) or "") or "dependencies" in (tree.text(path) or "")
    )
