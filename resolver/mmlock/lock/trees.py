"""Reads an extension of the user's own tree: its files, its digest, and what its set-up files say of it.

Nothing of the tree is run: what only running it could show, the user must state.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from packaging.version import InvalidVersion, Version

from mmlock.core.errors import UsageError
from mmlock.core.extension import LEFT_BY_BUILDS, ROOT, Extension, SourceTree, is_source, tree_digest
from mmlock.core.names import normalize
from mmlock.lock.setup_files import callee, calls, read_config, read_setup
from mmlock.lock.tree_requires import parsed, pyproject, requires_of

__all__ = ["read_extension", "read_tree", "sources_of"]

_LARGEST = 512 * 2**20
_TEXTS = (".py", ".c", ".cc", ".cpp", ".cxx", ".cu", ".cuh", ".h", ".hpp", ".toml", ".cfg")
_COMPILED = (".c", ".cc", ".cpp", ".cxx", ".cu", ".cuh", ".h", ".hh", ".hpp", ".pyx", ".inl", ".hip")
_PACKED = (".py", ".pyi", ".json", ".yaml", ".yml", ".txt", *_COMPILED)
_SET_UP = (".py", ".toml", ".cfg", ".in", ".txt", ".md", ".rst")
_MARKS = frozenset({"pyvenv.cfg", "conda-meta", "pylock.toml", "build.toml"})
"""What is in a folder that is an environment or a lock."""
_MOST_ENTRIES = 200_000
_WORDS = re.compile(r"(?:(?P<name>[A-Za-z0-9][\w.-]*)(?:==(?P<version>[^\s@]+))?\s*@\s*)?(?P<path>\S.*)")


def read_extension(text: str, root: Path) -> Extension:
    """The extension that a user named: `models/ops`, or `NAME==1.0 @ models/ops`.

    Raises UsageError when the folder is not one, or does not tell its name and version.
    """
    found = _WORDS.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"`--extension {text}` names no folder", hints=["for example `models/ops`"])
    path = _inside(found["path"].strip(), root, text)
    files = dict(sources_of(root, path))
    told = _metadata(files)
    name, version = found["name"] or told.get("name"), found["version"] or told.get("version")
    if not ({"setup.py", "pyproject.toml"} & files.keys()):
        raise UsageError(
            f"`{path}` is no extension",
            causes=["it has neither a setup.py nor a pyproject.toml"],
            hints=["name the folder that holds the extension's setup.py"],
        )
    if name is None or version is None:
        lacking = "name" if name is None else "version"
        raise UsageError(
            f"the {lacking} of the extension in `{path}` cannot be read",
            causes=["no set-up file states it as plain text, and setup.py is never run"],
            hints=[f"tell it: `--extension '{name or 'NAME'}=={version or '1.0'} @ {path}'`"],
        )
    return Extension(
        name=normalize(name),
        version=_version(version, text),
        tree=_tree(path, files),
        modules=_modules(files.get("setup.py", b"")),
        requires=requires_of(files),
        texts=tuple(
            (name, data.decode(errors="replace"))
            for name, data in sorted(files.items())
            if name.endswith(_TEXTS)
        ),
    )


def read_tree(root: Path, path: str) -> SourceTree:
    """A folder as it is now. Raises UsageError when there is none."""
    return _tree(path, dict(sources_of(root, path)))


def sources_of(root: Path, path: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of each source of a folder, sorted; of the project itself, what its set-up file packs.

    Raises UsageError for what leads outside.
    """
    folder = root / path
    if not folder.is_dir():
        raise UsageError(f"there is no folder `{folder}`", hints=["name the folder of the extension"])
    return _read(folder, _packed(folder) if path == ROOT else folder.rglob("*"))


def _read(folder: Path, paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    root, size = folder.resolve(), 0
    for path in sorted(paths):
        name = PurePosixPath(path.relative_to(folder).as_posix())
        if not is_source(name) or not path.is_file():
            continue
        if not path.resolve().is_relative_to(root):
            raise UsageError(
                f"`{path}` leads out of the extension's folder",
                causes=[f"it is a link to `{path.resolve()}`, which the digest could not vouch for"],
                hints=["put a copy of the file there"],
            )
        data = path.read_bytes()
        size += len(data)
        if size > _LARGEST:
            raise UsageError(
                f"`{folder}` holds more than {_LARGEST >> 20} MiB",
                hints=["name the folder with the extension's setup.py, not one above it"],
            )
        yield str(name), data


def _packed(folder: Path) -> Iterator[Path]:
    """What building a project reads of it: set-up files, Python packages, folders with compiled sources.

    Data, outputs, environments and locks in it are none of that.
    """
    for entry in sorted(folder.iterdir()):
        if entry.is_file() and (entry.suffix in _SET_UP or entry.name.startswith("LICENSE")):
            yield entry
        elif entry.is_dir() and not entry.is_symlink():
            found = list(_walked(entry))
            if (entry / "__init__.py").is_file() or any(path.suffix in _COMPILED for path in found):
                yield from found


def _walked(folder: Path) -> Iterator[Path]:
    """The files below a folder that are packed or compiled."""
    seen = 0
    for place, folders, names in os.walk(folder):
        seen += len(folders) + len(names)
        if seen > _MOST_ENTRIES:
            raise UsageError(
                f"`{folder}` holds more than {_MOST_ENTRIES} files and folders",
                hints=["move data and outputs out of the project's top folder"],
            )
        if not _MARKS.isdisjoint((*folders, *names)):
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".") and name not in LEFT_BY_BUILDS]
        yield from (Path(place, name) for name in names if name.endswith(_PACKED))


def _tree(path: str, files: dict[str, bytes]) -> SourceTree:
    return SourceTree(path=path, sha256=tree_digest(files.items()), files=len(files))


def _inside(text: str, root: Path, asked: str) -> str:
    """The path as the lock keeps it: from `root`, with `/`."""
    base = root.resolve()
    path = (base / text).resolve()
    if not path.is_relative_to(base):
        raise UsageError(
            f"`--extension {asked}`: the folder is not inside `{base}`",
            causes=["a lock names it by its path inside the project, so that others find it, too"],
            hints=["run the command in the project's top folder"],
        )
    return path.relative_to(base).as_posix()


def _version(text: str, asked: str) -> str:
    try:
        return str(Version(text))
    except InvalidVersion as error:
        raise UsageError(f"`--extension {asked}`: `{text}` is not a version") from error


# ---------------------------------------------------------------- what set-up files say


def _metadata(files: dict[str, bytes]) -> dict[str, str]:
    """Name and version as far as plain text tells them: pyproject.toml, then setup.cfg, then setup.py."""
    found = _of_call(files.get("setup.py", b""))
    found |= _of_config(files.get("setup.cfg", b""))
    return found | _of_project(files.get("pyproject.toml", b""))


def _of_project(data: bytes) -> dict[str, str]:
    table = pyproject(data).get("project")
    told = table if isinstance(table, dict) else {}
    return {key: told[key] for key in ("name", "version") if isinstance(told.get(key), str)}


def _of_config(data: bytes) -> dict[str, str]:
    parser = read_config(data.decode(errors="replace"))
    if parser is None:
        return {}
    plain = {
        key: parser["metadata"][key] for key in ("name", "version") if parser.has_option("metadata", key)
    }
    # `attr:` and `file:` only setuptools can follow.
    return {key: text for key, text in plain.items() if ":" not in text}


def _of_call(data: bytes) -> dict[str, str]:
    tree = parsed(data)
    found: dict[str, str] = {}
    for call in read_setup(tree) if tree is not None else ():
        found |= {key: text for key, (_, text) in call.texts.items() if key in {"name", "version"}}
    return found


def _modules(data: bytes) -> tuple[str, ...]:
    """Names that setup.py gives to its extensions, by whatever helper it makes them."""
    names: dict[str, None] = {}
    tree = parsed(data)
    for call in calls(tree) if tree is not None else ():
        made = callee(call).lower()
        if not ("ext" in made and "build" not in made):
            continue
        words = {word.arg: _text(word.value) for word in call.keywords}
        name = words.get("name") or (_text(call.args[0]) if call.args else None)
        if name and re.fullmatch(r"[A-Za-z_][\w.]*", name):
            names[f"{words['module']}.{name}" if words.get("module") else name] = None
    return tuple(names)


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
