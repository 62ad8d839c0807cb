"""Steps for what cannot be pinned as it is: a build, or a wheel without a published hash."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.artifact import Artifact
from mmlock.core.names import DeviceKind, Form, ToolchainProvider
from mmlock.core.target import Target
from mmlock.core.versions import allows
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Recipe, Toolchain
from mmlock.lock.model import BuildStep, FetchStep, PatchPlan, Reason, SourceGroup, ToolchainPlan
from mmlock.resolve.closure.tags import best_first, target_tags
from mmlock.resolve.core_solver.solution import CoreSolution
from mmlock.resolve.graph.builder import cite, readable
from mmlock.resolve.graph.rows import BuildChoice, Option
from mmlock.resolve.graph.torch_rows import build_arch, desktop_archs
from mmlock.resolve.plan.files import WheelLocation, recorded, sdist
from mmlock.resolve.plan.reasons import no_wheel

NO_TOOLCHAIN = ToolchainPlan(
    name="none",
    provider=ToolchainProvider.NONE,
    cuda=None,
    lockable=True,
    packages=(),
    files=(),
    setup=(),
    cuda_home=None,
    gcc_max=None,
    gcc_source=None,
    note="nothing is compiled",
)


class NoSources(Struct, frozen=True, kw_only=True):
    """A build was chosen and its sources are not recorded."""

    package: str
    version: str


def fetch_step(option: Option, place: WheelLocation, why: str, reasons: tuple[Reason, ...]) -> FetchStep:
    """Download, hash, record."""
    known = place.files[0].url if place.files else place.url
    return FetchStep(
        package=option.package or option.slot,  # type: ignore[arg-type]
        version=place.version,
        url=known or place.index,
        index=place.index,
        why=why,
        reasons=reasons,
    )


def build_step(
    matrix: Matrix,
    solution: CoreSolution,
    option: Option,
    target: Target,
    reasons: tuple[Reason, ...],
    requires: tuple[str, ...],
    ops: tuple[str, ...] = (),
) -> BuildStep | NoSources:
    """The whole recipe for this very combination. `ops` must be in a wheel that has them in plain PyTorch."""
    choice = option.choice
    assert isinstance(choice, BuildChoice)
    assert option.package is not None
    assert option.version is not None
    own = matrix.extensions.get(option.package)
    sources = own.tree if own else sdist(matrix, option.package, option.version)
    if sources is None:
        return NoSources(package=option.package, version=option.version)
    recipe, verified = choice.recipe, choice.verified
    compiles = recipe.form is Form.BUILD
    return BuildStep(
        package=option.package,
        version=option.version,
        recipe=recipe.id,
        why=no_wheel(matrix, solution, option).text,
        source=sources,
        build_requires=(*recipe.build_requires, *([torch_requirement(solution)] if compiles else [])),
        toolchain=toolchain_plan(matrix, solution, target) if compiles else NO_TOOLCHAIN,
        env=_environment(matrix, solution, recipe.env, target),
        patches=tuple(
            PatchPlan(id=p.id, file=p.file, find=p.find, replace=p.replace, reason=p.reason)
            for p in recipe.patches
        ),
        groups=_groups(recipe, option.version, solution.torch.torch),
        std=recipe.std,
        check=tuple(text.replace("{py}", "cp" + solution.python.replace(".", "")) for text in recipe.check),
        memory_mb=recipe.memory_mb,
        verified=f"{verified.how} (torch {verified.torch}+{verified.variant}, Python {verified.python})"
        if verified
        else None,
        reasons=reasons,
        requires=requires,
        note=recipe.note,
        form=Form.TORCH_OPS if recipe.form is Form.TORCH_OPS else Form.BUILD,
        ops=ops if recipe.form is Form.TORCH_OPS else (),
    )


def _groups(recipe: Recipe, version: str, torch: str) -> tuple[SourceGroup, ...]:
    """What was shown to compile as one in this very release and beside this torch."""
    return tuple(
        SourceGroup(
            file=f"{row.folder}/mmlock_group_{number}{PurePosixPath(names[0]).suffix}",
            parts=tuple(f"{row.folder}/{name}" for name in names),
        )
        for row in recipe.groupings
        if allows(row.versions, version) and allows(row.torch, torch)
        for number, names in enumerate(row.groups, start=1)
    )


def torch_requirement(solution: CoreSolution) -> str:
    """The very torch the wheel is built against."""
    build = solution.torch
    return f"torch=={build.torch}" if build.on_pypi else f"torch=={build.torch}+{build.variant}"


def arch_list(matrix: Matrix, solution: CoreSolution, target: Target) -> str:
    """TORCH_CUDA_ARCH_LIST or PYTORCH_ROCM_ARCH for the target's devices, empty for others."""
    torch = solution.torch
    if target.kind is DeviceKind.ROCM:
        return ";".join(target.arch_list)
    if torch.cuda is None:
        return ""
    cpp = matrix.cpp_extension.get(torch.torch)
    toolkit = next((t for t in matrix.toolkits if t.cuda == torch.cuda), None)
    desktop = desktop_archs(matrix)
    archs = {
        build_arch(d.arch, desktop, tegra=d.tegra, cpp=cpp, toolkit=toolkit) for d in target.devices if d.arch
    }
    return ";".join(sorted((a for a in archs if a), key=lambda a: tuple(map(int, a.rstrip("af").split(".")))))


def _environment(
    matrix: Matrix, solution: CoreSolution, env: Mapping[str, str], target: Target
) -> dict[str, str]:
    archs = arch_list(matrix, solution, target)
    filled = {name: value.replace("{arch_list}", archs) for name, value in env.items()}
    return {name: value for name, value in sorted(filled.items()) if value}


def toolchain_plan(matrix: Matrix, solution: CoreSolution, target: Target) -> ToolchainPlan:
    """The compilers, with pinned files where they can be locked."""
    chain = solution.toolchain
    if chain is None:
        return replace(
            NO_TOOLCHAIN,
            name="host compiler",
            lockable=False,
            note="the C++ compiler of the machine, which is not part of the lock",
        )
    toolkit = next((t for t in matrix.toolkits if t.cuda == chain.cuda), None)
    return ToolchainPlan(
        name=chain.name,
        provider=chain.provider,
        cuda=chain.cuda,
        lockable=chain.lockable,
        packages=chain.packages,
        files=_toolchain_files(matrix, chain, solution, target),
        setup=chain.setup,
        cuda_home=chain.cuda_home,
        gcc_max=toolkit.gcc_max if toolkit else None,
        gcc_source="; ".join(readable(matrix, cite("toolkits", toolkit.source))) if toolkit else None,
        note=chain.note,
    )


def _toolchain_files(
    matrix: Matrix, chain: Toolchain, solution: CoreSolution, target: Target
) -> tuple[Artifact, ...]:
    tags = target_tags(solution.python, target.platform, target.glibc)
    files: list[Artifact] = []
    for requirement in chain.packages:
        name, _, pinned = requirement.partition("==")
        files.extend(best_first(recorded(matrix.files(name), pinned), tags)[:1] if pinned else ())
    return tuple(files)
