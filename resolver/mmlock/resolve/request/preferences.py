"""The versions that a request prefers: those of the lock that it is about to replace."""

from __future__ import annotations

from msgspec.structs import replace

from mmlock.core.arguments import SolveArguments
from mmlock.core.names import PackageName
from mmlock.lock.read import lock_in

__all__ = ["with_preferences"]


def with_preferences(arguments: SolveArguments) -> SolveArguments:
    """The request that prefers the versions of the lock in its folder, as far as it wants that."""
    if arguments.out is None or arguments.upgrade or not (arguments.out / "pylock.toml").is_file():
        return arguments
    env = lock_in(arguments.out)
    if env is None:
        return arguments
    fresh = set(arguments.upgrade_packages)
    versions = {package.name: package.version for package in env.packages}
    versions |= {PackageName(step.package): step.version for step in env.steps}
    versions |= {PackageName("python"): env.python, PackageName("torch"): env.torch}
    return replace(
        arguments,
        preferences=tuple(sorted((n, v) for n, v in versions.items() if n not in fresh)),
    )
