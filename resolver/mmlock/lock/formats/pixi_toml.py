"""`pixi.toml`: the manifest of a pixi workspace that pixi.lock belongs to, every package pinned to its build.

What the lock expects of a machine goes into `[system-requirements]`: its glibc, and the CUDA of its driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmlock.lock.formats.conda_parts import subdir
from mmlock.lock.formats.toml_out import Inline, dumps
from mmlock.lock.model import LockedEnv, LockedPackage

__all__ = ["MARK", "NAME", "render", "render_many"]

NAME = "pixi.toml"
MARK = "# Locked by mmlock"
_CUDA = "cuda-version"
"""The package of a channel that says which CUDA an environment is for."""


def render(env: LockedEnv) -> str | None:
    """The manifest; None for a lock without conda packages, or with packages that are still to be built."""
    return _text({"workspace": _workspace([env]), **_feature(env)}) if env.conda and env.sealed else None


def render_many(envs: Mapping[str, LockedEnv]) -> str:
    """One manifest for several sealed locks with conda packages, each an environment by its name."""
    if len(envs) == 1:
        ((_, only),) = envs.items()
        return _text({"workspace": _workspace([only]), **_feature(only)})
    return _text(
        {
            "workspace": _workspace(list(envs.values())),
            "feature": {name: _feature(envs[name], platforms=True) for name in sorted(envs)},
            "environments": {
                name: Inline({"features": [name], "no-default-feature": True}) for name in sorted(envs)
            },
        }
    )


def _text(document: Mapping[str, Any]) -> str:
    return f"{MARK}; pixi.lock beside it holds the hashes: `pixi install --frozen`.\n" + dumps(document)


def _workspace(envs: list[LockedEnv]) -> dict[str, Any]:
    return {
        "name": "-".join(dict.fromkeys(env.stack for env in envs)),
        "channels": list(dict.fromkeys(channel for env in envs for channel in env.channels)),
        "platforms": sorted({subdir(env.target.platform) for env in envs}),
    }


def _feature(env: LockedEnv, *, platforms: bool = False) -> dict[str, Any]:
    """The tables of one environment."""
    found: dict[str, Any] = {"platforms": [subdir(env.target.platform)]} if platforms else {}
    if needs := _system(env):
        found["system-requirements"] = needs
    found["dependencies"] = {
        package.name: Inline(version=f"=={package.version}", build=package.build)
        for package in sorted(env.conda, key=lambda one: one.name)
    }
    if env.packages:
        found["pypi-dependencies"] = {
            str(package.name): _file(package) for package in sorted(env.packages, key=lambda one: one.name)
        }
    if env.environment:
        found["activation"] = {"env": dict(sorted(env.environment.items()))}
    return found


def _system(env: LockedEnv) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if env.target.platform.is_linux and env.target.glibc:
        found["libc"] = Inline(family="glibc", version=env.target.glibc)
    cuda = next((package.version for package in env.conda if package.name == _CUDA), None)
    if cuda is not None and env.target.cuda:
        found["cuda"] = cuda
    return found


def _file(package: LockedPackage) -> Inline:
    file = package.files[0]
    if "://" in file.url:
        return Inline(url=f"{file.url}#sha256={file.sha256}" if file.sha256 else file.url)
    return Inline(path=file.url if file.url.startswith(".") else f"./{file.url}")
