"""Builds and plans made by hand."""

from __future__ import annotations

from collections.abc import Iterable

from mmlock.core.names import PackageName, Platform
from mmlock.farm.cost import Costs
from mmlock.farm.demand import Bundle, Demand, FarmBuild
from mmlock.farm.plan import Budget, FarmPlan, make_plan

MMCV = PackageName("mmcv")
FREE = Costs.of((), base=20, each=4)


def one(name: str, *, archs: tuple[str, ...] = ("sm_80",), verified: bool = False) -> FarmBuild:
    return FarmBuild(
        package=PackageName(name),
        version="1.0",
        torch="2.11.0+cu130",
        cuda="13.0",
        python="3.12",
        platform=Platform.LINUX_X86_64,
        archs=archs,
        verified=verified,
    )


def planned(demand: Demand, costs: Costs = FREE, **budget: object) -> FarmPlan:
    return make_plan(demand, costs, mmlock="1", matrix="0" * 64, budget=Budget(**budget))  # type: ignore[arg-type]


def wanting(*sets: Iterable[Bundle]) -> Demand:
    wants = {(f"t{number}",): tuple(each) for number, each in enumerate(sets)}
    return Demand(wants=wants, served=0, hopeless=0)
