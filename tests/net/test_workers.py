"""Threads nobody has to wait for."""

from __future__ import annotations

import threading

import pytest

from mmlock.net.workers import Workers


def test_what_is_asked_is_done_and_what_goes_wrong_is_raised_where_it_is_taken() -> None:
    workers = Workers(2)
    good = [workers.submit(divmod, number, 2) for number in range(5)]
    bad = workers.submit(divmod, 1, 0)
    assert [future.result() for future in good] == [divmod(number, 2) for number in range(5)]
    with pytest.raises(ZeroDivisionError):
        bad.result()
    workers.end(patient=True)


def test_given_up_work_is_not_begun_and_a_thread_that_hangs_is_left() -> None:
    workers, go, begun = Workers(1), threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        go.wait()

    running, waiting = workers.submit(hang), workers.submit(hang)
    assert begun.wait(5)
    workers.end(patient=False)
    assert (running.done(), waiting.done()) == (False, False)
    go.set()
    running.result(5)
    assert not waiting.done()
