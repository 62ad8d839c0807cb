"""An environment against a lock."""

from __future__ import annotations

from collections.abc import Iterator

from mmlock.core.versions import InvalidVersion, version
from mmlock.doctor.environment.model import Distribution, Environment, Trouble, TroubleKind, TroubleSeverity
from mmlock.doctor.log_window import joined
from mmlock.lock.model import LockedEnv

_TOOLS = frozenset({"pip", "setuptools", "wheel", "uv"})
_SHOWN = 12


def compare(env: Environment, lock: LockedEnv) -> Iterator[Trouble]:
    """Where they differ: the Python, what is missing, what is of another version, what is more."""
    if env.interpreter.python != lock.python:
        yield _differs(
            f"Python is {env.interpreter.python or 'unknown'}, the lock is for {lock.python}",
            "Create an environment for the lock: `mmlock install`.",
        )
    yield from _conda(env, lock)
    for package in lock.packages:
        there = env.first(package.name)
        if there is None:
            yield _differs(
                f"{package.name} {package.version} is in the lock, but not installed",
                "Install the lock.",
                package.name,
            )
        elif not same(there.version, package.version):
            yield _differs(
                f"{package.name} {there.version} is installed; the lock has {package.version}",
                "Install the lock.",
                package.name,
            )
    for step in lock.steps:
        there = env.first(step.package)
        if there is None or not same(there.version, step.version):
            have = f"is {there.version}" if there else "is not installed"
            yield _differs(
                f"{step.package} {have}; the lock has {step.version}, which is not built yet",
                "`mmlock build` builds it.",
                step.package,
            )
    yield from _more(env, lock)


def _conda(env: Environment, lock: LockedEnv) -> Iterator[Trouble]:
    """The conda part, each package down to its build."""
    if lock.conda and not env.conda:
        yield _differs(
            f"the lock has {len(lock.conda)} conda packages, and this is no conda environment",
            "Create an environment for the lock: `mmlock install`.",
        )
        return
    installed = {one.name: one for one in env.conda}
    for package in lock.conda:
        there = installed.get(package.name)
        if there is None:
            yield _differs(
                f"{package.name} {package.version} of conda is in the lock, but not installed",
                "Install the lock.",
            )
        elif (there.version, there.build) != (package.version, package.build):
            yield _differs(
                f"{package.name} {there.version} {there.build} of conda is installed; "
                f"the lock has {package.version} {package.build}",
                "Install the lock.",
            )


def _differs(title: str, advice: str, package: str | None = None) -> Trouble:
    packages = (package,) if package else ()
    return Trouble(
        check=TroubleKind.LOCK,
        severity=TroubleSeverity.FAILS,
        title=title,
        advice=(advice,),
        packages=packages,
    )


def _more(env: Environment, lock: LockedEnv) -> Iterator[Trouble]:
    more = strangers(env, lock)
    if more:
        told = joined(f"{dist.name} {dist.version}" for dist in more[:_SHOWN])
        rest = f" and {len(more) - _SHOWN} more" if len(more) > _SHOWN else ""
        yield Trouble(
            check=TroubleKind.LOCK,
            severity=TroubleSeverity.NOTE,
            title=f"{len(more)} distributions are not in the lock",
            evidence=(f"{told}{rest}",),
        )


def strangers(env: Environment, lock: LockedEnv) -> list[Distribution]:
    """What is installed and neither in the lock nor a tool."""
    held = {str(package.name) for package in lock.packages} | {str(step.package) for step in lock.steps}
    locked = {package.name for package in lock.conda}
    held |= {own.distribution for one in env.conda if one.name in locked for own in one.owns}
    return [dist for name, dist in env.installed.items() if name not in held and name not in _TOOLS]


def same(installed: str, locked: str) -> bool:
    """Whether two versions are one; what a local part adds counts where both have it."""
    try:
        ours, theirs = version(installed), version(locked)
    except InvalidVersion:
        return installed == locked
    if ours.local and theirs.local:
        return ours == theirs
    return version(ours.public) == version(theirs.public)
