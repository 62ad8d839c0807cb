"""Brings one file onto this disk, from a folder or from the network: hashed, resumed, noted down.

STORE/HA/HASH/NAME           a file, by the hash that was made here
STORE/urls/HASH-OF-URL.json  which hash the file of a URL had when it was accepted
STORE/urls/HASH-OF-URL/NAME  what has come of it; the lock beside it lets one process at a time write there
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from msgspec import Struct, field

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.json_object import json_object
from mmlock.core.names import Sha256
from mmlock.core.progress import Progress, silent
from mmlock.files.atomic import write_aside
from mmlock.files.digest import sha256_of
from mmlock.files.locking import hold
from mmlock.files.names import UnsafeNameError, bare_file_name
from mmlock.net.credentials import bare
from mmlock.net.fetching import FetchProblem, hints

if TYPE_CHECKING:
    from mmlock.net.http import Client

__all__ = ["Check", "Downloader", "FetchedFile", "Wanted", "file_name"]

Check = Callable[[Path], object]
"""Looks at a file, under its own name, before it is accepted; what it raises refuses the file."""


class Wanted(Struct, frozen=True, kw_only=True):
    """A file by its name, the places it may come from, and its hash and size where they are known."""

    name: str
    urls: tuple[str, ...]
    sha256: Sha256 | None = None
    size: int | None = None


class FetchedFile(Struct, frozen=True, kw_only=True):
    """A file on this disk whose bytes were hashed here."""

    path: Path
    name: str
    sha256: Sha256
    size: int
    origin: str
    """The URL, without a login, or the path that the bytes came from."""
    seen_before: bool = False
    """Whether an earlier download of the same URL had the same hash."""


class Downloader(Struct, kw_only=True):
    """Brings files into one folder, where each is under its own hash. Processes may share the folder."""

    store: Path
    find_links: Sequence[Path] = ()
    """Folders of this machine that are looked into first."""
    offline: bool = False
    progress: Progress = silent
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    client: Client | None = None
    """None: one of its own, by `environ` and `offline`."""

    def get(self, wanted: Wanted, check: Check | None = None) -> FetchedFile:
        """The file. What is refused, for its hash, its size or by `check`, is neither kept nor noted down.

        Raises EnvironmentFault when no place has it or its bytes are not the known ones, UsageError for a
        name that is no file name, and what `check` raises.
        """
        try:
            bare_file_name(wanted.name)
        except UnsafeNameError as error:
            hint = "the lock was not written by mmlock: run `mmlock solve` again"
            raise UsageError(f"nothing is downloaded: {error}", hints=[hint]) from error
        if wanted.sha256 and (kept := self._kept(wanted, wanted.sha256, check)):
            return kept
        tried: list[str] = []
        helpful: list[str] = []
        for folder in self.find_links:
            path = folder / wanted.name
            if path.is_file():
                return self._take(path, wanted, check, origin=str(path))
            tried.append(f"`{folder}` does not hold `{wanted.name}`")
        with self._connected() as client:
            for url in wanted.urls:
                if (got := self._from_url(client, url, wanted, check, tried, helpful)) is not None:
                    return got
        raise EnvironmentFault(
            f"`{wanted.name}` could not be downloaded",
            causes=tried or ["no place is known that has it"],
            hints=[*dict.fromkeys(helpful), "if you have the file, name its folder with `--find-links DIR`"],
        )

    def forget(self, file: FetchedFile) -> None:
        """Remove a file of the store, and what was noted of its URL: it turned out to be none to use."""
        if file.path.is_relative_to(self.store):
            file.path.unlink(missing_ok=True)
        self._url_file(file.origin, ".json").unlink(missing_ok=True)

    # ---------------------------------------------------------------- places

    def _from_url(
        self,
        client: Client,
        url: str,
        wanted: Wanted,
        check: Check | None,
        tried: list[str],
        helpful: list[str],
    ) -> FetchedFile | None:
        parts = urlsplit(bare(url))
        if parts.scheme in {"", "file"}:
            from urllib.request import url2pathname  # brings a whole HTTP client along

            path = Path(url2pathname(parts.path) if parts.scheme else url)
            if path.is_file():
                return self._take(path, wanted, check, origin=url)
            tried.append(f"`{path}` is not a file")
            return None
        url = client.learn(url)
        try:
            (self.store / "urls").mkdir(parents=True, exist_ok=True)
            with hold(self._url_file(url, ".lock"), waiting=lambda who: self._wait(wanted.name, who)):
                # Only now: who held the lock may just have brought it.
                known = wanted.sha256 or self._noted(url)
                if known and (kept := self._kept(wanted, known, check, origin=url)):
                    return kept
                return self._download(client, url, wanted, check, tried, helpful)
        except OSError as error:
            raise _disk(self.store, error) from error

    def _wait(self, name: str, holder: str) -> None:
        who = f"process {holder}" if holder else "another process"
        self.progress(f"waiting for {who}, which downloads {name}")

    def _download(
        self,
        client: Client,
        url: str,
        wanted: Wanted,
        check: Check | None,
        tried: list[str],
        helpful: list[str],
    ) -> FetchedFile | None:
        from mmlock.net.transfer import Transfer, discard

        part = self._url_file(url, "") / wanted.name
        part.parent.mkdir(exist_ok=True)
        known = wanted.sha256 or self._noted(url)
        transfer = Transfer(
            client=client, url=url, part=part, name=wanted.name, size=wanted.size, progress=self.progress
        )
        fault = transfer.run()
        if fault is None and transfer.resumed and known and sha256_of(part) != known:
            # The server said that it was the same file. It was not: once more, from zero.
            discard(part)
            fault = transfer.run()
        if fault is not None:
            tried.append(fault.text)
            if fault.problem is not FetchProblem.NOT_FOUND:
                helpful += hints(fault.problem)
            return None
        return self._accept(part, wanted, check, origin=url)

    def _take(self, path: Path, wanted: Wanted, check: Check | None, origin: str) -> FetchedFile:
        """Use a file of this machine where it is."""
        digest, size = sha256_of(path), path.stat().st_size
        _same(wanted, wanted.sha256, digest, size, origin)
        if check is not None:
            check(path)
        return FetchedFile(path=path.resolve(), name=wanted.name, sha256=digest, size=size, origin=origin)

    def _accept(self, part: Path, wanted: Wanted, check: Check | None, origin: str) -> FetchedFile:
        from mmlock.net.transfer import discard

        noted = self._noted(origin)
        digest, size = sha256_of(part), part.stat().st_size
        try:
            _same(wanted, wanted.sha256 or noted, digest, size, origin)
        except EnvironmentFault:
            discard(part)
            raise
        self._checked(part, check)
        target = self._place(wanted.name, digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
        discard(part)
        part.parent.rmdir()
        self._note(origin, digest)
        return FetchedFile(
            path=target,
            name=wanted.name,
            sha256=digest,
            size=size,
            origin=origin,
            seen_before=noted == digest,
        )

    # ---------------------------------------------------------------- the store

    def _checked(self, path: Path, check: Check | None) -> None:
        """A file of the store that the check refuses is removed."""
        try:
            if check is not None:
                check(path)
        except BaseException:
            from mmlock.net.transfer import discard

            discard(path)
            raise

    def _place(self, name: str, digest: str) -> Path:
        return self.store / digest[:2] / digest / name

    def _kept(
        self, wanted: Wanted, digest: Sha256, check: Check | None, origin: str | None = None
    ) -> FetchedFile | None:
        """The file of that hash, if it is here and still whole."""
        path = self._place(wanted.name, digest)
        if not path.is_file():
            return None
        if sha256_of(path) != digest:  # The disk lied, or somebody wrote into it.
            path.unlink()
            return None
        self._checked(path, check)
        return FetchedFile(
            path=path,
            name=wanted.name,
            sha256=digest,
            size=path.stat().st_size,
            origin=origin or str(path),
            seen_before=True,
        )

    def _url_file(self, url: str, suffix: str) -> Path:
        return self.store / "urls" / f"{sha256(bare(url).encode()).hexdigest()}{suffix}"

    def _noted(self, url: str) -> Sha256 | None:
        """The hash that this URL had when it was fetched here before."""
        try:
            return Sha256(json_object(self._url_file(url, ".json").read_bytes())["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _note(self, url: str, digest: Sha256) -> None:
        row = {"url": bare(url), "sha256": digest}
        write_aside(self._url_file(url, ".json"), json.dumps(row).encode() + b"\n")

    @contextmanager
    def _connected(self) -> Iterator[Client]:
        if self.client is not None:
            yield self.client
            return
        from mmlock.net.http import Client

        with Client(environ=self.environ, offline=self.offline) as client:
            yield client


def file_name(url: str) -> str:
    """The last part of a URL, decoded: `torch-2.13.0+cpu-cp311-....whl`. It need not be a safe file name."""
    return unquote(urlsplit(url).path.rpartition("/")[2] if "://" in url else Path(url).name)


def _same(wanted: Wanted, known: Sha256 | None, digest: Sha256, size: int, origin: str) -> None:
    causes = []
    if known is not None and known != digest:
        causes += [f"its sha256 is {digest}", f"expected is {known}"]
    if wanted.size is not None and wanted.size != size:
        causes += [f"it has {size} bytes, not {wanted.size}"]
    if causes:
        raise EnvironmentFault(
            f"`{wanted.name}` is not the file that it should be",
            causes=[*causes, f"it came from `{bare(origin)}`"],
            hints=["it was changed or damaged on the way; it was not used"],
        )


def _disk(path: Path, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(
        f"cannot write `{error.filename or path}`",
        causes=[error.strerror or str(error)],
        hints=["free some space, or set MMLOCK_CACHE_DIR to a folder on another disk"],
    )
