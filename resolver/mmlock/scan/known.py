"""The facts that a scan rests on, out of the matrix."""

from __future__ import annotations

from mmlock.facts.matrix.load import Matrix
from mmlock.scan.scan import ScanFacts

__all__ = ["known_of"]


def known_of(matrix: Matrix) -> ScanFacts:
    """The ops, modules and frameworks that the matrix knows."""
    return ScanFacts(
        ops=matrix.ops,
        modules=matrix.modules,
        submodules=matrix.submodules,
        eras=matrix.mmcv_eras,
        names=matrix.names_given,
        reach={package: matrix.reach(package) for package in matrix.reach_packages},
    )
