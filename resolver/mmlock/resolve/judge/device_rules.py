"""Rules about the hardware: code for every device, CUDA, driver, glibc."""

from __future__ import annotations

from collections.abc import Iterator

from mmlock.core.device import Code, Device, code_for, parse_sm
from mmlock.core.names import DeviceKind
from mmlock.core.versions import InvalidVersion, version
from mmlock.facts.matrix.model import TorchBuild
from mmlock.resolve.judge.binaries import DescribedWheel, matches
from mmlock.resolve.judge.judged_lock import JudgedLock, admits, refuse, unknown
from mmlock.resolve.judge.model import Objection, Rule

__all__ = ["accelerators", "archs", "drivers", "glibc", "torch_build"]

_WITH_ARCH = (DeviceKind.CUDA, DeviceKind.ROCM)


def torch_build(lock: JudgedLock) -> Iterator[Objection]:
    """The torch of the lock is one the facts know, and it is the torch that is installed."""
    if lock.build is None:
        platform = lock.env.target.platform.value
        yield unknown(Rule.TORCH, "torch", f"nothing is known of torch {lock.env.torch} for {platform}")
    node = next((node for name, node in lock.nodes.items() if name == "torch"), None)
    if node is None:
        yield refuse(Rule.TORCH, "torch", "the lock has no torch")
    elif node.base != lock.torch or ("+" in node.version and node.version != lock.env.torch):
        yield refuse(
            Rule.TORCH, "torch", f"torch {node.version} is listed, but the lock is for {lock.env.torch}"
        )
    elif "+" not in node.version and lock.build is not None and not lock.build.on_pypi:
        text = f"torch {node.version} is PyPI's build, but the lock is for {lock.env.torch}"
        yield refuse(Rule.TORCH, "torch", text)
    if lock.build is not None and lock.build.pythons and lock.env.python not in lock.build.pythons:
        text = f"torch {lock.env.torch} has no wheel for Python {lock.env.python}"
        yield refuse(Rule.TORCH, "torch", text, lock.cite("torch-builds", lock.build.source))


def archs(lock: JudgedLock) -> Iterator[Objection]:
    """Torch and every prebuilt extension hold code for each device."""
    devices = [device for device in lock.env.target.devices if device.kind in _WITH_ARCH]
    for device in devices:
        if lock.build is not None:
            name = f"torch {lock.env.torch}"
            source = lock.cite("torch-builds", lock.build.source)
            code = code_for(device, lock.build.archs, lock.build.ptx)
            reports = list(_reports(lock, lock.build, device)) if code is Code.NONE else []
            yield from reports or _verdict(name, "torch", device, code, source)
            yield from _cudnn(lock, lock.build, device)
    for match in matches(lock):
        row = match.row
        # A wheel without CUDA, or without GPU code, has nothing to run on the device; torch-npu and the like.
        if (row.cuda is None and not row.same_variant) or row.archs == ():
            continue
        for device in devices:
            source = lock.cite("binaries", row.source, row.package)
            code = code_for(device, row.archs, row.ptx)
            yield from _verdict(f"{row.package} {row.version}", row.package, device, code, source)


def _reports(lock: JudgedLock, build: TorchBuild, device: Device) -> Iterator[Objection]:
    """Code that was seen to run on a Tegra part, where NVIDIA promises none."""
    for row in lock.matrix.tegra_reports:
        held = row.sm == device.arch and row.runs in (build.archs or ())
        if device.tegra and held and build.cuda is not None and admits(row.cuda, build.cuda):
            text = f"NVIDIA promises no {row.runs} kernels on {device.name}: some were seen to run"
            yield unknown(Rule.ARCHS, "torch", text, lock.cite("tegra-reports", row.source))


def _cudnn(lock: JudgedLock, build: TorchBuild, device: Device) -> Iterator[Objection]:
    """The cuDNN that torch brings has kernels for the device too."""
    name = f"torch {lock.env.torch}"
    for row in lock.matrix.cudnn:
        of_build = build.cuda is not None and build.cuda.partition(".")[0] == row.cuda
        capability = device.capability
        if not of_build or capability is None:
            continue
        lowest, highest = parse_sm(row.lowest), parse_sm(row.highest)
        if lowest[:2] <= capability and capability[0] <= highest[0]:
            continue
        source = lock.cite("cudnn", row.source)
        if build.cudnn is None and capability < lowest[:2]:
            text = f"unknown which cuDNN {name} comes with: {row.versions} has no kernels for {device.arch}"
            yield unknown(Rule.CUDNN, "torch", text, source)
        elif build.cudnn is not None and admits(row.versions, build.cudnn):
            text = f"cuDNN {build.cudnn} of {name} has no kernels for {device.name} ({device.arch})"
            yield refuse(Rule.CUDNN, "torch", text, source)


def _verdict(
    name: str, subject: str, device: Device, code: Code, source: tuple[str, ...]
) -> Iterator[Objection]:
    if code is Code.NONE:
        yield refuse(Rule.ARCHS, subject, f"{name} has no kernels for {device.name} ({device.arch})", source)
    elif code is Code.UNKNOWN:
        text = f"it is not known whether {name} has kernels for {device.name} ({device.arch})"
        yield unknown(Rule.ARCHS, subject, text, source)


def accelerators(lock: JudgedLock) -> Iterator[Objection]:
    """A target without CUDA gets no CUDA wheel unasked, one with CUDA gets no other torch."""
    target, build = lock.env.target, lock.build
    if build is None:
        return
    source = lock.cite("torch-builds", build.source)
    if target.cuda:
        if build.cuda is None:
            yield refuse(
                Rule.ACCELERATORS,
                "torch",
                f"torch {lock.env.torch} has no CUDA, but the target needs it",
                source,
            )
        return
    rows = [row for row in lock.matrix.accelerators if row.kind is target.kind]
    named = any(
        word.startswith("--torch") and word.endswith(f"+{build.variant}") for word in lock.env.request
    )
    allowed = named or any(row.torch_variant == "default" for row in rows)
    if build.cuda is not None and not allowed:
        text = f"torch {lock.env.torch} is a CUDA build, but the target is {target.kind.value}"
        yield refuse(Rule.ACCELERATORS, "torch", text, source)


def drivers(lock: JudgedLock) -> Iterator[Objection]:
    """The driver floor that the lock states is enough, and so is the driver of the request."""
    if not lock.env.target.cuda or lock.build is None:
        return
    yield from _of_the_cards(lock)
    for what, needed, source in _needs(lock):
        if needed is None:
            yield unknown(Rule.DRIVERS, what, f"the driver that {what} needs is not known", source)
            continue
        floor, told = lock.env.driver_floor, lock.env.target.driver
        if floor is None or _older(floor, needed):
            text = f"{what} needs driver {needed}, but the lock says {floor or 'none'}"
            yield refuse(Rule.DRIVERS, what, text, source)
        if told is not None and _older(told, needed):
            yield refuse(
                Rule.DRIVERS, what, f"{what} needs driver {needed}, but the machine has {told}", source
            )


def _of_the_cards(lock: JudgedLock) -> Iterator[Objection]:
    """A driver of a branch before a card was known does not run it, whatever torch needs."""
    told, target = lock.env.target.driver, lock.env.target
    known = {row.sm: row for row in lock.matrix.capabilities}
    for device in target.devices:
        row = known.get(device.arch or "")
        if row is None or row.tegra or told is None or (toolkit := lock.toolkit(row.first_cuda)) is None:
            continue
        needed = toolkit.driver_on(target.platform)
        if needed is not None and _older(told.partition(".")[0], needed.partition(".")[0]):
            text = f"{device.name} needs driver {needed}, but the machine has {told}"
            yield refuse(Rule.DRIVERS, device.name, text, lock.cite("toolkits", toolkit.source))


def _needs(lock: JudgedLock) -> Iterator[tuple[str, str | None, tuple[str, ...]]]:
    """(what, driver it needs, who says so) for torch and for each CUDA wheel."""
    build = lock.build
    if build is None or build.cuda is None:
        return
    parts: list[tuple[str, str, bool]] = [(f"torch {lock.env.torch}", build.cuda, _by_ptx(lock, None))]
    for match in matches(lock):
        # A wheel that tells the major of CUDA alone needs no more than the torch of that major.
        if match.row.cuda is not None and "." in match.row.cuda and not match.row.same_variant:
            name = f"{match.row.package} {match.row.version}"
            parts.append((name, match.row.cuda, _by_ptx(lock, match)))
    for name, cuda, ptx in parts:
        toolkit = lock.toolkit(cuda)
        if toolkit is None:
            yield name, None, ()
        else:
            # PTX is compiled by the driver, which must be as new as the toolkit that wrote it.
            platform = lock.env.target.platform
            needed = toolkit.driver_on(platform) if ptx else toolkit.floor_on(platform)
            yield name, needed, lock.cite("toolkits", toolkit.source)


def _by_ptx(lock: JudgedLock, match: DescribedWheel | None) -> bool:
    """Whether some device runs this binary only by PTX."""
    row = match.row if match else lock.build
    return row is not None and any(
        code_for(device, row.archs, row.ptx) is Code.PTX for device in lock.env.target.devices
    )


def _older(driver: str, needed: str) -> bool:
    try:
        return version(driver) < version(needed)
    except InvalidVersion:
        return True


def glibc(lock: JudgedLock) -> Iterator[Objection]:
    """What the binaries need of glibc, whatever their tags say."""
    have = lock.env.target.glibc
    if not lock.env.target.platform.is_linux:
        return
    needs: list[tuple[str, str, str | None, tuple[str, ...]]] = []
    if lock.build is not None:
        source = lock.cite("torch-builds", lock.build.source)
        needs.append((f"torch {lock.env.torch}", "torch", lock.build.glibc, source))
    for match in matches(lock):
        row = match.row
        source = lock.cite("binaries", row.source, row.package)
        needs.append((f"{row.package} {row.version}", row.package, row.glibc, source))
    for name, subject, needed, source in needs:
        if needed is None:
            yield unknown(Rule.GLIBC, subject, f"the glibc that {name} needs is not known", source)
        elif have is None:
            yield unknown(
                Rule.GLIBC,
                subject,
                f"{name} needs glibc {needed}, but that of the target is not given",
                source,
            )
        elif version(have) < version(needed):
            yield refuse(
                Rule.GLIBC, subject, f"{name} needs glibc {needed}, but the target has {have}", source
            )
