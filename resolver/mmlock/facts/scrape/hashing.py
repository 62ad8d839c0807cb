"""The sha256 of a remote wheel that no index tells: downloaded once, resumed where it broke off, not kept."""

from __future__ import annotations

import re
import time
import zipfile
import zlib
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from mmlock.core.names import Sha256, normalize
from mmlock.core.versions import InvalidVersion, version
from mmlock.facts.scrape.metadata import identity
from mmlock.facts.scrape.tags import wheel_name
from mmlock.files.atomic import write_aside
from mmlock.net.credentials import bare
from mmlock.net.fetching import FetchFault, FetchProblem
from mmlock.net.http import Client

if TYPE_CHECKING:
    import httpx

__all__ = ["HashedFile", "digest"]

_ATTEMPTS = 5
_BLOCK = 1 << 20
_MOST_BYTES = 4 << 30
"""The largest wheels are of torch, with a bit over 3 GB."""
_MOST_SECONDS = 3600.0
"""For one attempt; what came stays, so that the next goes on."""
_KEPT_SECONDS = 7 * 24 * 3600.0
_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")


class HashedFile(Struct, frozen=True, kw_only=True):
    """What a file is, by its bytes."""

    sha256: Sha256
    size: int


def digest(client: Client, url: str, folder: Path) -> HashedFile | FetchFault:
    """Download a wheel into a folder, check and hash it, remove it.

    What came before an interruption is used again where the server can tell that the file is still the same.
    """
    url = bare(url)
    if wheel_name(_name(url)) is None:
        return FetchFault(problem=FetchProblem.CORRUPT, url=url, text=f"`{url}` names no wheel")
    if client.offline:
        text = f"`{url}`: the network may not be used"
        return FetchFault(problem=FetchProblem.OFFLINE, url=url, text=text)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{sha256(url.encode()).hexdigest()}.part"
    if done := _done(part):
        return done
    if not part.with_suffix(".tag").is_file():
        part.unlink(missing_ok=True)
    fault = FetchFault(problem=FetchProblem.UNREACHABLE, url=url, text=f"`{url}` was not tried")
    for attempt in range(_ATTEMPTS):
        if client.stopped:
            break
        if attempt:
            client.sleep(min(client.limits.longest_pause, client.limits.first_pause * 2**attempt))
        answer = _attempt(client, url, part)
        if answer is None:
            return _settled(url, part)
        fault = answer
        if fault.problem is not FetchProblem.UNREACHABLE:
            break
    return fault


def _attempt(client: Client, url: str, part: Path) -> FetchFault | None:
    """Fetch what is still missing; None when the file is whole."""
    import httpx

    tag = part.with_suffix(".tag")
    have = part.stat().st_size if part.is_file() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if tag.is_file():
            # Should the file have changed, the server sends all of it.
            headers["If-Range"] = tag.read_text("utf-8")
    try:
        with client.stream(url, headers) as response:
            return _save(url, response, part, have)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError) as error:
        text = f"`{url}` could not be read whole: {str(error) or type(error).__name__}"
        return FetchFault(problem=FetchProblem.UNREACHABLE, url=url, text=text)


def _save(url: str, response: httpx.Response, part: Path, have: int) -> FetchFault | None:
    status = response.status_code
    span = re.match(r"bytes (\d+)-\d+/(\d+)", response.headers.get("content-range", ""))
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
        part.unlink()  # longer than the file is now: begin anew
        return FetchFault(problem=FetchProblem.UNREACHABLE, url=url, text=f"`{url}` changed", status=status)
    if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        again = status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        problem = FetchProblem.UNREACHABLE if again else FetchProblem.STATUS
        return FetchFault(problem=problem, url=url, text=f"`{url}` answered {status}", status=status)
    goes_on = status == HTTPStatus.PARTIAL_CONTENT and span is not None and int(span[1]) == have
    length = response.headers.get("content-length", "")
    total = int(span[2]) if goes_on and span else int(length) if length.isdigit() else None
    _note_state(response, part.with_suffix(".tag"))
    if fault := _write(url, response, part, total, goes_on=goes_on):
        return fault
    if total is not None and part.stat().st_size != total:
        text = f"`{url}`: {part.stat().st_size} of {total} bytes came"
        return FetchFault(problem=FetchProblem.UNREACHABLE, url=url, text=text)
    return None


def _note_state(response: httpx.Response, tag: Path) -> None:
    """Keep by what the server knows this state of the file; a weak tag is no proof of the same bytes."""
    etag = response.headers.get("etag", "")
    state = etag if etag and not etag.startswith("W/") else response.headers.get("last-modified")
    if state:
        tag.write_text(state, "utf-8")
    else:
        tag.unlink(missing_ok=True)


def _write(
    url: str, response: httpx.Response, part: Path, total: int | None, *, goes_on: bool
) -> FetchFault | None:
    """Write the body as it comes, so that nothing is lost when it breaks off."""
    until = time.monotonic() + _MOST_SECONDS
    written = part.stat().st_size if goes_on else 0
    with part.open("ab" if goes_on else "wb") as file:
        for chunk in response.iter_raw():
            written += len(chunk)
            if written > (_MOST_BYTES if total is None else min(total, _MOST_BYTES)):
                file.truncate(0)
                text = f"`{url}` is larger than it may be ({total or _MOST_BYTES} bytes)"
                return FetchFault(problem=FetchProblem.TOO_BIG, url=url, text=text)
            file.write(chunk)
            if time.monotonic() > until:
                text = f"`{url}` was not sent whole within {_MOST_SECONDS:g} seconds; the next run goes on"
                return FetchFault(problem=FetchProblem.TOO_SLOW, url=url, text=text)
    return None


# ---------------------------------------------------------------- what came


def _settled(url: str, part: Path) -> HashedFile | FetchFault:
    """The hash of a file that came whole and is the wheel that its name says."""
    try:
        if (why := _no_wheel(_name(url), part)) is not None:
            return FetchFault(problem=FetchProblem.CORRUPT, url=url, text=f"`{url}` {why}")
        whole = sha256()
        with part.open("rb") as file:
            while block := file.read(_BLOCK):
                whole.update(block)
        found = HashedFile(sha256=Sha256(whole.hexdigest()), size=part.stat().st_size)
        # A run over many wheels may end before it is told what the first of them are.
        write_aside(part.with_suffix(".done"), f"{found.sha256} {found.size}".encode())
        return found
    finally:
        part.unlink(missing_ok=True)
        part.with_suffix(".tag").unlink(missing_ok=True)


def _done(part: Path) -> HashedFile | None:
    """What an earlier run found out and did not live to tell."""
    path = part.with_suffix(".done")
    try:
        if time.time() - path.stat().st_mtime > _KEPT_SECONDS:
            path.unlink()
            return None
        found = re.fullmatch(r"([0-9a-f]{64}) (\d+)", path.read_text("ascii"))
    except (OSError, ValueError):
        return None
    return HashedFile(sha256=Sha256(found[1]), size=int(found[2])) if found else None


def _name(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])


def _no_wheel(name: str, part: Path) -> str | None:
    """Why a file is not the wheel of that name: a page sent in its place, damage, a name that lies."""
    named = wheel_name(name)
    assert named is not None
    try:
        with zipfile.ZipFile(part) as archive:
            found = [member for member in archive.namelist() if _METADATA.fullmatch(member)]
            damaged = archive.testzip()
            package, told = identity(archive.read(found[0])) if len(found) == 1 else ("", "")
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as fault:
        return f"is no readable wheel: {fault}"
    if damaged is not None:
        return f"is damaged: `{damaged}` is not what its checksum says"
    try:
        same = normalize(package) == normalize(named.name) and version(told) == version(named.version)
    except InvalidVersion:
        same = False
    return None if same else f"holds {package or 'no name'} {told}, not what its name says"
