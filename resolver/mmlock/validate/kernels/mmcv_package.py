"""How the ops of mmcv are found."""

from __future__ import annotations

from typing import Any


def load() -> Any:
    """`mmcv.ops`; its import fails where the extension is missing or does not fit."""
    import mmcv.ops

    return mmcv.ops
