"""What a target is taken to have where it does not say; and how tools call its machine."""

from __future__ import annotations

from mmlock.core.names import Platform

OLDEST_GLIBC = "2.17"
"""Taken for a Linux target that says nothing: the oldest floor that both machines share (PEP 599)."""

MACOS = "14.0"
"""A macOS target does not say its release; wheels for a newer one are not taken."""

_MACHINES = {
    Platform.LINUX_X86_64: "x86_64",
    Platform.LINUX_AARCH64: "aarch64",
    Platform.MACOS_ARM64: "arm64",
    Platform.MACOS_X86_64: "x86_64",
    Platform.WINDOWS_X86_64: "amd64",
}


def machine(platform: Platform) -> str:
    """The machine word of wheel tags: `x86_64`, `aarch64`, `arm64`, `amd64`."""
    return _MACHINES[platform]
