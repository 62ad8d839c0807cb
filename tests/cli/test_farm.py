"""`mmlock sweep` and `mmlock farm`: words in, arguments of the use cases out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmlock.cli.main import main
from mmlock.core.farm_arguments import (
    BatchExecutor,
    Execution,
    ExportKind,
    FarmPlanArguments,
    FarmPublishArguments,
    FarmRunArguments,
    SweepArguments,
    SweepDiffArguments,
)
from mmlock.core.progress import Progress
from mmlock.core.report import Page
from mmlock.core.validate_arguments import ValidateArguments, VerdictAction, VerdictArguments


class Noted:
    """Use cases that note what they were asked."""

    def __init__(self, data: object = None) -> None:
        self.asked: list[object] = []
        self._data = data

    def __getattr__(self, name: str) -> Any:
        def note(arguments: object, *, progress: Progress | None = None) -> Page:
            del progress
            self.asked.append(arguments)
            return Page(text=f"{name}\n", data=self._data)

        return note

    def review(self, lock: Path) -> None:
        del lock


def asked(*words: str, data: object = None, code: int = 0) -> object:
    noted = Noted(data)
    assert main(words, load=lambda: noted) == code  # type: ignore[arg-type, return-value]
    (arguments,) = noted.asked
    return arguments


def test_a_sweep_takes_axes_instead_of_those_of_a_file() -> None:
    words = ["--gpu", "a100", "--gpu", "cpu", "--python", "3.12", "--torch", "2.11", "--stack", "pose"]

    assert asked(
        "sweep", "run", "own.toml", *words, "--out", "site", "--jobs", "2", "--fresh"
    ) == SweepArguments(
        file=Path("own.toml"),
        gpus=("a100", "cpu"),
        pythons=("3.12",),
        torches=("2.11",),
        stacks=("pose",),
        out=Path("site"),
        jobs=2,
        fresh=True,
    )


def test_two_sweeps_are_compared() -> None:
    assert asked("sweep", "diff", "old", "new") == SweepDiffArguments(old=Path("old"), new=Path("new"))


def test_a_plan_takes_targets_a_budget_and_an_export() -> None:
    words = ["--gpu", "a100", "--locks", "mmlock.toml", "--most", "6", "--hours", "2.5", "--export", "github"]

    assert asked("farm", "plan", *words, "--out", "farm.yml", "--per-torch") == FarmPlanArguments(
        sweep=SweepArguments(gpus=("a100",)),
        catalogue=Path("mmlock.toml"),
        per_torch=True,
        most=6,
        hours=2.5,
        out=Path("farm.yml"),
        export=ExportKind.GITHUB,
    )


@pytest.mark.parametrize(("failed", "code"), [(0, 0), (2, 1)])
def test_a_build_that_failed_is_the_exit_code_of_a_run(failed: int, code: int) -> None:
    arguments = asked(
        "farm", "run", "plan.json", "--only", "x", "--jobs", "3", data={"failed": failed}, code=code
    )

    assert arguments == FarmRunArguments(plan=Path("plan.json"), only=("x",), jobs=3)


def test_tasks_go_to_ray_where_that_is_said() -> None:
    found = asked("sweep", "run", "--executor", "ray", "--ray-address", "10.0.0.1:6379")
    assert isinstance(found, SweepArguments)
    assert found.execution == Execution(kind=BatchExecutor.RAY, ray_address="10.0.0.1:6379")

    words = "farm run plan.json --executor ray --build-jobs 3 --find-links wheels"
    built = asked(*words.split(), data={"failed": 0})
    assert isinstance(built, FarmRunArguments)
    assert built.execution == Execution(kind=BatchExecutor.RAY)
    assert (built.build_jobs, built.find_links) == (3, (Path("wheels"),))


def test_an_address_without_ray_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("farm", "run", "plan.json", "--ray-address", "10.0.0.1:6379"), load=Noted) == 2  # type: ignore[arg-type]
    assert "`--ray-address` needs `--executor ray`" in capsys.readouterr().err


def test_a_tree_is_published_with_or_without_variants() -> None:
    plain = FarmPublishArguments(target=Path("site"), variants=False)

    assert asked("farm", "publish", "site") == FarmPublishArguments(target=Path("site"))
    assert asked("farm", "publish", "site", "--no-variants") == plain


def test_a_validation_is_carried_and_its_result_imported() -> None:
    carried = asked("validate", "locks/x", "--bundle", "x.tar")
    assert isinstance(carried, ValidateArguments)
    assert carried.bundle == Path("x.tar")

    arguments = asked("verdict", "import", "result.json", "locks/x", data={"result": "FAILED"}, code=1)
    assert arguments == VerdictArguments(
        action=VerdictAction.IMPORT, lock=Path("locks/x"), file=Path("result.json")
    )
