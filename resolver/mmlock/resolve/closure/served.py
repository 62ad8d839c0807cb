"""Closures for strangers: nothing is reached that a request may not name, and no code of a package is run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from msgspec.structs import replace

from mmlock.core.artifact import IndexSettings
from mmlock.core.errors import MmlockError
from mmlock.core.names import PackageName
from mmlock.core.service_questions import ALLOW_VARIABLE, SolveQuestion, places_of
from mmlock.facts.matrix.load import Matrix
from mmlock.net.egress import EgressPolicy, guarded
from mmlock.resolve.closure.model import Closer, ClosureAnswer, ClosureRequest
from mmlock.resolve.closure.uv_settings import sources

__all__ = ["NoStrangersCode", "guarded_places", "vouched_for"]


class NoStrangersCode:
    """A closer that reads no sources of packages that nobody vouched for: that runs their build backend."""

    def __init__(self, inner: Closer, allowed: frozenset[PackageName]) -> None:
        self._inner = inner
        self._allowed = allowed
        self.withheld: set[PackageName] = set()

    def close(self, request: ClosureRequest) -> ClosureAnswer:
        kept = tuple(name for name in request.allow_sdist if name in self._allowed)
        self.withheld |= set(request.allow_sdist) - set(kept)
        wheelless = tuple(name for name in request.wheelless if name in self._allowed)
        return self._inner.close(replace(request, allow_sdist=kept, wheelless=wheelless))


def _policy() -> EgressPolicy:
    """What this operator allows, and the index that the operator uses."""
    own = sources(IndexSettings(), os.environ)
    urls = [text.rpartition("=")[2] if "://" in text else "" for text in (own.default or "", *own.extra)]
    hosts = [urlsplit(url).hostname or "" for url in urls]
    words = (host for host in hosts if ":" not in host)
    return EgressPolicy.allowing([*os.environ.get(ALLOW_VARIABLE, "").split(","), *words])


@contextmanager
def guarded_places(urls: tuple[str, ...]) -> Iterator[None]:
    """Within it, nothing but what a request may name is reached. Raises UsageError for one it may not."""
    policy = _policy()
    for url in urls:
        policy.require(url)
    with guarded(os.environ, wanted=bool(urls), policy=policy) as guard:
        try:
            yield
        except MmlockError as error:
            refused = sorted(guard.refused.values()) if guard else []
            error.causes = (*error.causes, *(f"not fetched: {why}" for why in refused))
            raise


def vouched_for(matrix: Matrix, question: SolveQuestion) -> frozenset[PackageName]:
    """Packages whose sources may be read, which runs their build backend.

    None where the request names a place of its own: whoever serves an index decides what code a name means.
    """
    if places_of(question.request):
        return frozenset()
    known = {*matrix.requires_packages, *matrix.release_packages, *matrix.binary_packages}
    return frozenset({*known, *question.sources})
