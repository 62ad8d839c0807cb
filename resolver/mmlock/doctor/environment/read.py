"""An environment, read as far as the checks need it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from mmlock.binary.inspect import Uninspected, inspect_folder
from mmlock.binary.installed_torch import read_installed, torch_version, with_archs
from mmlock.binary.model import HasGpuCode, Inspected
from mmlock.binary.reading import Unreadable
from mmlock.binary.tables import TorchSymbols
from mmlock.core.device import Device
from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import DeviceKind, Platform
from mmlock.core.progress import Progress
from mmlock.doctor.environment.conda_meta import read_conda
from mmlock.doctor.environment.installed import read_site
from mmlock.doctor.environment.interpreter import ask
from mmlock.doctor.environment.libraries import lacking
from mmlock.doctor.environment.model import (
    DeviceFault,
    Distribution,
    Environment,
    FollowedLink,
    FollowedLinkKind,
    InstalledDeviceProblem,
    Interpreter,
    SiteLeftover,
    TorchFault,
    TorchProblem,
)
from mmlock.doctor.environment.paths import exists, is_below, is_file
from mmlock.facts.devices.find import NoDevice
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.request.nvidia_smi import InstalledGpu, device_for, installed_gpus

_LIBTORCH = re.compile(r"lib(?:torch|c10|caffe2)[\w-]*\.so")


def read_environment(
    path: Path,
    matrix: Matrix,
    devices: tuple[Device, ...] | None,
    progress: Progress,
    *,
    gpus: Callable[[], Sequence[InstalledGpu]] = installed_gpus,
) -> Environment:
    """What an interpreter has around it. `devices` None: those of this machine."""
    progress(f"asking {path}")
    interpreter = ask(path)
    distributions: list[Distribution] = []
    leftovers: list[SiteLeftover] = []
    links = list(_links(interpreter))
    for site in interpreter.sites:
        progress(f"reading {site}")
        read = read_site(site, interpreter.prefix)
        distributions += read.distributions
        leftovers += read.leftovers
        links += read.links
    conda, conda_faults = read_conda(interpreter.prefix, interpreter.sites)
    found_devices, driver, device_fault = _devices(matrix, devices, gpus)
    inspected = _inspected(distributions, matrix, progress)
    platform = interpreter.platform or Platform.LINUX_X86_64
    torch, cuda, torch_fault = _torch(distributions, inspected.values(), platform, found_devices)
    return Environment(
        interpreter=interpreter,
        distributions=tuple(distributions),
        leftovers=tuple(leftovers),
        torch=torch,
        torch_fault=torch_fault,
        cuda=cuda,
        inspected=inspected,
        lacking=tuple(lacking(distributions, _compiled_packages(matrix), interpreter, os.environ)),
        devices=found_devices,
        device_fault=device_fault,
        driver=driver,
        links=tuple(links),
        environ=dict(os.environ),
        conda=conda,
        conda_faults=conda_faults,
    )


def _links(interpreter: Interpreter) -> Iterator[FollowedLink]:
    """The interpreter and the site folders, where they lead out of the environment."""
    places = [(FollowedLinkKind.INTERPRETER, interpreter.path)]
    places += [(FollowedLinkKind.SITE_FOLDER, site) for site in interpreter.sites]
    for kind, path in places:
        if not is_below(path, interpreter.prefix):
            yield FollowedLink(kind=kind, path=path, target=Path(os.path.realpath(path)))


def _compiled_packages(matrix: Matrix) -> frozenset[str]:
    """Those whose libraries are looked for: what the facts speak of, torch and OpenCV among them."""
    return frozenset(str(package) for module in matrix.modules for package in module.packages)


def _devices(
    matrix: Matrix, asked: tuple[Device, ...] | None, gpus: Callable[[], Sequence[InstalledGpu]]
) -> tuple[tuple[Device, ...], str | None, DeviceFault | None]:
    """The devices, the driver's version, and why there are none."""
    if asked is not None:
        return asked, None, None
    try:
        seen = gpus()
    except EnvironmentFault as fault:
        told = "; ".join(fault.causes) or fault.message
        return (), None, DeviceFault(problem=InstalledDeviceProblem.UNSEEN, detail=told)
    devices = [device_for(matrix, gpu) for gpu in seen]
    known = tuple(dict.fromkeys(device for device in devices if isinstance(device, Device)))
    unknown = [device.text for device in devices if isinstance(device, NoDevice)]
    driver = next((gpu.driver for gpu in seen if gpu.driver), None)
    if unknown and not known:
        return known, driver, DeviceFault(problem=InstalledDeviceProblem.UNKNOWN, detail=unknown[0])
    return known, driver, None


def _inspected(
    distributions: Iterable[Distribution], matrix: Matrix, progress: Progress
) -> dict[str, Inspected]:
    """The compiled files of what may need torch."""
    known = {str(p) for module in matrix.modules if module.core for p in module.packages}
    result: dict[str, Inspected] = {}
    for dist in distributions:
        there = tuple(path for path in dist.compiled if path not in dist.missing)
        if dist.name == "torch" or not there or dist.name in result:
            continue
        if dist.name not in known and not _declares_torch(dist):
            continue
        progress(f"reading {dist.name}")
        files = (*there, f"{dist.record}/METADATA") if exists(dist.site / dist.record / "METADATA") else there
        read = inspect_folder(dist.site, only=files)
        if not isinstance(read, Uninspected) and _concerns_torch(read):
            result[dist.name] = read
    return result


def _concerns_torch(read: Inspected) -> bool:
    """Whether its files need torch, or hold GPU code that runs beside it."""
    return any(
        one.torch_needs or one.gpu is HasGpuCode.YES or any(_LIBTORCH.match(name) for name in one.needed)
        for one in read.extensions
    )


def _declares_torch(dist: Distribution) -> bool:
    return any(text.lower().startswith("torch") for text in dist.requires) or any(
        "_ext" in path or "_C" in path for path in dist.compiled
    )


def _torch(
    distributions: Iterable[Distribution],
    inspected: Iterable[Inspected],
    platform: Platform,
    devices: tuple[Device, ...],
) -> tuple[TorchSymbols | None, str | None, TorchFault | None]:
    """The installed torch as the extensions ask of it, its CUDA, and what is wrong with it."""
    dist = next((dist for dist in distributions if dist.name == "torch"), None)
    if dist is None:
        return None, None, None
    if exists(dist.site / "torch" / "version.py") and not is_file(dist.site / "torch" / "version.py"):
        place = str(dist.site / "torch" / "version.py")
        return None, None, TorchFault(problem=TorchProblem.VERSION_NO_FILE, place=place)
    wanted = {name for one in inspected for file in one.extensions for name in file.torch_needs}
    try:
        told = torch_version(dist.site)
        torch = read_installed(dist.site, wanted, platform)
        if torch is not None and any(device.kind is DeviceKind.CUDA for device in devices):
            torch = with_archs(torch, dist.site)
    except Unreadable as fault:
        place = str(dist.site / "torch")
        return None, None, TorchFault(problem=TorchProblem.UNREADABLE, place=place, detail=str(fault))
    if torch is None:
        return None, None, TorchFault(problem=TorchProblem.NO_VERSION, place=dist.record)
    return torch, told.cuda if told else None, None
