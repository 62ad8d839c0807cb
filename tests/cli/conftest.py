"""Runs command lines in this process, with use cases that note what they were asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mmlock.cli.main import main
from mmlock.core.arguments import SolveArguments
from mmlock.core.build_arguments import BuildArguments, ExportArguments, InstallArguments
from mmlock.core.progress import Progress
from mmlock.core.report import Page, Report
from mmlock.core.requirements import Asked
from mmlock.core.scan_arguments import ScanArguments
from mmlock.core.validate_arguments import ValidateArguments, VerdictArguments


@dataclass
class Noted:
    """Use cases that answer with their own arguments, or fail as they are told."""

    fails: BaseException | None = None
    known: bool = True
    """Whether the user solved or accepted every lock."""
    calls: list[tuple[object, ...]] = field(default_factory=list)

    def note(self, *call: object) -> Page:
        if self.fails is not None:
            raise self.fails
        self.calls.append(call)
        return Page(text=f"{call[0]} done", data={"verb": call[0]})

    def solve(self, request: SolveArguments, *, progress: Progress) -> Report:
        progress("deciding")
        return self.note("solve", request)

    def review(self, lock: Path) -> Report | None:
        return None if self.known else Page(text=f"{lock} runs `rm -r`", data=None)

    def accept(self, lock: Path) -> None:
        self.calls.append(("accept", lock))
        self.known = True

    def build(self, arguments: BuildArguments, *, progress: Progress) -> Report:
        del progress
        return self.note("build", arguments)

    def validate(self, arguments: ValidateArguments, *, progress: Progress) -> Report:
        del progress
        return self.note("validate", arguments)

    def export(self, arguments: ExportArguments, *, progress: Progress) -> Report:
        del progress
        return self.note("export", arguments)

    def install(self, arguments: InstallArguments, *, progress: Progress) -> Report:
        del progress
        return self.note("install", arguments)

    def verdict(self, arguments: VerdictArguments) -> Report:
        return self.note("verdict", arguments)

    def lock_diff(self, old: Path, new: Path) -> Report:
        return self.note("lock_diff", old, new)

    def run_environment(self, lock: Path, prefix: Path) -> dict[str, str]:
        self.note("run", lock, prefix)
        return {"PATH": os.defpath, "FOR_THE_LOCK": "1"}

    def cache_dir(self) -> Report:
        return self.note("cache_dir")

    def cache_size(self) -> Report:
        return self.note("cache_size")

    def cache_prune(self, *, days: float | None, dry_run: bool) -> Report:
        return self.note("cache_prune", days, dry_run)

    def why(self, lock_dir: Path, package: str) -> Report:
        return self.note("why", lock_dir, package)

    def why_not(self, asked: Asked, request: SolveArguments, *, progress: Progress) -> Report:
        progress("deciding")
        return self.note("why_not", asked, request)

    def graph(self, request: SolveArguments, *, package: str | None, form: str) -> str:
        return self.note("graph", request, package, form).text

    def scan(self, arguments: ScanArguments, *, progress: Progress) -> Report:
        progress("reading")
        return self.note("scan", arguments)

    def show_gpus(self, name: str | None, *, matrices: Path | None) -> Report:
        return self.note("gpus", name, matrices)

    def show_package(self, package: str, *, matrices: Path | None) -> Report:
        return self.note("show", package, matrices)

    def lint(self, matrices: Path | None) -> Report:
        return self.note("lint", matrices)

    @property
    def request(self) -> SolveArguments:
        (found,) = [part for part in self.calls[-1] if isinstance(part, SolveArguments)]
        return found


@dataclass(frozen=True)
class Ran:
    """How one command line ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def app() -> Noted:
    return Noted()


@pytest.fixture
def run(app: Noted, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> Ran:
        code = main(list(words), load=lambda: app)
        seen = capsys.readouterr()
        return Ran(code, seen.out, seen.err)

    return call
