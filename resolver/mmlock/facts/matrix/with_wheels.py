"""The facts together with compiled wheels of an index of the user's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from mmlock.core.artifact import Artifact
from mmlock.core.extension import Extension
from mmlock.core.names import Confidence, PackageName, normalize
from mmlock.facts.matrix.curated import Module
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Binary, File
from mmlock.facts.matrix.recipe_rows import Recipe

__all__ = ["OwnWheel", "with_wheels"]

_FILES = PackageName("github-releases")
"""The list in which wheels with an address of their own are looked up."""


class OwnWheel(Struct, frozen=True, kw_only=True):
    """A wheel of the user's index: what it is for, and its file."""

    binary: Binary
    file: Artifact


def with_wheels(matrix: Matrix, wheels: Iterable[OwnWheel]) -> Matrix:
    """The same facts and the wheels; the facts themselves when there are none."""
    found = tuple(wheels)
    return _WithWheels(matrix, found) if found else matrix


class _WithWheels(Matrix):
    """Facts of a request that names such an index. Its digest is that of the committed facts."""

    __slots__ = ("_base", "_own", "_own_files")

    def __init__(self, matrix: Matrix, wheels: Iterable[OwnWheel]) -> None:
        super().__init__(matrix.root)
        self._base = matrix
        self._own: dict[PackageName, list[Binary]] = {}
        self._own_files: list[File] = []
        for wheel in wheels:
            self._own.setdefault(wheel.binary.package, []).append(wheel.binary)
            self._own_files.append(_file(wheel))

    @property
    def extensions(self) -> Mapping[PackageName, Extension]:
        return self._base.extensions

    @property
    def modules(self) -> tuple[Module, ...]:
        return self._base.modules

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        return self._base.recipes

    def binaries(self, package: str) -> tuple[Binary, ...]:
        return (*self._base.binaries(package), *self._own.get(normalize(package), ()))

    def files(self, package: str) -> tuple[File, ...]:
        held = self._base.files(package)
        return (*held, *self._own_files) if package == _FILES else held

    def sources(self, section: str, package: str | None = None) -> Mapping[str, str]:
        """Rows of the user's index carry the texts of their sources themselves."""
        told = self._base.sources(section, package)
        rows = self._own.get(normalize(package), ()) if section == "binaries" and package else ()
        return {**told, **{text: text for row in rows for text in row.source}}


def _file(wheel: OwnWheel) -> File:
    return File(
        name=wheel.file.name,
        url=wheel.file.url,
        sha256=wheel.file.sha256,
        size=wheel.file.size,
        requires_python=wheel.file.requires_python,
        yanked=False,
        source=wheel.binary.source,
        confidence=Confidence.CAPTURED,
        upload_time=wheel.file.upload_time,
    )
