"""`mmlock farm`: wheels built once, for everybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mmlock.cli import options
from mmlock.cli.execution import execution_of, execution_options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import HelpSection, Sectioned
from mmlock.cli.terminal import Terminal, write
from mmlock.core.farm_arguments import ExportKind

FAILED = 1

_wheelhouse = click.option(
    "--wheelhouse",
    type=options.FOLDER,
    metavar="DIR",
    help="The wheelhouse; default: MMLOCK_WHEELHOUSE, else your own.",
)

_targets = (
    HelpSection("Targets")
    .add("--sweep", "source", type=options.FOLDER, metavar="SWEEP", help="A sweep; default: ask now.")
    .many("--gpu", "gpus", metavar="NAME", help="Ask for this device.")
    .many("--python", "pythons", metavar="X.Y", help="Ask for this Python.")
    .many("--torch", "torches", metavar="VERSION", help="Ask for this torch.")
    .many("--stack", "stacks", metavar="NAME", help="Ask for this stack.")
    .add(
        "--locks",
        "catalogue",
        type=options.FOLDER,
        metavar="FILE",
        help="Count only the stacks and devices that this `mmlock.toml` names.",
    )
    .add("--per-torch", is_flag=True, help="Serve every torch; by default one torch is enough for a target.")
)

_budget = (
    HelpSection("Budget")
    .add("--most", type=click.IntRange(min=1), metavar="N", help="Plan at most so many builds.")
    .add("--hours", type=click.FloatRange(min=0), metavar="H", help="Plan at most so many CPU hours.")
)


@click.group(invoke_without_command=True, short_help="Plan, run and publish builds that serve many.")
@click.pass_context
def farm(ctx: click.Context) -> None:
    """Choose the wheels that spare most targets a build, build them, and offer them to everybody."""
    if ctx.invoked_subcommand is None:
        write(ctx.get_help())


@farm.command(cls=Sectioned, short_help="Choose the builds that serve most targets.")
@_targets
@_budget
@_wheelhouse
@click.option("--matrices", type=options.FOLDER, metavar="DIR", help=options.FACTS)
@click.option(
    "--export",
    type=click.Choice([str(kind) for kind in ExportKind]),
    help="Write a pipeline that builds and publishes, instead of the plan.",
)
@click.option("--out", type=options.FOLDER, metavar="FILE", help=options.OUT_FILE)
@options.form
@options.progress
@click.pass_obj
def plan(
    terminal: Terminal,
    /,
    *,
    export: str | None,
    progress: bool | None,
    matrices: Path | None,
    **asked: Any,
) -> None:
    """Choose builds, those that serve most targets for a CPU hour first.

    A target is a stack on a device and a Python. Costs are those of builds in the wheelhouse. The plan is
    JSON; `mmlock farm run` carries it out, here or in the pipeline that --export writes.

    \b
    mmlock farm plan --locks mmlock.toml --most 20 --out farm-plan.json
    mmlock farm plan --most 20 --export github --out .github/workflows/farm.yml
    """
    from mmlock.core.farm_arguments import FarmPlanArguments, SweepArguments

    axes = {name: asked.pop(name) for name in ("gpus", "pythons", "torches", "stacks")}
    arguments = FarmPlanArguments(
        sweep=SweepArguments(**axes, matrices=matrices),
        export=ExportKind(export) if export else None,
        **asked,
    )
    with shown(wanted=progress) as said:
        report = terminal.app.farm_plan(arguments, progress=said)
    terminal.show(report)


@farm.command(cls=Sectioned, short_help="Carry out builds of a plan.")
@click.argument("plan", type=options.FOLDER)
@click.option("--only", multiple=True, metavar="NAME", help="Only this build.")
@_wheelhouse
@click.option(
    "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Builds at the same time."
)
@click.option(
    "--build-jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Files that one build compiles at the same time; default: what processors and memory allow.",
)
@execution_options
@click.option(
    "--find-links",
    "-f",
    multiple=True,
    type=options.FOLDER,
    metavar="DIR",
    help="A folder, on every node, with files that need not be fetched.",
)
@click.option("--offline", is_flag=True, help=options.OFFLINE)
@click.option("--exclude-newer", metavar="DATE", help="Ignore files uploaded after this date.")
@options.form
@options.progress
@click.pass_context
def run(
    ctx: click.Context, /, *, progress: bool | None, executor: str, ray_address: str | None, **asked: Any
) -> None:
    """Build the wheels of PLAN into the wheelhouse, each checked, with its provenance and SBOM.

    What is there already is not built again: run the same command to go on after an interruption.
    Exit code 1: a build failed; the others were done.

    \b
    mmlock farm run farm-plan.json --jobs 2
    mmlock farm run farm-plan.json --executor ray --ray-address 10.0.0.1:6379
    """
    from mmlock.core.farm_arguments import FarmRunArguments

    terminal: Terminal = ctx.obj
    with shown(wanted=progress) as said:
        arguments = FarmRunArguments(execution=execution_of(executor, ray_address), **asked)
        report = terminal.app.farm_run(arguments, progress=said)
    terminal.show(report)
    if isinstance(report.data, dict) and report.data.get("failed"):
        ctx.exit(FAILED)


@farm.command(cls=Sectioned, short_help="Write a wheelhouse as files for any web server.")
@click.argument("target", type=options.FOLDER, metavar="DIR")
@_wheelhouse
@click.option("--variants/--no-variants", default=True, help="Whether to write GPU wheels as variants, too.")
@options.form
@options.progress
@click.pass_obj
def publish(terminal: Terminal, /, *, progress: bool | None, **asked: Any) -> None:
    """Write the wheels and a package index (PEP 503, 691) of them into DIR.

    GitHub Pages, S3 and any other host can serve it. `mmlock solve --wheel-index URL/simple/` takes wheels
    from there before it builds; uv and pip read it, too.

    \b
    mmlock farm publish site
    """
    from mmlock.core.farm_arguments import FarmPublishArguments

    with shown(wanted=progress) as said:
        report = terminal.app.farm_publish(FarmPublishArguments(**asked), progress=said)
    terminal.show(report)
