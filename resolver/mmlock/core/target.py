"""The machine a lock is for."""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.device import Device
from mmlock.core.names import DeviceKind, Platform


class Target(Struct, frozen=True, kw_only=True):
    """Where the environment must run. What is None was not said and is not assumed to hold."""

    devices: tuple[Device, ...]
    """One lock runs on all of them; never empty."""
    platform: Platform
    glibc: str | None
    """Lowest glibc the machine has (`2.28`); None off Linux."""
    driver: str | None = None
    """NVIDIA driver version, where the user told it."""

    @property
    def kind(self) -> DeviceKind:
        """The kind shared by all devices."""
        return self.devices[0].kind

    @property
    def cuda(self) -> bool:
        return self.kind is DeviceKind.CUDA

    @property
    def arch_list(self) -> tuple[str, ...]:
        """Every arch that must be present, sorted and unique."""
        return tuple(sorted({d.arch for d in self.devices if d.arch}))
