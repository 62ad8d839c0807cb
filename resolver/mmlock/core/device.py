"""Devices, and the rules that decide whether GPU code runs on one.

The rules are NVIDIA's (CUDA programming guide, "Compute Capabilities" and "Application
Compatibility"):

* a cubin for X.Y runs on X.Z with Z >= Y, same major only;
* a cubin or PTX with the suffix `a` runs on exactly X.Y;
* with the suffix `f` it runs on the higher minors of its family, which here means the same major;
* PTX of compute_X.Y is compiled by the driver for anything newer, if the driver is at least of the
  toolkit's version;
* Tegra parts are outside the promise: only their own arch or PTX counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import lru_cache

from msgspec import Struct

from mmlock.core.names import DeviceKind


class Device(Struct, frozen=True, kw_only=True):
    """One accelerator model as asked for, or the CPU."""

    kind: DeviceKind
    name: str
    """The canonical name, for example `GeForce RTX 5090`."""
    arch: str | None = None
    """`sm_120`, `gfx90a`; None where the notion does not apply."""
    tegra: bool = False

    @property
    def capability(self) -> tuple[int, int] | None:
        """Compute capability (major, minor) of an NVIDIA part."""
        return parse_sm(self.arch)[:2] if self.kind is DeviceKind.CUDA and self.arch else None


class Code(Enum):
    """What a binary holds for a device."""

    NATIVE = "native"
    PTX = "ptx"
    REPORTED = "reported"  # code that NVIDIA does not promise, and that was seen to run
    NONE = "none"
    UNKNOWN = "unknown"


@lru_cache(maxsize=1024)
def parse_sm(arch: str) -> tuple[int, int, str]:
    """`sm_120a` -> (12, 0, "a"); also takes `compute_90`.

    Raises ValueError for anything else.
    """
    _, _, digits = arch.partition("_")
    suffix = digits[-1] if digits[-1:] in {"a", "f"} else ""
    number = int(digits.removesuffix(suffix))
    return number // 10, number % 10, suffix


def format_cc(arch: str) -> str:
    """`sm_120` -> `12.0`, the spelling of TORCH_CUDA_ARCH_LIST."""
    major, minor, suffix = parse_sm(arch)
    return f"{major}.{minor}{suffix}"


@lru_cache(maxsize=4096)
def cubin_runs(arch: str, device: str, *, tegra: bool = False) -> bool:
    """Whether a cubin built for `arch` runs on a GPU whose own arch is `device`."""
    major, minor, suffix = parse_sm(arch)
    d_major, d_minor, _ = parse_sm(device)
    if major != d_major or minor > d_minor:
        return False
    if suffix == "a" or tegra:
        return minor == d_minor
    return True


def ptx_runs(arch: str, device: str) -> bool:
    """Whether PTX for `arch` can be compiled for `device` by a new enough driver."""
    major, minor, suffix = parse_sm(arch)
    d_major, d_minor, _ = parse_sm(device)
    if suffix == "a":
        return (major, minor) == (d_major, d_minor)
    if suffix == "f":
        return major == d_major and minor <= d_minor
    return (major, minor) <= (d_major, d_minor)


def code_for(
    device: Device,
    archs: Iterable[str] | None,
    ptx: Iterable[str] | None = (),
) -> Code:
    """What a binary with these archs holds for `device`; `archs=None` means not known."""
    if archs is None or device.arch is None:
        return Code.UNKNOWN
    if device.kind is DeviceKind.ROCM:
        return Code.NATIVE if device.arch in set(archs) else Code.NONE
    arch = device.arch
    if any(cubin_runs(built, arch, tegra=device.tegra) for built in archs):
        return Code.NATIVE
    if any(ptx_runs(built, arch) for built in ptx or ()):
        return Code.PTX
    return Code.NONE
