"""Which mmcv a release belongs with: 1.x, or 2 with mmengine."""

from __future__ import annotations

from collections.abc import Iterable

from mmlock.core.versions import InvalidVersion, version
from mmlock.facts.matrix.curated import MmcvEra, Module

__all__ = ["builds_on_mmcv_2", "modules_of_mmcv_2", "never_on_mmcv_1"]

_EVERY = "0"


def builds_on_mmcv_2(rows: Iterable[MmcvEra], package: str, release: str) -> bool | None:
    """Whether a release does; None where the facts or the version do not tell."""
    row = next((row for row in rows if row.package == package), None)
    if row is None:
        return None
    if never_on_mmcv_1(row):
        return True
    try:
        return version(release) >= version(row.first)
    except InvalidVersion:
        return None


def never_on_mmcv_1(row: MmcvEra) -> bool:
    """Whether every release of a package builds on mmcv 2: its name alone tells the era."""
    return row.first == _EVERY


def modules_of_mmcv_2(rows: Iterable[MmcvEra], modules: Iterable[Module]) -> frozenset[str]:
    """Import names of which every release builds on mmcv 2: whoever imports one is code for mmcv 2."""
    packages = {row.package for row in rows if never_on_mmcv_1(row)}
    return frozenset(module.module for module in modules if packages & set(module.packages))
