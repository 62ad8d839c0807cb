"""An extension that is in the user's own tree, as values: which folder, which bytes, which modules."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath

from msgspec import Struct

from mmlock.core.names import PackageName, Sha256

LEFT_BY_BUILDS = (".eggs", ".git", ".hg", ".svn", "__pycache__", "build", "dist")
"""Folders that no source is in."""
MADE = (".so", ".pyd", ".o", ".obj", ".pyc", ".egg-info", ".egg")
"""How names end that a build writes."""


ROOT = "."
"""The path of a tree that is the project itself: of it, only what its set-up file packs is a source."""


class SourceTree(Struct, frozen=True, kw_only=True):
    """Sources that no index serves: a folder of the project, and the digest of what is in it."""

    path: str
    """With `/`, from the folder in which the lock was solved."""
    sha256: Sha256
    """Of the names and digests of its files, sorted; see `tree_digest`."""
    files: int

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        return self.path


class ExtensionRequires(Struct, frozen=True, kw_only=True):
    """What a package asks for once it is installed."""

    lines: tuple[str, ...] = ()
    """As Requires-Dist has them."""
    unread: str | None = None
    """The file that tells them and not as plain text; None: `lines` is all there is."""


class Extension(Struct, frozen=True, kw_only=True):
    """A package that is built from a folder of the user's project."""

    name: PackageName
    version: str
    tree: SourceTree
    modules: tuple[str, ...]
    """Compiled modules that its setup.py names; empty: it could not be read from it."""
    requires: ExtensionRequires = ExtensionRequires()
    texts: tuple[tuple[str, str], ...] = ()
    """Its Python and C++ sources by name: what patches are looked up in."""


def is_source(name: PurePosixPath) -> bool:
    """Whether a file of a tree is a source: what earlier builds left there is not."""
    return not any(part in LEFT_BY_BUILDS or part.endswith(MADE) for part in name.parts)


def tree_digest(files: Iterable[tuple[str, bytes]]) -> Sha256:
    """One digest over names and contents: the same on every machine, whatever the order and the modes.

    SHA-256 of lines `digest, two spaces, name` sorted by name, which `sha256sum` writes, too.
    """
    rows = sorted((name, hashlib.sha256(data).hexdigest()) for name, data in files)
    return Sha256(hashlib.sha256("".join(f"{sha}  {name}\n" for name, sha in rows).encode()).hexdigest())
