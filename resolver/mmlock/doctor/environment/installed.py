"""The distributions of a site folder, read from their metadata; nothing is imported."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from email.message import Message
from email.parser import HeaderParser
from itertools import islice
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mmlock.binary.extension import is_compiled
from mmlock.core.names import normalize
from mmlock.doctor.environment.model import (
    Distribution,
    FollowedLink,
    FollowedLinkKind,
    LeftoverReason,
    Record,
    RecordProblem,
    SiteLeftover,
)
from mmlock.doctor.environment.paths import exists, is_below, is_dir, is_file
from mmlock.files.reading import UnreadableError, read_bounded

_EGG = re.compile(r"(?P<name>[\w.]+?)-(?P<version>[\w.!+]+?)(?:-py[\d.]+)?\.egg-info")
_VERSIONED = re.compile(r"\.so\.[\w.]{1,60}$")
"""Libraries with letters in their version (`libssl.so.1.1.1k`)."""
_IMPORTABLE = re.compile(r"[A-Za-z_]\w*(?:\.py)?")
_MAX_METADATA = 4 * 1024 * 1024
_MAX_RECORD = 64 * 1024 * 1024
MOST_ENTRIES = 100_000
"""Entries of a folder that are read; the largest environments have some thousands."""


class Site(Struct, frozen=True, kw_only=True):
    """What a folder of packages holds."""

    distributions: tuple[Distribution, ...] = ()
    leftovers: tuple[SiteLeftover, ...] = ()
    """What has no owner."""
    links: tuple[FollowedLink, ...] = ()
    """Entries that lead out of the environment and were followed."""


def read_site(site: Path, prefix: Path) -> Site:
    """What a folder of packages holds; `prefix` is the environment's own folder."""
    reader = _SiteReader(site, prefix)
    reader.read()
    return Site(
        distributions=tuple(reader.distributions),
        leftovers=tuple(reader.leftovers),
        links=tuple(reader.links),
    )


class _SiteReader:
    def __init__(self, site: Path, prefix: Path) -> None:
        self.site = site
        self.prefix = prefix
        self.distributions: list[Distribution] = []
        self.leftovers: list[SiteLeftover] = []
        self.links: list[FollowedLink] = []

    def read(self) -> None:
        """Every entry of the folder, by name."""
        try:
            with os.scandir(self.site) as listed:
                entries = list(islice(listed, MOST_ENTRIES + 1))
        except OSError as error:
            self.leave(self.site, LeftoverReason.UNLISTABLE, error.strerror or str(error))
            return
        if len(entries) > MOST_ENTRIES:
            self.leave(self.site, LeftoverReason.TOO_MANY, str(MOST_ENTRIES))
        for entry in sorted(entries[:MOST_ENTRIES], key=lambda entry: entry.name):
            self.entry(entry, Path(entry.path))

    def entry(self, entry: os.DirEntry[str], path: Path) -> None:
        """One entry by what its name says."""
        name = entry.name
        if entry.is_symlink() and not name.startswith("~"):
            if not exists(path):
                self.leave(path, LeftoverReason.LINK_BROKEN, str(path.readlink()))
                return
            if not is_below(path, self.prefix):
                self.links.append(_followed(FollowedLinkKind.PACKAGE, path))
        if name.startswith("~"):
            self.leave(path, LeftoverReason.RENAMED_BY_PIP)
        elif name.endswith(".dist-info"):
            self.distributions.append(_dist_info(self.site, path))
        elif name.endswith(".egg-info"):
            self.distributions += _egg_info(self.site, path)
        elif name.endswith(".egg-link"):
            self.egg_link(path)
        elif name.endswith(".pth"):
            self.pth(path)

    def leave(self, path: Path, reason: LeftoverReason, detail: str = "", others: int = 0) -> None:
        """Remember what has no owner."""
        self.leftovers.append(SiteLeftover(path=path, reason=reason, detail=detail, others=others))

    def egg_link(self, path: Path) -> None:
        """The sources that `setup.py develop` links to: of these, only the metadata is read."""
        try:
            target = Path(_text(path).splitlines()[0].strip())
        except (UnreadableError, IndexError):
            self.leave(path, LeftoverReason.EGG_LINK_UNREADABLE)
            return
        if not is_dir(target):
            self.leave(path, LeftoverReason.EGG_LINK_BROKEN, str(target))
            return
        self.links.append(FollowedLink(kind=FollowedLinkKind.EDITABLE, path=path, target=target))
        for info in sorted(islice(target.glob("*.egg-info"), MOST_ENTRIES)):
            for dist in _egg_info(target, info):
                self.distributions.append(
                    replace(dist, record=path.name, kind=Record.EGG_LINK, origin=str(target), editable=True)
                )

    def pth(self, path: Path) -> None:
        """Folders that a .pth file adds and that are gone; its import lines are never run."""
        try:
            lines = _text(path).splitlines()
        except UnreadableError as error:
            self.leave(path, LeftoverReason.PTH_UNREADABLE, error.text)
            return
        entries = [text for line in lines if (text := line.strip()) and not text.startswith("#")]
        gone = [text for text in entries if text.startswith(("/", "\\")) and not exists(Path(text))]
        for text in dict.fromkeys(gone):
            self.leave(path, LeftoverReason.PTH_BROKEN, text, others=len(entries) - len(gone))


def _followed(kind: FollowedLinkKind, path: Path) -> FollowedLink:
    return FollowedLink(kind=kind, path=path, target=Path(os.path.realpath(path)))


def _text(path: Path, limit: int = _MAX_METADATA) -> str:
    """The text of a file that may be anything. Raises UnreadableError."""
    return read_bounded(path, limit).decode("utf-8", "replace")


def _is_own(path: str) -> bool:
    """Whether a path of a RECORD stays in its site folder; scripts lie beside it, and a lie lies anywhere."""
    return not path.startswith(("/", "\\")) and (".." not in path or ".." not in re.split(r"[/\\]", path))


# ---------------------------------------------------------------- wheels


def _dist_info(site: Path, folder: Path) -> Distribution:
    stem, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
    name = normalize(stem or version)
    try:
        message = _headers(folder / "METADATA")
    except UnreadableError as error:
        return Distribution(
            name=name,
            version=version,
            site=site,
            record=folder.name,
            kind=Record.WHEEL,
            fault=RecordProblem.NO_METADATA,
            fault_detail=error.text,
        )
    paths = _recorded(folder)
    own = [path for path in paths or () if _is_own(path) and ".dist-info/" not in path]
    compiled = tuple(path for path in own if is_compiled(path) or _VERSIONED.search(path))
    tops = tuple(dict.fromkeys(path.partition("/")[0] for path in own if not path.startswith("__pycache__")))
    origin, editable = _origin(folder)
    return Distribution(
        name=normalize(str(message.get("Name") or name)),
        version=str(message.get("Version") or version),
        site=site,
        record=folder.name,
        kind=Record.WHEEL,
        requires=_all(message, "Requires-Dist"),
        requires_python=str(message.get("Requires-Python") or "") or None,
        tags=_tags(folder / "WHEEL"),
        compiled=compiled,
        tops=tops,
        inits=tuple(path for path in own if path.count("/") == 1 and path.endswith("/__init__.py")),
        requested=exists(folder / "REQUESTED"),
        origin=origin,
        editable=editable,
        missing=tuple(_missing(site, [top for top in tops if _IMPORTABLE.fullmatch(top)], compiled)),
        fault=RecordProblem.NO_RECORD if paths is None else None,
    )


def _headers(path: Path) -> Message:
    # Only the headers matter; the description after the first empty line may be long.
    return HeaderParser().parsestr(_text(path).partition("\n\n")[0], headersonly=True)


def _all(message: Message, key: str) -> tuple[str, ...]:
    return tuple(" ".join(str(value).split()) for value in message.get_all(key, ()))


def _recorded(folder: Path) -> list[str] | None:
    try:
        text = _text(folder / "RECORD", _MAX_RECORD)
    except UnreadableError:
        return None
    lines = text.replace("\0", "").splitlines()
    plain = [line.rsplit(",", 2)[0] for line in lines if '"' not in line]
    with suppress(csv.Error):
        plain += [row[0] for row in csv.reader(line for line in lines if '"' in line) if row]
    return plain


def _missing(site: Path, tops: Iterable[str], compiled: Iterable[str]) -> Iterator[str]:
    """What is not there. A compiled file must be a file: a pipe of that name would never end."""
    for path in dict.fromkeys(tops):
        if not exists(site / path):
            yield path
    for path in compiled:
        if not is_file(site / path) and path not in tops:
            yield path


def _tags(path: Path) -> tuple[str, ...]:
    try:
        return _all(_headers(path), "Tag")
    except UnreadableError:
        return ()


def _origin(folder: Path) -> tuple[str | None, bool]:
    """Where it was installed from (PEP 610), and whether it is a link to sources."""
    try:
        told = json.loads(read_bounded(folder / "direct_url.json", _MAX_METADATA))
        return str(told["url"]), bool(told.get("dir_info", {}).get("editable", False))
    except (UnreadableError, RecursionError, ValueError, KeyError, TypeError, AttributeError):
        return None, False


# ---------------------------------------------------------------- eggs, links


def _egg_info(site: Path, path: Path) -> Iterator[Distribution]:
    match = _EGG.fullmatch(path.name)
    file = path / "PKG-INFO" if is_dir(path) else path
    try:
        message = _headers(file)
    except UnreadableError as error:
        yield Distribution(
            name=normalize(match["name"] if match else path.name.removesuffix(".egg-info")),
            version=match["version"] if match else "",
            site=site,
            record=path.name,
            kind=Record.EGG_INFO,
            fault=RecordProblem.NO_PKG_INFO,
            fault_detail=error.text,
        )
        return
    name = str(message.get("Name") or (match["name"] if match else path.name))
    tops = _top_level(path)
    yield Distribution(
        name=normalize(name),
        version=str(message.get("Version") or ""),
        site=site,
        record=path.name,
        kind=Record.EGG_INFO,
        requires=_all(message, "Requires-Dist"),
        requires_python=str(message.get("Requires-Python") or "") or None,
        tops=tops,
        inits=tuple(f"{top}/__init__.py" for top in tops if exists(site / top / "__init__.py")),
        compiled=tuple(_compiled_below(site, tops)),
    )


def _top_level(path: Path) -> tuple[str, ...]:
    try:
        return tuple(top for top in _text(path / "top_level.txt").split() if top.isidentifier())
    except UnreadableError:
        return ()


def _compiled_below(site: Path, tops: Sequence[str]) -> Iterator[str]:
    """Compiled files right in the packages: eggs have no RECORD."""
    for top in tops:
        for path in sorted(islice((site / top).glob("*.so"), MOST_ENTRIES)):
            yield path.relative_to(site).as_posix()
