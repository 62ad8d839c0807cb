"""What a build costs, in CPU hours, from the records of builds that ran."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median

from msgspec import Struct

from mmlock.core.names import PackageName
from mmlock.farm.demand import FarmBuild

__all__ = ["BuildRecord", "Costs"]

_HOUR = 3600.0


class BuildRecord(Struct, frozen=True, kw_only=True):
    """A build that ran."""

    package: PackageName
    archs: int
    """GPU archs that it was compiled for; 0: without CUDA."""
    cpu_seconds: float


class Costs(Struct, frozen=True, kw_only=True):
    """What builds of each package cost, with and without CUDA."""

    base: float
    """Seconds that a `.cu` file takes besides its archs, and `each`: those of an arch. Their ratio counts."""
    each: float
    seconds: Mapping[tuple[PackageName, bool], float]
    """Of a build for one arch, or for none."""

    @classmethod
    def of(cls, records: Iterable[BuildRecord], *, base: float, each: float) -> Costs:
        """From records: the median of what they come to for one arch."""
        found: dict[tuple[PackageName, bool], list[float]] = {}
        for one in records:
            share = (base + each) / (base + each * one.archs) if one.archs else 1.0
            found.setdefault((one.package, one.archs > 0), []).append(one.cpu_seconds * share)
        return cls(base=base, each=each, seconds={key: median(values) for key, values in found.items()})

    def hours(self, build: FarmBuild) -> float | None:
        """CPU hours; None where no such build is on record."""
        seconds = self.seconds.get((build.package, build.cuda is not None))
        if seconds is None:
            return None
        archs = len(build.archs)
        share = (self.base + self.each * archs) / (self.base + self.each) if archs else 1.0
        return seconds * share / _HOUR
