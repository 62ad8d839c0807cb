"""Asks indexes for the hashes of files the matrix does not have."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from mmlock.core.artifact import Artifact
from mmlock.core.names import PackageName
from mmlock.core.progress import Progress
from mmlock.plan.files import Place

if TYPE_CHECKING:
    from typing_extensions import Self

    from mmlock.scrape.http import Client


class Indexes:
    """Look-ups of one solve: each index is given up after its first failure. A context manager."""

    def __init__(self, *, offline: bool, progress: Progress, environ: Mapping[str, str]) -> None:
        self._offline = offline
        self._progress = progress
        self._environ = environ
        self._client: Client | None = None
        self._down: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.__exit__(kind, error, trace)
            self._client = None

    def ask(self, place: Place, package: PackageName) -> tuple[Artifact, ...] | str:
        """Files of that version, or why they are not known."""
        host = place.index.split("/")[2] if "://" in place.index else place.index
        if host in self._down:
            return self._down[host]
        from mmlock.scrape.lookup import LookupFault, LookupKind, find_files

        self._progress(f"asking {place.index} for {package} {place.version}")
        found = find_files(self._open(), place.index, package, place.version)
        if isinstance(found, LookupFault):
            if found.kind is LookupKind.UNREACHABLE:
                self._down[host] = found.text
            return found.text
        return found

    def _open(self) -> Client:
        if self._client is None:
            from mmlock.scrape.fetching import Limits
            from mmlock.scrape.http import Client
            from mmlock.scrape.page_cache import PageCache

            self._client = Client(
                limits=Limits(attempts=2),
                cache=PageCache.of_user(self._environ),
                offline=self._offline,
                environ=self._environ,
            ).__enter__()
        return self._client
