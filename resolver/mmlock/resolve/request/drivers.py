"""A stated driver against the devices: one from before a card does not run it, with any torch."""

from __future__ import annotations

from mmlock.core.errors import NoAnswer
from mmlock.core.target import Target
from mmlock.core.versions import version
from mmlock.facts.devices.support import first_driver
from mmlock.facts.matrix.load import Matrix

__all__ = ["require_driver"]


def require_driver(matrix: Matrix, target: Target, words: tuple[str, ...]) -> None:
    """Raise NoAnswer where the driver is of an older branch than the first that knows a device.

    Branches are compared (the 570 of 570.26), for the first driver of a card may be a little older than the
    one that came with the toolkit. Drivers of Tegra boards are numbered otherwise.
    """
    if target.driver is None:
        return
    for device, word in zip(target.devices, words, strict=True):
        first = None if device.tegra else first_driver(matrix, device, target.platform)
        if first is None or version(target.driver).major >= version(first[0]).major:
            continue
        driver, toolkit = first
        needs = f"{device.name} needs driver {driver} or newer"
        raise NoAnswer(
            f"`--gpu {word}` and `--driver {target.driver}` are incompatible",
            causes=[f"{needs}: its CUDA {toolkit.cuda} is the first that knows {device.arch}"],
            hints=[f"install driver {driver} or newer, or leave out `--driver`"],
        )
