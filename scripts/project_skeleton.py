"""Makes the skeleton of a public repository: what a scan reads of it, and no body of any function.

    python scripts/project_skeleton.py GIT_DIR OWNER/NAME OUT.json

Kept are imports with what guards them, asserts at the top of a module, `setup()` calls with the calls inside,
`__main__` parts by their mere presence, requirement files, declarations, and of guides the lines that install
something. Compiled sources are kept as empty files. The repository and the commit are in the file.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

_LARGEST = 1_000_000
_DECLARED = re.compile(
    r"(?:requirements?|constraints?)[\w.-]*\.(?:txt|in)|setup\.cfg|pyproject\.toml|pipfile|environment[\w.-]*\.ya?ml",
    re.IGNORECASE,
)
_GUIDE = re.compile(r"[\w.-]*\.(?:md|rst|sh)|[\w.-]*dockerfile[\w.-]*", re.IGNORECASE)
_SAID = re.compile(
    r"\b(?:pip|pip3|mim|conda|mamba|uv)\b[^\n]*\b(?:install|create|add)\b"
    r"|\bgit\s+(?:clone|checkout)\b|^\s*(?:FROM|ARG|ENV)\s"
)
_FENCE = re.compile(r"^\s*(?:```|~~~)")
_COMPILED = (".cu", ".cpp", ".cc", ".cuh", ".h", ".hpp", ".c")
_VERSION = re.compile(r"version", re.IGNORECASE)


def main() -> int:
    """Write one skeleton."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("git_dir", type=Path)
    parser.add_argument("repository")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    files = dict(sorted(_kept(arguments.git_dir)))
    document = {
        "repository": arguments.repository,
        "commit": _git(arguments.git_dir, "rev-parse", "HEAD").decode().strip(),
        "empty": sorted(path for path, text in files.items() if not text),
        "files": {path: text for path, text in files.items() if text},
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def _git(git_dir: Path, *words: str, given: bytes | None = None) -> bytes:
    environ = {**os.environ, "GIT_NO_LAZY_FETCH": "1"}
    done = subprocess.run(
        ["git", "--git-dir", str(git_dir), *words], input=given, capture_output=True, env=environ, check=False
    )
    return done.stdout


def _kept(git_dir: Path) -> Iterator[tuple[str, str]]:
    for line in _git(git_dir, "ls-tree", "-r", "-z", "HEAD").split(b"\0"):
        meta, _, raw = line.partition(b"\t")
        if not meta.startswith(b"100"):
            continue
        path, sha = raw.decode("utf-8", "replace"), meta.split()[2].decode()
        text = skeleton(path, partial(_text, git_dir, sha))
        if text is not None:
            yield path, text


def _text(git_dir: Path, sha: str) -> str:
    data = _git(git_dir, "cat-file", "blob", sha)
    return data.decode("utf-8", "replace") if len(data) <= _LARGEST else ""


def skeleton(path: str, read: Callable[[], str]) -> str | None:
    """What is kept of one file; None for one that says nothing to a scan."""
    name = PurePosixPath(path).name
    parts = set(PurePosixPath(path).parts[:-1])
    if name.endswith(_COMPILED):
        return ""
    if name.endswith(".py"):
        return _of_python(name, parts, read)
    if _DECLARED.fullmatch(name) or PurePosixPath(path).parent.name == "requirements":
        return read()
    said = list(_said(read(), fenced_only=name.endswith((".md", ".rst")))) if _GUIDE.fullmatch(name) else []
    return "\n".join(said) + "\n" if said else None


def _of_python(name: str, parts: set[str], read: Callable[[], str]) -> str | None:
    """Tests are left out, and configs that take nothing from a package."""
    if parts & {"tests", "test"}:
        return None
    kept = python_skeleton(read(), whole_calls=name == "setup.py")
    said = not parts & {"configs", "config"} or "_scope_" in kept or "import" in kept
    return kept if said else None


def _said(text: str, *, fenced_only: bool) -> Iterator[str]:
    """The lines that install something, in a fence of their own."""
    held = ""
    for raw in text.splitlines():
        line = held + raw.strip()
        held = ""
        if line.endswith("\\"):
            held = line[:-1].rstrip() + " "
        elif _SAID.search(line):
            plain = line.strip("`").strip()
            yield f"```\n{plain}\n```" if fenced_only and not _FENCE.match(line) else plain


def python_skeleton(text: str, *, whole_calls: bool) -> str:
    """The imports and asserts of a module, and what stands around them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return "def not python\n"
    body = list(_block(tree.body, whole_calls=whole_calls, top=True))
    return (
        ast.unparse(ast.fix_missing_locations(ast.Module(body=body, type_ignores=[]))) + "\n" if body else ""
    )


def _block(body: list[ast.stmt], *, whole_calls: bool, top: bool) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom) or (top and _says(node, whole_calls=whole_calls)):
            yield node
        elif isinstance(node, ast.If):
            yield from _if(node, whole_calls=whole_calls, top=top)
        elif isinstance(node, ast.Try):
            inner = list(_block(node.body, whole_calls=whole_calls, top=top))
            if inner:
                handlers = [
                    ast.ExceptHandler(type=one.type, name=None, body=_handler(one)) for one in node.handlers
                ]
                yield ast.Try(
                    body=inner, handlers=handlers, orelse=[], finalbody=node.finalbody and [ast.Pass()]
                )
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _definition(node, whole_calls=whole_calls, top=top)


def _handler(handler: ast.ExceptHandler) -> list[ast.stmt]:
    """Whether it goes on, and what it imports instead."""
    inner = list(_block(handler.body, whole_calls=False, top=False))
    raises = any(isinstance(one, ast.Raise) for one in handler.body)
    return [*inner, ast.Raise(exc=None, cause=None)] if raises else inner or [ast.Pass()]


def _if(node: ast.If, *, whole_calls: bool, top: bool) -> Iterator[ast.stmt]:
    inner = list(_block(node.body, whole_calls=whole_calls, top=top))
    other = list(_block(node.orelse, whole_calls=whole_calls, top=top))
    main = "__main__" in ast.unparse(node.test)
    raises = top and any(isinstance(one, ast.Raise) for one in node.body)
    if raises:
        inner = [*inner, ast.Raise(exc=None, cause=None)]
    if inner or other or main:
        yield ast.If(test=node.test, body=inner or [ast.Pass()], orelse=other)


def _definition(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, *, whole_calls: bool, top: bool
) -> Iterator[ast.stmt]:
    """A function by its name and the imports inside; a helper of a setup file whole: it names extensions."""
    if whole_calls and top and "Extension" in ast.unparse(node):
        yield node
        return
    inner = list(_block(node.body, whole_calls=False, top=False))
    if inner or top:
        text = f"class {node.name}: pass" if isinstance(node, ast.ClassDef) else f"def {node.name}(): pass"
        kept = ast.parse(text).body[0]
        assert isinstance(kept, ast.ClassDef | ast.FunctionDef)
        kept.body = inner or kept.body
        yield kept


def _says(node: ast.stmt, *, whole_calls: bool) -> bool:
    """Asserts, versions, bases of configs, scopes; of a setup file, its calls and plain names."""
    if isinstance(node, ast.Assert):
        return True
    if whole_calls:
        return isinstance(node, ast.Assign | ast.Expr)
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = ast.unparse(node.targets[0])
        if target == "_base_" or "_scope_" in (shown := ast.unparse(node.value)):
            return True
        return _VERSION.search(target) is not None and len(shown) < 200  # noqa: PLR2004
    return False


if __name__ == "__main__":
    sys.exit(main())
