"""Bars on a terminal, lines elsewhere, nothing where nobody looks."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import pytest

from mmlock.cli.progress import Bars, progress
from mmlock.core.progress import advance, silent


class Screen(io.StringIO):
    """A stderr that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def a_screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """In the test itself: what a fixture puts there, pytest takes away."""
    made = Screen()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return made


def test_on_a_terminal_there_are_bars_and_nothing_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = a_screen(monkeypatch)
    bars = Bars(quick=0)
    bars("reading \x1b[2J[bold]matrices")
    advance(bars, "torch.whl", 50, 100)
    bars.pause()
    shown = screen.getvalue()
    assert "torch.whl" in shown
    assert "50%" in shown
    assert "\\x1b[2J[bold]matrices" in shown
    assert shown.rstrip().endswith("\x1b[2K") or shown.endswith("\x1b[1A\x1b[2K")


def test_a_quick_answer_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = a_screen(monkeypatch)
    with progress(wanted=None) as said:
        said("reading")
    assert isinstance(said, Bars)
    assert screen.getvalue() == ""


def test_without_rich_there_are_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = a_screen(monkeypatch)

    def missing() -> None:
        raise ImportError

    monkeypatch.setattr("mmlock.cli.progress._rich", missing)
    bars = Bars(quick=0)
    bars("reading")
    bars("solving")
    advance(bars, "x", 1, 2)
    assert screen.getvalue() == "  reading\n  solving\n"


def test_elsewhere_there_are_lines_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for wanted, text in ((None, ""), (False, ""), (True, "  reading\n")):
        with progress(wanted=wanted) as said:
            said("reading")
            advance(said, "file", 1, 2)
        assert capsys.readouterr().err == text


def test_who_shows_no_bars_is_not_told_of_them() -> None:
    told: list[str] = []
    plain: Callable[[str], None] = told.append
    advance(plain, "x", 1, 2)
    advance(silent, "x", 1)
    assert told == []
