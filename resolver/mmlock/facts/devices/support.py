"""Which torch builds run on a device: computed from their GPU code, never stored."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from mmlock.core.device import Code, Device, code_for
from mmlock.core.names import DeviceKind, Platform
from mmlock.core.versions import version
from mmlock.facts.devices.cudnn import dropping_cudnn
from mmlock.facts.devices.tegra import tegra_report
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import TegraReport, Toolkit, TorchBuild

__all__ = [
    "RUNS",
    "TorchRange",
    "TorchSupport",
    "board_platform",
    "code_in",
    "first_driver",
    "home_platform",
    "torch_support",
]


RUNS = frozenset({Code.NATIVE, Code.PTX, Code.REPORTED})
"""What a build may have for a device that a solve takes it for."""


class TorchRange(Struct, frozen=True, kw_only=True):
    """The torch releases that run, from the first to the last."""

    first: str
    first_variants: tuple[str, ...]
    last: str
    last_variants: tuple[str, ...]
    releases: int
    """How many releases run."""
    gaps: tuple[str, ...]
    """Releases between first and last that do not."""


class TorchSupport(Struct, frozen=True, kw_only=True):
    """What torch offers a device on one platform."""

    platform: Platform
    pypi: TorchRange | None
    """By the build that PyPI serves; None when no release runs."""
    any_variant: TorchRange | None
    """By any build, those of PyTorch's own index included."""
    ptx_only: bool
    """Whether some of them run only by compiling PTX on the machine."""
    reports: tuple[TegraReport, ...]
    """By which facts some of them run although NVIDIA does not promise it."""
    unknown: int
    """Builds of the right kind whose GPU code is not known."""


def home_platform(matrix: Matrix, device: Device) -> Platform:
    """The platform such a device usually sits in."""
    if device.kind is DeviceKind.MPS:
        return Platform.MACOS_ARM64
    if found := board_platform(matrix, device.name):
        return found
    machine = next((row.machine for row in matrix.capabilities if row.sm == device.arch), "x86_64")
    return Platform.LINUX_AARCH64 if machine == "aarch64" else Platform.LINUX_X86_64


def board_platform(matrix: Matrix, *names: str) -> Platform | None:
    """The platform of the board that one of the names tells (`GB200`); None where none does."""
    plain = "".join(filter(str.isalnum, " ".join(names).upper()))
    return next((board.platform for board in matrix.boards if board.name in plain), None)


def code_in(matrix: Matrix, build: TorchBuild, device: Device) -> Code:
    """What a torch build has for a device: the one answer of `mmlock gpus` and of every solve.

    A build whose cuDNN has dropped the device has nothing for it: it fails at the first convolution.
    """
    code = code_for(device, build.archs, build.ptx)
    if code is Code.NONE and tegra_report(matrix, device, build.archs, build.cuda) is not None:
        code = Code.REPORTED
    if code in RUNS and dropping_cudnn(matrix, build, device) is not None:
        return Code.NONE
    return code


def first_driver(matrix: Matrix, device: Device, platform: Platform) -> tuple[str, Toolkit] | None:
    """The driver that came with the first CUDA that knows a device, and that CUDA; None: not known."""
    first = next((row.first_cuda for row in matrix.capabilities if row.sm == device.arch), None)
    toolkit = next((row for row in matrix.toolkits if row.cuda == first), None)
    driver = toolkit.driver_on(platform) if toolkit else None
    return (driver, toolkit) if toolkit is not None and driver is not None else None


def torch_support(matrix: Matrix, device: Device, platform: Platform | None = None) -> TorchSupport:
    """The ranges of torch releases with code for the device."""
    platform = platform or home_platform(matrix, device)
    codes: dict[tuple[object, ...], Code] = {}
    running: list[TorchBuild] = []
    rocm = device.kind is DeviceKind.ROCM
    here = [
        row
        for row in matrix.torch_builds
        if row.platform is platform
        and (row.kind is DeviceKind.ROCM) is rocm
        and row.kind is not DeviceKind.XPU
    ]
    ptx_only, unknown = False, 0
    reports: dict[str, TegraReport] = {}
    for build in here:
        key = (build.archs, build.ptx, build.cudnn, build.cuda)
        if key not in codes:
            codes[key] = code_in(matrix, build, device)
        code = codes[key]
        ptx_only |= code is Code.PTX
        if code is Code.REPORTED and (report := tegra_report(matrix, device, build.archs, build.cuda)):
            reports.setdefault(report.id, report)
        unknown += code is Code.UNKNOWN and (build.cuda is not None) is (device.kind is DeviceKind.CUDA)
        if code in RUNS:
            running.append(build)
    return TorchSupport(
        platform=platform,
        pypi=_range([row for row in running if row.on_pypi], (row.torch for row in here if row.on_pypi)),
        any_variant=_range(running, (row.torch for row in here)),
        ptx_only=ptx_only,
        reports=tuple(reports.values()),
        unknown=unknown,
    )


def _range(running: list[TorchBuild], all_releases: Iterable[str]) -> TorchRange | None:
    releases = sorted({row.torch for row in running}, key=version)
    if not releases:
        return None
    first, last = releases[0], releases[-1]
    between = (t for t in set(all_releases) if version(first) < version(t) < version(last))

    def variants(torch: str) -> tuple[str, ...]:
        return tuple(sorted(row.variant for row in running if row.torch == torch))

    return TorchRange(
        first=first,
        first_variants=variants(first),
        last=last,
        last_variants=variants(last),
        releases=len(releases),
        gaps=tuple(sorted((t for t in between if t not in releases), key=version)),
    )
