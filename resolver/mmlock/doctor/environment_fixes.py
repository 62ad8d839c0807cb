"""From the troubles of an environment to the solves that would cure it, the most careful first. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from mmlock.core.names import DeviceKind, normalize
from mmlock.core.versions import InvalidVersion, version
from mmlock.doctor.environment.model import Distribution, Environment, Severity, Trouble
from mmlock.doctor.model import ProposedSolve
from mmlock.doctor.proposals import same_major, short_name
from mmlock.facts.matrix.load import Matrix

_FAMILY = frozenset({"mmcv", "mmcv-full", "mmcv-lite"})
_FOLLOWS = frozenset({"torch", "triton"})
"""What comes with the others and is not asked for by itself."""
_TOOLS = frozenset({"pip", "setuptools", "wheel", "uv", "openmim"})
_SECOND = 2


def cures(
    env: Environment, matrix: Matrix, troubles: Sequence[Trouble], gpu: str | None
) -> Iterator[ProposedSolve]:
    """What may be asked, from keeping everything that is not guilty to keeping only the names."""
    wanted = wanted_of(env, matrix)
    if not wanted:
        return
    guilty = {name for one in troubles if one.severity is Severity.FAILS for name in one.packages}
    pinned = tuple(_pinned(dist, matrix, guilty, env) for dist in wanted)
    bare = tuple(text.partition("==")[0] for text in pinned)
    torch = env.torch.facts.build.torch if env.torch and "torch" not in guilty else None
    careful = ProposedSolve(
        packages=pinned,
        gpu=gpu or gpu_of(env, matrix),
        python=env.interpreter.python,
        torch=torch,
        note="" if env.devices or gpu else "no GPU was detected, so the lock is for the CPU",
    )
    yield careful
    if torch is not None:
        yield replace(careful, torch=None)
    yield replace(careful, torch=None, packages=tuple(same_major(text) for text in pinned))
    yield replace(careful, torch=None, packages=bare)


def gpu_of(env: Environment, matrix: Matrix) -> str:
    """What to write after `--gpu`."""
    for device in env.devices:
        if device.kind is not DeviceKind.CPU:
            return short_name(matrix, device)
    return "cpu"


def wanted_of(env: Environment, matrix: Matrix) -> tuple[Distribution, ...]:
    """What the environment is for: packages that the facts decide, and what a person asked for by name."""
    decided = {str(p) for module in matrix.modules if module.core for p in module.packages}
    needed = _needed(env)
    found = [
        dist
        for name, dist in env.installed.items()
        if name not in _FOLLOWS | _TOOLS
        and (name in decided or (dist.requested and name not in needed and dist.origin is None))
        and not dist.fault
    ]
    family = [dist for dist in found if dist.name in _FAMILY]
    return tuple(dist for dist in found if dist.name not in _FAMILY or dist is family[0])


def _needed(env: Environment) -> frozenset[str]:
    """What others require: some installers mark that as asked for, too."""
    found = set()
    for dist in env.installed.values():
        for text in dist.requires:
            name = re.match(r"[\w.-]+", text)
            if name is not None and normalize(name[0]) != dist.name:
                found.add(str(normalize(name[0])))
    return frozenset(found)


def left_aside(env: Environment, matrix: Matrix) -> tuple[str, ...]:
    """What a lock cannot hold: installed from a folder or a URL, and no fact speaks of it."""
    decided = {str(p) for module in matrix.modules if module.core for p in module.packages}
    return tuple(
        f"{dist.name} ({dist.origin})"
        for dist in env.installed.values()
        if dist.origin is not None and dist.name not in decided
    )


def _pinned(dist: Distribution, matrix: Matrix, guilty: set[str], env: Environment) -> str:
    if dist.name in _FAMILY:
        return family_of(env)
    base = dist.version.partition("+")[0]
    known = {row.version for row in matrix.releases(dist.name)}
    return f"{dist.name}=={base}" if base in known and dist.name not in guilty else dist.name


def family_of(env: Environment) -> str:
    """`mmcv` or `mmcv-full`: by what builds on it, else by what is installed."""
    for name, first in (("mmdet", 3), ("mmsegmentation", 1), ("mmpose", 1), ("mmdet3d", 1)):
        if (dist := env.first(name)) is not None:
            try:
                return "mmcv" if version(dist.version).release >= (first, 0) else "mmcv-full"
            except InvalidVersion:
                continue
    if env.first("mmengine"):
        return "mmcv"
    mmcv = env.first("mmcv") or env.first("mmcv-lite")
    if env.first("mmcv-full") and mmcv is None:
        return "mmcv-full"
    try:
        return "mmcv-full" if mmcv and version(mmcv.version).major < _SECOND else "mmcv"
    except InvalidVersion:
        return "mmcv"
