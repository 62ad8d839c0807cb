"""What the package index tells of a locked version: one page for each, kept for a day."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote, urlsplit, urlunsplit

from msgspec import Struct, field

from mmlock.facts.matrix.advisories import concerning, fixes
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.refresh.settings import choose
from mmlock.files.private import open_cache
from mmlock.net.fetching import FetchFault, FetchProblem, Limits
from mmlock.net.http import Client
from mmlock.net.page_cache import PageCache
from mmlock.upkeep.update.advisories import parse_advisories
from mmlock.upkeep.update.release_notes import parse_notes_link
from mmlock.upkeep.update.view import AdvisoryLine

__all__ = ["Advisories", "NoAdvisories", "ReleasePages", "WithFacts"]

_LIMITS = Limits(attempts=2, fresh_seconds=86_400.0, total_seconds=30.0, host_seconds=60.0)
_TRIED = 3
"""So many pages that are not there say that the index has none at all."""


class ReleasePages(Protocol):
    """Who can be asked about a release."""

    def __call__(self, package: str, version: str) -> tuple[AdvisoryLine, ...] | None:
        """Its vulnerabilities; None: nobody knows."""
        ...

    def notes(self, package: str, version: str) -> str | None:
        """A page with its notes; None: none is known."""
        ...


class WithFacts(Struct, frozen=True, kw_only=True):
    """An index, and the recorded vulnerabilities of those packages of which it does not tell."""

    pages: ReleasePages
    matrix: Matrix

    def __call__(self, package: str, version: str) -> tuple[AdvisoryLine, ...] | None:
        """Its vulnerabilities; None: neither tells."""
        found = self.pages(package, version)
        if found is not None or package not in self.matrix.advisory_packages:
            return found
        rows = concerning(self.matrix.advisories(package), version)
        return tuple(
            AdvisoryLine(
                id=row.id, package=package, version=version, fixed_in=fixes(row, version), url=row.url
            )
            for row in rows
        )

    def notes(self, package: str, version: str) -> str | None:
        """What the index names."""
        return self.pages.notes(package, version)


class NoAdvisories(Struct, frozen=True):
    """Nobody is asked."""

    def __call__(self, package: str, version: str) -> tuple[AdvisoryLine, ...] | None:
        del package, version
        return None

    def notes(self, package: str, version: str) -> str | None:
        """None is known."""
        del package, version
        return None


class Advisories(Struct):
    """What the configured index says, version by version."""

    client: Client
    root: str
    """`https://pypi.org/pypi`."""
    known: dict[tuple[str, str], tuple[AdvisoryLine, ...] | None] = field(default_factory=dict)
    links: dict[tuple[str, str], str] = field(default_factory=dict)
    """To notes of releases."""
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

    def notes(self, package: str, version: str) -> str | None:
        """A page with the notes of its releases; None: the index names none."""
        self(package, version)
        return self.links.get((package, version))

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
        if (link := parse_notes_link(answer.body)) is not None:
            self.links[package, version] = link
        return parse_advisories(answer.body, package, version)
