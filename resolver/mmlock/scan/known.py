"""The facts that a scan rests on."""

from __future__ import annotations

from mmlock.facts.matrix.load import Matrix
from mmlock.scan.scan import ScanFacts

__all__ = ["known_of"]


def known_of(matrix: Matrix) -> ScanFacts:
    """Ops, modules and import reach, as the matrix has them."""
    return ScanFacts(
        ops=matrix.ops,
        modules=matrix.modules,
        submodules=matrix.submodules,
        reach={package: matrix.reach(package) for package in matrix.reach_packages},
    )
