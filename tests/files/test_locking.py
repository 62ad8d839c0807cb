"""One process at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mmlock.files import locking
from mmlock.files.locking import BusyError, hold

HOLDER = """
import sys
from pathlib import Path
from mmlock.files.locking import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_who_does_not_wait_is_told_who_holds_it(tmp_path: Path) -> None:
    with holder(tmp_path / "lock") as process:
        with pytest.raises(BusyError) as caught, hold(tmp_path / "lock"):
            pass
        assert caught.value.holder == str(process.pid)
        process.communicate()
    with hold(tmp_path / "lock"):
        pass


def test_a_holder_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    with holder(tmp_path / "lock") as process:
        process.kill()
        process.wait()
        with hold(tmp_path / "lock"):
            pass


def test_who_waits_comes_next_and_hears_of_the_holder_once(tmp_path: Path) -> None:
    path, told, pauses = tmp_path / "lock", [], []
    entered, leave = threading.Event(), threading.Event()

    def first() -> None:
        with hold(path):
            entered.set()
            leave.wait()

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait()

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            leave.set()
            thread.join()

    with hold(path, waiting=told.append, sleep=sleep):
        assert not thread.is_alive()
    assert told == [str(os.getpid())]
    assert len(pauses) == 3


def test_a_lock_file_that_its_holder_just_removed_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, grab, calls = tmp_path / "lock", locking._grab, []

    def late(handle: int) -> bool:
        if not calls:
            path.unlink()  # between our opening and our holding it
        calls.append(handle)
        return grab(handle)

    monkeypatch.setattr(locking, "_grab", late)
    with hold(path, waiting=lambda _: None, sleep=lambda _: None):
        assert path.exists()
    assert len(calls) == 2


def test_a_lock_that_goes_away_with_its_holder_is_still_one_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    inside, most, lock = [0], [0], threading.Lock()

    def work() -> None:
        for _ in range(20):
            with hold(path, waiting=lambda _: None, remove=True, sleep=lambda _: None):
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                with lock:
                    inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert not path.exists()
