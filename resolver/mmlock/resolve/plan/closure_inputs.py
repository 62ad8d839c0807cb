"""The question to the closure once the core is decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from mmlock.core.markers import named_extras
from mmlock.core.names import PackageName, requirement_name
from mmlock.core.target import Target
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import TorchBuild
from mmlock.resolve.closure.model import ClosureRequest, CoreNode
from mmlock.resolve.core_solver.solution import CoreSolution
from mmlock.resolve.graph.rows import (
    BinaryChoice,
    Option,
    TorchBuildChoice,
)
from mmlock.resolve.plan.name_requirements import taken_requirements
from mmlock.resolve.plan.option_requirements import requirements_of
from mmlock.resolve.request.model import PlainRequirement

CUDA_LIBRARIES = ("nvidia-", "cuda-", "triton", "pytorch-triton")
"""Prefixes of what torch's metadata names for its own CUDA or ROCm build only."""


def closure_request(
    matrix: Matrix,
    solution: CoreSolution,
    target: Target,
    *,
    requirements: Sequence[PlainRequirement],
    constraints: Sequence[PlainRequirement],
    extras: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> ClosureRequest:
    """The question to the closure: the core as given, its requirements, the cures of known breakages.

    `extras`: slot -> the extras asked of what fills it. How the indexes are asked is the caller's to add.
    """
    drops = tuple(sorted({name for b in solution.cured for name in b.breakage.drop}))
    nodes = (
        core_node(matrix, solution, option, target, drops, extras.get(option.slot, ()))
        for option in solution.packages()
    )
    added = [
        PlainRequirement(text=text, via=one.breakage.id)
        for one in solution.cured
        for text in one.breakage.add
    ]
    bounds = [
        PlainRequirement(text=text, via=one.breakage.id)
        for one in solution.cured
        for text in one.breakage.constraints
    ]
    return ClosureRequest(
        python=solution.python,
        platform=target.platform,
        glibc=target.glibc,
        core=tuple(sorted(nodes, key=lambda node: node.name)),
        requirements=_unique((*requirements, *added)),
        constraints=_unique((*constraints, *bounds, *_toolchain(solution))),
        drop=drops,
    )


def _toolchain(solution: CoreSolution) -> Iterator[PlainRequirement]:
    """Packages of a toolkit that the environment may bring too: a build can have one file of each only."""
    option = solution.picked["toolchain"]
    if solution.toolchain is not None:
        for text in solution.toolchain.packages:
            yield PlainRequirement(text=text, via=option.label)


def _unique(requirements: Iterable[PlainRequirement]) -> tuple[PlainRequirement, ...]:
    first: dict[str, PlainRequirement] = {}
    for one in requirements:
        first.setdefault(one.text, one)
    return tuple(sorted(first.values(), key=lambda one: one.text))


def core_node(
    matrix: Matrix,
    solution: CoreSolution,
    option: Option,
    target: Target,
    drops: Sequence[PackageName],
    extras: tuple[str, ...] = (),
) -> CoreNode:
    """A decided package with the requirements its wheel will declare."""
    assert option.package is not None
    requires, requires_python = requirements_of(matrix, option, target.platform)
    if isinstance(option.choice, TorchBuildChoice) and not variant_recorded(matrix, option.choice.build):
        requires = variant_requirements(requires, option.choice.build)
    taken = tuple(one.text for one in taken_requirements(matrix, option, requires))
    has = named_extras(requires) if extras else frozenset()
    return CoreNode(
        name=option.package,
        version=node_version(option, solution.torch),
        requires=tuple(
            text for text in (*requires, *taken) if not drops or requirement_name(text) not in drops
        ),
        requires_python=requires_python,
        extras=tuple(name for name in extras if name in has),
    )


def node_version(option: Option, torch: TorchBuild) -> str:
    """The version as the installed metadata will say it, local part included."""
    assert option.version is not None
    choice = option.choice
    if isinstance(choice, BinaryChoice) and choice.binary.same_variant and not torch.on_pypi:
        return f"{option.version}+{torch.variant}"
    return choice.binary.version if isinstance(choice, BinaryChoice) else option.version


def variant_recorded(matrix: Matrix, build: TorchBuild) -> bool:
    """Whether the facts say what this very build of torch requires."""
    return build.on_pypi or any(
        row.version == build.torch and row.variant == build.variant and row.platform is build.platform
        for row in matrix.requires("torch")
    )


def variant_requirements(requires: Sequence[str], build: TorchBuild) -> tuple[str, ...]:
    """Requirements of a torch build that PyPI does not serve, inferred from PyPI's build of that release.

    What names CUDA libraries belongs to PyPI's CUDA and is left out; such a build either bundles its own
    (CUDA variants up to torch 2.0) or declares them in metadata that only its index has. triton stays for
    CUDA builds, where it is the same package.
    """
    kept = []
    for text in requires:
        name = requirement_name(text)
        if not name.startswith(CUDA_LIBRARIES) or (name == "triton" and build.cuda is not None):
            kept.append(text)
    return tuple(kept)
