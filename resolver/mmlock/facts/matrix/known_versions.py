"""Which versions of a package the facts are about."""

from __future__ import annotations

from mmlock.core.names import PackageName
from mmlock.core.versions import InvalidVersion, version
from mmlock.facts.matrix.load import Matrix

__all__ = ["has_newer", "known_versions"]


def known_versions(matrix: Matrix, package: PackageName) -> frozenset[str]:
    """Versions some fact is about."""
    return frozenset(
        {
            *(row.version for row in matrix.releases(package)),
            *(row.version for row in matrix.binaries(package)),
            *(row.version for row in matrix.requires(package)),
            *(row.torch for row in matrix.torch_builds if package == "torch"),
            *(text for row in matrix.index_rows if row.package == package for text in row.versions),
            *(done.version for row in matrix.recipes if row.package == package for done in row.verified),
        }
    )


def has_newer(matrix: Matrix, package: PackageName, than: str) -> bool:
    """Whether a fact is about a later final release. Of a version that is none nobody can say that: True."""
    try:
        held = version(version(than).public)
    except InvalidVersion:
        return True
    for text in known_versions(matrix, package):
        try:
            other = version(version(text).public)
        except InvalidVersion:
            continue
        if not other.is_prerelease and other > held:
            return True
    return False
