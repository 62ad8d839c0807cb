"""The devices a request names, matched against the matrix or read from this machine."""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.arguments import AUTO, SolveArguments
from mmlock.core.device import Device
from mmlock.core.errors import NoAnswer, UsageError
from mmlock.core.names import DeviceKind, Platform
from mmlock.facts.devices.find import DeviceProblem, NoDevice, accelerator_of, find_device
from mmlock.facts.devices.support import board_platform, home_platform
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Accelerator, DeviceAnswer


class TargetDevices(Struct, frozen=True, kw_only=True):
    """What `--gpu` means, whatever the order and however often a card is named."""

    devices: tuple[Device, ...]
    """By name."""
    words: tuple[str, ...]
    """How the user named each; of several names one that tells the platform, else the shortest."""
    accelerators: tuple[Accelerator, ...]
    platform: Platform | None
    """The platform that the devices imply (aarch64 boards, macOS for MPS)."""
    driver: str | None
    """Read from this machine with `auto`."""


def find_devices(matrix: Matrix, arguments: SolveArguments) -> TargetDevices:
    """Raises UsageError for names that are no device, NoAnswer for devices nothing public serves."""
    if not arguments.gpus:
        raise UsageError(
            "no target: which device should the environment run on?",
            hints=[
                "name it, for example `--gpu rtx5090`; `mmlock gpus` lists the names",
                "`--gpu auto` uses the GPUs of this machine, `--gpu cpu` none",
            ],
        )
    named: list[tuple[str, Device]] = []
    driver = None
    for word in arguments.gpus:
        if word == AUTO:
            installed, driver = _installed(matrix)
            named += installed
        else:
            named.append((word, _named(matrix, word)))
    devices = _words_by_device(matrix, named)
    ordered = tuple(devices)
    _one_kind(ordered)
    accelerators = tuple(row for device in ordered if (row := accelerator_of(matrix, device)))
    for row in accelerators:
        if row.answer is not DeviceAnswer.LOCK:
            raise NoAnswer(
                f"no public packages support {row.name}",
                causes=[text for text in (row.note, row.mmcv) if text],
                hints=["inside the vendor's own image, `--gpu cpu` locks everything but the vendor's torch"],
            )
    _one_platform(matrix, devices, arguments.platform)
    return TargetDevices(
        devices=ordered,
        words=tuple(devices.values()),
        accelerators=accelerators,
        platform=_platform(matrix, devices, accelerators),
        driver=driver,
    )


def _words_by_device(matrix: Matrix, named: list[tuple[str, Device]]) -> dict[Device, str]:
    """The word for each device, in one order for all ways to say the same."""
    words: dict[Device, list[str]] = {}
    for word, device in named:
        words.setdefault(device, []).append(word)
    ordered = sorted(words, key=lambda device: (device.name.lower(), device.name, device.arch or ""))
    return {
        device: min(
            words[device],
            key=lambda word: (board_platform(matrix, word, device.name) is None, len(word), word),
        )
        for device in ordered
    }


def _named(matrix: Matrix, word: str) -> Device:
    device = find_device(matrix, word)
    if isinstance(device, NoDevice):
        raise unknown_device(device)
    return device


def unknown_device(name: NoDevice) -> UsageError:
    """The error for a name that is no device, with the nearest ones."""
    near = ", ".join(f"`{device}`" for device in name.nearest)
    ask = "which one is it" if name.problem is DeviceProblem.AMBIGUOUS else "did you mean"
    return UsageError(
        f"`{name.text}` {name.why}",
        hints=[
            *([f"{ask}: {near}?"] if near else []),
            "`mmlock gpus` lists every device; a compute capability such as `sm_90` works too",
        ],
    )


def _installed(matrix: Matrix) -> tuple[list[tuple[str, Device]], str | None]:
    """The GPUs of this machine. Raises EnvironmentFault when it has none that can be read."""
    from mmlock.resolve.request.nvidia_smi import device_for, installed_gpus

    named = []
    driver = None
    for gpu in installed_gpus():
        device = device_for(matrix, gpu)
        if isinstance(device, NoDevice):
            raise UsageError(
                f"this machine has a `{gpu.name}`, which {device.why}",
                hints=["name its compute capability instead, for example `--gpu sm_90`"],
            )
        known = find_device(matrix, gpu.name) == device
        named.append((gpu.name if known else device.arch or gpu.name, device))
        driver = gpu.driver
    return named, driver


def _one_kind(devices: tuple[Device, ...]) -> None:
    kinds = {device.kind for device in devices}
    if len(kinds) > 1:
        names = " and ".join(device.name for device in devices)
        raise UsageError(
            f"one lock cannot support {names}",
            causes=["they need different builds of torch"],
            hints=["make one lock for each"],
        )


def _platform(
    matrix: Matrix,
    named: dict[Device, str],
    accelerators: tuple[Accelerator, ...],
) -> Platform | None:
    """The platform that devices imply: by their kind, their capability, or the board they come on."""
    for row in accelerators:
        if row.platform is not None:
            return row.platform
    platforms = (_soldered(matrix, device, word) for device, word in named.items())
    return next((platform for platform in platforms if platform), None)


def _soldered(matrix: Matrix, device: Device, word: str) -> Platform | None:
    """The platform of a device that is in machines of one platform only; None for a card."""
    machine = next((row.machine for row in matrix.capabilities if row.sm == device.arch), None)
    if device.kind is DeviceKind.CUDA and machine == "aarch64":
        return Platform.LINUX_AARCH64
    return board_platform(matrix, word, device.name)


def _one_platform(matrix: Matrix, named: dict[Device, str], platform: Platform | None) -> None:
    """Raises NoAnswer for devices of different platforms: a lock is for one, and would run on some of them.

    A card can be put into a machine of any platform, but only its user knows of that, and says so.
    """
    if platform is not None:
        return
    homes: dict[Platform, str] = {}
    for device, word in named.items():
        homes.setdefault(_soldered(matrix, device, word) or home_platform(matrix, device), device.name)
    if len(homes) > 1:
        raise NoAnswer(
            f"no lock supports {' and '.join(homes.values())}",
            causes=[f"{name} is in {home} machines" for home, name in homes.items()],
            hints=["make one lock for each, or name the one platform with `--platform`"],
        )
