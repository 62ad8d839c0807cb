"""Which packages the core decides, and which extras their releases have."""

from __future__ import annotations

from mmlock.core.markers import named_extras
from mmlock.core.names import normalize
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Requires

__all__ = ["core_packages", "provided_extras"]


def core_packages(matrix: Matrix) -> frozenset[str]:
    """Names the core decides; everything else goes to the closure."""
    return frozenset(
        normalize(package) for module in matrix.modules if module.core for package in module.packages
    ) | {"torch"}


def provided_extras(row: Requires) -> frozenset[str]:
    """The extras that a release has, in normal form."""
    return frozenset(row.extras) | named_extras(row.requires)
