"""Which builds serve most targets: a set cover, greedily by targets for a CPU hour.

Greedy is within a factor of ln(n) of the best cover (Chvátal 1979), and says after each build how far it got.
A target that needs two wheels counts when both are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from mmlock.core.errors import UsageError
from mmlock.core.versions import is_version
from mmlock.farm.cost import Costs
from mmlock.farm.demand import Bundle, Demand, FarmBuild, Target, every_build

__all__ = [
    "SCHEMA",
    "Budget",
    "FarmPlan",
    "FarmPlanBuild",
    "chosen_builds",
    "make_plan",
    "plan_bytes",
    "read_plan",
]

SCHEMA = 1
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""A package in normal form. `mmcv @ https://...` would be a requirement, too."""


class FarmPlanBuild(Struct, frozen=True, kw_only=True):
    """A build of a plan, in its order."""

    name: str
    build: FarmBuild
    cpu_hours: float | None
    """None: nothing like it is on record."""
    serves: int
    """Targets that are served once this one and all before it are there, and were not before."""
    covered: int
    """Of all targets without wheels, those served so far."""


class FarmPlan(Struct, frozen=True, kw_only=True):
    """What to build, first to last."""

    schema: int = SCHEMA
    mmlock: str
    matrix: str
    """Digest of the facts."""
    targets: int
    """Without wheels and served by some build."""
    served: int
    """Those with wheels already."""
    hopeless: int
    builds: tuple[FarmPlanBuild, ...]

    @property
    def cpu_hours(self) -> float:
        """Of all builds whose cost is known."""
        return sum(one.cpu_hours or 0.0 for one in self.builds)


class Budget(Struct, frozen=True, kw_only=True):
    """Where a plan stops."""

    most: int | None = None
    hours: float | None = None


def make_plan(demand: Demand, costs: Costs, *, mmlock: str, matrix: str, budget: Budget) -> FarmPlan:
    """The builds, those that serve most targets for an hour first. The same demand gives the same plan."""
    known = {build: costs.hours(build) for build in every_build(demand)}
    dearest = max((hours for hours in known.values() if hours is not None), default=1.0)
    price = {build: dearest if hours is None else hours for build, hours in known.items()}
    chosen: dict[FarmBuild, None] = {}
    builds: list[FarmPlanBuild] = []
    wants = dict(demand.wants)
    spent = 0.0
    while wants:
        step = _best(wants, chosen, price, budget, spent)
        if step is None:
            break
        for build in sorted(step - chosen.keys(), key=lambda one: (price[one], one.name)):
            chosen[build] = None
            spent += price[build]
            served = [t for t, sets in wants.items() if any(b <= chosen.keys() for b in sets)]
            for target in served:
                del wants[target]
            builds.append(
                FarmPlanBuild(
                    name=build.name,
                    build=build,
                    cpu_hours=known[build],
                    serves=len(served),
                    covered=len(demand.wants) - len(wants),
                )
            )
    return FarmPlan(
        mmlock=mmlock,
        matrix=matrix,
        targets=len(demand.wants),
        served=demand.served,
        hopeless=demand.hopeless,
        builds=tuple(builds),
    )


def _best(
    wants: Mapping[Target, tuple[Bundle, ...]],
    chosen: Mapping[FarmBuild, None],
    price: Mapping[FarmBuild, float],
    budget: Budget,
    spent: float,
) -> Bundle | None:
    """The set of builds that serves most targets for what it still costs; None: the budget admits none."""
    gain: dict[Bundle, int] = {}
    for sets in wants.values():
        for bundle in sets:
            left = frozenset(bundle - chosen.keys())
            gain[left] = gain.get(left, 0) + 1
    best: tuple[float, int, tuple[str, ...]] | None = None
    taken: Bundle | None = None
    for left, served in gain.items():
        cost = sum(price[build] for build in left)
        if budget.most is not None and len(chosen) + len(left) > budget.most:
            continue
        if budget.hours is not None and spent + cost > budget.hours:
            continue
        # A tested recipe, then a newer torch, decide between equals: names sort last.
        rank = (
            -served / cost if cost else float("-inf"),
            sum(not build.verified for build in left),
            tuple(_downwards(build) for build in sorted(left, key=lambda one: one.name)),
        )
        if best is None or rank < best:
            best, taken = rank, left
    return taken


def _downwards(build: FarmBuild) -> str:
    """A key that sorts newer torch first."""
    release = [int(part) for part in build.torch.partition("+")[0].split(".") if part.isdigit()]
    return "".join(f"{9999 - part:04d}" for part in release) + build.name


# ---------------------------------------------------------------- the file


def plan_bytes(plan: FarmPlan) -> bytes:
    """The plan as JSON. The same plan gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(plan, order="deterministic"), indent=1) + b"\n"


def read_plan(data: bytes, place: Path) -> FarmPlan:
    """A plan from its file. Raises UsageError for anything else."""
    try:
        plan = msgspec.json.decode(data, type=FarmPlan)
        _require(plan)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UsageError(
            f"`{place}` is not a plan of builds",
            causes=[str(error)],
            hints=["write one with `mmlock farm plan --out FILE`"],
        ) from error
    return plan


def _require(plan: FarmPlan) -> None:
    """Raise ValueError where names are not those of the builds: they become words of commands."""
    if plan.schema != SCHEMA:
        raise ValueError(f"it has schema {plan.schema}, and {SCHEMA} is known")
    for one in plan.builds:
        if one.name != one.build.name:
            raise ValueError(f"`{one.name[:80]}` is not the name of its build")
        if _NAME.fullmatch(one.build.package) is None:
            raise ValueError(f"`{one.build.package[:80]}` is not the name of a package")
        for text in (one.build.version, one.build.torch):
            if not is_version(text):
                raise ValueError(f"`{text[:80]}` is not a version")


def chosen_builds(plan: FarmPlan, only: Iterable[str]) -> tuple[FarmPlanBuild, ...]:
    """The builds of a plan that were named. Raises UsageError for a name that it does not have."""
    names = tuple(only)
    known = {one.name for one in plan.builds}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(
            f"the plan has no build `{unknown[0]}`",
            hints=[f"it has {', '.join(sorted(known)[:5])}{', ...' if len(known) > 5 else ''}"],  # noqa: PLR2004
        )
    return tuple(one for one in plan.builds if not names or one.name in names)
