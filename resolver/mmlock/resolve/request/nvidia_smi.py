"""The GPUs of this machine, as its driver tells them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence

from msgspec import Struct

from mmlock.core.device import Device
from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import DeviceKind
from mmlock.facts.devices.find import NoDevice, find_device
from mmlock.facts.matrix.load import Matrix

__all__ = ["InstalledGpu", "device_for", "installed_gpus", "parse_nvidia_smi"]

_CAPABILITY = re.compile(r"\d{1,2}\.\d")
_DRIVER = re.compile(r"\d+(\.\d+)+")
_TIMEOUT = 15.0
_FIELDS = ("name,compute_cap,driver_version", "name,driver_version")
"""What to ask for; drivers before 510 do not know `compute_cap` and refuse the whole query."""


class InstalledGpu(Struct, frozen=True, kw_only=True):
    """One line of nvidia-smi."""

    name: str
    capability: str | None
    """`9.0`; None from drivers that do not tell it."""
    driver: str | None


class Runner:
    """Runs a command and gives its standard output. The seam for tests."""

    def __call__(self, command: Sequence[str]) -> str:
        """Raises OSError, subprocess.TimeoutExpired or subprocess.CalledProcessError."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=True)
        return done.stdout


def parse_nvidia_smi(text: str) -> tuple[InstalledGpu, ...]:
    """The lines of `--query-gpu=name[,compute_cap],driver_version --format=csv,noheader`."""
    gpus = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        name, rest = cells[0], cells[1:]
        if not name or not rest:
            continue
        gpus.append(
            InstalledGpu(
                name=name,
                capability=next((cell for cell in rest[:-1] if _CAPABILITY.fullmatch(cell)), None),
                driver=rest[-1] if _DRIVER.fullmatch(rest[-1]) else None,
            )
        )
    return tuple(gpus)


def installed_gpus(run: Callable[[Sequence[str]], str] | None = None) -> tuple[InstalledGpu, ...]:
    """The NVIDIA GPUs of this machine. Raises EnvironmentFault when there are none to be seen."""
    run = run or Runner()
    last: Exception | None = None
    for fields in _FIELDS:
        try:
            gpus = parse_nvidia_smi(run(["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]))
        except FileNotFoundError as error:
            raise _fault("`nvidia-smi` was not found on this machine") from error
        except subprocess.TimeoutExpired as error:
            raise _fault(f"`nvidia-smi` did not answer within {error.timeout:g} s") from error
        except (OSError, subprocess.CalledProcessError) as error:
            last = error
            continue
        if gpus:
            return gpus
    raise _fault(_reason(last)) from last


def device_for(matrix: Matrix, gpu: InstalledGpu) -> Device | NoDevice:
    """The device of a line: by its capability where told, and by its name.

    The capability is the hardware's own word, so it decides when the name is new or says otherwise.
    """
    named = find_device(matrix, gpu.name)
    if gpu.capability is None:
        return named
    measured = find_device(matrix, gpu.capability)
    if isinstance(named, Device) and isinstance(measured, Device) and named.arch == measured.arch:
        return named
    if isinstance(measured, NoDevice):
        return measured
    return Device(kind=DeviceKind.CUDA, name=gpu.name, arch=measured.arch, tegra=measured.tegra)


def _reason(error: Exception | None) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        said = (error.stdout or error.stderr or "").strip().splitlines()
        return f"`nvidia-smi` failed: {said[0] if said else f'exit status {error.returncode}'}"
    return f"`nvidia-smi` failed to start: {error}" if error else "`nvidia-smi` lists no GPU"


def _fault(why: str) -> EnvironmentFault:
    return EnvironmentFault(
        "no GPU was detected",
        causes=[why],
        hints=["name the GPU with `--gpu NAME`, or use `--gpu cpu`; `mmlock gpus` lists the names"],
    )
