"""What the service shows without solving: facts by name, committed locks, releases."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from mmlock.core.errors import UsageError
from mmlock.core.report import Page
from mmlock.facts.matrix.load import ENVIRONMENT_VARIABLE, open_matrix
from mmlock.lock.model import LockedEnv
from mmlock.upkeep.catalogue.committed_locks import Committed, CommittedLocks, CommittedState

__all__ = [
    "Committed",
    "CommittedLocks",
    "CommittedState",
    "cited",
    "device_names",
    "facts_changed",
    "facts_digest",
    "gpus",
    "lock_of",
    "package_facts",
    "package_names",
    "releases",
    "stack_names",
    "use_facts",
    "validations",
    "why_in",
]


@cache
def facts_digest() -> str:
    """The digest of the facts that this process uses, as they were when it was first asked."""
    return open_matrix().digest


def facts_changed() -> str:
    """Read the facts again from where they now are; their digest."""
    for kept in (facts_digest, device_names, stack_names):
        kept.cache_clear()
    return facts_digest()


def use_facts(folder: Path) -> str:
    """Have this process, and those that it starts, use a folder of facts; the digest of those."""
    os.environ[ENVIRONMENT_VARIABLE] = str(folder)
    return facts_changed()


@cache
def device_names() -> tuple[tuple[str, str], ...]:
    """Every device: the shortest word for it, and its name with its architecture."""
    matrix = open_matrix()
    rows = [
        (min((gpu.name, *gpu.aliases), key=lambda word: (len(word), word)), f"{gpu.name} ({gpu.sm})")
        for gpu in matrix.gpus
    ]
    rows += [(row.name, f"{row.name} ({row.kind})") for row in matrix.accelerators]
    return tuple(rows)


@cache
def stack_names() -> tuple[str, ...]:
    """The named sets of requirements."""
    return tuple(stack.name for stack in open_matrix().stacks)


def cited(sources: Sequence[str]) -> tuple[str, ...]:
    """Sources of facts as a person reads them."""
    from mmlock.resolve.graph.builder import readable

    return tuple(readable(open_matrix(), tuple(sources)))


def package_names() -> tuple[str, ...]:
    """Packages that facts are about."""
    from mmlock.report.matrix import known_packages

    return tuple(sorted(known_packages(open_matrix())))


def gpus(name: str | None = None) -> Page:
    """What is known about one device, or the list of all."""
    from mmlock.report.showing import show_gpus

    report = show_gpus(name, matrices=None)
    return Page(text=report.text, data=report.data)


def package_facts(package: str) -> Page:
    """The facts about `PACKAGE` or `PACKAGE==VERSION`."""
    from mmlock.report.showing import show_package

    report = show_package(package, matrices=None)
    return Page(text=report.text, data=report.data)


def validations() -> tuple[Mapping[str, Any], ...]:
    """The recorded validations."""
    return tuple(msgspec.to_builtins(row) for row in open_matrix().validations)


def releases(package: str) -> Mapping[str, Any]:
    """The releases of a package as Renovate's custom datasources read them. Raises UsageError.

    Also what `mmlock feed` writes: builds of torch for one CUDA, a directory of wheels, verdicts.
    Source: https://docs.renovatebot.com/modules/datasource/custom/
    """
    from mmlock.core.names import normalize
    from mmlock.core.versions import version
    from mmlock.facts.matrix.known_versions import known_versions
    from mmlock.report.matrix import known_packages
    from mmlock.upkeep.feed import documents

    matrix = open_matrix()
    name = normalize(package)
    if name not in known_packages(matrix):
        if (document := documents(matrix).get(package)) is not None:
            return document
        raise UsageError(f"nothing is known of `{package}`", hints=["GET /api/v1/packages lists the names"])
    uploads = {row.version: row.upload for row in matrix.releases(name)}
    yanked = {row.version for row in matrix.releases(name) if row.yanked}
    rows = []
    for text in sorted(known_versions(matrix, name), key=version):
        row: dict[str, Any] = {"version": text, "isStable": not version(text).is_prerelease}
        if uploads.get(text):
            row["releaseTimestamp"] = uploads[text]
        if text in yanked:
            row["isDeprecated"] = True
        rows.append(row)
    return {"releases": rows, "homepage": f"https://pypi.org/project/{name}/"}


def lock_of(files: Mapping[str, str]) -> LockedEnv:
    """The environment in the files of a solve's result."""
    from mmlock.lock.read import read_texts

    return read_texts(files)


def why_in(env: LockedEnv, package: str) -> Page:
    """The argument for one package of an environment. Raises UsageError when it is not in it."""
    from mmlock.lock.json_twins import why_data
    from mmlock.lock.text import why_package

    text = why_package(env, package)
    if text is None:
        raise UsageError(f"`{package}` is not in this lock")
    return Page(text=text, data=why_data(env, package))
