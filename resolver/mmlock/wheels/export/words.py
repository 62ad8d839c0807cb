"""Texts of a lock as words of a shell, a Dockerfile, a requirements file: each quoted for where it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from shlex import quote
from urllib.parse import quote as percent

from mmlock.core.artifact import Artifact
from mmlock.core.errors import UsageError
from mmlock.core.extension import SourceTree
from mmlock.lock.fields import build_faults, environment_faults, fetch_faults, package_faults, url_problem
from mmlock.wheels.export.model import Export
from mmlock.wheels.model import Pin

__all__ = ["docker_path", "docker_value", "expanded", "marker", "require_safe", "requirement", "shell_lines"]

_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*", re.ASCII)
_PROJECT = re.compile(r"[a-z0-9][a-z0-9-]*", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SHOWN = 12
BESIDE = "BESIDE"
"""The variable of the script that holds the lock folder as a URL."""


def require_safe(export: Export) -> None:
    """Raise UsageError for a lock that is no script to be: its fields are not what they must be."""
    faults = [f"`{key}` {text}" for key, text in _faults(export)]
    if faults:
        raise UsageError(
            "this lock cannot be exported",
            causes=faults[:_SHOWN],
            hints=["mmlock did not write it like this: run `mmlock solve` again"],
        )


def _faults(export: Export) -> Iterator[tuple[str, str]]:
    env = export.env
    yield from environment_faults(env)
    for package in env.packages:
        yield from _of(package.name, package_faults(package))
        if not package.files:
            yield f"{package.name}.files", "is empty"
    for fetch in env.fetch:
        yield from _of(fetch.package, fetch_faults(fetch))
    for build in env.build:
        yield from _of(build.package, build_faults(build))
        if isinstance(build.source, Artifact) and build.source.sha256 is None:
            yield f"{build.package}.sdist", "has no hash"
    for planned in export.builds:
        step = planned.plan.step
        yield from _of(step.package, build_faults(step))
        yield from _of(step.package, (fault for pin in planned.pins for fault in _pin(pin)))
    yield from (
        ("imports", f"{name!a} is no module") for name in export.imports if not _MODULE.fullmatch(name)
    )
    yield from (("shadows", f"{n!a} is no package") for n in export.shadows if not _PROJECT.fullmatch(n))
    if _null(env):
        yield "lock", "contains a null character"


def _pin(pin: Pin) -> Iterator[tuple[str, str]]:
    if not _PROJECT.fullmatch(pin.name):
        yield "pins", f"{pin.name!a} is not the name of a package"
    if "://" in pin.file.url and (why := url_problem(pin.file.url)):
        yield "pins", why
    if pin.file.sha256 and not _HEX.fullmatch(pin.file.sha256):
        yield "pins", f"{pin.file.sha256!a} is not a sha256"


def _null(env: object) -> bool:
    import msgspec

    return "\\u0000" in msgspec.json.encode(env).decode()


def _of(name: str, faults: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((f"{name}.{key}", text) for key, text in faults)


# ---------------------------------------------------------------- the shell


def expanded(text: str, variables: dict[str, str]) -> str:
    """One shell word: the text quoted, with `{name}` in it as the shell's own expansion, `$BUILD/venv`.

    The expansions are ours and are double-quoted as they are.
    """
    pieces = re.split(rf"({'|'.join(re.escape('{' + name + '}') for name in variables)})", text)
    words = (
        f'"{variables[piece[1:-1]]}"' if piece[:1] == "{" and piece[1:-1] in variables else quote(piece)
        for piece in pieces
        if piece
    )
    return "".join(words) or "''"


def shell_lines(words: Iterable[str], command: str) -> Iterator[str]:
    """Words, each as a line on the standard input of a command."""
    yield "{"
    yield "  :"  # a group of no commands is an error
    yield from (f"  printf '%s\\n' {word}" for word in words)
    yield f"}} | {command}"


def requirement(name: str, url: str, sha256: str | None) -> str:
    """One shell word that holds a line of a requirements file; a path is one beside the lock."""
    head, tail = f"{name} @ ", f" --hash=sha256:{sha256}" if sha256 else ""
    if "://" in url:
        return quote(f"{head}{url}{tail}")
    return expanded(f"{head}{{{BESIDE}}}/{percent(url)}{tail}", {BESIDE: f"${BESIDE}"})


def marker(text: str, wanted: str) -> str:
    """A word that ends a heredoc with this text, and that is none of its lines."""
    lines = set(text.splitlines())
    number, found = 1, wanted
    while found in lines:
        number += 1
        found = f"{wanted}_{number}"
    return found


# ---------------------------------------------------------------- Dockerfiles


def docker_value(text: str, what: str) -> str:
    """A value of `ENV`, in double quotes. Raises UsageError for a line break, which it cannot hold."""
    if not text.isprintable():
        raise UsageError(
            f"a Dockerfile cannot set {what}",
            causes=["its value has line breaks or control characters"],
            hints=["use `mmlock export --format script`"],
        )
    return '"' + re.sub(r'(["\\$])', r"\\\1", text) + '"'


def docker_path(tree: SourceTree) -> str:
    """A path of a project for `COPY`, which expands variables and wildcards. Raises UsageError for those."""
    path = str(PurePosixPath(tree.path))
    if not path.isprintable() or re.search(r"[$*?\[\]\\\"']", path):
        raise UsageError(
            f"a Dockerfile cannot copy the folder {path!a}",
            hints=["give the folder a name without quotes and wildcards"],
        )
    return path
