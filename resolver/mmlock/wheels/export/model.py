"""What an export needs to know beyond the lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from mmlock.lock.model import LockedEnv
from mmlock.wheels.model import BuildPlan, Pin


class PlannedBuild(Struct, frozen=True, kw_only=True):
    """A build step with every file of its environment pinned."""

    plan: BuildPlan
    pins: Sequence[Pin]


class Export(Struct, frozen=True, kw_only=True):
    """A lock, ready to be written in another form."""

    env: LockedEnv
    builds: Sequence[PlannedBuild]
    """In the order they must run."""
    imports: Sequence[str]
    """Modules that must be importable when all is done, torch first."""
    shadows: Sequence[str]
    """Distributions that write the same files as one of the lock, and must go."""


class Line(Struct, frozen=True, kw_only=True):
    """One package to install."""

    name: str
    version: str
    url: str
    """Absolute, or a path beside the lock."""
    file: str
    sha256: str

    @property
    def beside(self) -> bool:
        return "://" not in self.url


def lines(env: LockedEnv) -> list[Line]:
    """The best file of each package of the lock, by name."""
    return [
        Line(
            name=package.name,
            version=package.version,
            url=package.files[0].url,
            file=package.files[0].name,
            sha256=package.files[0].sha256 or "",
        )
        for package in sorted(env.packages, key=lambda package: package.name)
    ]


def import_names(env: LockedEnv, modules: Mapping[str, str], extensions: Mapping[str, str]) -> list[str]:
    """What to import as a check: the modules of the decided packages, compiled ones by their extension.

    `modules` gives the import name of a distribution, `extensions` the module of its compiled part.
    """
    steps = {step.package for step in env.build} | {step.package for step in env.fetch}
    compiled = {
        p.name for p in env.packages if p.files[0].is_wheel and not p.files[0].name.endswith("-any.whl")
    }
    decided = {p.name for p in env.packages if p.core} | steps
    found: dict[str, None] = {"torch": None} if "torch" in decided else {}
    for name in sorted(decided):
        if name in modules:
            found[modules[name]] = None
            if name in extensions and name in compiled | steps:
                found[extensions[name]] = None
    return list(found)
