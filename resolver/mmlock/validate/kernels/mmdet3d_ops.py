"""mmdet3d: the ops that it had of its own before it took mmcv's; the checks are those of mmcv's."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

from .harness import Suite
from .mmcv_clouds import SUITE as CLOUDS
from .mmcv_points import SUITE as POINTS
from .mmcv_volumes import SUITE as VOLUMES

SHARED = (
    "knn",
    "ball_query",
    "furthest_point_sample",
    "three_nn",
    "gather_points",
    "dynamic_scatter",
    "points_in_boxes",
    "points_in_boxes_cpu",
    "dynamic_voxelization",
    "hard_voxelization",
    "assign_score_withk",
    "roiaware_pool3d",
    "roipoint_pool3d",
    "points_sampler",
)


def load() -> Any:
    """`mmdet3d.ops`; nothing where this release has none."""
    try:
        return importlib.import_module("mmdet3d.ops")
    except ModuleNotFoundError as error:
        if error.name != "mmdet3d.ops":
            raise
        return SimpleNamespace()


SUITE = Suite("mmdet3d", load)
for _own in (CLOUDS, POINTS, VOLUMES):
    SUITE.checks += [check for check in _own.checks if check.name in SHARED]
