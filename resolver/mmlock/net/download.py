"""Brings one file onto this disk, from a folder or from the network: hashed, resumed, noted down."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from msgspec import Struct, field

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Sha256
from mmlock.core.progress import Progress, silent

if TYPE_CHECKING:
    import httpx

__all__ = ["Downloader", "FetchedFile", "Wanted", "file_name"]

_CHUNK = 1 << 20
_SAY_EVERY = 5.0
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class Wanted(Struct, frozen=True, kw_only=True):
    """A file by its name, the places it may come from, and its hash where one is known."""

    name: str
    urls: tuple[str, ...]
    sha256: Sha256 | None = None


class FetchedFile(Struct, frozen=True, kw_only=True):
    """A file on this disk whose bytes were hashed here."""

    path: Path
    name: str
    sha256: Sha256
    size: int
    origin: str
    """The URL or the path that the bytes came from."""
    seen_before: bool = False
    """Whether an earlier download of the same URL had the same hash."""


class Downloader(Struct, kw_only=True):
    """Brings files into one folder, where each lies under its own hash."""

    store: Path
    find_links: Sequence[Path] = ()
    """Folders of this machine that are looked into first."""
    offline: bool = False
    progress: Progress = silent
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    attempts: int = 4
    pause: float = 0.5
    transport: httpx.BaseTransport | None = None

    def get(self, wanted: Wanted) -> FetchedFile:
        """The file. Raises EnvironmentFault when no place has it, or its bytes are not the known ones."""
        if wanted.sha256 and (kept := self._kept(wanted.name, wanted.sha256)):
            return kept
        tried: list[str] = []
        for folder in self.find_links:
            path = folder / wanted.name
            if path.is_file():
                return self._take(path, wanted, origin=str(path))
            tried.append(f"`{folder}` does not hold `{wanted.name}`")
        for url in wanted.urls:
            if (found := self._from_url(url, wanted, tried)) is not None:
                return found
        raise EnvironmentFault(
            f"`{wanted.name}` cannot be had",
            causes=tried or ["no place is known that has it"],
            hints=["if you have the file, name its folder with `--find-links DIR`"],
        )

    def forget(self, file: FetchedFile) -> None:
        """Remove a file of the store, and what was noted of its URL: it turned out to be none to use."""
        if file.path.is_relative_to(self.store):
            file.path.unlink(missing_ok=True)
        self._url_file(file.origin, ".json").unlink(missing_ok=True)

    # ---------------------------------------------------------------- places

    def _from_url(self, url: str, wanted: Wanted, tried: list[str]) -> FetchedFile | None:
        parts = urlsplit(url)
        if parts.scheme in {"", "file"}:
            from urllib.request import url2pathname  # brings a whole HTTP client along

            path = Path(url2pathname(parts.path) if parts.scheme else url)
            if path.is_file():
                return self._take(path, wanted, origin=url)
            tried.append(f"`{path}` is no file")
            return None
        noted = self._noted(url)
        if noted and not wanted.sha256 and (kept := self._kept(wanted.name, noted)):
            return kept
        if self.offline:
            tried.append(f"`{url}` was not fetched before, and the network may not be used")
            return None
        part = self._part(url)
        said = self._transfer(url, part)
        if said is not None:
            tried.append(said)
            return None
        return self._accept(part, wanted, origin=url, noted=noted)

    def _take(self, path: Path, wanted: Wanted, origin: str) -> FetchedFile:
        """Use a file of this machine where it lies."""
        digest = _sha256(path)
        _same(wanted.name, wanted.sha256, digest, origin)
        return FetchedFile(
            path=path.resolve(), name=wanted.name, sha256=digest, size=path.stat().st_size, origin=origin
        )

    def _accept(self, part: Path, wanted: Wanted, origin: str, noted: Sha256 | None) -> FetchedFile:
        digest = _sha256(part)
        try:
            _same(wanted.name, wanted.sha256 or noted, digest, origin)
        except EnvironmentFault:
            part.unlink()
            raise
        target = self._place(wanted.name, digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
        self._note(origin, digest)
        return FetchedFile(
            path=target,
            name=wanted.name,
            sha256=digest,
            size=target.stat().st_size,
            origin=origin,
            seen_before=noted is not None,
        )

    # ---------------------------------------------------------------- the store

    def _place(self, name: str, digest: str) -> Path:
        return self.store / digest[:2] / digest / name

    def _kept(self, name: str, digest: Sha256) -> FetchedFile | None:
        path = self._place(name, digest)
        if not path.is_file():
            return None
        if _sha256(path) != digest:  # The disk lied, or somebody wrote into it.
            path.unlink()
            return None
        return FetchedFile(
            path=path, name=name, sha256=digest, size=path.stat().st_size, origin=str(path), seen_before=True
        )

    def _url_file(self, url: str, suffix: str) -> Path:
        return self.store / "urls" / f"{hashlib.sha256(url.encode()).hexdigest()}{suffix}"

    def _part(self, url: str) -> Path:
        path = self._url_file(url, ".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _noted(self, url: str) -> Sha256 | None:
        """The hash that this URL had when it was fetched here before."""
        try:
            return Sha256(json.loads(self._url_file(url, ".json").read_bytes())["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _note(self, url: str, digest: Sha256) -> None:
        path = self._url_file(url, ".json")
        aside = path.with_suffix(".aside")
        aside.write_text(json.dumps({"url": url, "sha256": digest}) + "\n", encoding="utf-8")
        aside.replace(path)

    # ---------------------------------------------------------------- the wire

    def _transfer(self, url: str, part: Path) -> str | None:
        """Fill `part` from the network; None when it is whole, else what went wrong."""
        import httpx

        said = "it was not tried"
        with self._client() as client:
            for attempt in range(self.attempts):
                if attempt:
                    time.sleep(self.pause * 2 ** (attempt - 1))
                try:
                    answer = self._once(client, url, part)
                except (httpx.HTTPError, httpx.InvalidURL) as error:
                    answer = (f"`{url}` could not be reached: {str(error) or type(error).__name__}", True)
                except OSError as error:
                    raise _disk(part, error) from error
                if answer is None:
                    return None
                said, again = answer
                if not again:
                    break
        return said

    def _once(self, client: httpx.Client, url: str, part: Path) -> tuple[str, bool] | None:
        """One request. None: the file is whole; else what went wrong and whether to try again."""
        have = part.stat().st_size if part.is_file() else 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with client.stream("GET", url, headers=headers) as response:
            status = response.status_code
            if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                # Whole already, or of another file: only the hash can tell, and a fresh start is safe.
                part.unlink(missing_ok=True)
                return f"`{url}` refused to go on", True
            if not response.is_success:
                return f"`{url}` answered {status}", status in _AGAIN
            resumed = status == HTTPStatus.PARTIAL_CONTENT
            self._write(response, part, have if resumed else 0)
        return None

    def _write(self, response: httpx.Response, part: Path, have: int) -> None:
        length = response.headers.get("content-length", "")
        total = have + int(length) if length.isdigit() else None
        told = time.monotonic()
        with part.open("ab" if have else "wb") as out:
            done = have
            for chunk in response.iter_raw():
                out.write(chunk)
                done += len(chunk)
                if time.monotonic() - told > _SAY_EVERY:
                    told = time.monotonic()
                    of = f" of {total / 1e6:.0f}" if total else ""
                    self.progress(f"fetched {done / 1e6:.0f}{of} MB of {file_name(str(response.url))}")
        if total is not None and done != total:
            import httpx

            raise httpx.ReadError(f"the connection closed after {done} of {total} bytes")

    def _client(self) -> httpx.Client:
        import ssl

        import httpx

        certificates = self.environ.get("SSL_CERT_FILE") or self.environ.get("PIP_CERT")
        return httpx.Client(
            follow_redirects=True,
            timeout=httpx.Timeout(60.0, connect=15.0),
            transport=self.transport,
            verify=ssl.create_default_context(cafile=certificates) if certificates else True,
        )


def file_name(url: str) -> str:
    """The file name that a URL ends in: `.../torch-2.13.0%2Bcpu-cp311-....whl` decoded."""
    return unquote(urlsplit(url).path.rpartition("/")[2] if "://" in url else Path(url).name)


def sha256_of(path: Path) -> Sha256:
    """The hash of a file's bytes."""
    return _sha256(path)


def _sha256(path: Path) -> Sha256:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return Sha256(digest.hexdigest())


def _same(name: str, known: str | None, found: str, origin: str) -> None:
    if known is not None and known != found:
        raise EnvironmentFault(
            f"`{name}` is not the file that it should be",
            causes=[f"its sha256 is {found}", f"expected is {known}", f"it came from `{origin}`"],
            hints=["it was changed or damaged on the way: nothing of it was used"],
        )


def _disk(path: Path, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(
        f"cannot write `{path}`",
        causes=[error.strerror or str(error)],
        hints=["free some space, or set MMLOCK_CACHE_DIR to a folder on another disk"],
    )
