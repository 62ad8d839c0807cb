"""Runs command lines in this process, with use cases that note what they were asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mmlock.cli.main import main
from mmlock.core.arguments import SolveArguments
from mmlock.core.progress import Progress
from mmlock.core.report import Page, Report
from mmlock.core.requirements import Asked
from mmlock.core.scan_arguments import ScanArguments


@dataclass
class Noted:
    """Use cases that answer with their own arguments, or fail as they are told."""

    fails: BaseException | None = None
    calls: list[tuple[object, ...]] = field(default_factory=list)

    def note(self, *call: object) -> Page:
        if self.fails is not None:
            raise self.fails
        self.calls.append(call)
        return Page(text=f"{call[0]} done", data={"verb": call[0]})

    def solve(self, request: SolveArguments, *, progress: Progress) -> Report:
        progress("deciding")
        return self.note("solve", request)

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
