"""Declared requirements, as `pip check` reads them, but without running anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from packaging.markers import InvalidMarker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.markers import marker_environment
from mmlock.core.names import Platform, normalize
from mmlock.core.versions import InvalidVersion, allows
from mmlock.doctor.environment.imports import imported_by
from mmlock.doctor.environment.model import Distribution, Environment, Trouble, TroubleKind, TroubleSeverity
from mmlock.doctor.log_window import joined
from mmlock.facts.matrix.load import Matrix

_SHOWN = 3


def requirements(env: Environment, matrix: Matrix) -> Iterator[Trouble]:
    """Requirements that are missing or met by another version, each distribution that is wrong once."""
    dropped = {name for breakage in matrix.breaks for name in breakage.drop}
    missing: dict[str, list[tuple[Distribution, Requirement]]] = {}
    for dist in env.installed.values():
        wrong = [unmet for text in dist.requires if (unmet := _unmet(env, text)) is not None]
        by_name: dict[str, list[Requirement]] = {}
        for one in wrong:
            if normalize(one.name) not in dropped:
                by_name.setdefault(str(normalize(one.name)), []).append(one)
        for name, unmet_ones in by_name.items():
            there = env.first(name)
            if there is None or there.fault:
                missing.setdefault(name, []).append((dist, unmet_ones[0]))
                continue
            bounds = ",".join(dict.fromkeys(str(one.specifier) for one in unmet_ones))
            yield Trouble(
                check=TroubleKind.DECLARED,
                severity=TroubleSeverity.RISK,
                title=(
                    f"{dist.name} {dist.version} requires {unmet_ones[0].name}{bounds}:"
                    f" {there.version} is installed"
                ),
                packages=(there.name,),
            )
    for name, wanting in missing.items():
        yield _missing(matrix, name, [dist for dist, _ in wanting])


def _missing(matrix: Matrix, name: str, wanting: Sequence[Distribution]) -> Trouble:
    """A distribution that is not there: `import` of those that reach it fails, the others may."""
    modules = frozenset(
        {name.replace("-", "_")} | {row.module for row in matrix.modules if name in row.packages}
    )
    reached = [(dist, found) for dist in wanting if (found := imported_by(dist, modules)) is not None]
    told = joined(f"{dist.name} {dist.version}" for dist in wanting[:_SHOWN])
    more = f" and {len(wanting) - _SHOWN} more" if len(wanting) > _SHOWN else ""
    verb = "requires" if len(wanting) == 1 else "require"
    evidence = [
        f"`import {dist.tops[0] if dist.tops else dist.name}` reaches `import {found.module}`"
        f" (`{found.file}`{f', line {found.line}' if found.line else ', a compiled file'})"
        for dist, found in reached[:_SHOWN]
    ]
    return Trouble(
        check=TroubleKind.DECLARED,
        severity=TroubleSeverity.FAILS if reached else TroubleSeverity.RISK,
        title=f"{name} is not installed; {told}{more} {verb} it",
        evidence=tuple(dict.fromkeys(evidence)),
        advice=(f"Install it: `pip install {name}`.",),
        packages=tuple(dist.name for dist in wanting),
    )


def _unmet(env: Environment, text: str) -> Requirement | None:
    """The requirement when it applies here and nothing installed meets it."""
    try:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate(_marker_environment(env)):
            return None
        there = env.first(normalize(wanted.name))
        if there is None or there.fault:
            return wanted
        return None if allows(str(wanted.specifier), there.version) else wanted
    except (
        InvalidRequirement,
        InvalidMarker,
        InvalidVersion,
        UndefinedComparison,
        UndefinedEnvironmentName,
    ):
        return None


def _marker_environment(env: Environment) -> dict[str, str]:
    """Of what is installed here: its own patch release, where a target has the newest."""
    me = env.interpreter
    python = me.python or "3"
    full = me.full or f"{python.removesuffix('t')}.0"
    told = marker_environment(me.platform or Platform.LINUX_X86_64, python)
    return {**told, "implementation_version": full, "python_full_version": full}
