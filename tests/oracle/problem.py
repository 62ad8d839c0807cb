"""Which torch builds and which ways to have a package a request admits, and what each pays."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

from asking import torch_range
from combos import Combinations
from facts import Row, can_be_named, python_within, rows, ver, within
from packaging.utils import canonicalize_name
from prices import FREE, Price, price
from request import code_runs, cudnn_runs, driver_runs, glibc_runs, other_providers, seen_to_run
from world import Way, lifted, meets, offers, without_checks

SERVANTS = ("mmcv", "mmengine")
"""Their age is no aim: frameworks say what they need of them."""


@dataclass(frozen=True, eq=False)
class Env:
    """One answer: a torch build and a Python, and one way for each module that is there."""

    build: int
    python: str
    ways: Mapping[str, Way]


@dataclass(eq=False)
class Problem(Combinations):
    """A request against the facts."""

    _usable: dict[tuple[str, int, str], tuple[tuple[Price, Way], ...]] = field(default_factory=dict)
    _own: dict[Way, Price] = field(default_factory=dict)

    # ------------------------------------------------------------ torch and Python

    def objections_to_torch(self, place: int, python: str) -> Iterator[str]:
        """Why a torch build and a Python are no answer, whatever else is installed."""
        build, request = self.world.builds[place], self.request
        name = f"torch {build['torch']}+{build['variant']}"
        if python not in build["pythons"] or python.endswith("t"):
            yield f"{name} has no wheel for Python {python}"
        if request.python not in {None, python} or not self.bounded(python):
            yield f"Python {python} was not asked for"
        yield from self._objections_of_machine(build, name)
        if request.cuda is not None and build["cuda"] != request.cuda:
            yield f"{name} is not of CUDA {request.cuda}"
        full = f"{build['torch']}+{build['variant']}"
        for one, _ in self._asked:
            holds = self.holds(str(one.marker) if one.marker else None, python)
            if canonicalize_name(one.name) == "torch" and holds and not within(str(one.specifier), full):
                yield f"{name} is not {one}"
        if request.torch is not None and not within(torch_range(request.torch), full):
            yield f"{name} is not --torch {request.torch}"

    def _objections_of_machine(self, build: Row, name: str) -> Iterator[str]:
        runs = code_runs(self.machine, build["archs"], build["ptx"], build["cuda"])
        if runs is not True and not seen_to_run(self.machine, build["archs"], build["cuda"]):
            yield f"{name} has no code for {self.machine.devices}"
        if not cudnn_runs(self.machine, build.get("cudnn"), build["cuda"]):
            yield f"{name} brings cuDNN {build['cudnn']}, which has no kernels for {self.machine.devices}"
        if not glibc_runs(self.machine, build["glibc"]):
            yield f"{name} needs glibc {build['glibc']}"
        if not driver_runs(self.machine, build["cuda"]):
            yield f"{name} needs a newer driver"

    def cost_of_torch(self, place: int, python: str) -> Price:
        builds = self.world.builds
        return price(
            final_releases=0 if self.welcome("torch", builds[place]["torch"]) else 1,
            nothing_broken=sum(1 for b in self.breakages if self.breaks(b, place, python, {})),
            newest_torch=self.world.ages[place],
            known_hashes=0 if builds[place]["on_pypi"] else 1,
            certain_facts=1 if builds[place]["confidence"] == "inferred" else 0,
            newest_python=self.world.pythons.index(python),
            validated=0 if self.validated_with(place, python) or not self.validations else 1,
        )

    # ------------------------------------------------------------ packages

    @cached_property
    def _named(self) -> Mapping[str, tuple[str, ...]]:
        """Distribution -> specifiers that were written beside it."""
        named: dict[str, tuple[str, ...]] = {}
        for one, _ in self._asked:
            key = canonicalize_name(one.name)
            named[key] = (*named.get(key, ()), str(one.specifier))
        return named

    @cached_property
    def _others(self) -> frozenset[str]:
        return other_providers(set(self._named))

    def _on_offer(self, way: Way) -> bool:
        flags = self.request
        if without_checks(way, self._named):
            return False
        return offers(way, self._named, self._others, lite=flags.allow_lite, plain=flags.allow_torch_ops)

    def objections_to_way(self, way: Way) -> Iterator[str]:
        """Why a way is none for this request, whatever torch there is."""
        name = f"{way.package} {way.version} {way.how}"
        flags = self.request
        if not self._on_offer(way):
            yield f"{name} is not on offer"
        for wish in self.wishes:
            if wish.module == way.module and wish.marker is None and not wish.admits(way):
                yield f"{name} is not {wish.text}"
        if flags.no_build and way.made and way.how != "torch-ops":
            yield f"{name} is a build"
        if way.binary is not None:
            yield from self._objections_to_binary(way.binary, name)

    def _objections_to_binary(self, row: Row, name: str) -> Iterator[str]:
        code = code_runs(self.machine, row["archs"], row["ptx"], row["cuda"])
        # One without any code holds nothing that a GPU would have to run.
        if self.machine.kind == "cuda" and code is False and row["archs"] != []:
            yield f"{name} has no code for {self.machine.devices}"
        if not glibc_runs(self.machine, row["glibc"]):
            yield f"{name} needs glibc {row['glibc']}"
        if not driver_runs(self.machine, row["cuda"]):
            yield f"{name} needs a newer driver"

    def objections_to_pair(self, way: Way, place: int, python: str) -> Iterator[str]:
        """Why a way does not go with a torch build and a Python."""
        build = self.world.builds[place]
        name = f"{way.package} {way.version} {way.how} {way.place}"
        if place not in way.builds:
            yield f"{name} is not for torch {build['torch']}+{build['variant']}"
        if way.pythons is not None and python not in way.pythons:
            yield f"{name} is not for Python {python}"
        if way.nvcc and not self.toolchains(build["cuda"]):
            yield f"{name} needs an nvcc of CUDA {build['cuda']}"
        if way.extension and self.machine.kind == "cuda":
            for device in self.machine.devices:
                if not can_name(device.arch, build):
                    yield f"{name} cannot be built for {device.arch}"
        yield from self._objections_of_python(way, python, name)
        yield from self._dead(way, place, python)
        torch = self.world.torch_version(place)
        for need in way.needs:
            wanted = need.module == "torch" and not lifted(need, self.machine.platform, python)
            if wanted and not meets(need, "torch", torch):
                yield f"{name} needs another torch: {need}"

    def _dead(self, way: Way, place: int, python: str) -> Iterator[str]:
        for row in self.breakages_of(way.package):
            if row.get("dead") and self.breaks(row, place, python, {way.module: way}):
                yield f"{way.package}: {row['title']}"

    def _objections_of_python(self, way: Way, python: str, name: str) -> Iterator[str]:
        for bound in way.python_bounds:
            if not python_within(bound, python):
                yield f"{name} requires Python {bound}"
        for wish in self.wishes:
            marked = wish.module == way.module and wish.marker is not None
            if marked and self.holds(wish.marker, python) and not wish.admits(way):
                yield f"{name} is not {wish.text}"

    @staticmethod
    @cache
    def toolchains(cuda: str | None) -> tuple[Row, ...]:
        return tuple(row for row in rows("curated/toolchains.toml") if row["cuda"] == cuda)

    def usable(self, module: str, place: int, python: str) -> tuple[tuple[Price, Way], ...]:
        """Ways to fill a module beside a torch build and a Python, cheapest first."""
        key = module, place, python
        found = self._usable.get(key)
        if found is None:
            best: dict[tuple[object, ...], tuple[Price, Way]] = {}
            for way in self.world.ways_with(module, place, python):
                if way not in self._own:
                    good = next(self.objections_to_way(way), None) is None
                    self._own[way] = self.cost_of_way(way) if good else FREE[:0]
                cost = self._own[way]
                same = way.package, way.version, way.how, id(way.binary) if way.binary else way.cuda
                if (
                    cost
                    and (same not in best or cost < best[same][0])
                    and not any(self.objections_to_pair(way, place, python))
                ):
                    best[same] = cost, way
            found = self._usable[key] = tuple(sorted(best.values(), key=lambda pair: pair[0]))
        return found

    def offer(self, place: int, python: str) -> object:
        """All that a search sees of a torch build and a Python, their own price aside."""
        build = self.world.builds[place]
        reached = self._reached
        ways = tuple(
            (own, way.package, way.version, way.how, way.nvcc, self.torch_unlike(way, place))
            for module in reached
            for own, way in self.usable(module, place, python)
        )
        breaks = tuple(
            self._happens(when, place, python, {})
            for row in self.breakages
            for when in row["when"]
            if when["package"] in {"python", "torch"}
        )
        lockable = any(row["lockable"] for row in self.toolchains(build["cuda"]))
        proven = tuple(row["lock"] for row in self.validated_with(place, python))
        cuda = build["cuda"] if any("cuda" in w for row in self.breakages for w in row["when"]) else None
        rest = breaks, lockable, proven, cuda, self.wanted(python), python if self._marked else None
        return ways, rest

    @cached_property
    def _marked(self) -> bool:
        """Whether a Python decides what is needed."""
        needs = (need for module in self._reached for way in self.world.ways(module) for need in way.needs)
        return any(need.marker for need in needs) or any(wish.marker for wish in self.wishes)

    @cached_property
    def _reached(self) -> tuple[str, ...]:
        """Modules that are asked for, and those that these may need."""
        found: dict[str, None] = {}
        queue = sorted(self.roots)
        while queue:
            module = queue.pop(0)
            if module not in found and module != "torch":
                found[module] = None
                queue += sorted({need.module for way in self.world.ways(module) for need in way.needs})
        return tuple(found)

    def cost_of_way(self, way: Way) -> Price:
        """What it pays wherever it is."""
        root = way.module in self.roots
        aged = root and way.module not in SERVANTS
        return price(
            final_releases=0 if self.welcome(way.package, way.version) else 1,
            current_generation=way.generation if root else 0,
            with_ops={"torch-ops": 1, "without-ops": 2}.get(way.how, 0),
            wheels_first=1 if way.how == "build" else 0,
            verified_recipes=way.doubt,
            newest_frameworks=self._newer(way) if aged else 0,
            certain_facts=1 if way.guessed else 0,
        )

    def _newer(self, way: Way) -> int:
        """How many newer final versions there are of what fills a module."""
        finals = self._finals.get(way.module)
        if finals is None:
            on_offer = {
                other.version
                for other in self.world.ways(way.module)
                if other.builds or other.binary is not None
                if self._on_offer(other)
            }
            finals = sorted(ver(text) for text in on_offer if not ver(text).is_prerelease)
            self._finals[way.module] = finals
        return len(finals) - bisect_right(finals, ver(way.version))

    @cached_property
    def _finals(self) -> dict[str, list[object]]:
        return {}


def can_name(arch: str | None, build: Row) -> bool:
    return arch is not None and can_be_named(arch, build["torch"], build["cuda"])
