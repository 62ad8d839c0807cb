"""From the troubles of an environment to the solves that would cure it, the most careful first. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from mmlock.core.names import DeviceKind, normalize
from mmlock.doctor.environment.model import Distribution, Environment, Trouble, TroubleKind, TroubleSeverity
from mmlock.doctor.model import ProposedSolve
from mmlock.doctor.proposals import mmcv_packages, same_major, short_name
from mmlock.facts.matrix.companions import beside_torch
from mmlock.facts.matrix.eras import builds_on_mmcv_2, never_on_mmcv_1
from mmlock.facts.matrix.load import Matrix

_FOLLOWS = frozenset({"torch", "triton"})
"""What comes with the others and is not asked for by itself."""
_TOOLS = frozenset({"pip", "setuptools", "wheel", "uv", "openmim"})


def cures(
    env: Environment, matrix: Matrix, troubles: Sequence[Trouble], gpu: str | None
) -> Iterator[ProposedSolve]:
    """What may be asked, from keeping everything that is not guilty to keeping only the names."""
    wanted = wanted_of(env, matrix)
    decided = {str(p) for module in matrix.modules if module.core for p in module.packages}
    if env.torch is None and not any(dist.name in decided for dist in wanted):
        return  # nothing here is mmlock's matter: a lock would bring a torch that nobody asked for
    guilty = {name for one in troubles if one.severity is TroubleSeverity.FAILS for name in one.packages}
    pinned = tuple(
        dict.fromkeys(
            (*(_pinned(dist, matrix, guilty, env) for dist in wanted), *_absent(env, matrix, troubles))
        )
    )
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
    wanted = [
        dist
        for name, dist in env.installed.items()
        if name not in _FOLLOWS | _TOOLS
        and (name in decided or (dist.requested and name not in needed and dist.origin is None))
        and not dist.fault
    ]
    return tuple(dist for dist in wanted if dist.name not in _given_up(env, matrix, needed))


def _given_up(env: Environment, matrix: Matrix, needed: frozenset[str]) -> frozenset[str]:
    """Of installed distributions that write the same module, all but one: never two of them are requested.

    The one that another distribution requires is kept, else the one that the facts name first.
    """
    result: set[str] = set()
    for module in matrix.modules:
        rivals = [str(name) for name in module.packages if env.first(name)]
        if len(rivals) > 1:
            result.update(
                set(rivals) - {min(rivals, key=lambda name: (name not in needed, rivals.index(name)))}
            )
    return frozenset(result)


def _absent(env: Environment, matrix: Matrix, troubles: Sequence[Trouble]) -> Iterator[str]:
    """What a release needs at import and is not there."""
    for one in troubles:
        if one.check is TroubleKind.ASSERTS:
            for name in one.packages:
                if env.first(name) is None:
                    yield mmcv_of(env, matrix) if name in mmcv_packages(matrix) else name


def _needed(env: Environment) -> frozenset[str]:
    """What others require: some installers mark that as asked for, too."""
    needed = set()
    for dist in env.installed.values():
        for text in dist.requires:
            name = re.match(r"[\w.-]+", text)
            if name is not None and normalize(name[0]) != dist.name:
                needed.add(str(normalize(name[0])))
    return frozenset(needed)


def left_aside(env: Environment, matrix: Matrix) -> tuple[str, ...]:
    """What a lock cannot hold: installed from a folder or a URL, and no fact speaks of it."""
    decided = {str(p) for module in matrix.modules if module.core for p in module.packages}
    return tuple(
        f"{dist.name} ({dist.origin})"
        for dist in env.installed.values()
        if dist.origin is not None and dist.name not in decided
    )


def _pinned(dist: Distribution, matrix: Matrix, guilty: set[str], env: Environment) -> str:
    if dist.name in mmcv_packages(matrix):
        return mmcv_of(env, matrix)
    base = dist.version.partition("+")[0]
    known = {row.version for row in matrix.releases(dist.name)}
    known |= {row.version for row in matrix.binaries(dist.name)}
    if beside_torch(matrix, dist.name):
        return dist.name  # which release it is follows from torch
    return f"{dist.name}=={base}" if base in known and dist.name not in guilty else dist.name


def mmcv_of(env: Environment, matrix: Matrix) -> str:
    """`mmcv` or `mmcv-full`: by what builds on it, else by what is installed."""
    rows = matrix.mmcv_eras
    own = mmcv_packages(matrix)
    # What is bound to a release says more than what has mmcv 2 only, such as mmengine alone.
    others = [row for row in rows if row.package not in own]
    others.sort(key=lambda row: (never_on_mmcv_1(row), row.package))
    for row in others:
        dist = env.first(row.package)
        second = builds_on_mmcv_2(rows, row.package, dist.version) if dist else None
        if second is not None:
            return "mmcv" if second else "mmcv-full"
    installed = [dist for name in own if (dist := env.first(name))]
    if installed and all(dist.name == "mmcv-full" for dist in installed):
        return "mmcv-full"
    first = next((dist for dist in installed if dist.name != "mmcv-full"), None)
    second = builds_on_mmcv_2(rows, "mmcv", first.version) if first else None
    return "mmcv-full" if second is False else "mmcv"
