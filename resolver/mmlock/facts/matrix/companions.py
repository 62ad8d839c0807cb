"""Packages that are built separately for each build of torch and served beside it. Pure."""

from __future__ import annotations

from mmlock.core.names import PackageName
from mmlock.facts.matrix.load import Matrix

__all__ = ["beside_torch", "companions"]


def beside_torch(matrix: Matrix, package: str) -> bool:
    """Whether every known wheel of a package has the variant of its torch: its release follows from torch."""
    found = matrix.binaries(package)
    return bool(found) and all(row.same_variant for row in found)


def companions(matrix: Matrix) -> tuple[PackageName, ...]:
    """All of them, by name."""
    names = {name for row in matrix.modules if row.core for name in row.packages}
    return tuple(sorted(name for name in names if beside_torch(matrix, name)))
