"""Bytes and streams from outside: terminals that are driven, streams that are closed, files without end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mmlock.cli.terminal import printable, to_json
from mmlock.core.progress import Progress
from mmlock.core.report import Page

if TYPE_CHECKING:
    from .conftest import Noted, Run

POSIX = pytest.mark.skipif(os.name == "nt", reason="the streams of POSIX")
HOSTILE = {
    "ESC": "\x1b[2J\x1b]0;title\x07",
    "C1": "\x9b31m",
    "backspace": "no\x08\x08yes",
    "carriage return": "evil\rgood",
    "right-to-left": "a\u202egpj.exe",
    "isolate": "\u2066x\u2069",
    "invisible": "zero\u200bwidth",
    "line separator": "a\u2028b",
    "byte order mark": "\ufeffx",
    "surrogate": "\udc80",
    "NUL": "\x00",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_text_of_others_cannot_drive_a_terminal(text: str) -> None:
    shown = printable(f"before {text} after\nnext\tcell")
    assert all(c.isprintable() or c in "\n\t" for c in shown)
    assert shown.startswith("before ")
    assert shown.endswith(" after\nnext\tcell")
    assert "\\" in shown
    assert printable(shown) == shown


def test_letters_of_every_language_stay() -> None:
    text = "naïve 漢字 עברית \n\tตัวอย่าง 👍"
    assert printable(text) == text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_json_stays_json_and_drives_nothing(text: str) -> None:
    written = to_json({"text": text, "漢字": ["é"]})
    assert json.loads(written) == {"text": text, "漢字": ["é"]}
    assert all(c.isprintable() or c == "\n" for c in written)
    assert "漢字" in written


def test_reports_progress_and_errors_pass_the_rim(
    run: Run, app: Noted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "note", lambda *_: Page(text="\x1b[31mred", data={"x": "\x1b"}))
    assert run("gpus").out == "\\x1b[31mred\n"
    assert json.loads(run("gpus", "--format", "json").out) == {"x": "\x1b"}

    def scan(_: object, *, progress: Progress) -> Page:
        progress("\x9b2J")
        return Page(text="", data=None)

    monkeypatch.setattr(app, "scan", scan)
    assert run("scan", "--progress").err == "  \\x9b2J\n"


# ---------------------------------------------------------------- streams

APP = (
    "import sys\nfrom mmlock.cli.main import main\nfrom mmlock.core.report import Page\n"
    "class App:\n"
    "    def graph(self, *a, **k):\n"
    "        return 'answer'\n"
    "    def __getattr__(self, name):\n"
    "        return lambda *a, progress=lambda text: None, **k: (\n"
    "            progress('working'), Page(text='answer', data=['answer']))[1]\n"
    "sys.exit(main(load=App))\n"
)


def in_shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a shell line in which `$MMLOCK` is the program."""
    program = f"{sys.executable} -c '{APP.replace(chr(39), chr(34))}'"
    return subprocess.run(
        ["/bin/sh", "-c", line.replace("$MMLOCK", program)], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize("words", ["gpus", "gpus --format json", "--help", "solve --help", "--version"])
@pytest.mark.parametrize(
    ("to", "why"), [(">/dev/full", "No space left on device"), (">&-", "stdout is closed")]
)
def test_an_answer_that_cannot_be_written_is_one_error(words: str, to: str, why: str) -> None:
    done = in_shell(f"$MMLOCK {words} {to}")
    assert done.returncode == 2
    first, cause, *_ = done.stderr.splitlines()
    assert (first, cause) == ("error: the output cannot be written", f"cause: {why}")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize("to", ["2>/dev/full", "2>&-"])
def test_where_nobody_reads_the_errors_the_exit_code_is_the_same(to: str) -> None:
    assert in_shell(f"$MMLOCK gpus {to}").returncode == 0
    assert in_shell(f"$MMLOCK scan --progress {to}").returncode == 0
    assert in_shell(f"$MMLOCK nope {to}").returncode == 2
    assert in_shell(f"$MMLOCK gpus >&- {to}").returncode == 2


@pytest.mark.slow
@POSIX
def test_closed_streams_are_no_place_for_files(tmp_path: Path) -> None:
    """The first file that is opened would take the number of a closed stream, and get its output."""
    done = in_shell(f"cd {tmp_path}; $MMLOCK graph --out g.dot <&- >&- 2>&-")
    assert done.returncode == 0, done
    assert (tmp_path / "g.dot").read_text() == "answer"


# ---------------------------------------------------------------- files and numbers


@POSIX
@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("/dev/zero", "is a device"),
        ("fifo", "is a named pipe"),
        (".", "is a folder"),
        ("x" * 256, "too long"),
    ],
)
def test_a_requirements_file_that_is_none_is_one_error(
    run: Run, app: Noted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    for option in ("-r", "-c", "--project"):
        ran = run("solve", option, place)
        if option == "--project" and place == ".":
            continue  # a project is a folder
        assert (ran.code, app.calls) == (2, [])
        assert says in ran.err
        assert "internal error" not in ran.err


DIGITS = "1" * 6000


@pytest.mark.parametrize(
    "words",
    [
        ["--torch", DIGITS],
        ["--torch", f"<{DIGITS}"],
        ["--driver", DIGITS],
        ["--cuda", f"{DIGITS}.0"],
        ["--glibc", f"2.{DIGITS}"],
        ["--python", f"3.{DIGITS}"],
        ["--exclude-newer", DIGITS],
        ["--gpu", DIGITS],
        ["--with", f"six=={DIGITS}"],
        ["--with", f"six>=1.{DIGITS}"],
    ],
    ids=lambda words: f"{words[0]} {words[1][:6]}",
)
def test_a_number_of_6000_digits_is_one_short_error(run: Run, app: Noted, words: list[str]) -> None:
    ran = run("solve", *words)
    assert (ran.code, app.calls) == (2, [])
    assert "internal error" not in ran.err
    assert len(ran.err) < 500


@pytest.mark.parametrize("text", [f"folder = {DIGITS}", f"a = {'[' * 100_000}"], ids=["digits", "depth"])
def test_documents_that_no_parser_takes_are_one_error(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    ran = run("solve", "--project", str(tmp_path / "pyproject.toml"))
    assert ran.code == 2
    assert "is not TOML" in ran.err


def test_a_path_that_the_system_refuses_is_no_internal_error(run: Run, app: Noted) -> None:
    app.fails = NotADirectoryError(20, "Not a directory", "/dev/null/pages")
    ran = run("solve")
    assert ran.code == 2
    assert ran.err.splitlines()[:2] == ["error: cannot use `/dev/null/pages`", "cause: Not a directory"]
