"""A folder for one run: its own while the run lives, gone afterwards, and collected when it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mmlock.core.errors import EnvironmentFault
from mmlock.validate.fresh import fresh_folder

HOLD = """
import sys, time
from pathlib import Path
from mmlock.validate.fresh import fresh_folder

with fresh_folder(Path(sys.argv[1])) as folder:
    (folder / "prefix").mkdir()
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> subprocess.Popen[str]:
    """Another run, which has its folder and waits."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def folders(place: Path) -> list[Path]:
    return [path for path in place.iterdir() if path.is_dir()]


def test_it_is_there_during_the_run_and_then_gone(tmp_path: Path) -> None:
    with fresh_folder(tmp_path / "place") as folder:
        assert folders(tmp_path / "place") == [folder]
    assert folders(tmp_path / "place") == []


def test_an_error_takes_it_away_too(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), fresh_folder(tmp_path):
        raise KeyboardInterrupt
    assert folders(tmp_path) == []


def test_what_a_killed_run_left_is_removed_and_a_living_one_s_is_not(
    tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    assert other.stdout is not None
    held = Path(other.stdout.readline().strip())
    try:
        with fresh_folder(tmp_path) as folder:
            assert sorted(folders(tmp_path)) == sorted([held, folder])
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate()
    assert (held / "prefix").is_dir()
    with fresh_folder(tmp_path) as folder:
        assert folders(tmp_path) == [folder]


def test_a_place_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="no folder can be made"), fresh_folder(tmp_path / "file"):
        pass
