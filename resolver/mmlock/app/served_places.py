"""Which places on the network a job of the service may reach: an operator says so, for all its processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import MmlockError

if TYPE_CHECKING:
    from mmlock.net.egress import EgressPolicy

__all__ = ["ALLOW_VARIABLE", "guarded_for", "places_of"]

ALLOW_VARIABLE = "MMLOCK_SERVE_ALLOW"


def _policy() -> EgressPolicy:
    """What this operator allows, and the index that he uses himself."""
    from mmlock.core.artifact import IndexSettings
    from mmlock.net.egress import EgressPolicy
    from mmlock.resolve.closure.uv_settings import sources

    own = sources(IndexSettings(), os.environ)
    urls = [text.rpartition("=")[2] if "://" in text else "" for text in (own.default or "", *own.extra)]
    hosts = [urlsplit(url).hostname or "" for url in urls]
    words = (host for host in hosts if ":" not in host)
    return EgressPolicy.allowing([*os.environ.get(ALLOW_VARIABLE, "").split(","), *words])


@contextmanager
def guarded_for(urls: tuple[str, ...]) -> Iterator[None]:
    """Within it, nothing but what a request may name is reached. Raises UsageError for one it may not."""
    from mmlock.net.egress import guarded

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


def places_of(request: SolveArguments) -> tuple[str, ...]:
    """Every URL that a request names."""
    index = request.index
    named = (
        *filter(None, (index.index_url,)),
        *index.extra_index_urls,
        *index.find_links,
        *request.wheel_indexes,
        *(one.url for one in index.named),
        *(one.url for one in (*request.requirements, *request.constraints) if one.url),
    )
    return tuple(dict.fromkeys(named))
