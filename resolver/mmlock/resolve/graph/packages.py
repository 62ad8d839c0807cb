"""Slots of packages: which are needed, and what may fill them.

A slot is an import name (`mmcv`), because that is what packages check and what two distributions
cannot share. Slots come in by being asked for, by an import-time check or by Requires-Dist.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from mmlock.core.markers import parsed
from mmlock.core.names import PackageName, normalize
from mmlock.core.versions import allows, is_prerelease, version
from mmlock.facts.matrix.model import Assert, Module, Release
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.request.packages import unnamed

TORCH_SLOTS = frozenset({"torch", "python", "toolchain"})


class SlotCatalog:
    """Which import name each core package fills, and the releases the matrix knows of it."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.matrix = builder.matrix
        self.modules: dict[str, Module] = {m.module: m for m in self.matrix.modules if m.core}
        self.module_of: dict[PackageName, str] = {
            package: m.module for m in self.modules.values() for package in m.packages
        }
        self.unnamed: dict[PackageName, str] = {
            normalize(m.module): m.module for m in self.modules.values() if unnamed(m)
        }
        self._provided = frozenset(
            package
            for provider in self.matrix.providers
            if provider.name in builder.request.providers
            for package in provider.packages
        )
        self._checked: dict[PackageName, frozenset[str]] = {}
        self._presumed: dict[tuple[PackageName, str], list[str]] = {}

    def slot_of(self, package: str) -> str | None:
        """The slot a distribution fills, None when the core does not decide it.

        The name of a module of which each CUDA has a distribution of its own means any of these.
        """
        name = normalize(package)
        return self.module_of.get(name) or self.unnamed.get(name)

    def releases(self, package: PackageName) -> list[Release]:
        """Known releases, newest first, without yanked ones."""
        releases = [r for r in self.matrix.releases(package) if not r.yanked]
        return sorted(releases, key=lambda r: version(r.version), reverse=True)

    def offered(self, slot: str, named: Iterable[PackageName]) -> list[PackageName]:
        """Packages that may fill a slot: other providers only when named, or required by a named one."""
        module = self.modules[slot]
        if not module.on_request:
            return list(module.packages)
        wanted = self._with_requirements(frozenset(named) | self._provided)
        return [p for p in module.packages if p not in module.on_request or p in wanted]

    def stands_for(self, slot: str, package: PackageName) -> bool:
        """Whether a package may come where only the module is named: others have to be named, or allowed."""
        return package not in self.modules[slot].on_request or package in self._provided

    def _with_requirements(self, named: frozenset[PackageName]) -> frozenset[PackageName]:
        others = {p for m in self.modules.values() for p in m.on_request}
        reached: set[PackageName] = set()
        queue = [p for p in named if p in others]
        while queue:
            package = queue.pop()
            reached.add(package)
            for release in self.releases(package):
                for requirement in parsed(release.requires + release.mim):
                    name = normalize(requirement.name)
                    if name in others and name not in reached:
                        queue.append(name)
        return frozenset(reached)

    def presumed(self, release: Release, package: PackageName) -> list[str]:
        """Slots a release needs filled although it checks and requires nothing.

        It imports the module unconditionally, or declares it for `mim` while other releases check it.
        """
        known = self._presumed.get((package, release.version))
        if known is None:
            checked = self._checked_by_some(package)
            own = {c.module for c in release.asserts}
            declared = {s for r in parsed(release.mim) if (s := self.slot_of(r.name)) and s in checked}
            table = self.matrix.names_needed(package)
            taken = table.taken(release.version) if table else frozenset()
            imported = {m for m in (*release.undeclared, *taken) if m in self.modules}
            known = self._presumed[package, release.version] = sorted((declared | imported) - own)
        return known

    def _checked_by_some(self, package: PackageName) -> frozenset[str]:
        """Modules that some release of a package checks when it is imported."""
        known = self._checked.get(package)
        if known is None:
            releases = self.matrix.releases(package)
            known = self._checked[package] = frozenset(c.module for r in releases for c in r.asserts)
        return known

    def unknown_bounds(
        self, package: PackageName, named: Iterable[tuple[PackageName, str]]
    ) -> frozenset[str]:
        """Releases from before import-time checks: offered only to those who ask for no other."""
        releases = self.releases(package)
        first = min((version(r.version) for r in releases if r.asserts), default=None)
        if first is None:
            return frozenset()
        asked = [spec for name, spec in named if name == package and spec]
        if any(not any(allows(spec, r.version) for r in releases if r.asserts) for spec in asked):
            return frozenset()
        return frozenset(r.version for r in releases if not r.asserts and version(r.version) < first)

    def on_offer(self, package: PackageName, named: Iterable[tuple[PackageName, str]]) -> list[Release]:
        """Releases, newest first, that may be taken as a wheel or as sources."""
        unknown = self.unknown_bounds(package, named)
        return [release for release in self.releases(package) if release.version not in unknown]

    def released(self, package: PackageName) -> bool:
        return package in self.matrix.release_packages


def generation(release: Release) -> int:
    """0 for releases that build on mmengine, 1 for the older ones: told by what they check or declare."""
    return _generation(release.asserts, release.requires + release.mim)


@lru_cache(maxsize=4096)
def _generation(asserts: tuple[Assert, ...], requirements: tuple[str, ...]) -> int:
    if any(check.module == "mmengine" for check in asserts):
        return 0
    named = {normalize(r.name) for r in parsed(requirements)}
    return 0 if any(name.endswith("mmengine") for name in named) else 1


def needed_slots(catalog: SlotCatalog, roots: Iterable[str]) -> list[str]:
    """Roots and all they can pull in, in a stable order."""
    order: list[str] = []
    queue = sorted(set(roots) - TORCH_SLOTS)
    while queue:
        slot = queue.pop(0)
        if slot in order:
            continue
        order.append(slot)
        for package in catalog.modules[slot].packages:
            for release in catalog.releases(package):
                queue.extend(sorted(_pulls(catalog, release, package) - set(order) - TORCH_SLOTS))
    return order


def _pulls(catalog: SlotCatalog, release: Release, package: PackageName) -> set[str]:
    slots = {check.module for check in release.asserts if check.module in catalog.modules}
    slots.update(catalog.presumed(release, package))
    for requirement in parsed(release.requires):
        slot = catalog.slot_of(requirement.name)
        if slot is not None:
            slots.add(slot)
    return slots


def newest_first(versions: Iterable[str]) -> list[str]:
    """Final releases first, newest first within each."""
    return sorted(versions, key=lambda v: (not is_prerelease(v), version(v)), reverse=True)
