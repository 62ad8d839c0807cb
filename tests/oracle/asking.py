"""What a request asks for, once the facts say what its words mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from facts import marker_holds, module_of, modules, python_within, ver, within
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from request import Machine, Request, machine
from world import Way, World, world


@dataclass(frozen=True)
class Wish:
    """A requirement or a constraint, as it binds one module."""

    text: str
    module: str
    names: frozenset[str]
    specifier: str
    marker: str | None
    only_bounds: bool

    def admits(self, way: Way) -> bool:
        named = way.package in self.names
        return (named or self.only_bounds) and (not named or within(self.specifier, way.version))


@dataclass(eq=False)
class Words:
    """A request, as the facts understand its words."""

    request: Request
    spared: frozenset[str] = frozenset()
    """Ids of `known.toml`: facts that the solver is known to overlook, overlooked here, too."""

    # ------------------------------------------------------------ what was asked

    @cached_property
    def machine(self) -> Machine:
        """Raises Unusable."""
        return machine(self.request)

    @cached_property
    def world(self) -> World:
        kind = self.machine.kind
        text = self.request.torch or ""
        variant = text.partition("+")[2] if "+" in text else None
        foreign = variant if variant and variant.startswith("cu") and kind != "cuda" else None
        return world(self.machine.platform, kind, foreign)

    @cached_property
    def _asked(self) -> tuple[tuple[Requirement, bool], ...]:
        bounds = tuple((Requirement(text), True) for text in self.request.constraints)
        plugins = tuple((Requirement(name), False) for name in self.machine.plugins)
        asked = (*((one, False) for one in self.request.asked()), *bounds, *plugins)
        pythons = (self.request.python,) if self.request.python else self.world.pythons
        return tuple(
            (one, bound)
            for one, bound in asked
            if any(self.holds(str(one.marker) if one.marker else None, python) for python in pythons)
        )

    def holds(self, marker: str | None, python: str) -> bool:
        return marker_holds(marker, self.machine.platform, python)

    @cached_property
    def wishes(self) -> tuple[Wish, ...]:
        """What is asked of modules. The name of a module means whoever provides it with its ops."""
        found = []
        for one, bound in self._asked:
            name = canonicalize_name(one.name)
            if name == "torch":
                continue
            module = modules()[module_of()[name]]
            names = {name}
            if name == canonicalize_name(module["module"]):
                others = module["packages"] if self.request.allow_lite else module["with_ops"]
                names.update(set(others) - set(module.get("on_request", ())))
            found.append(
                Wish(
                    text=str(one),
                    module=module["module"],
                    names=frozenset(names),
                    specifier=str(one.specifier),
                    marker=str(one.marker) if one.marker else None,
                    only_bounds=bound,
                )
            )
        return tuple(found)

    @cached_property
    def roots(self) -> frozenset[str]:
        return frozenset(wish.module for wish in self.wishes if not wish.only_bounds)

    def wanted(self, python: str) -> tuple[str, ...]:
        """Modules that must be there with a Python."""
        asked = [w for w in self.wishes if not w.only_bounds and self.holds(w.marker, python)]
        return tuple(dict.fromkeys(wish.module for wish in asked))

    def bounded(self, python: str) -> bool:
        """Whether a Python is in the bound of the user's project."""
        return python_within(self.request.requires_python, python)

    def welcome(self, package: str, version: str) -> bool:
        """Whether a version is a final one, or a pre-release that was asked for."""
        if self.request.pre or not ver(version).is_prerelease:
            return True
        return any(
            canonicalize_name(one.name) == package
            and any(ver(c.version.removesuffix(".*")).is_prerelease for c in one.specifier)
            and within(str(one.specifier), version)
            for one, _ in self._asked
        )


def torch_range(text: str) -> str:
    """`2.4`: any 2.4.x; `2.4.1`: that release; a specifier: itself."""
    if text[0] in "<>=!~":
        return text
    return f"=={text}" if text.count(".") > 1 else f"=={text}.*"
