"""The locks that this user solved or accepted, by the digest of their bytes.

A lock folder is code: its steps run commands, apply patches and download files. What a stranger wrote is
shown before it is used. The digests are kept in the user's state folder, which nobody else may write.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from mmlock.core.extension import SourceTree
from mmlock.core.names import Form
from mmlock.core.report import Page
from mmlock.core.state import state_root
from mmlock.files.private import private_folder
from mmlock.files.reading import UnreadableError, read_bounded
from mmlock.lock.folders import lock_folder
from mmlock.lock.formats import build_toml, pylock
from mmlock.lock.model import BuildStep, FetchStep, LockedEnv
from mmlock.lock.read import read_lock
from mmlock.lock.view import in_order

__all__ = ["accept", "is_known", "remember", "review", "stays_known", "what_it_runs"]

_NAME = "known-locks"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MOST = 4_000_000
"""Bytes of the list that are read: the newest 60,000 locks."""


def is_known(folder: Path, environ: Mapping[str, str]) -> bool:
    """Whether this user solved or accepted the very bytes of this lock folder."""
    digest = _digest(folder)
    return digest is not None and digest in _kept(state_root(environ) / _NAME)


def remember(folder: Path, environ: Mapping[str, str]) -> None:
    """Note the bytes of a lock folder as known. Where that cannot be kept, the user is asked again."""
    digest = _digest(folder)
    path = state_root(environ) / _NAME
    if digest is None or digest in _kept(path):
        return
    from mmlock.core.errors import EnvironmentFault

    with suppress(OSError, EnvironmentFault):
        private_folder(path.parent)
        # One short write at the end: two processes do not mix their lines.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        handle = os.open(path, flags, 0o600)
        try:
            os.write(handle, f"{digest}\n".encode())
        finally:
            os.close(handle)


def _digest(folder: Path) -> str | None:
    """Of everything in the folder that decides what is run; None where there is no lock."""
    parts = hashlib.sha256()
    try:
        parts.update(read_bounded(folder / pylock.NAME))
        steps = folder / build_toml.NAME
        parts.update(b"\0" + read_bounded(steps) if steps.exists() else b"")
    except (OSError, ValueError, UnreadableError):
        return None
    return parts.hexdigest()


def _kept(path: Path) -> frozenset[str]:
    """The digests that are kept; none where others could have written them."""
    try:
        with path.open("rb") as stream:
            kept = os.fstat(stream.fileno())
            if hasattr(os, "geteuid") and (kept.st_uid != os.geteuid() or kept.st_mode & _OTHERS_WRITE):
                return frozenset()
            stream.seek(max(0, kept.st_size - _MOST))
            return frozenset(stream.read(_MOST).decode("ascii", "replace").split())
    except (OSError, ValueError):
        return frozenset()


# ---------------------------------------------------------------- what it runs


def what_it_runs(env: LockedEnv, folder: Path) -> Iterator[str]:
    """What using a lock would run, apply and download, for a person who is to accept it."""
    yield f"the lock `{folder}` is not one that you solved or accepted; using it would"
    for step in in_order(env.steps):
        if isinstance(step, FetchStep):
            yield f"  download {step.package} {step.version}, whose hash is unknown:"
            yield from (f"    {url}" for url in (step.url, *step.alternatives))
        else:
            yield from _build(step)
    sources = [package for package in env.packages if package.form is Form.SDIST]
    for package in sources:
        yield f"  run the setup of {package.name} {package.version} when it is installed:"
        yield from (f"    {file.url}" for file in package.files)
    hosts = Counter(urlsplit(p.files[0].url).netloc or "this folder" for p in env.packages if p.files)
    if hosts:
        parts = ", ".join(f"{count} from {host}" for host, count in sorted(hosts.items()))
        yield f"  install {len(env.packages)} packages by their hashes: {parts}"
    if env.environment:
        yield "  set environment variables:"
        yield from (f"    {name}={value}" for name, value in sorted(env.environment.items()))


def _build(step: BuildStep) -> Iterator[str]:
    what = "make" if step.form is Form.TORCH_OPS else "run the build of"
    yield f"  {what} {step.package} {step.version} (recipe {step.recipe}):"
    source = step.source
    yield f"    sources: {source.path if isinstance(source, SourceTree) else source.url}"
    if step.build_requires:
        yield f"    with {', '.join(step.build_requires)}"
    yield from (f"    variable {name}={value}" for name, value in sorted(step.env.items()))
    yield from (f"    set-up: {line}" for line in step.toolchain.setup)
    for patch in step.patches:
        yield f"    patch {patch.file} ({patch.reason}):"
        yield from (f"      - {line}" for line in patch.find.splitlines())
        yield from (f"      + {line}" for line in patch.replace.splitlines())


# ---------------------------------------------------------------- a folder that is named


def review(lock: Path) -> Page | None:
    """What using a lock would run, for a user who neither solved nor accepted it; None for one who did.

    Raises MmlockError for a lock that cannot be read.
    """
    folder = lock_folder(lock)
    if is_known(folder, os.environ):
        return None
    env = read_lock(folder)
    lines = tuple(what_it_runs(env, folder))
    return Page(text="\n".join(lines), data={"lock": str(folder), "runs": lines})


def accept(lock: Path) -> None:
    """Note that the user accepts a lock as it is."""
    remember(lock_folder(lock), os.environ)


@contextmanager
def stays_known(lock: Path) -> Iterator[None]:
    """While mmlock itself changes a lock that the user knows, it stays known."""
    known = is_known(lock_folder(lock), os.environ)
    try:
        yield
    finally:
        if known:
            accept(lock)
