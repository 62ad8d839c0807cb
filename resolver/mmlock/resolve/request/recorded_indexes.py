"""Indexes whose files are facts already: what install guides name for torch and mmcv.

Their torch and mmcv are chosen from the facts, by hash. To ask such an index for ordinary packages would be
wrong: it has old copies of some (numpy, pillow), and an index that goes before PyPI hides PyPI's.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from msgspec import Struct

from mmlock.core.artifact import IndexSettings
from mmlock.facts.matrix.load import Matrix

__all__ = ["OrdinaryIndexes", "ordinary_indexes", "variant_of"]


class OrdinaryIndexes(Struct, frozen=True, kw_only=True):
    """The index settings for ordinary packages, and the addresses that are not asked for them."""

    index: IndexSettings
    recorded: tuple[str, ...]


def ordinary_indexes(matrix: Matrix, index: IndexSettings) -> OrdinaryIndexes:
    """Take away the indexes that the facts were read from."""
    hosts = _recorded_hosts(matrix)

    def is_recorded(place: str) -> bool:
        parts = urlsplit(re.sub(r"^[\w-]+=(?=\w+://)", "", place))
        return parts.hostname is not None and parts.hostname in hosts

    main = index.index_url if index.index_url and is_recorded(index.index_url) else None
    extra = tuple(url for url in index.extra_index_urls if is_recorded(url))
    links = tuple(url for url in index.find_links if is_recorded(url))
    if not (main or extra or links):
        return OrdinaryIndexes(index=index, recorded=())
    return OrdinaryIndexes(
        index=IndexSettings(
            index_url=None if main else index.index_url,
            extra_index_urls=tuple(url for url in index.extra_index_urls if url not in extra),
            find_links=tuple(url for url in index.find_links if url not in links),
            no_index=index.no_index,
            named=index.named,
        ),
        recorded=tuple(dict.fromkeys((*filter(None, [main]), *extra, *links))),
    )


def _recorded_hosts(matrix: Matrix) -> frozenset[str]:
    roots = {build.index for build in matrix.torch_builds if not build.on_pypi}
    roots.add(matrix.defaults["openmmlab-index"])
    return frozenset(host for root in roots if (host := urlsplit(root).hostname) is not None)


def variant_of(matrix: Matrix, url: str) -> str | None:
    """The build of torch that an index is for: `.../whl/cu118` -> `cu118`."""
    root = url.rstrip("/")
    return next((build.variant for build in matrix.torch_builds if build.index.rstrip("/") == root), None)
