"""The sha256 of a remote file that no index tells: downloaded once, resumed where it broke off, not kept."""

from __future__ import annotations

import re
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

from mmlock.core.names import Sha256
from mmlock.core.values import dataclass
from mmlock.scrape.credentials import bare
from mmlock.scrape.fetching import FetchFault, FetchProblem
from mmlock.scrape.http import Client

__all__ = ["Digest", "digest"]

_ATTEMPTS = 5
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What a file is, by its bytes."""

    sha256: Sha256
    size: int


def digest(client: Client, url: str, folder: Path) -> Digest | FetchFault:
    """Download a file into a folder, hash it, remove it. What came before an interruption is used again."""
    url = bare(url)
    if client.offline:
        text = f"`{url}`: the network may not be used"
        return FetchFault(problem=FetchProblem.OFFLINE, url=url, text=text)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{sha256(url.encode()).hexdigest()}.part"
    fault = FetchFault(problem=FetchProblem.UNREACHABLE, url=url, text=f"`{url}` was not tried")
    for attempt in range(_ATTEMPTS):
        if client.stopped:
            break
        if attempt:
            client.sleep(min(client.limits.longest_pause, client.limits.first_pause * 2**attempt))
        answer = _attempt(client, url, part)
        if answer is None:
            return _hashed(part)
        fault = answer
        if fault.problem is not FetchProblem.UNREACHABLE:
            break
    return fault


def _attempt(client: Client, url: str, part: Path) -> FetchFault | None:
    """Fetch what is still missing; None when the file is whole."""
    import httpx

    tag = part.with_suffix(".etag")
    have = part.stat().st_size if part.is_file() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if tag.is_file():
            # Should the file have changed, the server sends all of it.
            headers["If-Range"] = tag.read_text("utf-8")
    try:
        with client.stream(url, headers) as response:
            return _save(url, response, part, tag, have)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError) as error:
        text = f"`{url}` could not be read whole: {str(error) or type(error).__name__}"
        return FetchFault(problem=FetchProblem.UNREACHABLE, url=url, text=text)


def _save(url: str, response: object, part: Path, tag: Path, have: int) -> FetchFault | None:
    import httpx

    assert isinstance(response, httpx.Response)
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
    if etag := response.headers.get("etag"):
        tag.write_text(etag, "utf-8")
    with part.open("ab" if goes_on else "wb") as file:
        for chunk in response.iter_raw():  # as it comes, so that nothing is lost when it breaks off
            file.write(chunk)
    if total is not None and part.stat().st_size != total:
        text = f"`{url}`: {part.stat().st_size} of {total} bytes came"
        return FetchFault(problem=FetchProblem.UNREACHABLE, url=url, text=text)
    return None


def _hashed(part: Path) -> Digest:
    whole = sha256()
    with part.open("rb") as file:
        while block := file.read(_BLOCK):
            whole.update(block)
    size = part.stat().st_size
    part.unlink()
    part.with_suffix(".etag").unlink(missing_ok=True)
    return Digest(sha256=Sha256(whole.hexdigest()), size=size)
