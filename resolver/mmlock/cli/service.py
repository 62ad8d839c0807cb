"""What the verbs of the service share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mmlock.core.errors import EnvironmentFault

__all__ = ["needs_service"]


@contextmanager
def needs_service() -> Iterator[None]:
    """Within it, a library that is not installed is an error that says which extra has it."""
    try:
        yield
    except ImportError as error:
        raise EnvironmentFault(
            "the service needs packages that are not installed",
            causes=[str(error)],
            hints=["install them: `pip install 'mmlock[serve]'`"],
        ) from error
