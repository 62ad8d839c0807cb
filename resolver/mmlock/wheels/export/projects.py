"""What project tools need to install a lock: a pin, and a source where that is not PyPI."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from mmlock.core.errors import UsageError
from mmlock.core.names import Platform
from mmlock.lock.formats.parts import unsealed
from mmlock.lock.formats.toml_out import Comment, dumps
from mmlock.lock.model import LockedEnv, LockedPackage
from mmlock.wheels.export.conda_part import require_none

__all__ = ["Pinned", "document", "index_names", "pinned", "requires_python"]

_PYPI_FILES = ("https://files.pythonhosted.org/", "https://pypi.org/")
_MARKERS: Mapping[Platform, str] = {
    Platform.LINUX_X86_64: "sys_platform == 'linux' and platform_machine == 'x86_64'",
    Platform.LINUX_AARCH64: "sys_platform == 'linux' and platform_machine == 'aarch64'",
    Platform.MACOS_ARM64: "sys_platform == 'darwin' and platform_machine == 'arm64'",
    Platform.MACOS_X86_64: "sys_platform == 'darwin' and platform_machine == 'x86_64'",
    Platform.WINDOWS_X86_64: "sys_platform == 'win32' and platform_machine == 'AMD64'",
}


class Pinned(Struct, frozen=True, kw_only=True):
    """One package of a lock, and where it comes from: at most one of the three is set, none means PyPI."""

    name: str
    version: str
    index: str | None = None
    """A package index (PEP 503)."""
    url: str | None = None
    """Of the very file, with its hash."""
    path: str | None = None
    """Of a file beside the lock, as seen from the current folder."""

    @property
    def pin(self) -> str:
        return f"{self.name}=={self.version}"


def pinned(env: LockedEnv, folder: Path) -> tuple[Pinned, ...]:
    """Every package of a sealed lock, by name. Raises UsageError for one that is not sealed."""
    require_none(env, "a pyproject.toml of this tool", "`mmlock export pixi` holds both parts")
    if not env.sealed:
        names = ", ".join(f"{name} {version}" for name, version, _ in unsealed(env))
        raise UsageError(
            f"the lock `{folder}` is not sealed",
            causes=[f"still to build or download: {names}"],
            hints=[f"run `mmlock build {folder}` first: a project can only name files that exist"],
        )
    return tuple(_one(package, folder) for package in sorted(env.packages, key=lambda one: one.name))


def _one(package: LockedPackage, folder: Path) -> Pinned:
    file = package.files[0]
    own: dict[str, str] = {}
    if "://" not in file.url:
        own = {"path": (folder / file.url).as_posix()}
    elif file.url.startswith(_PYPI_FILES):
        own = {}
    elif package.index is not None and not re.search(r"\.html?$", package.index):
        own = {"index": package.index.rstrip("/")}
    else:
        own = {"url": f"{file.url}#sha256={file.sha256}" if file.sha256 else file.url}
    return Pinned(name=package.name, version=package.version, **own)


def index_names(packages: Iterable[Pinned]) -> dict[str, str]:
    """A name for each index that is needed, by its URL."""
    names: dict[str, str] = {}
    for url in sorted({one.index for one in packages if one.index}):
        stem = re.sub(r"[^a-z0-9]+", "-", url.partition("://")[2].lower()).strip("-") or "index"
        taken = set(names.values())
        names[url] = next(n for n in (stem, *(f"{stem}-{i}" for i in range(2, 999))) if n not in taken)
    return names


def requires_python(env: LockedEnv) -> str:
    """The bound that keeps the Python of the lock."""
    return f"=={env.python.removesuffix('t')}.*"


def marker(env: LockedEnv) -> str:
    """The platform of the lock as a marker."""
    return _MARKERS[env.target.platform]


def document(tool: str, env: LockedEnv, tables: Mapping[str, Any]) -> str:
    """The part of a pyproject.toml, with what a person must know about it."""
    notes = [
        f"Made by `mmlock export {tool}` from a lock of {env.stack}: torch {env.torch}, Python {env.python}.",
        "Merge these tables into your pyproject.toml. The lock stays the reference: tools resolve again.",
    ]
    if env.environment:
        pairs = ", ".join(f"{name}={value}" for name, value in sorted(env.environment.items()))
        notes.append(f"Environment variables to set at run time: {pairs}")
    return dumps({**{Comment(note): None for note in notes}, **tables})
