"""Whether the cuDNN that a torch build brings has kernels for a device.

torch starts on a GPU that its cuDNN has dropped, and the first convolution fails there.
"""

from __future__ import annotations

from collections.abc import Iterator

from mmlock.core.device import Device, parse_sm
from mmlock.core.versions import allows
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Cudnn, TorchBuild

__all__ = ["dropping_cudnn"]


def dropping_cudnn(matrix: Matrix, build: TorchBuild, device: Device) -> Cudnn | None:
    """The fact by which the cuDNN of a build serves no such device; None where it does, or is not known."""
    if build.cudnn is None:
        return None
    rows = (row for row in _rows(matrix, build) if allows(row.versions, build.cudnn))
    return next((row for row in rows if _drops(row, device)), None)


def _rows(matrix: Matrix, build: TorchBuild) -> Iterator[Cudnn]:
    major = (build.cuda or "").partition(".")[0]
    return (row for row in matrix.cudnn if row.cuda == major)


def _drops(row: Cudnn, device: Device) -> bool:
    """Older than its lowest, or of a newer major than its highest: minors of one major share their code."""
    if device.capability is None:
        return False
    return device.capability < parse_sm(row.lowest)[:2] or device.capability[0] > parse_sm(row.highest)[0]
