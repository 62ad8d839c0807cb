"""Rules about the hardware: code for every device, CUDA, driver, glibc."""

from __future__ import annotations

from collections.abc import Iterator

from mmlock.core.device import Code, Device, code_for, parse_sm
from mmlock.core.names import DeviceKind
from mmlock.core.versions import InvalidVersion, version
from mmlock.facts.matrix.model import TorchBuild
from mmlock.resolve.judge.binaries import Match, matches
from mmlock.resolve.judge.case import Case, admits, refuse, unknown
from mmlock.resolve.judge.model import Objection

__all__ = ["accelerators", "archs", "drivers", "glibc", "torch_build"]

_WITH_ARCH = (DeviceKind.CUDA, DeviceKind.ROCM)


def torch_build(case: Case) -> Iterator[Objection]:
    """The torch of the lock is one the facts know, and it is the torch that is installed."""
    if case.build is None:
        platform = case.env.target.platform.value
        yield unknown("torch", "torch", f"no fact describes torch {case.env.torch} for {platform}")
    node = next((node for name, node in case.nodes.items() if name == "torch"), None)
    if node is None:
        yield refuse("torch", "torch", "the lock holds no torch")
    elif node.base != case.torch or ("+" in node.version and node.version != case.env.torch):
        yield refuse("torch", "torch", f"torch {node.version} is listed, the lock says {case.env.torch}")
    elif "+" not in node.version and case.build is not None and not case.build.on_pypi:
        text = f"torch {node.version} without a local version is PyPI's build, the lock says {case.env.torch}"
        yield refuse("torch", "torch", text)
    if case.build is not None and case.build.pythons and case.env.python not in case.build.pythons:
        text = f"torch {case.env.torch} has no wheel for Python {case.env.python}"
        yield refuse("torch", "torch", text, case.cite("torch-builds", case.build.source))


def archs(case: Case) -> Iterator[Objection]:
    """Torch and every prebuilt extension hold code for each device."""
    devices = [device for device in case.env.target.devices if device.kind in _WITH_ARCH]
    for device in devices:
        if case.build is not None:
            name = f"torch {case.env.torch}"
            source = case.cite("torch-builds", case.build.source)
            code = code_for(device, case.build.archs, case.build.ptx)
            yield from _verdict(name, "torch", device, code, source)
            yield from _cudnn(case, case.build, device)
    for match in matches(case):
        row = match.row
        # A wheel without CUDA has nothing to run on the device; torch-npu and the like.
        if row.cuda is None and not row.same_variant:
            continue
        for device in devices:
            source = case.cite("binaries", row.source, row.package)
            code = code_for(device, row.archs, row.ptx)
            yield from _verdict(f"{row.package} {row.version}", row.package, device, code, source)


def _cudnn(case: Case, build: TorchBuild, device: Device) -> Iterator[Objection]:
    """The cuDNN that torch brings has kernels for the device too."""
    name = f"torch {case.env.torch}"
    for row in case.matrix.cudnn:
        of_build = build.cuda is not None and build.cuda.partition(".")[0] == row.cuda
        capability = device.capability
        if not of_build or capability is None:
            continue
        lowest, highest = parse_sm(row.lowest), parse_sm(row.highest)
        if lowest[:2] <= capability and capability[0] <= highest[0]:
            continue
        source = case.cite("cudnn", row.source)
        if build.cudnn is None and capability < lowest[:2]:
            text = (
                f"it is not known which cuDNN {name} brings: {row.versions} has no kernels for {device.arch}"
            )
            yield unknown("cudnn", "torch", text, source)
        elif build.cudnn is not None and admits(row.versions, build.cudnn):
            text = f"cuDNN {build.cudnn} of {name} has no kernels for {device.name} ({device.arch})"
            yield refuse("cudnn", "torch", text, source)


def _verdict(
    name: str, subject: str, device: Device, code: Code, source: tuple[str, ...]
) -> Iterator[Objection]:
    if code is Code.NONE:
        yield refuse("archs", subject, f"{name} has no code for {device.name} ({device.arch})", source)
    elif code is Code.UNKNOWN:
        text = f"nobody has read whether {name} has code for {device.name} ({device.arch})"
        yield unknown("archs", subject, text, source)


def accelerators(case: Case) -> Iterator[Objection]:
    """A target without CUDA gets no CUDA wheel unasked, one with CUDA gets no other torch."""
    target, build = case.env.target, case.build
    if build is None:
        return
    source = case.cite("torch-builds", build.source)
    if target.cuda:
        if build.cuda is None:
            yield refuse(
                "accelerators", "torch", f"torch {case.env.torch} has no CUDA, the target needs it", source
            )
        return
    rows = [row for row in case.matrix.accelerators if row.kind is target.kind]
    named = any(
        word.startswith("--torch") and word.endswith(f"+{build.variant}") for word in case.env.request
    )
    allowed = named or any(row.torch_variant == "default" for row in rows)
    if build.cuda is not None and not allowed:
        text = f"torch {case.env.torch} is a CUDA build, the target is {target.kind.value}"
        yield refuse("accelerators", "torch", text, source)


def drivers(case: Case) -> Iterator[Objection]:
    """The driver floor that the lock states is enough, and so is the driver that was told."""
    if not case.env.target.cuda or case.build is None:
        return
    for what, needed, source in _needs(case):
        if needed is None:
            yield unknown("drivers", what, f"nobody knows which driver {what} needs", source)
            continue
        floor, told = case.env.driver_floor, case.env.target.driver
        if floor is None or _older(floor, needed):
            text = f"{what} needs driver {needed}, the lock says {floor or 'none'}"
            yield refuse("drivers", what, text, source)
        if told is not None and _older(told, needed):
            yield refuse("drivers", what, f"{what} needs driver {needed}, the machine has {told}", source)


def _needs(case: Case) -> Iterator[tuple[str, str | None, tuple[str, ...]]]:
    """(what, driver it needs, who says so) for torch and for each CUDA wheel."""
    build = case.build
    if build is None or build.cuda is None:
        return
    parts: list[tuple[str, str, bool]] = [(f"torch {case.env.torch}", build.cuda, _by_ptx(case, None))]
    for match in matches(case):
        if match.row.cuda is not None and not match.row.same_variant:
            name = f"{match.row.package} {match.row.version}"
            parts.append((name, match.row.cuda, _by_ptx(case, match)))
    for name, cuda, ptx in parts:
        toolkit = case.toolkit(cuda)
        if toolkit is None:
            yield name, None, ()
        else:
            # PTX is compiled by the driver, which must be as new as the toolkit that wrote it.
            platform = case.env.target.platform
            needed = toolkit.driver_on(platform) if ptx else toolkit.floor_on(platform)
            yield name, needed, case.cite("toolkits", toolkit.source)


def _by_ptx(case: Case, match: Match | None) -> bool:
    """Whether some device runs this binary only by PTX."""
    row = match.row if match else case.build
    return row is not None and any(
        code_for(device, row.archs, row.ptx) is Code.PTX for device in case.env.target.devices
    )


def _older(driver: str, needed: str) -> bool:
    try:
        return version(driver) < version(needed)
    except InvalidVersion:
        return True


def glibc(case: Case) -> Iterator[Objection]:
    """What the binaries need of glibc, whatever their tags say."""
    have = case.env.target.glibc
    if not case.env.target.platform.value.startswith("linux"):
        return
    needs: list[tuple[str, str, str | None, tuple[str, ...]]] = []
    if case.build is not None:
        source = case.cite("torch-builds", case.build.source)
        needs.append((f"torch {case.env.torch}", "torch", case.build.glibc, source))
    for match in matches(case):
        row = match.row
        source = case.cite("binaries", row.source, row.package)
        needs.append((f"{row.package} {row.version}", row.package, row.glibc, source))
    for name, subject, needed, source in needs:
        if needed is None:
            yield unknown("glibc", subject, f"nobody has read which glibc {name} needs", source)
        elif have is None:
            yield unknown("glibc", subject, f"{name} needs glibc {needed}, the target's is not told", source)
        elif version(have) < version(needed):
            yield refuse("glibc", subject, f"{name} needs glibc {needed}, the target has {have}", source)
