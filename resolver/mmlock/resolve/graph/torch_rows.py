"""Python, torch and toolchain: the slots every environment has."""

from __future__ import annotations

from functools import partial

from mmlock.core.device import Code, Device, format_cc, parse_sm
from mmlock.core.names import Confidence, DeviceKind, Form, PackageName
from mmlock.core.versions import version
from mmlock.facts.devices.support import RUNS, code_in
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import CppExtension, Toolkit, TorchBuild
from mmlock.resolve.graph.builder import GraphBuilder, cite
from mmlock.resolve.graph.rows import LinkKind, Option, PythonChoice, ToolchainChoice, TorchBuildChoice
from mmlock.resolve.request.objectives import Objective

TORCH = PackageName("torch")


def variant_kind(build: TorchBuild) -> DeviceKind:
    """The kind of device a torch build is made for."""
    return build.kind


def torch_version(build: TorchBuild) -> str:
    """The version as its metadata says it: PyPI's files carry no local part."""
    return build.torch if build.on_pypi else f"{build.torch}+{build.variant}"


def torch_label(build: TorchBuild) -> str:
    """`torch 2.11.0+cu130`; the variant is always told."""
    return f"torch {build.torch}+{build.variant}"


def wanted_kind(builder: GraphBuilder) -> DeviceKind:
    """Which torch builds the target wants: those of its own kind, else CPU ones."""
    kind = builder.request.target.kind
    return kind if kind in {DeviceKind.CUDA, DeviceKind.ROCM} else DeviceKind.CPU


def _python_key(python: str) -> tuple[int, ...]:
    return tuple(int(part) for part in python.rstrip("t").split("."))


def add_python(builder: GraphBuilder, builds: list[TorchBuild]) -> None:
    """Every Python some torch build of this platform has, newest first."""
    builder.slots.setdefault("python", [])
    names = {p for build in builds for p in build.pythons if not p.endswith("t")}
    for rank, python in enumerate(sorted(names, key=_python_key, reverse=True)):
        index = builder.option(
            "python", f"python {python}", PythonChoice(python=python), form=Form.GIVEN, version=python
        )
        builder.cost(index, Objective.PYTHON, rank)


def platform_builds(builder: GraphBuilder) -> list[TorchBuild]:
    """Torch builds for the target's platform and kind of device, newest first, PyPI's own before others."""
    kind, variant = wanted_kind(builder), builder.request.variant
    builds = [
        build
        for build in builder.matrix.torch_builds
        if build.platform is builder.request.target.platform
        and (build.variant == variant if variant else variant_kind(build) is kind)
    ]
    cuda = {b.variant: version(b.cuda) if b.cuda else version("0") for b in builds}
    builds.sort(key=lambda b: (version(b.torch), b.on_pypi, cuda[b.variant], b.variant), reverse=True)
    return builds


def add_torch(builder: GraphBuilder, builds: list[TorchBuild]) -> None:
    """The torch slot, with a link to the Pythons each build has wheels for."""
    builder.slots.setdefault("torch", [])
    ranks = {
        text: rank for rank, text in enumerate(sorted({b.torch for b in builds}, key=version, reverse=True))
    }
    for build in builds:
        index = builder.option(
            "torch",
            torch_label(build),
            TorchBuildChoice(build=build),
            form=Form.WHEEL,
            package=TORCH,
            version=torch_version(build),
            source=cite("torch-builds", build.source),
            confidence=build.confidence,
        )
        builder.cost(index, Objective.TORCH, ranks[build.torch])
        builder.cost(index, Objective.HASHED, 0 if build.on_pypi else 1)
        builder.cost(index, Objective.CERTAINTY, 1 if build.confidence is Confidence.INFERRED else 0)
        builder.link(
            index,
            "python",
            builder.pythons(build.pythons),
            LinkKind.PYTHON,
            f"{torch_label(build)} has wheels for Python {', '.join(build.pythons)}",
            cite("torch-builds", build.source),
            build.confidence,
        )


def _has_cuda(cuda: str, option: Option) -> bool:
    return isinstance(option.choice, TorchBuildChoice) and option.choice.build.cuda == cuda


def add_toolchain(builder: GraphBuilder) -> None:
    """How a CUDA toolkit comes to the build: not at all, by pip, or by the user's hand."""
    none = builder.option("toolchain", "no CUDA toolkit", ToolchainChoice(toolchain=None), form=Form.GIVEN)
    builder.cost(none, Objective.TOOLCHAIN, 0)
    if not builder.request.target.cuda:
        return
    chains = sorted(
        builder.matrix.toolchains, key=lambda t: (t.lockable, version(t.cuda), t.name), reverse=True
    )
    for chain in chains:
        members = builder.group(
            "torch",
            f"cuda={chain.cuda}",
            partial(_has_cuda, chain.cuda),
        )
        if not members:
            continue
        index = builder.option(
            "toolchain",
            f"CUDA {chain.cuda} toolkit ({chain.provider})",
            ToolchainChoice(toolchain=chain),
            form=Form.GIVEN,
            version=chain.cuda,
            source=cite("toolchains", chain.source),
            confidence=chain.confidence,
        )
        builder.cost(index, Objective.TOOLCHAIN, 0 if chain.lockable else 1)
        builder.cost(index, Objective.NEEDLESS, 1)
        builder.link(
            index,
            "torch",
            members,
            LinkKind.TOOLCHAIN,
            f"nvcc {chain.cuda} builds for torch with CUDA {chain.cuda}; torch rejects another major version",
            cite("toolchains", chain.source),
            chain.confidence,
        )


def desktop_archs(matrix: Matrix) -> frozenset[str]:
    """Archs of parts under NVIDIA's binary compatibility promise: of known capabilities, not Tegra."""
    return frozenset(row.sm for row in matrix.capabilities if not row.tegra)


def build_arch(
    device_arch: str,
    desktop: frozenset[str],
    *,
    tegra: bool,
    cpp: CppExtension | None,
    toolkit: Toolkit | None,
) -> str | None:
    """What to write into TORCH_CUDA_ARCH_LIST (`12.0`) for one device, None when nothing serves it.

    The exact arch when torch's cpp_extension and the toolkit both know it, else the highest lower minor
    of the same major among `desktop` archs, whose cubin runs there too (not on Tegra parts).
    """
    major, minor, _ = parse_sm(device_arch)
    for lower in range(minor, -1, -1):
        arch = f"sm_{major}{lower}"
        if lower < minor and (tegra or arch not in desktop):
            continue
        known = toolkit is None or toolkit.archs is None or arch in toolkit.archs
        if known and (cpp is None or format_cc(arch) in cpp.archs):
            return format_cc(arch)
    return None


def device_runs(builder: GraphBuilder, build: TorchBuild, device: Device) -> bool:
    """Whether a torch build has code for a device. Not known counts as no.

    PTX counts when the driver, where it is known, is of the toolkit's own release or newer.
    """
    code = code_in(builder.matrix, build, device)
    if code is Code.PTX:
        return driver_compiles(builder, build.cuda)
    return code in RUNS


def driver_compiles(builder: GraphBuilder, cuda: str | None) -> bool:
    """Whether the target's driver compiles PTX of a toolkit; where either is not known it is taken to."""
    driver = builder.request.target.driver
    if driver is None or cuda is None or "." not in cuda:  # of a wheel that tells the major only
        return True
    platform = builder.request.target.platform
    needed = next((t.driver_on(platform) for t in builder.matrix.toolkits if t.cuda == cuda), None)
    return needed is not None and version(driver) >= version(needed)


def runs_everywhere(builder: GraphBuilder, build: TorchBuild) -> bool:
    """Whether a torch build has code for every device of the target."""
    return all(device_runs(builder, build, device) for device in builder.request.target.devices)
