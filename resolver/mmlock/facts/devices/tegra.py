"""Code that NVIDIA promises for no Tegra part, and that was seen to run on one."""

from __future__ import annotations

from collections.abc import Iterable

from mmlock.core.device import Device
from mmlock.core.versions import allows
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import TegraReport

__all__ = ["tegra_report"]


def tegra_report(
    matrix: Matrix, device: Device, archs: Iterable[str] | None, cuda: str | None
) -> TegraReport | None:
    """The fact by which code for `archs`, built with `cuda`, was seen to run on a device, if there is one.

    Without it such a device runs nothing but code for its own arch, and PTX.
    """
    if not device.tegra or archs is None or cuda is None:
        return None
    built = frozenset(archs)
    return next(
        (
            row
            for row in matrix.tegra_reports
            if row.sm == device.arch and row.runs in built and allows(row.cuda, cuda)
        ),
        None,
    )
