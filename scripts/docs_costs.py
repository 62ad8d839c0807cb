"""Write the page about the wheels that nobody offers, from a sweep: `docs/missing-wheels.md`.

mmlock sweep run scripts/missing_wheels.toml --out sweep
python scripts/docs_costs.py sweep

The page is about the facts that the sweep was asked with, and names them; it is made anew by hand.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

from docs_source import table

from mmlock import __version__
from mmlock.app.farming import measured_builds
from mmlock.app.sweeping import read
from mmlock.core.names import PackageName
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.farm.cost import Costs
from mmlock.farm.demand import FarmBuild, demand_of, every_build
from mmlock.farm.plan import Budget, FarmPlan, make_plan
from mmlock.farm.sweep import Sweep

PAGE = Path(__file__).resolve().parents[1] / "docs" / "missing-wheels.md"
MOST = 20
Sizes = Mapping[tuple[PackageName, bool], tuple[float, int]]
"""Megabytes of a wheel of a package, with CUDA or without, and of how many wheels that is the median."""


def main() -> None:
    """Read a sweep and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweep", type=Path, help="the folder that `mmlock sweep run --out` wrote")
    arguments = parser.parse_args()
    matrix, sweep = open_matrix(), read(arguments.sweep)
    if sweep.matrix != matrix.digest:
        parser.error("the sweep is about other facts: ask it again")
    PAGE.write_text("\n".join(page(matrix, sweep)) + "\n", encoding="utf-8")


def costs_of(matrix: Matrix) -> Costs:
    """What builds cost by the recorded ones alone: what is in a wheelhouse here is nobody else's fact."""
    base, each = map(float, matrix.defaults["cost-of-an-arch"].split())
    return Costs.of(measured_builds(matrix), base=base, each=each)


def sizes_of(matrix: Matrix, builds: set[FarmBuild]) -> Sizes:
    """From the public wheels whose size is recorded."""
    found: dict[tuple[PackageName, bool], list[float]] = defaultdict(list)
    for package in {build.package for build in builds}:
        sizes = {file.url: file.size for file in matrix.files(package) if file.size}
        for row in matrix.binaries(package):
            if row.url in sizes:
                found[package, row.cuda is not None].append(sizes[row.url] / 1e6)
    return {key: (median(values), len(values)) for key, values in found.items()}


# ---------------------------------------------------------------- the page


def page(matrix: Matrix, sweep: Sweep) -> Iterator[str]:
    """The lines of the page."""
    costs = costs_of(matrix)
    each_torch = demand_of(matrix, sweep, per_torch=True)
    builds = set(every_build(each_torch))
    plan = make_plan(
        demand_of(matrix, sweep),
        costs,
        mmlock=__version__,
        matrix=matrix.digest,
        budget=Budget(most=MOST),
    )
    yield "<!-- Made by scripts/docs_costs.py from a sweep; run it again, do not edit this page. -->"
    yield ""
    yield "# Wheels that nobody offers"
    yield ""
    axes = sweep.axes
    yield (
        f"Facts {matrix.digest[:12]}, mmlock {__version__}: {len(axes.stacks)} stacks, "
        f"{len(axes.gpus)} kinds of devices, Python {axes.pythons[0]} to {axes.pythons[-1]}, "
        f"{len(axes.torches)} builds of torch from {axes.torches[-1]} to {axes.torches[0]}; "
        f"{axes.points:,} combinations. Ordinary packages are not looked at."
    )
    yield ""
    yield from gap(builds, costs, sizes_of(matrix, builds))
    yield ""
    yield from served(plan)


def gap(builds: set[FarmBuild], costs: Costs, sizes: Sizes) -> Iterator[str]:
    """What it takes to build all of them."""
    yield "## All of them"
    yield ""
    yield (
        "Every wheel that some combination needs and no index has: one for each package, version, torch, "
        "CUDA and Python, for all GPU architectures that its torch has. Hours are reckoned from builds that "
        "ran (see [the farm](guides/farm.md)); where none of a package did, the hours are unknown and "
        "not in the sum."
    )
    yield ""
    rows, known, unknown = [], 0.0, 0
    counted = Counter((build.package, build.cuda is not None) for build in builds)
    for (package, cuda), count in sorted(counted.items()):
        mine = [b for b in builds if (b.package, b.cuda is not None) == (package, cuda)]
        hours = [hour for b in mine if (hour := costs.hours(b)) is not None]
        known += sum(hours)
        unknown += count - len(hours)
        size = sizes.get((package, cuda))
        rows.append(
            (
                f"`{package}`",
                "CUDA" if cuda else "CPU",
                f"{count:,}",
                f"{sum(hours):,.0f}" if hours else "unknown",
                f"{size[0] * count / 1000:,.1f} GB (median of {size[1]:,} public ones: {size[0]:.1f} MB)"
                if size
                else "unknown",
            )
        )
    yield from table(("package", "for", "wheels", "CPU hours", "storage"), rows)
    yield ""
    more = f"; {unknown:,} more whose cost nobody has recorded" if unknown else ""
    total = sum(counted.values())
    yield f"{total:,} wheels; {total - unknown:,} of them {known:,.0f} CPU hours{more}."


def served(plan: FarmPlan) -> Iterator[str]:
    """Which few serve most."""
    yield f"## The first {len(plan.builds)}"
    yield ""
    yield (
        f"A target is a stack on a kind of device and a Python; any torch will do. {plan.served:,} have "
        f"wheels for everything, {plan.hopeless:,} can have neither wheel nor build, {plan.targets:,} need "
        "a build. The share is that of these which is served once a wheel and all above it are there."
    )
    yield ""
    rows = [
        (
            str(number),
            f"`{one.build.package}` {one.build.version}",
            one.build.torch,
            one.build.python,
            one.build.arch_list.replace(";", " ") or "CPU",
            f"{one.cpu_hours:.1f}" if one.cpu_hours is not None else "unknown",
            f"{100 * one.covered / plan.targets:.1f} %",
            "tested" if one.build.verified else "untested",
        )
        for number, one in enumerate(plan.builds, 1)
    ]
    yield from table(("", "wheel", "torch", "Python", "archs", "CPU hours", "share", "recipe"), rows)
    yield ""
    share = next((n for n, one in enumerate(plan.builds, 1) if one.covered >= 0.8 * plan.targets), None)
    reach = (
        f"The first {share} serve 80 % of them." if share else "Together they serve less than 80 % of them."
    )
    unknown = sum(one.cpu_hours is None for one in plan.builds)
    more = f", and {unknown} whose cost is unknown" if unknown else ""
    yield f"{reach} All {len(plan.builds)} take {plan.cpu_hours:.1f} CPU hours{more}."


if __name__ == "__main__":
    main()
