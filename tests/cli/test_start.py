from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from mmlock import __version__
from mmlock.cli.main import VERBS, mmlock

if TYPE_CHECKING:
    from .conftest import Run

HEAVY = {"httpx", "networkx", "clingo", "rich", "uv", "hypothesis"}


def modules_after(*words: str) -> set[str]:
    """Top-level and own modules that one command line has loaded."""
    program = (
        "import contextlib, io, json, sys\nfrom mmlock.cli.main import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()):\n    code = main({list(words)!r})\n"
        "print(json.dumps([code, sorted(sys.modules)]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    code, names = json.loads(done.stdout)
    assert code == 0
    return set(names)


@pytest.mark.slow
def test_help_loads_no_verb_and_nothing_slow() -> None:
    loaded = modules_after("--help")
    assert loaded & (HEAVY | {"packaging"}) == set()
    assert loaded & {verb.module for verb in VERBS.values()} == set()


@pytest.mark.slow
def test_a_solve_loads_no_client_and_nothing_that_reads_wheels() -> None:
    program = (
        "import json, sys\nfrom importlib import import_module\nfrom mmlock.app import solving\n"
        "from mmlock.resolve.loop import prefetch\nclosure = 'mmlock.resolve.closure.'\n"
        "for name in (*prefetch.LATER, closure + 'uv_closure', closure + 'uv_answer'):\n"
        "    import_module(name)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "mmlock.resolve.judge" in loaded
    assert loaded & {"http.client", "ssl", "email", "httpx", "networkx", "clingo", "rich"} == set()
    assert not any(name.startswith(("mmlock.binary", "mmlock.net.http")) for name in loaded)


@pytest.mark.slow
def test_a_farm_and_a_sweep_load_no_cluster_before_one_is_asked_for() -> None:
    program = (
        "import json, sys\nfrom mmlock.app import executing, farm_building, farming, sweeping\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert loaded & {"ray", "mmlock.work.ray", "pyarrow", "multiprocessing", "clingo"} == set()


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["solve", "graph", "gpus"])
def test_the_help_of_a_verb_loads_only_that_verb(verb: str) -> None:
    loaded = modules_after(verb, "--help")
    assert loaded & HEAVY == set()
    assert loaded & {each.module for each in VERBS.values()} == {VERBS[verb].module}


@pytest.mark.parametrize("name", VERBS)
def test_the_table_says_what_the_verb_says(name: str) -> None:
    command = mmlock.get_command(click.Context(mmlock), name)
    assert command is not None
    assert (command.name, command.short_help) == (name, VERBS[name].help)


@pytest.mark.parametrize("words", [["--help"], [], ["-h"]])
def test_help_lists_every_verb(run: Run, words: list[str]) -> None:
    ran = run(*words)
    assert (ran.code, ran.err) == (0, "")
    assert all(f"  {name} " in ran.out for name in VERBS)


@pytest.mark.parametrize(
    "words", [[name, "--help"] for name in VERBS] + [["matrix"], ["matrix", "lint", "-h"]]
)
def test_every_verb_has_help(run: Run, words: list[str]) -> None:
    ran = run(*words)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: mmlock {words[0]} ")


def test_the_help_of_solve_has_headings_and_examples_on_their_own_lines(run: Run) -> None:
    lines = run("solve", "--help").out.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == [
        "What to lock:",
        "Target:",
        "What the solver may choose:",
        "Package indexes:",
        "Output:",
        "Options:",
    ]
    assert "  mmlock solve --gpu rtx5090" in lines


def test_the_version(run: Run) -> None:
    assert run("--version").out == f"mmlock {__version__}\n"


@pytest.mark.slow
def test_python_dash_m_runs_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mmlock", "nope"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: unknown verb `nope`\n")
