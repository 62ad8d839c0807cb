"""Which packages an index of the user's own may be bound to."""

from __future__ import annotations

from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import UsageError
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.request.packages import core_packages

__all__ = ["require_ordinary"]


def require_ordinary(matrix: Matrix, arguments: SolveArguments) -> None:
    """Raise when a package is bound whose files are not looked up on indexes, but recorded as facts.

    Such a binding would be ignored, and the user would believe that it holds. Raises UsageError.
    """
    core = core_packages(matrix)
    for index in arguments.index.named:
        for package in index.packages:
            if package in core:
                raise UsageError(
                    f"`{package}` cannot be bound to the index `{index.name}`",
                    causes=["mmlock takes it from the files that are recorded in its facts, by their hashes"],
                    hints=[f"remove `--index-package {index.name}={package}`"],
                )
