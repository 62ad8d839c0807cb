"""Indexes that are bound to packages: `NAME=URL` and `NAME=PACKAGE` as values, and their faults.

Without them, whoever can upload a name to one index of several can serve a package that was meant to
come from another one (dependency confusion).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mmlock.core.artifact import NamedIndex
from mmlock.core.faults import Fault
from mmlock.core.names import normalize

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXAMPLE = "for example `--index team=https://pypi.example.org/simple --index-package team=our-ops`"


def index_fault(option: str, url: str) -> Fault | None:
    """What is wrong with the URL of an index."""
    if re.match(r"(?:https?://[^/\s]|file:///)", url):
        return None
    hint = "for example `https://pypi.org/simple`"
    return Fault(where=option, text=f"`{url}` is not the URL of an index", hint=hint)


def parse_named(indexes: Iterable[str], pins: Iterable[str], faults: list[Fault]) -> tuple[NamedIndex, ...]:
    """The indexes of `--index NAME=URL` with the packages of `--index-package NAME=PACKAGE`."""
    urls: dict[str, str] = {}
    for text in indexes:
        name, sign, url = text.partition("=")
        if not sign or not name.strip():
            faults.append(Fault(where="--index", text=f"`{text}` is not NAME=URL", hint=_EXAMPLE))
        else:
            urls[name.strip()] = url.strip()
    packages: dict[str, list[str]] = {name: [] for name in urls}
    for text in pins:
        name, sign, package = (part.strip() for part in text.partition("="))
        if not sign or not package:
            faults.append(Fault(where="--index-package", text=f"`{text}` is not NAME=PACKAGE", hint=_EXAMPLE))
        elif name not in packages:
            hint = f"add `--index {name}=URL`"
            faults.append(Fault(where="--index-package", text=f"no --index is named `{name}`", hint=hint))
        else:
            packages[name].append(package)
    return tuple(
        NamedIndex(name=name, url=url, packages=tuple(map(normalize, packages[name])))
        for name, url in urls.items()
    )


def normal_named(named: Iterable[NamedIndex]) -> tuple[NamedIndex, ...]:
    """The same indexes in normal form, sorted by name."""
    return tuple(
        NamedIndex(name=one.name, url=one.url, packages=tuple(sorted(set(map(normalize, one.packages)))))
        for one in sorted(named, key=lambda one: one.name)
    )


def named_faults(named: Iterable[NamedIndex]) -> Iterator[Fault]:
    """Everything that is wrong with these indexes."""
    owner: dict[str, str] = {}
    seen: dict[str, str] = {}
    for one in named:
        where = f"--index {one.name}"
        if not _NAME.fullmatch(one.name):
            yield Fault(where=where, text="is not a name: use letters, digits, `-`, `_` and `.`")
        # uv reads the credentials of an index from variables in which these are all the same.
        folded = re.sub(r"[^A-Z0-9]", "_", one.name.upper())
        if folded in seen:
            yield Fault(where=where, text=f"is too like `{seen[folded]}`", hint="choose another name")
        seen[folded] = one.name
        if fault := index_fault(where, one.url):
            yield fault
        if not one.packages:
            hint = f"add `--index-package {one.name}=PACKAGE`; an index for all packages is --extra-index-url"
            yield Fault(where=where, text="names no package to take from it", hint=hint)
        for package in one.packages:
            if other := owner.get(package):
                text = f"`{package}` is bound to `{other}` already"
                yield Fault(where=where, text=text, hint="bind it to one index")
            owner[package] = one.name
