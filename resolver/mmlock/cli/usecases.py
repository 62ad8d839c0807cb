"""What the verbs need from the library: the use cases, as `mmlock.app` offers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # `mmlock --help` does not import packaging
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
    from mmlock.core.progress import Progress
    from mmlock.core.refreshing import RefreshArguments
    from mmlock.core.report import Report
    from mmlock.core.requirements import Asked
    from mmlock.core.scan_arguments import ScanArguments
    from mmlock.core.update_arguments import FeedArguments, UpdateArguments
    from mmlock.core.validate_arguments import ValidateArguments, VerdictArguments


class UseCases(Protocol):
    """The questions a verb can put. Each raises MmlockError where there is no report."""

    def solve(self, request: SolveArguments, *, progress: Progress) -> Report:
        """Decide one environment; write its lock folder where the request names one."""
        ...

    def locks(self, arguments: LocksArguments, *, progress: Progress) -> Report:
        """Solve every lock of a catalogue again; write what differs, or only tell it."""
        ...

    def update(self, arguments: UpdateArguments, *, progress: Progress) -> Report:
        """Solve the locks of a repository again and open pull requests for what moved."""
        ...

    def feed(self, arguments: FeedArguments) -> Report:
        """Write the facts as a data source for Renovate."""
        ...

    def why(self, lock_dir: Path, package: str) -> Report:
        """Show the argument for one package of a lock."""
        ...

    def review(self, lock: Path) -> Report | None:
        """Say what using a lock would run; None for one that this user solved or accepted."""
        ...

    def accept(self, lock: Path) -> None:
        """Note that this user accepts a lock as it is."""
        ...

    def lock_diff(self, old: Path, new: Path) -> Report:
        """Say what differs between two locks."""
        ...

    def run_environment(self, lock: Path, prefix: Path) -> dict[str, str]:
        """Give the variables for a command that is to run in the environment of a lock."""
        ...

    def cache_dir(self) -> Report:
        """Say where the cache is."""
        ...

    def cache_size(self) -> Report:
        """Say how large each part of the cache is."""
        ...

    def cache_prune(self, *, days: float | None, dry_run: bool) -> Report:
        """Remove what can be downloaded or computed again."""
        ...

    def why_not(self, asked: Asked, request: SolveArguments, *, progress: Progress) -> Report:
        """Say what conflicts with one requirement on the request's target."""
        ...

    def graph(self, request: SolveArguments, *, package: str | None, form: str) -> str:
        """Write the compatibility graph of a target as `text`, `dot`, `json` or `graphml`."""
        ...

    def build(self, arguments: BuildArguments, *, progress: Progress) -> Report:
        """Run the steps of a lock and seal it."""
        ...

    def install(self, arguments: InstallArguments, *, progress: Progress) -> Report:
        """Put a sealed lock into a virtual environment."""
        ...

    def bundle(self, arguments: BundleArguments, *, progress: Progress) -> Report:
        """Write a sealed lock with all its files beside it."""
        ...

    def validate(self, arguments: ValidateArguments, *, progress: Progress) -> Report:
        """Install a lock, or take an interpreter, and run its kernels against references."""
        ...

    def verdict(self, arguments: VerdictArguments) -> Report:
        """Show a verdict, verify it, sign it, or tell the user's own public key."""
        ...

    def export(self, arguments: ExportArguments, *, progress: Progress) -> Report:
        """Write a lock as something that works without mmlock."""
        ...

    def wheelhouse(self, arguments: WheelhouseArguments, *, progress: Progress) -> Report:
        """Look at a wheelhouse, check, empty, copy or serve it."""
        ...

    def inspect(self, arguments: InspectArguments, *, progress: Progress) -> Report:
        """Say whether compiled files load beside a torch and have code for a device."""
        ...

    def scan(self, arguments: ScanArguments, *, progress: Progress) -> Report:
        """Say what a source tree needs."""
        ...

    def doctor(
        self, arguments: DoctorArguments, *, progress: Progress, confirm: Callable[[str], bool]
    ) -> Report:
        """Say what is wrong, from an error text or the files of an environment."""
        ...

    def sweep(self, arguments: SweepArguments, *, progress: Progress) -> Report:
        """Ask for every point of a sweep."""
        ...

    def sweep_diff(self, arguments: SweepDiffArguments) -> Report:
        """Say what changed from one sweep to another, and for whom."""
        ...

    def farm_plan(self, arguments: FarmPlanArguments, *, progress: Progress) -> Report:
        """Choose the builds that serve most targets."""
        ...

    def farm_run(self, arguments: FarmRunArguments, *, progress: Progress) -> Report:
        """Carry out builds of a plan."""
        ...

    def farm_publish(self, arguments: FarmPublishArguments, *, progress: Progress) -> Report:
        """Write a wheelhouse as files for any web server."""
        ...

    def list_symptoms(self, matrices: Path | None) -> Report:
        """Show the error texts that are known, with examples."""
        ...

    def show_gpus(self, name: str | None, *, matrices: Path | None) -> Report:
        """Show what is known about one device, or list all."""
        ...

    def show_package(self, package: str, *, matrices: Path | None) -> Report:
        """Show the facts about `PACKAGE` or `PACKAGE==VERSION`."""
        ...

    def lint(self, matrices: Path | None) -> Report:
        """Check the matrix files; MatrixError tells the faults."""
        ...

    def refresh(self, arguments: RefreshArguments, *, progress: Progress) -> Report:
        """Read the indexes again, rewrite the facts that differ, and tell what differs."""
        ...

    def why_fact(self, text: str, *, matrices: Path | None, locks: Path | None) -> Report:
        """Show who states a fact, how sure it is, and which locks rest on it."""
        ...

    def diff(self, old: Path, new: Path, *, locks: Path | None) -> Report:
        """Say what differs between two matrix folders, and which locks that concerns."""
        ...


def served(url: str) -> UseCases:
    """Those that the service at a URL answers. `MMLOCK_TOKEN` says who asks."""
    import os

    from mmlock.client.usecases import ServedCases

    cases: UseCases = ServedCases(url, os.environ.get("MMLOCK_TOKEN"))
    return cases


def library() -> UseCases:
    """The real ones. Imported here: what `--help` does not need is not loaded for it."""
    from mmlock import app

    return app
