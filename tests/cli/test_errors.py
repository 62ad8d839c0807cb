from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from mmlock.cli.errors import printable
from mmlock.core.errors import EnvironmentFault, MatrixError, MmlockError, NoAnswer, UsageError

if TYPE_CHECKING:
    from .conftest import Noted, Run


@pytest.mark.parametrize(
    ("error", "code"),
    [(NoAnswer, 1), (UsageError, 2), (EnvironmentFault, 2), (MatrixError, 2)],
)
def test_an_error_is_told_in_lines_and_sets_the_exit_code(
    run: Run, app: Noted, error: type[MmlockError], code: int
) -> None:
    app.fails = error("nothing fits", causes=["torch has no sm_120", "two\nlines"], hints=["take torch 2.9"])
    ran = run("solve")
    assert (ran.code, ran.out) == (code, "")
    assert ran.err == (
        "error: nothing fits\ncause: torch has no sm_120\ncause: two\n       lines\nhint: take torch 2.9\n"
    )


def test_with_json_the_error_is_on_stdout_too(run: Run, app: Noted) -> None:
    app.fails = NoAnswer("nothing fits", hints=["h"])
    ran = run("solve", "--format", "json")
    assert ran.code == 1
    assert json.loads(ran.out) == {"error": {"message": "nothing fits", "causes": [], "hints": ["h"]}}
    assert ran.err.startswith("error: nothing fits\n")


def test_with_json_a_bad_request_is_on_stdout_too(run: Run) -> None:
    ran = run("solve", "--gpu", "cpu", "--cuda", "12.8", "--format", "json")
    assert ran.code == 2
    assert "contradicts" in json.loads(ran.out)["error"]["message"]


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        (["sovle"], "unknown verb `sovle`", "did you mean `mmlock solve`?"),
        (["xyzzy"], "unknown verb `xyzzy`", "expected one of `solve`, `why`"),
        (["solve", "--gup", "x"], "unknown option `--gup`", "`mmlock solve --help`"),
        (["--nope"], "unknown option `--nope`", "`mmlock --help`"),
        (["solve", "--gpu"], "`--gpu` requires an argument", "`mmlock solve --help`"),
        (["why"], "missing argument `PACKAGE`", "`mmlock why --help`"),
        (
            ["graph", "--format", "svg"],
            "`svg` is not one of `text`, `json`, `dot`, `graphml`",
            "`mmlock graph --help`",
        ),
        (["matrix", "shwo"], "no such command `shwo`", "`mmlock matrix --help`"),
        (["why-not", "torch=2"], "cannot read `torch=2`", "write `torch==2`"),
        (["solve", "--platform", "amiga"], "`amiga` is not a platform", "linux_x86_64"),
        (["solve", "-r", "no/such.txt"], "no/such.txt: no such file", ""),
        (["solve", "-r", "."], ".: is a folder", "name the file in it"),
        (["solve", "--python", "2.7"], "--python: `2.7` is not a Python 3", "--python 3.12"),
    ],
)
def test_a_bad_command_line_is_one_error_with_a_hint(
    run: Run, app: Noted, words: list[str], says: str, hint: str
) -> None:
    ran = run(*words)
    assert (ran.code, ran.out, app.calls) == (2, "", [])
    first, *rest = ran.err.splitlines()
    assert first.startswith("error: ")
    assert says in first
    assert all(line.startswith(("hint: ", "cause: ")) for line in rest)
    assert hint in "\n".join(rest)


def test_a_file_that_is_no_text_is_one_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_bytes(b"\xff\xfen\x00")
    ran = run("solve", "-r", str(tmp_path / "r.txt"))
    assert ran.code == 2
    assert "is not UTF-8 text" in ran.err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_ends_with_130(run: Run, app: Noted, error: BaseException) -> None:
    app.fails = error
    ran = run("solve")
    assert (ran.code, ran.err) == (130, "error: interrupted\n")


def test_an_unexpected_exception_is_told_without_a_traceback(
    run: Run, app: Noted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MMLOCK_DEBUG", raising=False)
    app.fails = RuntimeError("boom")
    ran = run("solve")
    assert ran.code == 2
    assert ran.err.splitlines()[0] == "error: internal error: RuntimeError: boom"
    assert "MMLOCK_DEBUG=1" in ran.err.splitlines()[1]
    assert "Traceback" not in ran.err


def test_with_debug_the_traceback_is_there(run: Run, app: Noted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMLOCK_DEBUG", "1")
    app.fails = RuntimeError("boom")
    assert "Traceback (most recent call last)" in run("solve").err


def test_text_of_others_cannot_drive_the_terminal(run: Run, app: Noted) -> None:
    app.fails = NoAnswer("\x1b[2Jgone\r", causes=["bell\a"])
    assert run("solve").err == "error: \\x1b[2Jgone\\r\ncause: bell\\x07\n"
    assert printable("naïve 漢字\n") == "naïve 漢字\n"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="pipes end otherwise on Windows")
@pytest.mark.parametrize("words", [["--help"], ["gpus"], ["solve", "--format", "json"]])
def test_a_closed_pipe_is_no_error_message(words: list[str]) -> None:
    program = (
        "import sys\nfrom mmlock.cli.main import main\n"
        "from mmlock.core.report import Page\n"
        "class App:\n"
        "    def __getattr__(self, name):\n"
        "        return lambda *a, **k: Page(text='x' * 200_000, data=['x'] * 200_000)\n"
        f"sys.exit(main({words!r}, load=App))\n"
    )
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=writing, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.slow
def test_an_ascii_terminal_still_gets_the_answer() -> None:
    program = (
        "import sys\nfrom mmlock.cli.main import main\nfrom mmlock.core.report import Page\n"
        "class App:\n"
        "    def __getattr__(self, name):\n"
        "        return lambda *a, **k: Page(text='\\u2265 2.0', data=None)\n"
        "sys.exit(main(['gpus'], load=App))\n"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, b"\\u2265 2.0", b"")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send")
def test_a_termination_ends_like_an_interrupt() -> None:
    program = (
        "import os, signal, sys, time\nfrom mmlock.cli.main import main\n"
        "def wait(*a, **k):\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(30)\n"
        "    finally:\n"
        "        print('tidied')\n"
        "class App:\n"
        "    def __getattr__(self, name):\n"
        "        return wait\n"
        "sys.argv = ['mmlock', 'gpus']\n"
        "sys.exit(main(load=App))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "tidied\n", "error: interrupted\n")
