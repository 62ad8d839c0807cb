"""`mmlock farm`: which wheels to build so that most targets need not, building them, and offering them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mmlock import __version__
from mmlock.app.executing import start_executor
from mmlock.app.farm_building import HANDLERS, KIND, FarmResult, FarmTask
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.farm_arguments import FarmPlanArguments, FarmPublishArguments, FarmRunArguments
from mmlock.core.names import DeviceKind
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.core.versions import allows
from mmlock.facts.devices.find import NoDevice, find_device
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.farm.cost import BuildRecord, Costs
from mmlock.farm.demand import FarmBuild, demand_of
from mmlock.farm.plan import Budget, FarmPlan, chosen_builds, make_plan, plan_bytes, read_plan
from mmlock.farm.sweep import Point
from mmlock.files.atomic import write_aside
from mmlock.files.private import open_cache
from mmlock.files.reading import UnreadableError, read_bounded
from mmlock.wheels.model import BuiltWheel
from mmlock.wheels.wheelhouse import Wheelhouse, wheelhouse_root
from mmlock.work.batch import Batch, run_batch
from mmlock.work.kept import KeptResults
from mmlock.work.model import ANYWHERE, FailureKind, Outcome, Task, TaskAnswer, TaskFailure

if TYPE_CHECKING:
    from mmlock.work.model import Executor, Store

__all__ = ["farm_plan", "farm_publish", "farm_run", "measured_builds"]

_LARGEST_PLAN = 50_000_000
_LONGEST = 12 * 3600.0
_TOLD = 30


# ---------------------------------------------------------------- plan


def farm_plan(arguments: FarmPlanArguments, *, progress: Progress = silent) -> Page:
    """Choose the builds, and write the plan or a pipeline. Raises UsageError or EnvironmentFault."""
    from mmlock.app.sweeping import read, swept

    matrix = open_matrix(arguments.sweep.matrices)
    if arguments.source is not None:
        sweep = read(arguments.source)
        if sweep.matrix != matrix.digest:
            raise UsageError(
                f"`{arguments.source}` is about other facts",
                causes=[f"it is about {sweep.matrix[:12]}, and these are {matrix.digest[:12]}"],
                hints=["run `mmlock sweep run` again, or leave it out to sweep now"],
            )
    else:
        sweep, _, _ = swept(arguments.sweep, progress=progress)
    counts = _counted(matrix, arguments.catalogue) if arguments.catalogue else lambda _: True
    demand = demand_of(matrix, sweep, per_torch=arguments.per_torch, counts=counts)
    house = Wheelhouse(root=wheelhouse_root(arguments.wheelhouse, os.environ).absolute())
    plan = make_plan(
        demand,
        _costs(matrix, house),
        mmlock=__version__,
        matrix=matrix.digest,
        budget=Budget(most=arguments.most, hours=arguments.hours),
    )
    body = plan_bytes(plan)
    if arguments.export is not None:
        from mmlock.farm.workflows import as_pipeline

        body = as_pipeline(plan, arguments.export).encode()
    if arguments.out is not None:
        _write(arguments.out, body)
    lines = list(_told(plan))
    if arguments.out is not None:
        lines.append(f"wrote {arguments.out}")
    text = (
        body.decode() if arguments.export is not None and arguments.out is None else "\n".join(lines) + "\n"
    )
    return Page(text=text, data=msgspec.to_builtins(plan))


def _write(path: Path, body: bytes) -> None:
    try:
        write_aside(path, body, mode=None)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot write `{path}`", causes=[error.strerror or str(error)], hints=["name another file"]
        ) from error


def _told(plan: FarmPlan) -> Iterator[str]:
    yield (
        f"{plan.targets:,} targets need a build, {plan.served:,} have wheels already, "
        f"{plan.hopeless:,} can have neither"
    )
    for one in plan.builds[:_TOLD]:
        cost = f"{one.cpu_hours:.1f} CPU h" if one.cpu_hours is not None else "cost not known"
        share = 100 * one.covered / plan.targets
        tested = "" if one.build.verified else ", untested recipe"
        archs = f" for {one.build.arch_list}" if one.build.archs else ""
        yield f"  {share:5.1f} %  {one.name}{archs} ({cost}, serves {one.serves:,} more{tested})"
    if len(plan.builds) > _TOLD:
        yield f"  and {len(plan.builds) - _TOLD} more"
    unknown = sum(one.cpu_hours is None for one in plan.builds)
    more = f", and {unknown} whose cost is not known" if unknown else ""
    yield f"{len(plan.builds)} builds, {plan.cpu_hours:.1f} CPU hours{more}"


def _counted(matrix: Matrix, file: Path) -> Callable[[Point], bool]:
    """Whether a point is about a stack and a device that a `mmlock.toml` names."""
    from mmlock.upkeep.catalogue.locking import read_catalogue

    archs: dict[str, str | None] = {}

    def arch_of(word: str) -> str | None:
        if word not in archs:
            device = find_device(matrix, word)
            archs[word] = None if isinstance(device, NoDevice) else device.arch or device.name
        return archs[word]

    wanted = {
        (pair.stack, arch_of(word)) for pair in read_catalogue(file).pairs for word in pair.request.gpus
    }
    return lambda point: (point.stack, arch_of(point.gpu)) in wanted


def _costs(matrix: Matrix, house: Wheelhouse) -> Costs:
    base, each = map(float, matrix.defaults["cost-of-an-arch"].split())
    return Costs.of((*measured_builds(matrix), *_records(house)), base=base, each=each)


def measured_builds(matrix: Matrix) -> Iterator[BuildRecord]:
    """Builds whose cost is a fact."""
    for recipe in matrix.recipes:
        for one in recipe.measured:
            yield BuildRecord(package=recipe.package, archs=one.archs, cpu_seconds=one.cpu_seconds)


def _records(house: Wheelhouse) -> Iterator[BuildRecord]:
    """Builds of the wheelhouse that say how long they took."""
    for entry in house.entries():
        if not isinstance(entry, BuiltWheel):
            continue
        compiled, archs = entry.record.get("compile"), entry.record.get("archs")
        seconds = compiled.get("cpu_seconds") if isinstance(compiled, dict) else None
        if isinstance(seconds, (int, float)) and seconds > 0:
            number = len(archs) if isinstance(archs, list) else 0
            yield BuildRecord(package=entry.package, archs=number, cpu_seconds=float(seconds))


# ---------------------------------------------------------------- run


def farm_run(arguments: FarmRunArguments, *, progress: Progress = silent) -> Page:
    """Carry builds out. One that fails stops no other; what is there already is not built again.

    Raises UsageError for a plan that cannot be used, or EnvironmentFault.
    """
    plan = read_plan(_bytes(arguments.plan), arguments.plan)
    matrix = open_matrix()
    house = Wheelhouse(root=wheelhouse_root(arguments.wheelhouse, os.environ).absolute())
    builds = chosen_builds(plan, arguments.only)
    tasks = [_task(one.build, matrix, house, arguments) for one in builds]
    kept = KeptResults(root=open_cache(os.environ) / "farm")
    jobs = min(arguments.jobs, len(tasks))

    def start() -> tuple[Executor, Store]:
        return start_executor(arguments.execution, HANDLERS, processes=jobs, most=len(tasks), limit=_LONGEST)

    progress(f"{len(tasks)} builds, {jobs} at the same time")
    gone = [task for task in tasks if not _there(kept, task, house)]
    again = run_batch(gone, start, kept=kept, fresh=True, progress=progress)
    batch = run_batch([task for task in tasks if task not in gone], start, kept=kept, progress=progress)
    outcomes = {key: _held(done, house) for key, done in {**batch.outcomes, **again.outcomes}.items()}
    return _ran(
        [one.name for one in builds], tasks, Batch(outcomes=outcomes, kept=batch.kept, done=again.done)
    )


def _held(outcome: Outcome, house: Wheelhouse) -> Outcome:
    """The outcome; a failure where the wheelhouse has not the very wheel that a worker says it made."""
    if not isinstance(outcome, TaskAnswer):
        return outcome
    done = msgspec.json.decode(outcome.body, type=FarmResult)
    entry = house.get(done.key)
    if entry is not None and entry.sha256 == done.sha256:
        return outcome
    return TaskFailure(
        kind=FailureKind.SURROUNDINGS,
        message=f"{done.file} is not in the wheelhouse"
        if entry is None
        else f"{done.file} in the wheelhouse is not the wheel that was made",
        causes=(f"made: sha256 {done.sha256}", f"there: {entry.sha256 if entry else 'nothing'}"),
        hints=(f"`{house.root}` must be one folder for all nodes: name a shared one with `--wheelhouse`",),
    )


def _label(build: FarmBuild, matrix: Matrix) -> str:
    """What a node needs for a build: the memory of one compiler of its recipe."""
    kind = DeviceKind.CUDA if build.archs else DeviceKind.CPU
    needed = (
        recipe.memory_mb
        for recipe in matrix.recipes
        if recipe.package == build.package
        and kind in recipe.kinds
        and allows(recipe.versions, build.version)
        and allows(recipe.torch, build.torch.partition("+")[0])
    )
    memory = max(needed, default=0)
    return f"mem_gb={-(-memory // 1024)}" if memory else ANYWHERE


def _there(kept: KeptResults, task: Task, house: Wheelhouse) -> bool:
    """Whether a build was done and its wheel is still there, whole."""
    body = kept.get(task.key)
    return body is not None and house.get(msgspec.json.decode(body, type=FarmResult).key) is not None


def _task(build: FarmBuild, matrix: Matrix, house: Wheelhouse, arguments: FarmRunArguments) -> Task:
    question = FarmTask(
        build=build,
        matrix=matrix.digest,
        mmlock=__version__,
        wheelhouse=str(house.root),
        offline=arguments.offline,
        exclude_newer=arguments.exclude_newer,
        find_links=tuple(str(folder.absolute()) for folder in arguments.find_links),
        jobs=arguments.build_jobs,
    )
    return Task(
        kind=KIND,
        arguments=msgspec.json.encode(question, order="deterministic"),
        label=_label(build, matrix),
    )


def _ran(names: Iterable[str], tasks: Iterable[Task], batch: Batch) -> Page:
    lines, rows, failed = [], [], 0
    for name, task in zip(names, tasks, strict=True):
        outcome = batch.outcomes[task.key]
        if isinstance(outcome, TaskAnswer):
            done = msgspec.json.decode(outcome.body, type=FarmResult)
            lines += [f"{name}: {done.file}", f"  sha256 {done.sha256}"]
            rows.append({"build": name, "state": "built", **msgspec.to_builtins(done)})
            continue
        failed += 1
        lines.append(f"{name}: failed: {outcome.message}")
        lines += [f"  cause: {cause}" for cause in outcome.causes]
        lines += [f"  hint: {hint}" for hint in outcome.hints]
        rows.append({"build": name, "state": "failed", **_failure(outcome)})
    lines.append(f"{len(rows) - failed} built ({batch.kept} of them before), {failed} failed")
    return Page(text="\n".join(lines) + "\n", data={"builds": rows, "failed": failed, "kept": batch.kept})


def _failure(failure: TaskFailure) -> Mapping[str, Any]:
    return {"kind": failure.kind.value, "message": failure.message, "causes": list(failure.causes)}


def _bytes(path: Path) -> bytes:
    try:
        return read_bounded(path, _LARGEST_PLAN)
    except (OSError, UnreadableError) as error:
        raise UsageError(f"`{path}` cannot be read", causes=[str(error)]) from error


# ---------------------------------------------------------------- publish


def farm_publish(arguments: FarmPublishArguments, *, progress: Progress = silent) -> Page:
    """Write a wheelhouse as a folder that any static host serves. Raises EnvironmentFault."""
    from mmlock.wheels.static_index import write_static

    house = Wheelhouse(root=wheelhouse_root(arguments.wheelhouse, os.environ).absolute())
    count = write_static(house, arguments.target.absolute(), variants=arguments.variants, progress=progress)
    lines = [
        f"wrote {count} wheels to {arguments.target}; serve that folder, the index is at /simple/",
        *(["wheels for some GPUs only, as variants, are at /variants/"] if arguments.variants else []),
        f"next: mmlock solve --gpu NAME --wheel-index {arguments.target}",
    ]
    data = {"target": str(arguments.target), "wheels": count, "variants": arguments.variants}
    return Page(text="\n".join(lines) + "\n", data=data)
