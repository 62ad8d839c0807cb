"""Known vulnerabilities, asked of the package index: one page for each locked version, kept for a day."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import quote, urlsplit, urlunsplit

from msgspec import Struct, field

from mmlock.facts.refresh.settings import choose
from mmlock.files.private import open_cache
from mmlock.net.fetching import FetchFault, FetchProblem, Limits
from mmlock.net.http import Client
from mmlock.net.page_cache import PageCache
from mmlock.upkeep.update.advisories import parse_advisories
from mmlock.upkeep.update.view import AdvisoryLine

__all__ = ["Advisories", "NoAdvisories"]

_LIMITS = Limits(attempts=2, fresh_seconds=86_400.0, total_seconds=30.0, host_seconds=60.0)
_TRIED = 3
"""So many pages that are not there say that the index has none at all."""


class NoAdvisories(Struct, frozen=True):
    """Nobody is asked."""

    def __call__(self, package: str, version: str) -> tuple[AdvisoryLine, ...] | None:
        del package, version
        return None


class Advisories(Struct):
    """What the configured index says, version by version."""

    client: Client
    root: str
    """`https://pypi.org/pypi`."""
    known: dict[tuple[str, str], tuple[AdvisoryLine, ...] | None] = field(default_factory=dict)
    missing: int = 0

    @classmethod
    def of_index(cls, environ: Mapping[str, str] = os.environ) -> Advisories:
        """Those of the index that is configured."""
        parts = urlsplit(choose(None, environ).url)
        folder = parts.path.rstrip("/").removesuffix("/simple")
        root = urlunsplit((parts.scheme, parts.netloc, f"{folder}/pypi", "", ""))
        cache = PageCache(open_cache(environ) / "advisories")
        return cls(client=Client(limits=_LIMITS, cache=cache, environ=environ), root=root)

    def __call__(self, package: str, version: str) -> tuple[AdvisoryLine, ...] | None:
        """Its vulnerabilities; None: the index does not tell."""
        key = (package, version)
        if key not in self.known:
            self.known[key] = self._asked(package, version)
        return self.known[key]

    def close(self) -> None:
        """Let the connections go."""
        self.client.__exit__(None, None, None)

    def _asked(self, package: str, version: str) -> tuple[AdvisoryLine, ...] | None:
        if self.missing >= _TRIED:
            return None
        url = f"{self.root}/{quote(package, safe='')}/{quote(version, safe='')}/json"
        answer = self.client.get(url, accept="application/json")
        if isinstance(answer, FetchFault):
            gone = answer.problem is FetchProblem.NOT_FOUND and not any(self.known.values())
            self.missing += gone or answer.problem is not FetchProblem.NOT_FOUND
            return None
        self.missing = 0
        return parse_advisories(answer.body, package, version)
