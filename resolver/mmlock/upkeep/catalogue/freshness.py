"""How a lock that is in a folder differs from the one that was solved now. Pure.

Four answers: nothing differs, only what is said about it does, a fact changed, or the index moved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from mmlock.core.artifact import Artifact
from mmlock.lock.formats import build_toml
from mmlock.lock.model import BuildStep, FindingKind, LockedEnv, ReasonKind
from mmlock.validate.digest import lock_digest

__all__ = ["differences", "identity", "same_facts", "with_sizes_of"]

_SHOWN = 6
_BINDING = frozenset(
    {ReasonKind.ASSERTS, ReasonKind.REQUIRES, ReasonKind.DECLARES, ReasonKind.PYTHON, ReasonKind.BREAK}
)
"""Reasons with which facts bound packages."""
_CURES = frozenset({FindingKind.CURED, FindingKind.BREAKAGE})


def identity(env: LockedEnv) -> str:
    """What a lock installs and makes, and for what, without the words about it and the sizes of files."""
    bare = replace(
        with_files(env, lambda file: replace(file, size=None)),
        build=tuple(_wordless(step) for step in env.build),
        fetch=(),
    )
    steps = build_toml.render(bare) or ""
    fetched = [[step.package, step.version, step.url, *step.alternatives] for step in env.fetch]
    parts = [lock_digest(env), repr(env.target), str(env.driver_floor), steps, repr(fetched)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _wordless(step: BuildStep) -> BuildStep:
    bare = replace(step, why="", reasons=(), verified=None, note=None)
    return _with_step_files(bare, lambda file: replace(file, size=None))


def same_facts(old: LockedEnv, new: LockedEnv) -> bool:
    """Whether two different environments rest on the same facts, so that the index is what moved.

    Facts decide the core alone, and reach the rest by what they require, forbid or cure. Where all of that is
    the same, other ordinary packages come of an index with other files. The same matrix is the same facts,
    whatever else differs.
    """
    return old.matrix_digest == new.matrix_digest or _decided(old) == _decided(new)


def _decided(env: LockedEnv) -> tuple[object, ...]:
    """What facts decide of an environment."""
    core = sorted((one.name, one.version) for one in env.packages if one.core)
    steps = sorted((step.package, step.version, type(step).__name__) for step in env.steps)
    reasons = [reason for one in (*env.packages, *env.steps) for reason in one.reasons]
    bounds = sorted({(reason.kind.value, reason.text) for reason in reasons if reason.kind in _BINDING})
    cures = sorted({(one.subject, one.text) for one in env.findings if one.kind in _CURES})
    target = env.python, env.torch, env.driver_floor, sorted(env.environment.items())
    return core, steps, bounds, cures, target


# ---------------------------------------------------------------- files


def with_sizes_of(env: LockedEnv, held: LockedEnv) -> LockedEnv:
    """The environment with the sizes that a held lock states for the same files."""
    sizes = {(file.url, file.sha256): file.size for file in _files(held)}
    return with_files(env, lambda file: replace(file, size=sizes.get((file.url, file.sha256), file.size)))


def with_files(env: LockedEnv, change: Callable[[Artifact], Artifact]) -> LockedEnv:
    """The environment with each of its files changed."""
    return replace(
        env,
        packages=tuple(replace(one, files=tuple(map(change, one.files))) for one in env.packages),
        build=tuple(_with_step_files(step, change) for step in env.build),
    )


def _with_step_files(step: BuildStep, change: Callable[[Artifact], Artifact]) -> BuildStep:
    source = change(step.source) if isinstance(step.source, Artifact) else step.source
    return replace(
        step,
        source=source,
        toolchain=replace(step.toolchain, files=tuple(map(change, step.toolchain.files))),
        tools=tuple(replace(tool, file=change(tool.file)) for tool in step.tools),
    )


def _files(env: LockedEnv) -> Iterator[Artifact]:
    for package in env.packages:
        yield from package.files
    for step in env.build:
        if isinstance(step.source, Artifact):
            yield step.source
        yield from step.toolchain.files
        yield from (tool.file for tool in step.tools)


# ---------------------------------------------------------------- for people


def differences(old: LockedEnv, new: LockedEnv) -> tuple[str, ...]:
    """What differs between two environments, in a few lines."""
    before, after = _versions(old), _versions(new)
    found = [
        f"{name}: {before.get(name, 'none')} -> {after.get(name, 'none')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]
    if old.python != new.python:
        found.insert(0, f"Python: {old.python} -> {new.python}")
    if more := len(found) - _SHOWN:
        found[_SHOWN:] = [f"and {more} more"] if more > 0 else []
    return tuple(found) or ("same versions; other files, steps or variables",)


def _versions(env: LockedEnv) -> dict[str, str]:
    steps = [(str(step.package), f"{step.version} (to build or download)") for step in env.steps]
    return dict([*((str(package.name), package.version) for package in env.packages), *steps])
