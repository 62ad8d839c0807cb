"""Declared requirements, as `pip check` reads them, but without running anything."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.markers import InvalidMarker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.markers import marker_environment
from mmlock.core.names import Platform, normalize
from mmlock.core.versions import InvalidVersion, allows
from mmlock.doctor.environment.model import Distribution, Environment, Trouble, TroubleKind, TroubleSeverity
from mmlock.facts.matrix.load import Matrix


def requirements(env: Environment, matrix: Matrix) -> Iterator[Trouble]:
    """Requirements that are missing or met by another version."""
    dropped = {name for breakage in matrix.breaks for name in breakage.drop}
    for dist in env.installed.values():
        for text in dist.requires:
            if (wrong := _unmet(env, text)) is None or normalize(wrong.name) in dropped:
                continue
            there = env.first(normalize(wrong.name))
            have = f"{there.version} is installed" if there else "it is not installed"
            yield Trouble(
                check=TroubleKind.DECLARED,
                severity=TroubleSeverity.RISK,
                title=f"{dist.name} {dist.version} requires {wrong.name}{wrong.specifier}: {have}",
                packages=_concerned(dist, there),
            )


def _concerned(dist: Distribution, there: Distribution | None) -> tuple[str, ...]:
    return (there.name,) if there else (dist.name,)


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
