"""Several locks with conda packages in one file of pixi or conda-lock."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from mmlock.core.artifact import Artifact
from mmlock.core.build_arguments import ExportForm
from mmlock.core.errors import UsageError
from mmlock.lock.formats import conda_lock_yml, pixi_lock, pixi_toml
from mmlock.lock.formats.parts import unsealed
from mmlock.lock.model import LockedEnv

__all__ = ["names_of", "render_together"]


def render_together(
    form: ExportForm, locks: Mapping[Path, LockedEnv], beside: Path, *, schema: int | None = None
) -> str:
    """The locks of these folders as one file that is going to be in the folder `beside`.

    Raises UsageError for a lock without conda packages, one that is not sealed, two that the file cannot hold
    together, and a version of the file that there is not.
    """
    _require_schema(form, schema)
    names = names_of(list(locks))
    envs = {names[folder]: _seen_from(beside, folder, env) for folder, env in locks.items()}
    for name, env in envs.items():
        _require(name, env)
    if form is ExportForm.PIXI:
        return pixi_toml.render_many(envs)
    if form is ExportForm.CONDA_LOCK:
        return conda_lock_yml.render_many(list(envs.values()))
    version = schema or pixi_lock.VERSIONS[0]
    ((_, only),) = list(envs.items())[:1]
    return pixi_lock.render_as(only, version) if len(envs) == 1 else pixi_lock.render_many(envs, version)


def names_of(folders: list[Path]) -> dict[Path, str]:
    """What the environment of each lock is called: its folder, with the one above where two are alike."""
    last = [folder.name for folder in folders]
    found = {
        folder: folder.name if last.count(folder.name) == 1 else f"{folder.parent.name}-{folder.name}"
        for folder in folders
    }
    if len(set(found.values())) < len(folders):
        raise UsageError("two of these locks have the same name", hints=["rename the folder of one"])
    named = {folder: _plain(name) for folder, name in found.items()}
    if len(set(named.values())) < len(folders):
        raise UsageError("two of these locks have the same name", hints=["rename the folder of one"])
    return named


def _plain(name: str) -> str:
    """A name as pixi takes it: small letters, digits and dashes."""
    kept = "".join(char if char.isascii() and char.isalnum() else "-" for char in name.lower()).strip("-")
    return kept or "lock"


def _require_schema(form: ExportForm, schema: int | None) -> None:
    known = pixi_lock.VERSIONS if form is ExportForm.PIXI_LOCK else ()
    if schema is not None and schema not in known:
        versions = ", ".join(map(str, pixi_lock.VERSIONS))
        raise UsageError(
            f"`--schema {schema}` is no version of {form}", hints=[f"pixi-lock has the versions {versions}"]
        )


def _require(name: str, env: LockedEnv) -> None:
    if not env.conda:
        raise UsageError(
            f"the lock `{name}` has no conda packages",
            hints=["solve it with `--with-conda`, or export it as `uv`, `poetry` or `pdm`"],
        )
    if not env.sealed:
        waiting = ", ".join(f"{package} {version}" for package, version, _ in unsealed(env))
        raise UsageError(
            f"the lock `{name}` is not sealed",
            causes=[f"still to build or download: {waiting}"],
            hints=["run `mmlock build` first: these files can only name packages that exist"],
        )


def _seen_from(beside: Path, folder: Path, env: LockedEnv) -> LockedEnv:
    """The lock with paths of its own wheels as they are from another folder."""

    def seen(file: Artifact) -> Artifact:
        if "://" in file.url:
            return file
        return replace(file, url=Path(os.path.relpath(folder / file.url, beside)).as_posix())

    packages = tuple(replace(one, files=tuple(map(seen, one.files))) for one in env.packages)
    return replace(env, packages=packages)
