"""Who is served by what: targets that want wheels, and the builds that each would do with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.device import format_cc
from mmlock.core.names import Form, PackageName, Platform
from mmlock.facts.matrix.load import Matrix
from mmlock.farm.sweep import Point, Sweep, points
from mmlock.resolve.loop.grid import CellState

__all__ = ["Bundle", "Demand", "FarmBuild", "Target", "demand_of", "every_build"]

Target = tuple[str, ...]
"""(stack, GPU, Python), and the torch where each torch counts."""
Bundle = frozenset["FarmBuild"]

_SERVED = frozenset({CellState.VALIDATED, CellState.WHEEL, CellState.UNREAD})
_BUILDABLE = frozenset({CellState.VERIFIED, CellState.BUILD})


class FarmBuild(Struct, frozen=True, kw_only=True):
    """One wheel that a recipe makes."""

    package: PackageName
    version: str
    torch: str
    """`2.11.0+cu130`."""
    cuda: str | None
    python: str
    platform: Platform
    archs: tuple[str, ...]
    """All that the torch build holds and the wheel is built for, as devices of a request: `sm_120`."""
    verified: bool
    """Whether its recipe was shown to make it, for one of the targets at least."""

    @property
    def name(self) -> str:
        """What it is called in a plan: letters, digits, `.`, `_` and `-` only."""
        torch = self.torch.replace("+", "-")
        return f"{self.package}-{self.version}-torch{torch}-py{self.python}"

    @property
    def arch_list(self) -> str:
        """As `TORCH_CUDA_ARCH_LIST` has it."""
        return ";".join(format_cc(arch) for arch in self.archs)


class Demand(Struct, frozen=True, kw_only=True):
    """What a sweep asks of a farm."""

    wants: Mapping[Target, tuple[Bundle, ...]]
    """Targets without wheels, each with the sets of builds that would serve it: any one set will do."""
    served: int
    """Targets that have wheels for everything already."""
    hopeless: int
    """Targets that no build can serve, as far as is known."""


def demand_of(
    matrix: Matrix,
    sweep: Sweep,
    *,
    per_torch: bool = False,
    counts: Callable[[Point], bool] = lambda _: True,
) -> Demand:
    """The targets of a sweep, as far as they count."""
    platform = sweep.axes.platform or Platform(matrix.defaults["platform"])
    archs = _archs(matrix, platform)
    bundles: dict[Target, dict[Bundle, None]] = {}
    served: set[Target] = set()
    for point in points(sweep):
        if not counts(point):
            continue
        target: Target = (point.stack, point.gpu, point.python, *([point.torch] if per_torch else []))
        held = bundles.setdefault(target, {})
        if point.answer.state in _SERVED:
            served.add(target)
        elif point.answer.state in _BUILDABLE:
            bundle = _bundle(point, platform, archs)
            if bundle is not None:
                held[bundle] = None
    shown = {build.name for sets in bundles.values() for one in sets for build in one if build.verified}
    wants = {
        target: tuple({_marked(bundle, shown): None for bundle in sets})
        for target, sets in bundles.items()
        if sets and target not in served
    }
    return Demand(wants=wants, served=len(served), hopeless=len(bundles) - len(served) - len(wants))


def _bundle(point: Point, platform: Platform, archs: Mapping[str, tuple[str, ...]]) -> Bundle | None:
    """The wheels that must be built for a point; None where one of them is not compiled by a farm."""
    answer = point.answer
    if answer.torch is None or any(one.form is Form.TORCH_OPS for one in answer.packages):
        return None
    held = archs.get(answer.torch, ()) if answer.cuda else ()
    if answer.cuda and not held:
        return None
    return frozenset(
        FarmBuild(
            package=one.name,
            version=one.version,
            torch=answer.torch,
            cuda=answer.cuda,
            python=point.python,
            platform=platform,
            archs=held,
            verified=one.verified,
        )
        for one in answer.packages
        if one.form is Form.BUILD
    )


def _marked(bundle: Bundle, shown: Collection[str]) -> Bundle:
    """The builds, each with whether its recipe is tested for any target: it is one wheel for all."""
    return frozenset(replace(build, verified=build.name in shown) for build in bundle)


def _archs(matrix: Matrix, platform: Platform) -> Mapping[str, tuple[str, ...]]:
    """What each CUDA build of torch holds and its toolkit and cpp_extension compile for, Tegra apart."""
    known = {row.sm for row in matrix.capabilities if not row.tegra}
    toolkits = {row.cuda: row for row in matrix.toolkits}
    found = {}
    for build in matrix.torch_builds:
        if build.platform is not platform or build.cuda is None or build.archs is None:
            continue
        cpp = matrix.cpp_extension.get(build.torch)
        toolkit = toolkits.get(build.cuda)
        found[f"{build.torch}+{build.variant}"] = tuple(
            arch
            for arch in build.archs
            if arch in known
            and (cpp is None or format_cc(arch) in cpp.archs)
            and (toolkit is None or toolkit.archs is None or arch in toolkit.archs)
        )
    return found


def every_build(demand: Demand) -> Iterable[FarmBuild]:
    """All builds that any target would do with."""
    return {build: None for sets in demand.wants.values() for bundle in sets for build in bundle}
