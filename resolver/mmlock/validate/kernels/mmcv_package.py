"""How the ops of mmcv are found."""

from __future__ import annotations

import importlib
from typing import Any


def load() -> Any:
    """`mmcv.ops`; its import fails where the extension is missing or does not fit."""
    import mmcv.ops

    return mmcv.ops


def plain() -> bool:
    """Whether the ops are plain PyTorch in the place of compiled ones."""
    return bool(getattr(importlib.import_module("mmcv._ext"), "TORCH_OPS", False))
