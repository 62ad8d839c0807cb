"""What the committed locks hold, as far as a changed fact can concern them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mmlock.core.errors import MmlockError, UsageError
from mmlock.core.names import normalize
from mmlock.facts.matrix.concerned import LockContents
from mmlock.lock.model import FindingKind, LockedEnv
from mmlock.lock.read import read_lock

__all__ = ["held_locks"]


def held_locks(folder: Path, *, named: bool) -> Iterator[LockContents]:
    """Every readable lock below a folder. A broken one is no reason to keep facts old, so it is passed over.

    Raises UsageError when a folder that was named is not there.
    """
    if named and not folder.is_dir():
        raise UsageError(f"`{folder}`: no such folder", hints=["pass the folder with the locks to `--locks`"])
    for path in sorted(folder.rglob("pylock.toml")):
        try:
            env = read_lock(path.parent)
        except MmlockError:
            continue
        yield _held(env, str(path.parent.relative_to(folder)))


def _held(env: LockedEnv, name: str) -> LockContents:
    versions = {row.name: row.version for row in env.packages}
    versions |= {normalize(step.package): step.version for step in env.fetch}
    versions |= {normalize(step.package): step.version for step in env.build}
    versions |= {choice.name: choice.version for choice in env.conda_core}
    files = {one for row in env.packages for file in row.files for one in (file.name, file.url)}
    files |= {step.url for step in env.fetch} | {step.source.name for step in env.build}
    return LockContents(
        name=name,
        versions=versions,
        files=frozenset(files),
        torch=env.torch,
        platform=env.target.platform,
        ids=frozenset(_ids(env)),
    )


def _ids(env: LockedEnv) -> Iterator[str]:
    """Names of the facts that decided it, besides those about packages."""
    yield env.stack
    for device in env.target.devices:
        yield device.name
        if device.arch is not None:
            yield device.arch
    for step in env.build:
        yield from (step.recipe, step.toolchain.name)
        if step.toolchain.cuda is not None:
            yield f"CUDA {step.toolchain.cuda}"
    variant = env.torch.partition("+")[2]
    if variant.startswith("cu") and variant[2:].isdigit():
        yield f"CUDA {variant[2:-1]}.{variant[-1]}"
    yield from (one.subject for one in env.findings if one.kind in _BREAKAGES)


_BREAKAGES = frozenset({FindingKind.CURED, FindingKind.BREAKAGE})
