"""Pins in files of pixi and conda-lock, and the channels that files of conda name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmlock.core.errors import UsageError
from mmlock.core.versions import is_specifier
from mmlock.lock.formats.conda_parts import load_yaml
from mmlock.scan.left_out import LeftOutReason, UnreadSourceError
from mmlock.scan.pins.commands import Said, conda_pin, pip_pin
from mmlock.scan.pins.declared import Line, LineFinder, toml

__all__ = ["channels_of_environment", "channels_of_pixi", "conda_lock", "pixi", "pixi_in_pyproject"]

_FILE = re.compile(r"([a-z0-9_][a-z0-9_.-]*)-([A-Za-z0-9_.!+]+)-[A-Za-z0-9_.!+]+\.(?:conda|tar\.bz2)")
_ITEM = re.compile(r"\s*-\s*[\"']?([A-Za-z0-9_.:/~%-]+)[\"']?\s*(?:#.*)?")
_PLAIN = frozenset({"conda-forge", "defaults", "nodefaults", "https://conda.anaconda.org/conda-forge"})
"""Channels that no one has to be told of: what mmlock asks, and words for conda's own."""


def pixi(text: str) -> Iterator[Line]:
    """`[dependencies]` and `[pypi-dependencies]` of a pixi.toml; those of features are no request."""
    return _pixi(toml(text), text)


def pixi_in_pyproject(text: str) -> Iterator[Line]:
    """The same tables under `[tool.pixi]` of a pyproject.toml."""
    tool = toml(text).get("tool")
    table = tool.get("pixi") if isinstance(tool, dict) else None
    return _pixi(table, text) if isinstance(table, dict) else iter(())


def _pixi(document: Mapping[str, Any], text: str) -> Iterator[Line]:
    lines = LineFinder(text)
    for name, value in _dict(document.get("dependencies")).items():
        if said := _conda_said(name, value):
            yield lines.of(name), said, True
    for name, value in _dict(document.get("pypi-dependencies")).items():
        bound = value.get("version") if isinstance(value, dict) else value
        wanted = f"{name}{'' if bound in {'*', ''} else bound}" if isinstance(bound, str) else ""
        if wanted and (said := pip_pin(wanted)):
            yield lines.of(name), said, False


def _conda_said(name: str, value: object) -> Said | None:
    """`pytorch = ">=2.5,<3"`, `pytorch = { version = "2.5.*", build = "cuda*" }` as a match specification."""
    version = value.get("version", "*") if isinstance(value, dict) else value
    build = value.get("build", "") if isinstance(value, dict) else ""
    if not isinstance(version, str) or not isinstance(build, str):
        return None
    bound = "" if version in {"*", ""} else f"=={version}" if version[:1].isdigit() else version
    said = conda_pin(f"{name} {bound}".strip())
    if said is None:
        return None
    text = " ".join(part for part in (name, version if bound or build else "", build) if part)
    return said._replace(text=text, marker=None)


def conda_lock(text: str) -> Iterator[Line]:
    """The packages of a conda-lock.yml or a pixi.lock, conda's and pip's."""
    try:
        document = load_yaml(text, "lock")
    except UsageError as fault:
        raise UnreadSourceError(LeftOutReason.NOT_YAML, fault.causes[0] if fault.causes else "") from None
    rows = document.get("package", document.get("packages"))
    for row in rows if isinstance(rows, list) else ():
        found = _named(row) if isinstance(row, dict) else None
        said = conda_pin(f"{found[0]}=={found[1]}") if found else None
        if found is not None and said is not None and is_specifier(said.specifier):
            yield 1, said._replace(text=" ".join(found), marker=None), False


def _named(row: Mapping[str, Any]) -> tuple[str, str] | None:
    name, version = row.get("name"), row.get("version")
    if isinstance(name, str) and isinstance(version, str):
        return name, version
    url = row.get("conda")
    match = _FILE.fullmatch(url.rpartition("/")[2]) if isinstance(url, str) else None
    return (match[1], match[2]) if match else None


def channels_of_pixi(text: str) -> Iterator[str]:
    """Channels that a pixi.toml names, besides conda-forge."""
    document = toml(text)
    for key in ("workspace", "project"):
        rows = _dict(document.get(key)).get("channels")
        for row in rows if isinstance(rows, list) else ():
            channel = row.get("channel") if isinstance(row, dict) else row
            if isinstance(channel, str) and channel.rstrip("/") not in _PLAIN:
                yield channel


def channels_of_environment(text: str) -> Iterator[str]:
    """Channels that an environment.yml names, besides conda-forge and conda's own words."""
    inside = False
    for line in text.splitlines():
        if re.match(r"[^\s#-]", line):
            inside = line.startswith("channels:")
            continue
        found = _ITEM.fullmatch(line) if inside else None
        if found is not None and found[1].rstrip("/") not in _PLAIN:
            yield found[1]


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
