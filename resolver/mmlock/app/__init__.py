"""The use cases. The only place that composes stages. Each loads what it needs when it is called."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mmlock.core.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mmlock.core.arguments import SolveArguments
    from mmlock.core.build_arguments import (
        BuildArguments,
        BundleArguments,
        ExportArguments,
        InstallArguments,
        WheelhouseArguments,
    )
    from mmlock.core.catalogue import LocksArguments
    from mmlock.core.doctor_arguments import DoctorArguments
    from mmlock.core.farm_arguments import (
        FarmPlanArguments,
        FarmPublishArguments,
        FarmRunArguments,
        SweepArguments,
        SweepDiffArguments,
    )
    from mmlock.core.inspect_arguments import InspectArguments
    from mmlock.core.refreshing import RefreshArguments
    from mmlock.core.report import Report
    from mmlock.core.requirements import Asked
    from mmlock.core.scan_arguments import ScanArguments
    from mmlock.core.update_arguments import FeedArguments, UpdateArguments
    from mmlock.core.validate_arguments import ValidateArguments, VerdictArguments

__all__ = [
    "accept",
    "build",
    "bundle",
    "cache_dir",
    "cache_prune",
    "cache_size",
    "diff",
    "doctor",
    "export",
    "farm_plan",
    "farm_publish",
    "farm_run",
    "feed",
    "graph",
    "inspect",
    "install",
    "lint",
    "list_symptoms",
    "lock_diff",
    "locks",
    "refresh",
    "review",
    "run_environment",
    "scan",
    "show_gpus",
    "show_package",
    "solve",
    "sweep",
    "sweep_diff",
    "update",
    "validate",
    "verdict",
    "wheelhouse",
    "why",
    "why_fact",
    "why_not",
]


def solve(request: SolveArguments, *, progress: Progress = silent) -> Report:
    """Decide one environment; write its lock folder where the request names one."""
    from mmlock.files.folders import check_target
    from mmlock.resolve.loop import answer_cache as repeat

    arguments = request.checked()
    if arguments.out is not None:
        check_target(arguments.out)
    arguments = _with_project(arguments, progress)
    if arguments.dry_run:  # what is in the folder is a part of the question, and nothing becomes of it
        from mmlock.app import lock_folders

        arguments = lock_folders.with_preferences(arguments)
    place = repeat.place(arguments, os.environ)
    if place and (known := repeat.recall(place, arguments, os.environ)) is not None:
        return known
    from mmlock.app import lock_folders, solving

    if arguments.out is not None and not arguments.dry_run:
        lock_folders.require_place(arguments.out)
        arguments = lock_folders.with_preferences(arguments)
    report = solving.solve(arguments, progress=progress, place=place)
    if arguments.out is not None and not arguments.dry_run:
        lock_folders.accept(arguments.out)
    return report


def update(arguments: UpdateArguments, *, progress: Progress = silent) -> Report:
    """Solve the locks of a repository anew and open pull requests for what moved."""
    from mmlock.app.updating import update as used

    return used(arguments, progress=progress)


def feed(arguments: FeedArguments) -> Report:
    """Write the facts as a data source for Renovate."""
    from mmlock.app.feeding import feed as used

    return used(arguments)


def locks(arguments: LocksArguments, *, progress: Progress = silent) -> Report:
    """Solve every lock of a catalogue again; write what differs, or only tell it."""
    from mmlock.app import locking as cataloguing

    return cataloguing.locks(arguments, progress=progress)


def why(lock_dir: Path, package: str) -> Report:
    """Tell the argument for one package of a lock."""
    from mmlock.app import explaining as answers

    return answers.why(lock_dir, package)


def review(lock: Path) -> Report | None:
    """What using a lock would run; None for one that this user solved or accepted."""
    from mmlock.app import lock_folders

    return lock_folders.review(lock)


def accept(lock: Path) -> None:
    """Note that this user accepts a lock as it is."""
    from mmlock.app import lock_folders

    lock_folders.accept(lock)


def lock_diff(old: Path, new: Path) -> Report:
    """What differs between two locks."""
    from mmlock.app import comparing

    return comparing.compare_locks(old, new)


def run_environment(lock: Path, prefix: Path) -> dict[str, str]:
    """The variables for a command that is to run in the environment of a lock."""
    from mmlock.app import running

    return running.run_environment(lock, prefix)


def cache_dir() -> Report:
    """Where the cache is."""
    from mmlock.app import caching

    return caching.place()


def cache_size() -> Report:
    """How large each part of the cache is."""
    from mmlock.app import caching

    return caching.size()


def cache_prune(*, days: float | None = None, dry_run: bool = False) -> Report:
    """Remove what can be downloaded or computed again."""
    from mmlock.app import caching

    return caching.prune(days=days, dry_run=dry_run)


def why_not(asked: Asked, request: SolveArguments, *, progress: Progress = silent) -> Report:
    """Tell what stands against one requirement on the request's target."""
    from mmlock.app import explaining as answers

    return answers.why_not(asked, _with_project(request, progress), progress=progress)


def graph(request: SolveArguments, *, package: str | None = None, form: str = "dot") -> str:
    """The compatibility graph of a target as `text`, `dot`, `json` or `graphml`."""
    from mmlock.app import explaining as answers

    return answers.graph(_with_project(request, silent), package=package, form=form)


def inspect(arguments: InspectArguments, *, progress: Progress = silent) -> Report:
    """Whether compiled files load beside a torch and have code for a device."""
    from mmlock.app import inspecting

    return inspecting.inspect(arguments, progress=progress)


def scan(arguments: ScanArguments, *, progress: Progress = silent) -> Report:
    """What a source tree needs: packages, ops, extensions, pins."""
    from mmlock.app import scanning

    return scanning.scan(arguments, progress=progress)


def doctor(
    arguments: DoctorArguments,
    *,
    progress: Progress = silent,
    confirm: Callable[[str], bool] = lambda _: False,
) -> Report:
    """What is wrong, from an error text or the files of an environment."""
    from mmlock.app import doctoring

    return doctoring.doctor(arguments, progress=progress, confirm=confirm)


def sweep(arguments: SweepArguments, *, progress: Progress = silent) -> Report:
    """Ask the core for every combination of a sweep."""
    from mmlock.app import sweeping

    return sweeping.sweep(arguments, progress=progress)


def sweep_diff(arguments: SweepDiffArguments) -> Report:
    """What changed from one sweep to another, and for whom."""
    from mmlock.app import sweeping

    return sweeping.sweep_diff(arguments)


def farm_plan(arguments: FarmPlanArguments, *, progress: Progress = silent) -> Report:
    """Choose the builds that serve most targets."""
    from mmlock.app import farming

    return farming.farm_plan(arguments, progress=progress)


def farm_run(arguments: FarmRunArguments, *, progress: Progress = silent) -> Report:
    """Carry out builds of a plan."""
    from mmlock.app import farming

    return farming.farm_run(arguments, progress=progress)


def farm_publish(arguments: FarmPublishArguments, *, progress: Progress = silent) -> Report:
    """Write a wheelhouse as files for any web server."""
    from mmlock.app import farming

    return farming.farm_publish(arguments, progress=progress)


def list_symptoms(matrices: Path | None) -> Report:
    """The error texts that are known, with examples. Raises MatrixError."""
    from mmlock.app.doctoring import list_symptoms as tell

    return tell(matrices)


def show_gpus(name: str | None = None, *, matrices: Path | None = None) -> Report:
    """What is known about one device, or the list of all."""
    from mmlock.app import showing as facts

    return facts.show_gpus(name, matrices=matrices)


def show_package(package: str, *, matrices: Path | None = None) -> Report:
    """The facts about `PACKAGE` or `PACKAGE==VERSION`."""
    from mmlock.app import showing as facts

    return facts.show_package(package, matrices=matrices)


def lint(matrices: Path | None = None) -> Report:
    """Check the matrix files. Raises MatrixError with the faults."""
    from mmlock.app import showing as facts

    return facts.lint(matrices)


def refresh(arguments: RefreshArguments, *, progress: Progress = silent) -> Report:
    """Read the indexes again, rewrite the facts that differ, and tell what differs."""
    from mmlock.app import refreshing

    return refreshing.refresh(arguments, progress=progress)


def why_fact(text: str, *, matrices: Path | None = None, locks: Path | None = None) -> Report:
    """One fact: what it says, who says so, how sure it is, and which committed locks rest on it."""
    from mmlock.app import comparing

    return comparing.why_fact(text, matrices=matrices, locks=locks)


def diff(old: Path, new: Path, *, locks: Path | None = None) -> Report:
    """What differs between two matrix folders, and which locks that concerns."""
    from mmlock.app import comparing

    return comparing.compare(old, new, locks=locks)


def build(arguments: BuildArguments, *, progress: Progress = silent) -> Report:
    """Run the steps of a lock and seal it."""
    from mmlock.app import building, lock_folders

    with lock_folders.stays_known(arguments.lock):
        return building.build(arguments, progress=progress)


def install(arguments: InstallArguments, *, progress: Progress = silent) -> Report:
    """Put a sealed lock into a virtual environment."""
    from mmlock.app import building

    return building.install(arguments, progress=progress)


def bundle(arguments: BundleArguments, *, progress: Progress = silent) -> Report:
    """Write a sealed lock with all its files beside it."""
    from mmlock.app import bundling

    return bundling.bundle(arguments, progress=progress)


def export(arguments: ExportArguments, *, progress: Progress = silent) -> Report:
    """Write a lock as something that works without mmlock."""
    from mmlock.app import exporting

    return exporting.export(arguments, progress=progress)


def wheelhouse(arguments: WheelhouseArguments, *, progress: Progress = silent) -> Report:
    """Look at a wheelhouse, check, empty, copy or serve it."""
    from mmlock.app import wheelhouses

    return wheelhouses.wheelhouse(arguments, progress=progress)


def validate(arguments: ValidateArguments, *, progress: Progress = silent) -> Report:
    """Install a lock, or take an interpreter, and run its kernels against references."""
    from mmlock.app import lock_folders, validating

    with lock_folders.stays_known(arguments.lock):
        return validating.validate(arguments, progress=progress)


def verdict(arguments: VerdictArguments) -> Report:
    """Show a verdict, verify it, sign it, or tell the user's own public key."""
    from mmlock.app import verdicts

    return verdicts.verdict(arguments)


def _with_project(arguments: SolveArguments, progress: Progress) -> SolveArguments:
    """The request with what its project asks for."""
    if arguments.project is None:
        return arguments
    from mmlock.resolve.request import projects

    return projects.with_project(arguments, progress=progress)
