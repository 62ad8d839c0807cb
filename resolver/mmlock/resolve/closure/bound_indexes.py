"""Packages that come from one named index and from nowhere else, in uv's own settings.

uv binds a package to an index in `[tool.uv.sources]` of a pyproject.toml, for its direct dependencies: what
is bound so is looked up on that index alone, whoever requires it. So a bound package is made a direct
dependency as soon as it turns out to be needed at all, and the question is put again.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from mmlock.core.artifact import NamedIndex
from mmlock.core.names import PackageName, normalize
from mmlock.net.credentials import bare

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["FILE", "bound", "credentials", "packages_in", "project_text"]

FILE = "pyproject.toml"
"""The file of a question that names the indexes."""


def bound(named: Iterable[NamedIndex]) -> dict[PackageName, NamedIndex]:
    """The index of each package that has one of its own."""
    return {package: index for index in named for package in index.packages}


def project_text(direct: Iterable[PackageName], named: Iterable[NamedIndex]) -> str:
    """The pyproject.toml that makes these packages direct dependencies, each from its index."""
    from mmlock.lock.formats.toml_out import Inline, dumps

    places = bound(named)
    names = sorted(direct)
    used = {places[name].name: places[name] for name in names}
    return dumps(
        {
            "project": {"name": "mmlock-request", "version": "0", "dependencies": names},
            "tool": {
                "uv": {
                    "sources": {name: Inline(index=places[name].name) for name in names},
                    "index": [
                        {"name": one.name, "url": bare(one.url), "explicit": True}
                        for _, one in sorted(used.items())
                    ],
                }
            },
        }
    )


def credentials(named: Iterable[NamedIndex]) -> dict[str, str]:
    """The logins that URLs carry, in the variables in which uv looks for them: never in a file."""
    variables: dict[str, str] = {}
    for one in named:
        user, _, word = urlsplit(one.url).netloc.rpartition("@")[0].partition(":")
        stem = f"UV_INDEX_{re.sub('[^A-Z0-9]', '_', one.name.upper())}"
        if user:
            variables[f"{stem}_USERNAME"] = unquote(user)
        if word:
            variables[f"{stem}_PASSWORD"] = unquote(word)
    return variables


def packages_in(answer: bytes) -> set[PackageName]:
    """The packages of uv's answer; none where it cannot be read."""
    try:
        rows = tomllib.loads(answer.decode()).get("packages", [])
    except (ValueError, RecursionError):
        return set()
    return {normalize(str(row["name"])) for row in rows if isinstance(row, dict) and "name" in row}
