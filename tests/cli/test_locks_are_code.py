"""LOCK is an argument that defaults to `lock`; a stranger's is shown and asked about before it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from mmlock.core.build_arguments import BuildArguments, ExportArguments, ExportForm, InstallArguments
from mmlock.core.validate_arguments import ValidateArguments, VerdictAction, VerdictArguments

if TYPE_CHECKING:
    from .conftest import Noted, Run

LOCK = Path("lock")


@pytest.mark.parametrize(
    ("words", "want"),
    [
        (["build"], BuildArguments(lock=LOCK)),
        (["install"], InstallArguments(lock=LOCK, prefix=Path(".venv"))),
        (["validate"], ValidateArguments(lock=LOCK)),
        (["verdict", "show"], VerdictArguments(action=VerdictAction.SHOW, lock=LOCK)),
        (["verdict", "verify"], VerdictArguments(action=VerdictAction.VERIFY, lock=LOCK)),
        (["export", "uv"], ExportArguments(lock=LOCK, form=ExportForm.UV)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_without_a_word_it_is_the_folder_that_solve_writes(
    run: Run, app: Noted, words: list[str], want: object
) -> None:
    assert run(*words).code == 0
    assert app.calls[-1][1] == want


@pytest.mark.parametrize("words", [["build"], ["validate"], ["export", "script"]], ids=lambda w: w[0])
def test_a_strangers_lock_is_not_used_where_nobody_can_be_asked(
    run: Run, app: Noted, words: list[str]
) -> None:
    app.known = False
    ran = run(*words, "theirs")
    assert (ran.code, app.calls) == (2, [])
    assert "theirs runs `rm -r`" in ran.err  # what it will run
    assert "pass `--yes`" in ran.err


@pytest.mark.parametrize("words", [["build"], ["validate"], ["export", "script"]], ids=lambda w: w[0])
def test_a_yes_accepts_it_for_good(run: Run, app: Noted, words: list[str]) -> None:
    app.known = False
    assert run(*words, "theirs", "--yes").code == 0
    assert app.calls[0] == ("accept", Path("theirs"))
    assert app.calls[1][0] == words[0]
    assert run(*words, "theirs").code == 0


@pytest.mark.parametrize(("answer", "code"), [("yes", 0), ("no", 130)])
def test_at_a_terminal_a_person_is_asked(
    run: Run, app: Noted, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    app.known = False
    monkeypatch.setattr("mmlock.cli.confirm._can_answer", lambda: True)
    monkeypatch.setattr(click, "confirm", lambda *_, **__: answer == "yes")
    assert run("build", "theirs").code == code
    assert bool(app.calls) == (answer == "yes")


# ---------------------------------------------------------------- renamed


def test_what_was_renamed_still_works_and_says_so(run: Run, app: Noted) -> None:
    ran = run("export", "L", "--format", "notebook", "--out", "x.ipynb")
    assert ran.code == 0
    assert app.calls[-1][1] == ExportArguments(lock=Path("L"), form=ExportForm.NOTEBOOK, out=Path("x.ipynb"))
    assert "mmlock export notebook L" in ran.err
    ran = run("validate", "L", "--keep", "env")
    assert app.calls[-1][1] == ValidateArguments(lock=Path("L"), keep=Path("env"))
    assert "`--prefix DIR`" in ran.err
    assert "--keep" not in run("validate", "--help").out


def test_an_export_in_json_is_one_document(run: Run) -> None:
    assert run("export", "script", "--format", "json").out == '{\n  "verb": "export"\n}\n'


# ---------------------------------------------------------------- verbs without a lock


@pytest.mark.slow
def test_run_becomes_the_command_with_the_variables_of_the_lock() -> None:
    program = (
        "import os, sys\nfrom mmlock.cli.main import main\n"
        "class App:\n"
        "    def run_environment(self, lock, prefix):\n"
        "        return {**os.environ, 'OF': f'{lock} {prefix}'}\n"
        "sys.exit(main(load=App))\n"
    )
    child = "import os, sys; print(os.environ['OF'], sys.argv[1:]); sys.exit(7)"
    for words, of in (([], "lock .venv"), (["L", "--prefix", "env"], "L env")):
        done = subprocess.run(
            [sys.executable, "-c", program, "run", *words, "--", sys.executable, "-c", child, "--gpu", "--"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (7, f"{of} ['--gpu', '--']\n"), done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [(["run"], "no command"), (["run", "--"], "no command"), (["run", "--", "no-such"], "was not found")],
)
def test_run_says_what_is_missing(run: Run, words: list[str], says: str) -> None:
    ran = run(*words)
    assert ran.code == 2
    assert says in ran.err


def test_the_cache_and_the_difference_of_locks(run: Run, app: Noted) -> None:
    assert run("cache", "dir").code == 0
    assert run("cache", "size").code == 0
    assert run("cache", "prune", "--days", "3", "--dry-run").code == 0
    assert run("lock-diff", "old", "new").code == 0
    assert app.calls == [
        ("cache_dir",),
        ("cache_size",),
        ("cache_prune", 3.0, True),
        ("lock_diff", Path("old"), Path("new")),
    ]


# ---------------------------------------------------------------- --python


@pytest.mark.slow
def test_an_interpreter_stands_for_its_version(run: Run, app: Noted, tmp_path: Path) -> None:
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    environment = tmp_path / "env" / "bin"
    environment.mkdir(parents=True)
    (environment / "python").symlink_to(sys.executable)
    for text in (sys.executable, str(tmp_path / "env")):
        assert run("solve", "--python", text).code == 0
        assert (app.request.python or "").removesuffix("t") == here


@pytest.mark.parametrize("text", ["no/such/python", "./nothing"])
def test_what_is_no_interpreter_is_one_error(run: Run, text: str) -> None:
    ran = run("solve", "--python", text)
    assert ran.code == 2
    assert "not a Python interpreter" in ran.err


def test_a_program_that_is_no_python_is_one_error(run: Run, tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    assert "did not print its version" in run("solve", "--python", str(program)).err
