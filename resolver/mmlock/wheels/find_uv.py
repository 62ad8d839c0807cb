"""uv, for those that make environments with it."""

from __future__ import annotations

import os

from mmlock.core.errors import EnvironmentFault
from mmlock.core.progress import Progress, silent
from mmlock.resolve.closure.uv_find import find_uv as look
from mmlock.wheels.buildenv import Uv

__all__ = ["find_uv"]


def find_uv(*, offline: bool = False, index_url: str | None = None, progress: Progress = silent) -> Uv:
    """uv as the builds use it. Raises EnvironmentFault where there is none."""
    found = look(os.environ)
    if found is None:
        raise EnvironmentFault(
            "uv was not found",
            causes=["mmlock creates environments with it"],
            hints=["install it (`pip install uv`), or set MMLOCK_UV to its path"],
        )
    return Uv(
        path=found.path,
        offline=offline,
        index_url=index_url,
        environ=os.environ,
        progress=progress,
    )
