"""What a picked option requires."""

from __future__ import annotations

from mmlock.core.names import Platform
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.graph.extras import declared, metadata_version
from mmlock.resolve.graph.rows import (
    BinaryChoice,
    BuildChoice,
    IndexChoice,
    Option,
    ReleaseChoice,
    TorchBuildChoice,
)


def requirements_of(matrix: Matrix, option: Option, platform: Platform) -> tuple[tuple[str, ...], str | None]:
    """Requires-Dist and Requires-Python of a picked option, as the matrix or the user's tree tells."""
    own = matrix.extensions.get(option.package) if option.package else None
    if own is not None and own.requires.unread is None:
        return own.requires.lines, None
    build = option.choice.build if isinstance(option.choice, TorchBuildChoice) else None
    variant = build.variant if build is not None and not build.on_pypi else None
    row = declared(matrix, option.package or "", metadata_version(option), platform, variant)
    if row is not None:
        return row.requires, row.requires_python
    choice = option.choice
    if (
        isinstance(choice, (ReleaseChoice, IndexChoice, BuildChoice, BinaryChoice))
        and choice.release is not None
    ):
        return choice.release.requires, choice.release.requires_python
    return (), None
