"""The devices a request names, matched against the matrix or read from this machine."""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.arguments import AUTO, SolveArguments
from mmlock.core.device import Device
from mmlock.core.errors import NoAnswer, UsageError
from mmlock.core.names import DeviceKind, Platform
from mmlock.facts.devices.find import NoDevice, accelerator_of, find_device
from mmlock.facts.devices.support import board_platform
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Accelerator, DeviceAnswer


class FoundDevices(Struct, frozen=True, kw_only=True):
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


def find_devices(matrix: Matrix, arguments: SolveArguments) -> FoundDevices:
    """Raises UsageError for names that are no device, NoAnswer for devices nothing public serves."""
    if not arguments.gpus:
        raise UsageError(
            "no target: which device shall the environment run on?",
            hints=[
                "name it: `--gpu rtx5090`; `mmlock gpus` lists the names",
                "`--gpu auto` takes this machine's, `--gpu cpu` none",
            ],
        )
    named: list[tuple[str, Device]] = []
    driver = None
    for word in arguments.gpus:
        if word == AUTO:
            found, driver = _installed(matrix)
            named += found
        else:
            named.append((word, _named(matrix, word)))
    devices = _words_by_device(matrix, named)
    ordered = tuple(devices)
    _one_kind(ordered)
    accelerators = tuple(row for device in ordered if (row := accelerator_of(matrix, device)))
    for row in accelerators:
        if row.answer is not DeviceAnswer.LOCK:
            raise NoAnswer(
                f"there is no public environment for {row.name}",
                causes=[text for text in (row.note, row.mmcv) if text],
                hints=["in the vendor's own image, `--gpu cpu` locks everything but the vendor's torch"],
            )
    return FoundDevices(
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
    found = find_device(matrix, word)
    if isinstance(found, NoDevice):
        from mmlock.report.gpus import unknown_device

        raise unknown_device(found)
    return found


def _installed(matrix: Matrix) -> tuple[list[tuple[str, Device]], str | None]:
    """The GPUs of this machine. Raises EnvironmentFault when it has none that can be read."""
    from mmlock.resolve.request.nvidia_smi import device_for, installed_gpus

    named = []
    driver = None
    for gpu in installed_gpus():
        found = device_for(matrix, gpu)
        if isinstance(found, NoDevice):
            raise UsageError(
                f"this machine has a `{gpu.name}`, which {found.why}",
                hints=["name its compute capability instead, for example `--gpu sm_90`"],
            )
        known = find_device(matrix, gpu.name) == found
        named.append((gpu.name if known else found.arch or gpu.name, found))
        driver = gpu.driver
    return named, driver


def _one_kind(devices: tuple[Device, ...]) -> None:
    kinds = {device.kind for device in devices}
    if len(kinds) > 1:
        names = " and ".join(device.name for device in devices)
        raise UsageError(
            f"one lock cannot run on {names}",
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
    machines = {row.sm: row.machine for row in matrix.capabilities}
    for device, word in named.items():
        if device.kind is DeviceKind.CUDA and machines.get(device.arch or "") == "aarch64":
            return Platform.LINUX_AARCH64
        if found := board_platform(matrix, word, device.name):
            return found
    return None
