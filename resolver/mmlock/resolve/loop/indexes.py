"""Asks indexes for the hashes of files the matrix does not have."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from msgspec.structs import replace
from packaging.version import Version

from mmlock.core.artifact import Artifact, IndexSettings
from mmlock.core.background import Background
from mmlock.core.cache import unheard
from mmlock.core.names import PackageName
from mmlock.core.progress import Progress
from mmlock.files.digest import sha256_of
from mmlock.resolve.closure.uv_settings import sources
from mmlock.resolve.plan.files import PYPI, WheelLocation

if TYPE_CHECKING:
    from typing_extensions import Self

    from mmlock.net.http import Client
    from mmlock.net.lookup import LookupFault
    from mmlock.net.simple import IndexPage


_NOT_REACHED = "it could not be reached"
"""The system's own words differ from machine to machine; the lock says only what follows."""


class Indexes:
    """Look-ups of one solve: each index is given up after its first failure. A context manager."""

    def __init__(
        self,
        *,
        index: IndexSettings,
        offline: bool,
        progress: Progress,
        environ: Mapping[str, str],
        served: Callable[[float], object] = unheard,
    ) -> None:
        self._index = sources(index, environ).default or PYPI
        self._find_links = [Path(text) for text in index.find_links if "://" not in text]
        self.offline = offline
        self._progress = progress
        self._environ = environ
        self._served = served
        """Told when a kept page that is used was stored."""
        self._client: Client | None = None
        self._begun: dict[tuple[str, PackageName], Background[IndexPage | LookupFault]] = {}
        self._opening = threading.Lock()
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.stopped = True  # what was begun and is not wanted any more
            self._client.__exit__(kind, error, trace)
            self._client = None

    def begin(self, places: Iterable[tuple[WheelLocation, PackageName]]) -> None:
        """Start to fetch the pages that `ask` and `mirrored` will read of these."""
        if self.offline:
            return
        for place, package in places:
            known = any(file.sha256 for file in place.files)
            index = self._index if known else place.index
            if (known and self._own) or (place.ask and not known):
                key = (index, package)
                if key not in self._begun:
                    self._begun[key] = Background(partial(self._in_turn, *key))

    def ask(self, place: WheelLocation, package: PackageName) -> tuple[Artifact, ...] | str:
        """Files of that version, or why they are not known."""
        if local := self._local(package, place.version):
            return local
        if self._client is not None and self._client.health.down(place.index):
            return _NOT_REACHED
        from mmlock.net.lookup import LookupFault, LookupKind, files_of

        self._progress(f"asking {place.index} for {package} {place.version}")
        page = self._page(place.index, package)
        result = (
            page if isinstance(page, LookupFault) else files_of(page, place.index, package, place.version)
        )
        if isinstance(result, LookupFault):
            if result.kind is LookupKind.UNREACHABLE:
                # The system's own words differ from machine to machine; the lock says only what follows.
                self._progress(result.text)
                self._open().health.give_up(place.index, result.text)
                return _NOT_REACHED
            return result.text
        return result

    def mirrored(
        self, files: tuple[Artifact, ...], package: PackageName, version: str
    ) -> tuple[Artifact, ...]:
        """The same files, by hash, where the user said to look; as they are where they are not there."""
        if (own := self._local(package, version)) and (same := _elsewhere(files, own)) != files:
            return same
        if not self._own or self.offline:
            return files
        result = self.ask(
            WheelLocation(index=self._index, files=(), url=None, ask=True, version=version), package
        )
        return files if isinstance(result, str) else _elsewhere(files, result)

    def _local(self, package: PackageName, version: str) -> tuple[Artifact, ...]:
        """Files of that very version in the folders of `--find-links`, hashed here."""
        if not self._find_links:
            return ()
        from mmlock.net.lookup import file_version

        artifacts = []
        for folder in self._find_links:
            for path in sorted(folder.glob("*.whl")):
                if file_version(path.name, package) == Version(version):
                    self._progress(f"hashing {path.name}")
                    artifacts.append(
                        Artifact(
                            name=path.name,
                            url=path.resolve().as_uri(),
                            sha256=sha256_of(path),
                            size=path.stat().st_size,
                        )
                    )
        return tuple(artifacts)

    def wheelless(self, package: PackageName, version: str | None) -> bool:
        """Whether a version (None: every version) has sources and no wheel on the ordinary index.

        An index that cannot be asked proves nothing: False.
        """
        from mmlock.net.lookup import LookupFault, file_version

        page = self._page(self._index, package)
        if isinstance(page, LookupFault):
            return False
        wanted = Version(version) if version else None
        files = [
            file
            for file in page.files
            if (release := file_version(file.name, package)) and (wanted is None or release == wanted)
        ]
        return bool(files) and not any(file.is_wheel for file in files)

    def page(self, package: PackageName) -> IndexPage | LookupFault:
        """A package's page of the ordinary index."""
        return self._page(self._index, package)

    @property
    def _own(self) -> bool:
        """Whether the user named an index other than PyPI."""
        return self._index.rstrip("/") != PYPI

    def _page(self, index: str, package: PackageName) -> IndexPage | LookupFault:
        """A page that was begun, or is fetched now."""
        begun = self._begun.pop((index, package), None)
        return begun.result() if begun is not None else self._fetched(index, package)

    def _in_turn(self, index: str, package: PackageName) -> IndexPage | LookupFault:
        """One page after another, over one connection."""
        with self._turn:
            return self._fetched(index, package)

    def _fetched(self, index: str, package: PackageName) -> IndexPage | LookupFault:
        from mmlock.net.lookup import index_page

        return index_page(self._open(), index, package)

    @property
    def client(self) -> Client:
        """The client of these look-ups, opened when it is first needed."""
        return self._open()

    def _open(self) -> Client:
        with self._opening:
            if self._client is None:
                self._client = self._new_client()
            return self._client

    def _new_client(self) -> Client:
        from mmlock.files.private import open_cache
        from mmlock.net.fetching import Limits
        from mmlock.net.http import Client
        from mmlock.net.page_cache import PageCache

        return Client(
            limits=Limits(attempts=2),
            cache=PageCache(folder=open_cache(self._environ) / "pages"),
            offline=self.offline,
            environ=self._environ,
            served=self._served,
        ).__enter__()


def _elsewhere(files: tuple[Artifact, ...], others: tuple[Artifact, ...]) -> tuple[Artifact, ...]:
    """The files with the addresses of those found that have the same bytes."""
    there = {str(file.sha256): file.url for file in others if file.sha256 and "@" not in file.url}
    return tuple(replace(file, url=there.get(str(file.sha256), file.url)) for file in files)
