"""The sha256 of a remote wheel that no index tells: downloaded once, resumed where it broke off, not kept."""

from __future__ import annotations

import re
import time
import zipfile
import zlib
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from mmlock.core.names import Sha256, normalize
from mmlock.core.versions import InvalidVersion, version
from mmlock.facts.scrape.metadata import identity
from mmlock.facts.scrape.tags import wheel_name
from mmlock.files.atomic import write_aside
from mmlock.files.digest import sha256_of
from mmlock.files.locking import hold
from mmlock.net.fetching import FetchFault, FetchProblem
from mmlock.net.http import Client
from mmlock.net.transfer import Transfer, discard

__all__ = ["HashedFile", "digest"]

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
    url = client.learn(url)
    if wheel_name(_name(url)) is None:
        return FetchFault(problem=FetchProblem.CORRUPT, url=url, text=f"`{url}` names no wheel")
    if client.offline:
        text = f"`{url}`: network access is disabled (`--offline`)"
        return FetchFault(problem=FetchProblem.OFFLINE, url=url, text=text)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{sha256(url.encode()).hexdigest()}.part"
    if done := _done(part):
        return done
    # Two refreshes at once would write into the same part.
    with hold(part.with_suffix(".lock"), waiting=_wait, remove=True):
        if done := _done(part):
            return done
        fault = Transfer(client=client, url=url, part=part, name=_name(url)).run()
        return fault if fault is not None else _settled(url, part)


# ---------------------------------------------------------------- what came


def _settled(url: str, part: Path) -> HashedFile | FetchFault:
    """The hash of a file that came whole and is the wheel that its name says."""
    try:
        if (why := _no_wheel(_name(url), part)) is not None:
            return FetchFault(problem=FetchProblem.CORRUPT, url=url, text=f"`{url}` {why}")
        found = HashedFile(sha256=sha256_of(part), size=part.stat().st_size)
        # A run over many wheels may end before the first of them is written.
        write_aside(part.with_suffix(".done"), f"{found.sha256} {found.size}".encode())
        return found
    finally:
        discard(part)


def _wait(holder: str) -> None:
    """Another refresh reads the same wheel: what it finds out is used here, too."""
    del holder


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
    """Why a file is not the wheel of that name: a page sent in its place, damage, a misleading name."""
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
