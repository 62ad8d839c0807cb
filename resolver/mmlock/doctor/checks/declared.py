"""Declared requirements, as `pip check` reads them, but without running anything."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.markers import InvalidMarker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.names import Platform, normalize
from mmlock.core.versions import InvalidVersion, allows
from mmlock.doctor.environment.model import Distribution, Environment, Gravity, Trouble
from mmlock.matrix.load import Matrix

_SYSTEMS = {
    Platform.LINUX_X86_64: ("posix", "linux", "Linux", "x86_64"),
    Platform.LINUX_AARCH64: ("posix", "linux", "Linux", "aarch64"),
    Platform.MACOS_ARM64: ("posix", "darwin", "Darwin", "arm64"),
    Platform.MACOS_X86_64: ("posix", "darwin", "Darwin", "x86_64"),
    Platform.WINDOWS_X86_64: ("nt", "win32", "Windows", "AMD64"),
}


def requirements(env: Environment, matrix: Matrix) -> Iterator[Trouble]:
    """Requirements that are missing or met by another version."""
    dropped = {name for breakage in matrix.breaks for name in breakage.drop}
    for dist in env.installed.values():
        for text in dist.requires:
            if (wrong := _unmet(env, text)) is None or normalize(wrong.name) in dropped:
                continue
            there = env.first(normalize(wrong.name))
            have = f"it is {there.version}" if there else "it is not installed"
            yield Trouble(
                check="declared",
                gravity=Gravity.RISK,
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
    me = env.interpreter
    python = (me.python or "3").removesuffix("t")
    full = me.full or f"{python}.0"
    os_name, sys_platform, system, machine = _SYSTEMS[me.platform or Platform.LINUX_X86_64]
    return {
        "implementation_name": "cpython",
        "implementation_version": full,
        "os_name": os_name,
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": system,
        "platform_version": "",
        "python_full_version": full,
        "python_version": python,
        "sys_platform": sys_platform,
        "extra": "",
    }
