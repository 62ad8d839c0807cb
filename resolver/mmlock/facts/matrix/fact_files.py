"""The files of a matrix folder: read on demand, decoded strictly, kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from mmlock.core.errors import MatrixError
from mmlock.core.names import PackageName, normalize
from mmlock.facts.matrix import model
from mmlock.facts.matrix.decoding import LINT_HINT, decode
from mmlock.facts.matrix.layout import SECTIONS, Section
from mmlock.facts.matrix.location import matrix_files, name_files

__all__ = ["FactFiles"]


class FactFiles:
    """A folder of facts, by section and file. Nothing is ever changed."""

    __slots__ = ("_documents", "_values", "root")

    def __init__(self, root: Path) -> None:
        self.root = root
        # Both only ever gain entries that any thread would compute alike, so a race costs time, not truth.
        self._documents: dict[str, model.Document[Any]] = {}
        self._values: dict[str, Any] = {}

    # ------------------------------------------------------------ about the files

    def sources(self, section: str, package: str | None = None) -> Mapping[str, str]:
        """What the source keys of a section's file mean (`sources("binaries", "xformers")`).

        Empty for a package the section has no file of.
        """
        kind = SECTIONS[section]
        path = kind.path_for(normalize(package) if package else None)
        if kind.per_package and not (self.root / path).is_file():
            return {}
        return self._document(kind, path).sources

    def meaning(self, citation: str) -> str:
        """What a citation (`releases/mmdet#scan`) says; the citation itself where no file has that key."""
        place, mark, key = citation.partition("#")
        section, _, package = place.partition("/")
        return self.sources(section, package or None).get(key, citation) if mark else citation

    @property
    def digest(self) -> str:
        """SHA-256 over the names and bytes of all files: two equal digests mean equal facts."""
        value: str | None = self._values.get("digest")
        if value is None:
            sha = hashlib.sha256()
            for path in (*matrix_files(self.root), *name_files(self.root)):
                data = self._read(str(path))
                sha.update(f"{path}\0{len(data)}\0".encode())
                sha.update(data)
            value = self._values["digest"] = sha.hexdigest()
        return value

    # ------------------------------------------------------------ reading

    def _rows(self, name: str) -> tuple[Any, ...]:
        section = SECTIONS[name]
        return self._document(section, section.path).rows

    def _rows_for(self, name: str, package: str) -> tuple[Any, ...]:
        section = SECTIONS[name]
        path = section.path_for(normalize(package))
        known = self._documents.get(path)
        if known is not None:
            return known.rows
        return self._document(section, path).rows if (self.root / path).is_file() else ()

    def _packages(self, name: str) -> tuple[PackageName, ...]:
        key = f"packages {name}"
        value: tuple[PackageName, ...] | None = self._values.get(key)
        if value is None:
            folder = (self.root / SECTIONS[name].path).parent
            found = folder.glob(PurePosixPath(SECTIONS[name].path).name)
            value = tuple(sorted(PackageName(path.stem) for path in found))
            self._values[key] = value
        return value

    def _document(self, section: Section, path: str) -> model.Document[Any]:
        known = self._documents.get(path)
        if known is None:
            known = self._documents[path] = decode(section, path, self._read(path))
        return known

    def _read(self, path: str) -> bytes:
        try:
            return (self.root / path).read_bytes()
        except OSError as error:
            raise MatrixError(
                f"`{path}` cannot be read from the matrix folder `{self.root}`",
                causes=[error.strerror or str(error)],
                hints=["the folder must hold the whole `matrices/` tree of an mmlock release", LINT_HINT],
            ) from error
