"""Everything that exists on one platform for one kind of device: torch builds, and ways to get a package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, NamedTuple

from facts import (
    Row,
    before_checks,
    declared,
    generation,
    has_releases,
    import_check,
    marker_holds,
    module_of,
    modules,
    recipes,
    releases,
    rows,
    silently_imported,
    source_versions,
    ver,
    wheels,
    within,
)
from names import lacks, table, taken


class Need(NamedTuple):
    """What a package wants of a module: `checks` and `imports` of whoever provides it, `requires` by name."""

    kind: str
    module: str
    detail: tuple[Any, ...]
    marker: str | None = None


@dataclass(frozen=True, eq=False)
class Way:
    """One way to have a package: a wheel, or sources and a recipe."""

    module: str
    package: str
    version: str
    how: str
    """`wheel`, `build`, `torch-ops`, `without-ops`."""
    builds: frozenset[int]
    """Torch builds, by their place in the world, that it goes with."""
    pythons: frozenset[str] | None
    """Those that its file or its recipe is for; None: any."""
    python_bounds: tuple[str, ...] = ()
    """Requires-Python of its metadata."""
    needs: tuple[Need, ...] = ()
    wishes: tuple[Need, ...] = ()
    """Declared and not enforced."""
    generation: int = 0
    doubt: int = 0
    """Of a recipe: 0 made before, 1 with another Python, 2 never with that torch, 3 nor without patches."""
    guessed: bool = False
    """Its file name was concluded, not seen."""
    nvcc: bool = False
    extension: bool = False
    cuda: str | None = None
    binary: Row | None = None
    place: str = ""
    """Directory of OpenMMLab's index, or a recipe's id."""
    made: bool = False
    """By a recipe."""


@dataclass(eq=False)
class World:
    """What there is. Places in `builds` are numbers of torch builds, newest first."""

    platform: str
    kind: str
    builds: tuple[Row, ...]
    pythons: tuple[str, ...]
    _ways: dict[str, tuple[Way, ...]] = field(default_factory=dict)
    _with: dict[tuple[str, int, str], tuple[Way, ...]] = field(default_factory=dict)
    _finals: dict[tuple[str, tuple[str, ...]], tuple[Any, ...]] = field(default_factory=dict)

    def torch_version(self, place: int) -> str:
        """As its metadata says it: what PyPI serves has no local part."""
        build = self.builds[place]
        return build["torch"] if build["on_pypi"] else f"{build['torch']}+{build['variant']}"

    @cached_property
    def ages(self) -> tuple[int, ...]:
        """Of each torch build: how many newer releases there are."""
        releases = sorted({build["torch"] for build in self.builds}, key=ver, reverse=True)
        return tuple(releases.index(build["torch"]) for build in self.builds)

    def ways(self, module: str) -> tuple[Way, ...]:
        """All ways to fill a module, whatever was asked."""
        found = self._ways.get(module)
        if found is None:
            found = self._ways[module] = tuple(_ways(self, modules()[module]))
        return found

    def ways_with(self, module: str, build: int, python: str) -> tuple[Way, ...]:
        """Those that go with a torch build and a Python."""
        key = module, build, python
        found = self._with.get(key)
        if found is None:
            found = self._with[key] = tuple(
                way
                for way in self.ways(module)
                if build in way.builds and (way.pythons is None or python in way.pythons)
            )
        return found


@cache
def world(platform: str, kind: str, variant: str | None) -> World:
    """`variant`: a CUDA build of torch that somebody without CUDA asks for by name."""
    builds = [row for row in rows("torch/builds.json") if row["platform"] == platform]
    if variant is not None:
        builds = [row for row in builds if row["variant"] == variant]
    elif kind == "cuda":
        builds = [row for row in builds if row["cuda"] is not None]
    elif kind == "rocm":
        builds = [row for row in builds if row["variant"].startswith("rocm")]
    else:
        builds = [row for row in builds if row["variant"] == "cpu"]  # those for Intel's GPUs are not for CPUs
    builds.sort(key=lambda row: (ver(row["torch"]), row["on_pypi"]), reverse=True)
    pythons = {python for row in builds for python in row["pythons"] if not python.endswith("t")}
    return World(
        platform=platform,
        kind=kind,
        builds=tuple(builds),
        pythons=tuple(sorted(pythons, key=ver, reverse=True)),
    )


def _ways(here: World, module: Row) -> Iterator[Way]:
    for package in module["packages"]:
        if has_releases(package):
            yield from _of_pypi(here, module, package)
        else:
            yield from _binaries(here, module["module"], package)
        yield from _recipes(here, module, package)
    if here.kind not in {"rocm", "npu"}:  # its CPU wheels hold no kernel of those devices
        for row in rows("openmmlab/index.json"):
            if row["platform"] == here.platform and row["package"] in module["packages"]:
                yield from _of_openmmlab(here, module["module"], row)


def _of_pypi(here: World, module: Row, package: str) -> Iterator[Way]:
    """Pure wheels."""
    lite = bool(module["with_ops"]) and package not in module["with_ops"]
    every = frozenset(range(len(here.builds)))
    for version, row in releases(package).items():
        if row["has_wheel"] and not row["yanked"]:
            yield _way(
                here,
                module=module["module"],
                package=package,
                version=version,
                how="without-ops" if lite else "wheel",
                builds=every,
                pythons=None,
            )


def _of_openmmlab(here: World, module: str, row: Row) -> Iterator[Way]:
    """Wheels in a directory: for one variant, and for every patch release of one torch."""
    variant, _, torch = row["directory"].partition("/torch")
    fitting = frozenset(
        place
        for place, build in enumerate(here.builds)
        if build["variant"] == variant and ver(build["torch"]).release[:2] == ver(torch).release[:2]
    )
    digits = variant.removeprefix("cu")
    cuda = f"{digits[:-1]}.{digits[-1]}" if digits.isdigit() else None
    for version in row["versions"]:
        for guessed, pythons in ((False, row["pythons_seen"]), (True, row["pythons_inferred"])):
            if fitting and pythons:
                yield _way(
                    here,
                    module=module,
                    package=row["package"],
                    version=version,
                    how="wheel",
                    builds=fitting,
                    pythons=frozenset(pythons),
                    guessed=guessed,
                    cuda=cuda,
                    place=row["directory"],
                )


def _binaries(here: World, module: str, package: str) -> Iterator[Way]:
    for row in wheels(package):
        if here.platform in row["platforms"] and not row["yanked"]:
            fitting = frozenset(
                place
                for place, build in enumerate(here.builds)
                if made_for(row, build, here.torch_version(place))
            )
            yield _way(
                here,
                module=module,
                package=package,
                version=row["version"],
                how="wheel",
                builds=fitting,
                pythons=frozenset(row["pythons"]) or None,
                cuda=row["cuda"],
                guessed=row["confidence"] == "inferred",
                binary=row,
            )


def made_for(row: Row, build: Row, torch: str) -> bool:
    """Whether a prebuilt wheel loads beside a torch build: its torch, its CUDA, libcudart, C++ ABI."""
    if row["torch"] is not None and not within(row["torch"], torch):
        return False
    if row.get("variant") not in {None, build["variant"]}:
        return False
    if row["same_variant"]:
        return True
    if row["cuda"] is not None and (build["cuda"] or "").split(".")[0] != row["cuda"].split(".")[0]:
        return False  # another CUDA, or none at all
    both = ((row[name], build[name]) for name in ("cudart", "cxx11_abi"))
    return all(wanted is None or there is None or wanted == there for wanted, there in both)


def _recipes(here: World, module: Row, package: str) -> Iterator[Way]:
    if module["with_ops"] and package not in module["with_ops"]:
        return  # there is nothing to build in a package without ops
    kind = "cpu" if here.kind == "gcu" else here.kind  # mmcv has no kernels for it: those of the CPU
    for recipe in recipes():
        if recipe["package"] != package or kind not in recipe["kinds"]:
            continue
        compiled = any(check.startswith("file:") and check.endswith(".so") for check in recipe["check"])
        if compiled and here.platform == "win_amd64":
            continue
        for version in source_versions(package):
            if within(recipe["versions"], version):
                yield from _of_recipe(here, module["module"], recipe, version, compiled=compiled)


def _of_recipe(here: World, module: str, recipe: Row, version: str, *, compiled: bool) -> Iterator[Way]:
    how = recipe.get("form", "build")
    fitting = {
        place
        for place, build in enumerate(here.builds)
        if within(recipe["torch"], build["torch"])
        and (how == "torch-ops" or _compiles(recipe, build["torch"]))
    }
    good = frozenset(python for python in here.pythons if within(recipe["pythons"], python))
    patched = 3 if recipe.get("patches") else 2
    cases: list[tuple[int, set[int], frozenset[str]]] = [(patched, fitting, good)]
    for one in recipe.get("verified", ()):
        if one["version"] == version and one.get("platform", "linux_x86_64") == here.platform:
            same = {
                place
                for place in fitting
                if (here.builds[place]["torch"], here.builds[place]["variant"])
                == (one["torch"], one["variant"])
            }
            cases += [(1, same, good), (0, same, frozenset({one["python"]}))]
    for doubt, places, pythons in cases:
        yield _way(
            here,
            module=module,
            package=recipe["package"],
            version=version,
            how=how,
            builds=frozenset(places),
            pythons=pythons,
            doubt=doubt,
            nvcc=compiled and here.kind == "cuda",
            extension=compiled,
            place=recipe["id"],
            made=True,
        )


@cache
def _headers(torch: str) -> tuple[bool, int | None]:
    found = [row for row in rows("torch/cpp_extension.json") if row["torch"] == torch]
    return bool(found), found[0]["header_std"] if found else None


def _compiles(recipe: Row, torch: str) -> bool:
    """Whether a recipe's C++ standard is one that the headers of a torch accept."""
    known, least = _headers(torch)
    standard = recipe.get("std")
    return known and (standard is None or least is None or standard >= least)


def _way(here: World, **told: Any) -> Way:
    """A way, with what its release needs."""
    package, version = told["package"], told["version"]
    row = releases(package).get(version)
    # Of another project's wheel or sources the metadata may be recorded, and bounds Python as well.
    metadata = (
        [row]
        if row
        else [
            other
            for other in rows(f"requires/{package}.json")
            if other["version"] == version
            and other.get("platform") in {None, here.platform}
            and other.get("variant") is None  # one that PyPI does not serve
        ]
    )
    bounds = tuple(dict.fromkeys(r["requires_python"] for r in metadata if r["requires_python"]))
    return Way(
        python_bounds=bounds,
        needs=needs_of(package, version),
        wishes=wishes_of(package, version),
        generation=_era(package, version),
        **told,
    )


@cache
def _era(package: str, version: str) -> int:
    """Of a release that nobody recorded: that of the newest one."""
    known = generation(package, version)
    if known is None and releases(package):
        known = generation(package, max(releases(package), key=ver))
    return known or 0


@cache
def needs_of(package: str, version: str) -> tuple[Need, ...]:
    """What a release must have: checks at import, Requires-Dist, and what it just imports."""
    row = releases(package).get(version)
    if row is None:
        return ()
    checks: dict[str, list[tuple[str, str]]] = {}
    for check in row["asserts"]:
        checks.setdefault(check["module"], []).append((check["op"], check["version"]))
    found = [Need("checks", module, tuple(bounds)) for module, bounds in checks.items()]
    for name, one in declared(row, "requires"):
        marker = str(one.marker) if one.marker else None
        if (module := module_of().get(name)) is not None:
            found.append(Need("requires", module, (name, str(one.specifier)), marker))
    own = generation(package, version)
    found += [Need("imports", module, (own,)) for module in silently_imported(package, version)]
    return (*found, *_by_name(package, version, found))


def _by_name(package: str, version: str, others: list[Need]) -> Iterator[Need]:
    """The names it takes; not those that nothing has which its other needs admit."""
    for module, pairs in taken(package, version).items():
        if module not in modules() or module == module_of().get(package):
            continue
        bounds = [need for need in others if need.module == module and not need.marker]
        admitted = [
            (one, text)
            for one in modules()[module]["packages"]
            for text in table("given", one)[0]
            if all(meets(need, one, str(text)) for need in bounds)
        ]
        told = tuple(
            sorted(pair for pair in pairs if any(not lacks(one, str(text), pair) for one, text in admitted))
        )
        if told and any(not any(lacks(one, str(t), pair) for pair in told) for one, t in admitted):
            yield Need("names", module, told)


@cache
def wishes_of(package: str, version: str) -> tuple[Need, ...]:
    """Bounds of extra `mim`, which nothing enforces."""
    row = releases(package).get(version)
    found = [] if row is None else declared(row, "mim")
    return tuple(
        Need("declares", module_of()[name], (str(one.specifier),))
        for name, one in found
        if name in module_of()
    )


@cache
def era_exists(module: str, era: int) -> bool:
    """Whether some release that fills a module is of a generation."""
    return any(
        generation(package, version) == era
        for package in modules()[module]["packages"]
        for version in releases(package)
    )


@cache
def meets(need: Need, package: str, version: str) -> bool:
    """Whether what fills a module is what somebody needs there."""
    if need.kind == "checks":
        return all(import_check(op, bound, version) for op, bound in need.detail)
    if need.kind == "requires":
        return package == need.detail[0] and within(need.detail[1], version)
    if need.kind == "declares":
        return within(need.detail[0], version)
    if need.kind == "names":
        return not any(lacks(package, version, pair) for pair in need.detail)
    era = generation(package, version)
    return era is None or era == need.detail[0] or not era_exists(need.module, need.detail[0])


def lifted(need: Need, platform: str, python: str) -> bool:
    """Whether a marker takes the need away on a Python."""
    return not marker_holds(need.marker, platform, python)


def offers(
    way: Way, asked: Mapping[str, tuple[str, ...]], others: frozenset[str], *, lite: bool, plain: bool
) -> bool:
    """Whether a way is on offer: other providers and slower forms only to those who ask."""
    module = modules()[way.module]
    if way.package in module.get("on_request", ()) and way.package not in others:
        return False
    # A wheel without ops that is asked for by its name is wanted; one that would be made must be allowed.
    if way.how == "without-ops" and not lite and (way.made or way.package not in asked):
        return False
    return way.how != "torch-ops" or plain


def without_checks(way: Way, asked: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a release is from before the checks at import, and the request admits later ones."""
    if way.version not in before_checks(way.package):
        return False
    return not any(_only_older(way.package, specifier) for specifier in asked.get(way.package, ()))


@cache
def _only_older(package: str, specifier: str) -> bool:
    """Whether a specifier admits no release that checks what it is imported with."""
    checking = [text for text, row in releases(package).items() if row["asserts"] and not row["yanked"]]
    return bool(specifier) and not any(within(specifier, text) for text in checking)
