"""Which package index to read, from the option, else from the settings of uv and pip."""

from __future__ import annotations

import configparser
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from mmlock.core.faults import Fault, usage_error
from mmlock.facts.scrape.pypi import INDEX
from mmlock.net.credentials import bare

__all__ = ["ChosenIndex", "choose", "pip_files"]


class ChosenIndex(Struct, frozen=True, kw_only=True):
    """An index and who named it."""

    url: str
    """May carry a login: it is for the client only."""
    origin: str
    """`--index-url`, `UV_DEFAULT_INDEX`, `~/.config/pip/pip.conf`, `the default`."""

    @property
    def shown(self) -> str:
        """The URL as it may be shown."""
        return bare(self.url)


def choose(option: str | None, environ: Mapping[str, str], system: str = sys.platform) -> ChosenIndex:
    """The index: the option, else uv's variables, else pip's variable and files, else PyPI.

    Raises UsageError for what is no URL of a simple index.
    """
    chosen = next(_named(option, environ, system), ChosenIndex(url=INDEX, origin="the default"))
    parts = urlsplit(chosen.url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        text = f"`{chosen.shown}` is no http or https URL"
        hint = f"an index looks like `{INDEX}`"
        raise usage_error([Fault(where=chosen.origin, text=text, hint=hint)])
    return chosen


def _named(option: str | None, environ: Mapping[str, str], system: str) -> Iterator[ChosenIndex]:
    if option:
        yield ChosenIndex(url=option, origin="--index-url")
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if value := environ.get(name):
            # uv takes `NAME=URL` too.
            tail = value.partition("=")[2] if "=" in value.partition("://")[0] else value
            yield ChosenIndex(url=tail.strip(), origin=name)
    for path in pip_files(environ, system):
        if value := _from_pip(path):
            yield ChosenIndex(url=value, origin=str(path))


def pip_files(environ: Mapping[str, str], system: str = sys.platform) -> tuple[Path, ...]:
    """Where pip keeps its settings, strongest first. They need not exist."""
    if named := environ.get("PIP_CONFIG_FILE"):
        # pip reads no other file then; /dev/null stands for none at all.
        return () if named in {"/dev/null", "nul"} else (Path(named),)
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    if system == "win32":
        roaming = Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
        return (roaming / "pip" / "pip.ini", home / "pip" / "pip.ini")
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    own = [config / "pip" / "pip.conf", home / ".pip" / "pip.conf"]
    if system == "darwin":
        own.insert(0, home / "Library" / "Application Support" / "pip" / "pip.conf")
    if inside := environ.get("VIRTUAL_ENV"):
        own.insert(0, Path(inside) / "pip.conf")
    return (*own, Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"))


def _from_pip(path: Path) -> str | None:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
        return parser.get("global", "index-url", fallback=None) or None
    except (configparser.Error, OSError, UnicodeDecodeError):
        return None  # pip says what is wrong with its own file
