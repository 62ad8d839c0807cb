"""One file from the network into one file of this disk: bounded, and resumed where that is safe.

What came stays in a part file; beside it is noted by what the server knew that state of the file. A later
attempt goes on only if the server says that it still is that state (If-Range) and sends the very rest; else
it begins at zero. The bytes are proof of nothing: whoever calls this hashes the whole.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from mmlock.core.progress import Progress, advance, silent
from mmlock.files.atomic import write_aside
from mmlock.net.fetching import FetchFault, FetchProblem
from mmlock.net.http import Client, fault_of, refusal
from mmlock.net.retries import AGAIN, pause

if TYPE_CHECKING:
    import httpx

__all__ = ["Transfer", "discard"]

_SAY_EVERY = 5.0
_NO_USE = frozenset({FetchProblem.CORRUPT, FetchProblem.TOO_BIG, FetchProblem.NOT_FOUND})
"""After these, what came is of another file than the one that is wanted."""
_SPAN = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


class _State(Struct, frozen=True, kw_only=True):
    """By what a server knows the file of which a part is here."""

    url: str
    validator: str
    """A strong ETag or a Last-Modified, as If-Range takes them."""
    length: int | None
    """Bytes of the whole file, where the server stated it."""


class Transfer(Struct, kw_only=True):
    """One download. The caller is the only one who writes the part file."""

    client: Client
    url: str
    part: Path
    name: str
    """What to call the file in messages of progress."""
    size: int | None = None
    """Bytes that it must have, where that is known."""
    progress: Progress = silent
    resumed: bool = False
    """Whether some of the bytes are of an earlier attempt."""
    _told: str | None = None
    """Retry-After of the last answer."""

    def run(self) -> FetchFault | None:
        """Fill the part file; None when it is whole. Raises OSError of the disk.

        A part that is of no more use is gone after a fault.
        """
        client, limits = self.client, self.client.limits
        url = self.url = client.learn(self.url)
        if client.offline:
            text = f"`{url}` was not downloaded before, and network access is disabled (`--offline`)"
            return FetchFault(problem=FetchProblem.OFFLINE, url=url, text=text)
        if down := client.health.down(url):
            return down
        fault = FetchFault(problem=FetchProblem.UNREACHABLE, url=url, text=f"`{url}` was not tried")
        until = time.monotonic() + limits.file_seconds
        attempt = 0
        while attempt < limits.attempts and not client.stopped:
            if attempt:
                client.sleep(pause(limits, attempt, self._told, client.clock()))
            before = _size(self.part)
            outcome = self._once(until)
            client.health.note(url, outcome)
            if outcome is None:
                return None
            fault = outcome
            if fault.problem is not FetchProblem.UNREACHABLE:
                break
            # What gets on is not given up, however often it breaks off.
            attempt = 1 if self.resumed and _size(self.part) > before else attempt + 1
        if fault.problem in _NO_USE:
            discard(self.part)
        return fault

    def _once(self, until: float) -> FetchFault | None:
        """One attempt; None when the file is whole."""
        self._told = None
        have, state = _begun(self.part, self.url)
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if state is not None and have:
            if have == state.length:
                self.resumed = True
                return None
            headers |= {"Range": f"bytes={have}-", "If-Range": state.validator}
        status = None
        try:
            with self.client.patient(self.url), self.client.stream(self.url, headers) as response:
                status = response.status_code
                return self._save(response, have, state, until)
        except OSError:
            raise  # of the disk: those of the network are httpx's own by now
        except Exception as error:  # noqa: BLE001 - raised again when it is not of the network
            return fault_of(self.url, error, status)

    def _save(
        self, response: httpx.Response, have: int, state: _State | None, until: float
    ) -> FetchFault | None:
        """Take the answer to an attempt; None when the file is whole."""
        status = response.status_code
        self._told = response.headers.get("retry-after")
        if fault := self._refused(status, have):
            return fault
        goes_on = status == HTTPStatus.PARTIAL_CONTENT
        length = response.headers.get("content-length", "")
        total = int(length) if length.isdecimal() else None
        if goes_on:
            fits, total = _rest(response, have, state)
            if not fits:
                return self._anew("the server sent another part than was asked for", status)
        if fault := self._sized(total, status):
            return fault
        if not goes_on:
            _remember(response, self.part, self.url, total)
        self.resumed = goes_on and have > 0
        return self._write(response, have if goes_on else 0, total, until)

    def _refused(self, status: int, have: int) -> FetchFault | None:
        """What a status says that brings no bytes."""
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return self._anew("the server has no such part any more", status)
        if fault := refusal(self.url, status, None, ranged=False):
            return fault
        if status in AGAIN:
            return self._fault(FetchProblem.UNREACHABLE, f"answered {status}", status)
        if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            return self._fault(FetchProblem.STATUS, f"answered {status}", status)
        return None

    def _sized(self, total: int | None, status: int) -> FetchFault | None:
        """What is wrong with the size that the server declares."""
        if total is None:
            return None
        if self.size is not None and total != self.size:
            text = f"is {total} bytes large, not {self.size} as it should be"
            return self._fault(FetchProblem.CORRUPT, text, status)
        most = self.client.limits.file_bytes
        if total > most:
            return self._fault(FetchProblem.TOO_BIG, f"is {total} bytes large; {most} are allowed", status)
        return None

    def _write(
        self, response: httpx.Response, done: int, total: int | None, until: float
    ) -> FetchFault | None:
        """Write the body as it comes, so that nothing is lost when it breaks off."""
        most = min(size for size in (total, self.size, self.client.limits.file_bytes) if size is not None)
        pace = _Pace(self.client, self.name, self.progress, done, total)
        with self.part.open("ab" if done else "wb") as out:
            for chunk in response.iter_raw():
                done += len(chunk)
                if done > most:
                    text = f"is larger than {most} bytes"
                    return self._fault(FetchProblem.TOO_BIG, text, response.status_code)
                out.write(chunk)
                advance(self.progress, self.name, done, total)
                slow = self.client.too_slow(self.url, len(chunk)) or pace.slow(done)
                if slow or time.monotonic() > until:
                    text = slow or f"did not come whole within {self.client.limits.file_seconds:g} seconds"
                    return self._fault(FetchProblem.TOO_SLOW, text, response.status_code)
        wanted = self.size if self.size is not None else total
        if wanted is not None and done != wanted:
            # More may still come when the answer was cut off; a whole one of another size stays what it is.
            problem = FetchProblem.UNREACHABLE if total is None or done < total else FetchProblem.CORRUPT
            return self._fault(problem, f"broke off after {done} of {wanted} bytes", response.status_code)
        return None

    def _anew(self, why: str, status: int) -> FetchFault:
        """Throw away what is here; the next attempt begins at zero."""
        discard(self.part)
        return self._fault(FetchProblem.UNREACHABLE, f"could not be resumed: {why}", status)

    def _fault(self, problem: FetchProblem, text: str, status: int) -> FetchFault:
        return FetchFault(problem=problem, url=self.url, text=f"`{self.url}` {text}", status=status)


class _Pace:
    """Tells how far a download is, and notices one that only drips."""

    def __init__(self, client: Client, name: str, progress: Progress, done: int, total: int | None) -> None:
        self._limits = client.limits
        self._name = name
        self._progress = progress
        self._of = f" of {total / 1e6:.0f}" if total else ""
        self._told = self._since = time.monotonic()
        self._then = done

    def slow(self, done: int) -> str | None:
        """Why it is not waited for any more; None while it may be."""
        now = time.monotonic()
        if now - self._told > _SAY_EVERY:
            self._told = now
            self._progress(f"downloaded {done / 1e6:.0f}{self._of} MB of {self._name}")
        seconds = now - self._since
        if seconds < self._limits.drip_seconds:
            return None
        if done - self._then < self._limits.drip_rate * seconds:
            return f"is too slow: {done - self._then} bytes came in the last {seconds:.3g} seconds"
        self._since, self._then = now, done
        return None


# ---------------------------------------------------------------- what is here already


def discard(part: Path) -> None:
    """Remove a part file and what is known of it."""
    part.unlink(missing_ok=True)
    _state_file(part).unlink(missing_ok=True)


def _state_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.state")


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except OSError:
        return 0


def _begun(part: Path, url: str) -> tuple[int, _State | None]:
    """How many bytes of this very file are here, and how to ask for the rest; what is of no use goes away."""
    try:
        state = msgspec.json.decode(_state_file(part).read_bytes(), type=_State)
    except (OSError, msgspec.DecodeError):
        state = None
    have = _size(part)
    if state is None or state.url != url or (state.length is not None and have > state.length):
        discard(part)
        return 0, None
    return have, state


def _remember(response: httpx.Response, part: Path, url: str, total: int | None) -> None:
    """Keep by what the server knows this state of the file; nothing where it does not say."""
    validator = _validator(response)
    if validator is None:
        _state_file(part).unlink(missing_ok=True)
        return
    state = _State(url=url, validator=validator, length=total)
    with suppress(OSError):
        part.unlink()  # what is there is of an earlier state
    write_aside(_state_file(part), msgspec.json.encode(state))


def _validator(response: httpx.Response) -> str | None:
    """What If-Range may name: a weak ETag, or a time just before the answer, is no proof (RFC 9110, 8.8)."""
    etag: str = response.headers.get("etag", "")
    if etag.startswith('"'):
        return etag
    from email.utils import parsedate_to_datetime

    modified: str = response.headers.get("last-modified", "")
    try:
        age = parsedate_to_datetime(response.headers.get("date", "")) - parsedate_to_datetime(modified)
    except (ValueError, TypeError, OverflowError):
        return None
    return modified if age.total_seconds() >= 1 else None


def _rest(response: httpx.Response, have: int, state: _State | None) -> tuple[bool, int | None]:
    """Whether a 206 holds the very rest of the file that is here, and the size of the whole."""
    span = _SPAN.fullmatch(response.headers.get("content-range", "").strip())
    if span is None:
        return False, None
    start, end = int(span[1]), int(span[2])
    known = state.length if state else None
    total = int(span[3]) if span[3] != "*" else known if known is not None else end + 1
    etag = response.headers.get("etag", "")
    same = state is None or not etag or not state.validator.startswith('"') or etag == state.validator
    return same and start == have and end + 1 == total and known in {None, total}, total
