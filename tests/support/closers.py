"""A closer without a network: it pins one version of everything that is required.

The world is open: what `world` does not name exists in whatever version is asked for. What it names
exists in these versions only, each with its own requirements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mmlock.core.artifact import Artifact, ClosedPackage
from mmlock.core.markers import marker_environment
from mmlock.core.names import PackageName, Sha256, normalize
from mmlock.resolve.closure.model import Closed, ClosureAnswer, ClosureConflict, ClosureRequest, NoWheel

World = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Package -> version -> what it requires."""


@dataclass
class OpenWorld:
    """Finds closures in `world`, and notes what it was asked."""

    world: World = field(default_factory=dict)
    only_sources: frozenset[str] = frozenset()
    asked: list[ClosureRequest] = field(default_factory=list)

    def close(self, request: ClosureRequest) -> ClosureAnswer:
        self.asked.append(request)
        environment = marker_environment(request.platform, request.python)
        core = {node.name: node for node in request.core}
        bounds = [Requirement(one.text) for one in request.constraints]
        queue = [("the request", Requirement(one.text)) for one in request.requirements]
        queue += [
            (node.name, bare)
            for node in request.core
            for text in node.requires
            if (bare := _of_extras(Requirement(text), environment, node.extras))
        ]
        wanted: dict[PackageName, SpecifierSet] = {}
        who: dict[PackageName, list[str]] = {}
        pins: dict[PackageName, str] = {}
        while queue:
            via, one = queue.pop(0)
            name = normalize(one.name)
            if name in request.drop or (one.marker and not one.marker.evaluate(environment)):
                continue
            who.setdefault(name, []).append(via)
            if name in core:
                if one.specifier.contains(core[name].version, prereleases=True):
                    continue
                return self._refused(f"mmlock chose {name}=={core[name].version}", name, via)
            wanted[name] = wanted.get(name, SpecifierSet()) & one.specifier
            for bound in bounds:
                if normalize(bound.name) == name and (not bound.marker or bound.marker.evaluate(environment)):
                    wanted[name] &= bound.specifier
            if (pinned := self._pin(name, wanted[name])) is None:
                return self._refused(f"nothing is {name}{wanted[name]}", name, *who[name])
            if name in self.only_sources and name not in request.allow_sdist:
                return replace(
                    self._refused(f"{name}=={pinned} has no usable wheels", name, *who[name]),
                    no_wheels=(NoWheel(name=name, version=pinned),),
                )
            if pins.get(name) != pinned:
                pins[name] = pinned
                queue += [(name, Requirement(text)) for text in self.world.get(name, {}).get(pinned, ())]
        packages = tuple(self._package(name, pins[name], who[name]) for name in sorted(pins))
        return Closed(packages=packages, engine="open world 1", from_cache=False)

    def _pin(self, name: PackageName, spec: SpecifierSet) -> str | None:
        if name in self.world:
            found = spec.filter(sorted(self.world[name], key=Version, reverse=True))
        else:
            found = spec.filter(_guesses(spec))
        return next(iter(found), None)

    def _package(self, name: PackageName, pinned: str, who: Iterable[str]) -> ClosedPackage:
        stem = f"{name.replace('-', '_')}-{pinned}"
        file = f"{stem}.tar.gz" if name in self.only_sources else f"{stem}-py3-none-any.whl"
        url = f"https://files.example/{file}"
        made = Artifact(name=file, url=url, sha256=Sha256("cd" * 32))
        return ClosedPackage(name=name, version=pinned, files=(made,), via=tuple(sorted(set(who))))

    @staticmethod
    def _refused(reason: str, *names: str) -> ClosureConflict:
        told = sorted({normalize(name) for name in names if name != "the request"})
        return ClosureConflict(reason=reason, packages=tuple(told))


def _of_extras(one: Requirement, environment: Mapping[str, str], extras: Iterable[str]) -> Requirement | None:
    """The requirement without its marker, where that holds for one of the extras or for none."""
    if one.marker and not any(one.marker.evaluate({**environment, "extra": e}) for e in ("", *extras)):
        return None
    one.marker = None
    return one


def _guesses(spec: SpecifierSet) -> list[str]:
    """Versions around the bounds of a specifier, some high and some low."""
    found = ["2024.1.0", "60.0.0", "10.0.0", "3.0.0", "2.0.0", "1.0.0", "0.9.0", "0.1.0", "0.0.1"]
    for one in spec:
        base = Version(one.version.removesuffix(".*"))
        parts = [*base.release, 0, 0][:3]
        found += [str(base), f"{base.public}.1" if not base.is_prerelease else str(base)]
        for place in range(3):
            for step in (1, -1):
                near = list(parts)
                near[place] = max(0, near[place] + step)
                found.append(".".join(map(str, near)))
    return found
