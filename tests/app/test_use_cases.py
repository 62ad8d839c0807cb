"""The use cases: each is where the table says, and loading one does not load the others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mmlock import app
from mmlock.cli.usecases import UseCases


@pytest.mark.parametrize("name", app.__all__)
def test_every_use_case_is_where_the_table_says(name: str) -> None:
    assert callable(getattr(app, name))


def test_every_use_case_of_the_verbs_is_offered_and_no_other() -> None:
    wanted = {name for name in vars(UseCases) if not name.startswith("_")}
    assert wanted == set(app.__all__)


def test_what_is_not_there_is_missing_as_in_any_module() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        app.nothing  # type: ignore[attr-defined] # noqa: B018


@pytest.mark.slow
def test_one_use_case_does_not_load_the_others() -> None:
    code = (
        "import sys; from mmlock import app; app.cache_dir; print('clingo' in sys.modules, len(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith("False")


def test_the_use_cases_compose_and_leave_the_work_to_the_rooms() -> None:
    files = Path(app.__file__).parent.rglob("*.py")
    assert sum(len(path.read_text("utf-8").splitlines()) for path in files) < 3000
