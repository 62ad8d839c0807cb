"""Checks in their own processes: a crash, a hang or a printed error is one red row."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from mmlock.core.errors import EnvironmentFault
from mmlock.validate.model import CheckRow, KernelDevice, Status, SuiteRun
from mmlock.validate.probe import probe
from mmlock.validate.runner import KERNELS, RunOptions, TargetInterpreter, kernels_digest, run_suites
from mmlock.validate.suites import KernelSuite

CHECKS = """
    import os, signal, sys, time
    from .harness import Skip, Suite

    SUITE = Suite("made", lambda: sys)


    @SUITE.check(name="right")
    def right(t):
        t.same("one", 1, 1)


    @SUITE.check(name="wrong")
    def wrong(t):
        t.same("one", 1, 1)
        t.same("two", [1, 2], [1, 3])


    @SUITE.check(name="nothing")
    def nothing(t):
        pass


    @SUITE.check(name="raises")
    def raises(t):
        raise RuntimeError("no kernel for this")


    @SUITE.check(name="segfault")
    def segfault(t):
        print("about to fall", flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)


    @SUITE.check(name="leaves")
    def leaves(t):
        os._exit(3)


    @SUITE.check(name="hangs")
    def hangs(t):
        time.sleep(1000)


    @SUITE.check(name="prints")
    def prints(t):
        os.write(1, b"error in ms_deformable_im2col_cuda: invalid argument")
        t.same("one", 1, 1)


    @SUITE.check(name="old")
    def old(t):
        raise RuntimeError("nms_impl: implementation for device cpu not found.")


    @SUITE.check("no_such_op")
    def later(t):
        t.same("one", 1, 1)


    @SUITE.check(name="gpu", devices=("cuda",))
    def gpu(t):
        t.same("one", 1, 1)


    @SUITE.check(name="declines")
    def declines(t):
        raise Skip("the moon is full")
"""
HERE = TargetInterpreter(path=sys.executable, environ=dict(os.environ))


def _run(
    folder: Path, text: str, *, only: Sequence[str] = (), limit: float = 30.0, import_limit: float = 30.0
) -> SuiteRun:
    for name in ("__init__.py", "run.py", "harness.py"):
        shutil.copy(KERNELS / name, folder / name)
    (folder / "made_ops.py").write_text(textwrap.dedent(text), encoding="utf-8")
    suite = KernelSuite(name="made", packages=("made",), files=("made_ops",))
    options = RunOptions(
        device=KernelDevice.CPU, limit=limit, only=tuple(only), kernels=folder, import_limit=import_limit
    )
    (run,) = run_suites(HERE, [(suite, "made")], options)
    return run


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CheckRow]:
    run = _run(tmp_path_factory.mktemp("kernels"), CHECKS, limit=1.0)
    assert run.broken is None
    return {row.name: row for row in run.checks}


@pytest.mark.slow
def test_every_check_has_a_row(rows: dict[str, CheckRow]) -> None:
    assert list(rows) == [
        "right", "wrong", "nothing", "raises", "segfault", "leaves",
        "hangs", "prints", "old", "no_such_op", "gpu", "declines",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("right", Status.PASSED, None),
        ("wrong", Status.FAILED, "two: got [1, 2], expected [1, 3]"),
        ("nothing", Status.FAILED, "the check compared nothing"),
        ("raises", Status.FAILED, "RuntimeError: no kernel for this"),
        ("segfault", Status.CRASHED, "the process was ended by SIGSEGV"),
        ("leaves", Status.CRASHED, "the process ended with exit code 3 before it gave a result"),
        ("hangs", Status.TIMEOUT, "did not end within 1 seconds"),
        ("prints", Status.FAILED, "printed `error in ms_deformable_im2col_cuda: invalid argument`"),
        ("no_such_op", Status.SKIPPED, "this release has no `no_such_op`"),
        ("gpu", Status.SKIPPED, "there is no cpu kernel, only cuda"),
        ("declines", Status.SKIPPED, "the moon is full"),
    ],
)
def test_how_a_check_ends(rows: dict[str, CheckRow], name: str, status: Status, reason: str | None) -> None:
    assert (rows[name].status, rows[name].reason) == (status, reason)


def test_an_op_without_a_kernel_in_an_old_release_is_skipped(rows: dict[str, CheckRow]) -> None:
    assert rows["old"].status is Status.SKIPPED
    assert "this release has no cpu kernel" in str(rows["old"].reason)


def test_a_red_row_says_where_and_what_was_printed(rows: dict[str, CheckRow]) -> None:
    assert rows["raises"].where[-1].startswith("made_ops.py:")
    assert rows["segfault"].printed == "about to fall"
    assert [case.ok for case in rows["wrong"].cases] == [True, False]


@pytest.mark.slow
def test_checks_can_be_chosen(tmp_path: Path) -> None:
    assert [row.name for row in _run(tmp_path, CHECKS, only=["right"]).checks] == ["right"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import no_such_extension\n", "ModuleNotFoundError: No module named 'no_such_extension'"),
        ("import os\nos.kill(os.getpid(), 11)\n", "importing it ended the process (SIGSEGV)"),
        ("import os\nos._exit(0)\n", "importing it ended the process (exit code 0)"),
        ("import time\ntime.sleep(1000)\n", "did not end within"),
        ("raise SystemExit(0)\n", "SystemExit: 0"),
    ],
)
def test_a_package_that_does_not_load_is_told(tmp_path: Path, text: str, told: str) -> None:
    limit = 1.0 if "sleep" in text else 30.0
    run = _run(tmp_path, text, import_limit=limit)
    assert run.checks == ()
    assert told in str(run.broken)


@pytest.mark.slow
def test_the_death_of_the_watcher_reddens_what_was_not_run(tmp_path: Path) -> None:
    text = """
        import os, signal, sys
        from .harness import Suite

        SUITE = Suite("made", lambda: sys)


        @SUITE.check(name="first")
        def first(t):
            t.same("one", 1, 1)


        @SUITE.check(name="second")
        def second(t):
            os.kill(os.getppid(), signal.SIGKILL)


        @SUITE.check(name="third")
        def third(t):
            t.same("one", 1, 1)
    """
    first, second, third = _run(tmp_path, text).checks
    assert first.status is Status.PASSED
    assert second.status is Status.CRASHED
    assert (third.status, third.reason) == (
        Status.CRASHED,
        "the process that runs the checks ended before it (SIGKILL)",
    )


@pytest.mark.slow
def test_without_fork_the_rows_are_the_same(tmp_path: Path) -> None:
    import json
    import subprocess

    _run(tmp_path, CHECKS, only=["right"])
    command = [sys.executable, "-I", str(tmp_path / "run.py"), "made:made_ops", "--no-fork"]
    command += ["--limit", "10", "--only", "right", "--only", "segfault"]
    told = subprocess.run(command, capture_output=True, check=True).stdout
    rows = [json.loads(line) for line in told.splitlines()]
    assert [row["status"] for row in rows if row["event"] == "check"] == ["passed", "crashed"]


def test_an_interpreter_that_cannot_be_run_is_an_error(tmp_path: Path) -> None:
    nobody = TargetInterpreter(path=str(tmp_path / "python"), environ={})
    suite = KernelSuite(name="made", packages=("made",), files=("made_ops",))
    with pytest.raises(EnvironmentFault, match="is not a runnable Python"):
        run_suites(nobody, [(suite, "made")], RunOptions(device=KernelDevice.CPU))
    with pytest.raises(EnvironmentFault, match="is not a runnable Python"):
        probe(nobody)


def test_the_digest_is_of_all_check_files(tmp_path: Path) -> None:
    for path in KERNELS.glob("*.py"):
        shutil.copy(path, tmp_path)
    assert kernels_digest(tmp_path) == kernels_digest()
    with (tmp_path / "reference.py").open("a") as stream:
        stream.write("# another\n")
    assert kernels_digest(tmp_path) != kernels_digest()
