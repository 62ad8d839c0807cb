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
from pathlib import Path

from mmlock.binary.extension import is_compiled
from mmlock.core.names import normalize
from mmlock.doctor.environment.model import Distribution, Leftover, Record
from mmlock.doctor.environment.paths import exists, is_dir

_EGG = re.compile(r"(?P<name>[\w.]+?)-(?P<version>[\w.!+]+?)(?:-py[\d.]+)?\.egg-info")
_VERSIONED = re.compile(r"\.so\.[\w.]{1,60}$")
"""Libraries with letters in their version (`libssl.so.1.1.1k`)."""
_IMPORTABLE = re.compile(r"[A-Za-z_]\w*(?:\.py)?")
_MAX_METADATA = 4 * 1024 * 1024
_MAX_RECORD = 64 * 1024 * 1024


def read_site(site: Path) -> tuple[list[Distribution], list[Leftover]]:
    """What a folder of packages holds, and what lies there without an owner."""
    found: list[Distribution] = []
    leftovers: list[Leftover] = []
    try:
        entries = sorted(os.scandir(site), key=lambda entry: entry.name)
    except OSError as error:
        return [], [Leftover(path=site, why=f"cannot be listed: {error.strerror or error}")]
    for entry in entries:
        name, path = entry.name, Path(entry.path)
        if name.startswith("~"):
            leftovers.append(
                Leftover(
                    path=path, why="is what pip renamed and did not remove: an installation was broken off"
                )
            )
        elif name.endswith(".dist-info"):
            found.append(_dist_info(site, path))
        elif name.endswith(".egg-info"):
            found += _egg_info(site, path)
        elif name.endswith(".egg-link"):
            found += _egg_link(path, leftovers)
        elif name.endswith(".pth"):
            leftovers += _dangling(path)
        elif entry.is_symlink() and not exists(path):
            leftovers.append(Leftover(path=path, why=f"points to `{path.readlink()}`, which is gone"))
    return found, leftovers


# ---------------------------------------------------------------- wheels


def _dist_info(site: Path, folder: Path) -> Distribution:
    stem, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
    name = normalize(stem or version)
    try:
        message = _headers(folder / "METADATA")
    except OSError as error:
        why = f"has no readable METADATA ({error.strerror or error}): what it belonged to is gone or broken"
        return Distribution(
            name=name, version=version, site=site, record=folder.name, kind=Record.WHEEL, fault=why
        )
    paths = _recorded(folder)
    own = [path for path in paths or () if not path.startswith(("..", "/")) and ".dist-info/" not in path]
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
        missing=tuple(_missing(site, (*(top for top in tops if _IMPORTABLE.fullmatch(top)), *compiled))),
        fault=None
        if paths is not None
        else "has no RECORD: it cannot be uninstalled, and its files are unknown",
    )


def _headers(path: Path) -> Message:
    with path.open("rb") as stream:
        text = stream.read(_MAX_METADATA).decode("utf-8", "replace")
    # Only the headers matter; the description after the first empty line may be long.
    return HeaderParser().parsestr(text.partition("\n\n")[0], headersonly=True)


def _all(message: Message, key: str) -> tuple[str, ...]:
    return tuple(" ".join(str(value).split()) for value in message.get_all(key, ()))


def _recorded(folder: Path) -> list[str] | None:
    try:
        with (folder / "RECORD").open("rb") as stream:
            text = stream.read(_MAX_RECORD).decode("utf-8", "replace")
    except OSError:
        return None
    lines = text.replace("\0", "").splitlines()
    plain = [line.rsplit(",", 2)[0] for line in lines if '"' not in line]
    with suppress(csv.Error):
        plain += [row[0] for row in csv.reader(line for line in lines if '"' in line) if row]
    return plain


def _missing(site: Path, paths: Iterable[str]) -> Iterator[str]:
    return (path for path in dict.fromkeys(paths) if not exists(site / path))


def _tags(path: Path) -> tuple[str, ...]:
    try:
        return _all(_headers(path), "Tag")
    except OSError:
        return ()


def _origin(folder: Path) -> tuple[str | None, bool]:
    """Where it was installed from (PEP 610), and whether it is a link to sources."""
    try:
        told = json.loads((folder / "direct_url.json").read_bytes())
        return str(told["url"]), bool(told.get("dir_info", {}).get("editable", False))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None, False


# ---------------------------------------------------------------- eggs, links


def _egg_info(site: Path, path: Path) -> Iterator[Distribution]:
    found = _EGG.fullmatch(path.name)
    file = path / "PKG-INFO" if is_dir(path) else path
    try:
        message = _headers(file)
    except OSError as error:
        yield Distribution(
            name=normalize(found["name"] if found else path.name.removesuffix(".egg-info")),
            version=found["version"] if found else "",
            site=site,
            record=path.name,
            kind=Record.EGG_INFO,
            fault=f"has no readable PKG-INFO ({error.strerror or error})",
        )
        return
    name = str(message.get("Name") or (found["name"] if found else path.name))
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
        return tuple((path / "top_level.txt").read_text("utf-8", "replace").split())
    except OSError:
        return ()


def _compiled_below(site: Path, tops: Sequence[str]) -> Iterator[str]:
    """Compiled files right in the packages: eggs have no RECORD."""
    for top in tops:
        for path in sorted((site / top).glob("*.so")):
            yield path.relative_to(site).as_posix()


def _egg_link(path: Path, leftovers: list[Leftover]) -> Iterator[Distribution]:
    try:
        target = Path(path.read_text("utf-8", "replace").splitlines()[0].strip())
    except (OSError, IndexError):
        leftovers.append(Leftover(path=path, why="is an egg-link that cannot be read"))
        return
    if not is_dir(target):
        leftovers.append(Leftover(path=path, why=f"links to `{target}`, which is gone"))
        return
    for info in sorted(target.glob("*.egg-info")):
        for dist in _egg_info(target, info):
            yield Distribution(
                name=dist.name,
                version=dist.version,
                site=target,
                record=path.name,
                kind=Record.EGG_LINK,
                requires=dist.requires,
                requires_python=dist.requires_python,
                tops=dist.tops,
                inits=dist.inits,
                compiled=dist.compiled,
                origin=str(target),
                editable=True,
            )


def _dangling(path: Path) -> Iterator[Leftover]:
    """Folders that a .pth file adds and that are gone; its import lines are never run."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        yield Leftover(path=path, why=f"cannot be read: {error.strerror or error}")
        return
    for line in lines:
        text = line.strip()
        if text.startswith(("/", "\\")) and not exists(Path(text)):
            yield Leftover(path=path, why=f"adds `{text}`, which is gone")
