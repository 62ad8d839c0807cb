"""Faults between rows about compiled packages: two that describe one thing and differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from mmlock.facts.matrix.packages import Build

__all__ = ["contradictions"]

Fault = tuple[str, int, str]
"""File, index of the row, what is wrong."""


class KnownFacts(Protocol):
    """Rows by section, with where they are."""

    def located(self, section: str) -> list[tuple[str, int, Any]]:
        """File, index and row."""


def contradictions(facts: KnownFacts) -> Iterator[Fault]:
    """Modules and distributions that two rows claim, and wheels that two tables tell differently."""
    yield from _claimed_twice(facts)
    yield from _told_twice(facts)
    yield from _strangers(facts)
    yield from _unlisted(facts)


def _claimed_twice(facts: KnownFacts) -> Iterator[Fault]:
    modules: dict[str, str] = {}
    packages: dict[str, str] = {}
    for file, index, row in facts.located("modules"):
        if (other := modules.setdefault(row.module, file)) != file:
            yield file, index, f"module: `{row.module}` also has a row in {other}"
        for name in row.packages if row.core else ():
            if (other := packages.setdefault(name, row.module)) != row.module:
                yield file, index, f"distributions: `{name}` also provides the module `{other}`"


def _told_twice(facts: KnownFacts) -> Iterator[Fault]:
    told: dict[tuple[str, int, str], str] = {}
    first: dict[tuple[object, ...], tuple[str, Build]] = {}
    for file, index, build in facts.located("listed"):
        for platform in build.platforms:
            for python in build.table.pythons or ("any",):
                key = (*_identity(build), platform, python)
                place, other = first.setdefault(key, (file, build))
                if other is not build and (what := _difference(other, build)):
                    told[file, index, place] = (
                        f"wheels: {_name(build)} for Python {python} on {platform} has two rows, and they "
                        f"differ in {what} (the other is in {place}); keep one"
                    )
    for (file, index, _), text in told.items():
        yield file, index, text


def _identity(build: Build) -> tuple[object, ...]:
    table = build.table
    return build.package, build.version, build.torch, build.variant, build.cuda, build.abi, table.provider


def _difference(one: Build, other: Build) -> str:
    """The first key in which two rows about the same wheel differ; that there are two is one, too."""
    told = (
        ("url", one.url, other.url),
        ("archs", one.table.archs, other.table.archs),
        ("ptx", one.table.ptx, other.table.ptx),
        ("cudart", one.table.cudart, other.table.cudart),
        ("glibc", one.table.glibc, other.table.glibc),
    )
    return next((name for name, mine, theirs in told if mine != theirs), "nothing")


def _name(build: Build) -> str:
    words = [f"torch {build.torch}" if build.torch else "", build.variant or ""]
    return " ".join([f"{build.package} {build.version}", *filter(None, words)])


def _strangers(facts: KnownFacts) -> Iterator[Fault]:
    """Providers that no row explains."""
    told: dict[tuple[str, int, str], str] = {}
    known = {row.name for _, _, row in facts.located("provider-names")}
    for file, index, build in facts.located("listed"):
        named = build.table.provider
        if named is not None and named not in known:
            told[file, index, named] = f"wheels.provider: `{named}` is no provider of providers.toml"
    for (file, index, _), text in told.items():
        yield file, index, text


def _unlisted(facts: KnownFacts) -> Iterator[Fault]:
    """Wheels that are said to be listed by name in a file of `files/`, and are not."""
    names: dict[str, set[str]] = {}
    for file, _, row in facts.located("files"):
        names.setdefault(file.rpartition("/")[2].removesuffix(".json"), set()).add(row.name)
    for file, index, build in facts.located("listed"):
        where, rule = build.table.listed, build.url
        if where is None or rule is None:
            continue
        for python in build.table.pythons:
            name = rule.replace("{py}", "cp" + python.replace(".", ""))
            if name not in names.get(where, ()):
                yield file, index, f"wheels.listed: `{name}` is not in files/{where}.json"
