"""Which packages the core decides, and which extras their releases have."""

from __future__ import annotations

from mmlock.core.markers import named_extras
from mmlock.core.names import Confidence, PackageName, normalize
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Module, Requires

__all__ = ["core_packages", "obtainable", "provided_extras", "unnamed", "unnamed_modules"]


def unnamed(row: Module) -> bool:
    """Whether a core module has one distribution for each CUDA, none of which has the module's name."""
    if not row.core or normalize(row.module) in row.packages:
        return False
    return len(set(row.packages) - set(row.on_request)) > 1


def unnamed_modules(matrix: Matrix) -> frozenset[PackageName]:
    """The names of such modules: for a CUDA device each means the one of its CUDA (`spconv`)."""
    return frozenset(normalize(row.module) for row in matrix.modules if unnamed(row))


def core_packages(matrix: Matrix) -> frozenset[str]:
    """Names the core decides; everything else goes to the closure."""
    return frozenset(
        normalize(package) for module in matrix.modules if module.core for package in module.packages
    ) | {"torch"}


def obtainable(matrix: Matrix, package: PackageName) -> bool:
    """Whether a described package can come into a lock: by a recipe, or a wheel that was seen."""
    if any(recipe.package == package for recipe in matrix.recipes):
        return True
    return any(row.confidence is not Confidence.INFERRED for row in matrix.binaries(package))


def provided_extras(row: Requires) -> frozenset[str]:
    """The extras that a release has, in normal form."""
    return frozenset(row.extras) | named_extras(row.requires)
