"""What pip, or a person, did to packages that conda installed."""

from __future__ import annotations

from collections.abc import Iterator

from mmlock.doctor.environment.model import (
    CondaInstalled,
    CondaOwned,
    Distribution,
    Environment,
    OwnedState,
    Trouble,
    TroubleKind,
    TroubleSeverity,
)
from mmlock.doctor.log_window import joined
from mmlock.facts.matrix.load import Matrix

_SHOWN = 6


def overwritten(env: Environment, matrix: Matrix) -> Iterator[Trouble]:
    """Distributions of conda packages that something else has replaced or removed."""
    for package in env.conda:
        for own in package.owns:
            there = _others(env, own)
            if own.state is OwnedState.GONE and not there:
                yield _gone(package, own)
            elif there or own.state is OwnedState.CHANGED:
                now = there[0].version if there else own.version
                yield _replaced(env, matrix, package, own, now)


def records(env: Environment, _: Matrix) -> Iterator[Trouble]:
    """Records of conda that cannot be read."""
    for fault in env.conda_faults:
        yield Trouble(
            check=TroubleKind.CONDA,
            severity=TroubleSeverity.RISK,
            title=f"`conda-meta/{fault.path.name}` cannot be read: {fault.detail}",
            evidence=("what that package installed is not checked, and conda cannot remove it",),
            advice=("Create the environment again.",),
        )


def _others(env: Environment, own: CondaOwned) -> list[Distribution]:
    """Installed distributions of that name which are not the one that conda recorded."""
    return [
        dist
        for dist in env.all(own.distribution)
        if dist.record != own.record and dist.site.is_relative_to(env.interpreter.prefix)
    ]


def _replaced(
    env: Environment, matrix: Matrix, package: CondaInstalled, own: CondaOwned, now: str
) -> Trouble:
    linked = [one for one in env.conda if package.name in one.depends and _compiled(env, one)]
    where = f" ({package.channel.rstrip('/').rpartition('/')[2]})" if package.channel else ""
    evidence = [
        f"conda installed {package.name} {package.version}, build {package.build}{where}",
        f"its `{own.record}` is {_WORDS[own.state]}",
        "conda still counts its own as installed, and its next change may put that back",
    ]
    if linked:
        named = joined(f"{one.name} {one.version}" for one in linked[:_SHOWN])
        evidence.append(f"built for conda's {package.name}, and now beside another one: {named}")
    core = any(own.distribution in module.packages and module.core for module in matrix.modules)
    return Trouble(
        check=TroubleKind.CONDA,
        severity=TroubleSeverity.FAILS if linked and core else TroubleSeverity.RISK,
        title=f"{own.distribution} {now} from pip is installed over conda's {package.name} {package.version}",
        evidence=tuple(evidence),
        advice=(
            f"Keep conda's: `pip uninstall {own.distribution}`, then {_again(package)}.",
            "Or create a new environment from one lock over both: `mmlock solve --with-conda`.",
        ),
        packages=(own.distribution, *(dist for one in linked for dist in _names(one))),
    )


def _gone(package: CondaInstalled, own: CondaOwned) -> Trouble:
    return Trouble(
        check=TroubleKind.CONDA,
        severity=TroubleSeverity.FAILS,
        title=f"{own.distribution} {own.version} of conda's {package.name} was removed behind conda's back",
        evidence=(
            f"conda counts {package.name} {package.version} as installed; `{own.record}` is not there",
        ),
        advice=(f"{_again(package)} puts it back.",),
        packages=(own.distribution,),
    )


def _again(package: CondaInstalled) -> str:
    return f"`conda install --force-reinstall {package.name}={package.version}`"


_WORDS = {
    OwnedState.KEPT: "still there, beside another one",
    OwnedState.CHANGED: "not the one that it laid down",
    OwnedState.GONE: "gone",
    OwnedState.UNKNOWN: "still there, beside another one",
}


def _names(package: CondaInstalled) -> tuple[str, ...]:
    return tuple(one.distribution for one in package.owns)


def _compiled(env: Environment, package: CondaInstalled) -> bool:
    """Whether it brought compiled Python code that is there as conda installed it."""
    kept = {one.record for one in package.owns if one.state in {OwnedState.KEPT, OwnedState.UNKNOWN}}
    return any(dist.record in kept and dist.compiled for dist in env.distributions)
