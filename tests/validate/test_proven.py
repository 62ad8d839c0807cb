"""What was validated on such a target is preferred, and `why` says so; other verdicts prove nothing."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest
from closers import OpenWorld
from msgspec.structs import replace
from solved import facts, request

from mmlock.app.solving import locked
from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import UsageError
from mmlock.core.names import Form, Sha256
from mmlock.core.progress import silent
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.facts.matrix.model import Validation
from mmlock.facts.matrix.store import encode
from mmlock.lock.model import LockedEnv
from mmlock.lock.text import why_package
from mmlock.lock.write import write_lock
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.solution import CoreSolution, solve_core
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.graph.request import GraphRequest
from mmlock.resolve.graph.rows import ValidatedSet
from mmlock.resolve.plan import reasons
from mmlock.resolve.request.model import CoreRequirement
from mmlock.validate.conclude import conclude
from mmlock.validate.digest import lock_digest
from mmlock.validate.model import CheckRow, Hardware, Status, SuiteRun, Verdict
from mmlock.validate.proven import validation, validations
from mmlock.validate.store import write_verdict

PINNED = {"gpu": "cpu", "python": "3.10", "torch": "2.13.0"}
"""Not what a CPU is given by itself: that has a wheel of mmcv."""


@cache
def bare() -> Matrix:
    """The committed facts without what was validated: so that the committed locks decide nothing here."""
    folder = Path(tempfile.mkdtemp(prefix="mmlock-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for path in facts().root.iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "verdicts.json").unlink()
    (folder / "verdicts.json").write_bytes(encode("verdicts", (), {}))
    return open_matrix(folder)


def solve(arguments: SolveArguments) -> LockedEnv:
    return locked(bare(), arguments, progress=silent, closer=OpenWorld())


@pytest.fixture(scope="module")
def env() -> LockedEnv:
    return solve(request("mmdet>=3", offline=True, no_abi_check=True, **PINNED))


@pytest.fixture
def verdict(env: LockedEnv) -> Verdict:
    rows = tuple(
        CheckRow(suite="mmcv", name=name, status=Status.PASSED, device="cpu") for name in ("nms", "bev")
    )
    suites = (SuiteRun(name="mmcv", package="mmcv", checks=rows),)
    result, reasons = conclude((), suites, on_target=True)
    return Verdict(
        result=result,
        reasons=reasons,
        lock_digest=lock_digest(env),
        stack=env.stack,
        target=("cpu",),
        device="cpu",
        on_target=True,
        python="3.10.9",
        packages={},
        environment=env.environment,
        hardware=Hardware(system="Linux", machine="x86_64", kernel="6.1", cores=2, cpu="A CPU", glibc="2.36"),
        differences=(),
        suites=suites,
        kernels_digest="c" * 64,
        seed=0,
        fresh=True,
        started="2026-11-21T07:00:00Z",
        torch="2.13.0+cpu",
    )


@pytest.fixture
def locks(tmp_path: Path, env: LockedEnv, verdict: Verdict) -> Path:
    """A folder with one lock and its verdict."""
    write_lock(env, tmp_path / "own/cpu")
    write_verdict(verdict, tmp_path / "own/cpu/verdict.json")
    return tmp_path


def again(gpu: str = "cpu", **more: object) -> LockedEnv:
    return solve(request("mmdet>=3", gpu=gpu, offline=True, no_abi_check=True, **more))


def objective(env: LockedEnv) -> tuple[int, tuple[str, ...]]:
    (found,) = [(term.value, term.detail) for term in env.objectives if term.name == "validated"]
    return found


def test_what_was_validated_is_chosen_and_why_names_it(locks: Path, env: LockedEnv) -> None:
    without = again()
    assert (without.python, without.torch) != (env.python, env.torch)
    with_it = again(verdicts=(locks,))
    assert (with_it.python, with_it.torch) == (env.python, env.torch)
    assert [(step.package, step.version) for step in with_it.build] == [("mmcv", "2.1.0")]
    told = why_package(with_it, "torch")
    assert told is not None
    assert "validated on cpu (A CPU, 2 cores, glibc 2.36) on 2026-11-21: 2 checks passed" in told
    assert str(locks / "own/cpu/verdict.json") in told
    assert objective(with_it) == (0, ())
    assert "verdict:" not in (why_package(without, "torch") or "")


def test_a_newer_torch_is_named_with_what_it_would_pay(locks: Path) -> None:
    told = why_package(again(verdicts=(locks,)), "torch")
    assert told is not None
    assert "costs more in `validated`" in told


OTHER = (1, ("another combination was validated on such a target",))


def test_the_user_s_own_word_goes_before_it_and_the_lock_says_so(locks: Path) -> None:
    env = again(verdicts=(locks,), python="3.12", torch="2.13.0")
    assert env.python == "3.12"
    assert objective(env) == OTHER


def test_what_prefer_puts_first_goes_before_it(locks: Path) -> None:
    env = again(verdicts=(locks,), prefer=("newest-python",))
    assert env.python != "3.10"
    assert objective(env) == OTHER


def test_what_ran_on_a_cpu_proves_nothing_for_a_gpu(locks: Path) -> None:
    assert again(gpu="t4", verdicts=(locks,)).torch == again(gpu="t4").torch


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such folder"):
        again(verdicts=(tmp_path / "nothing",))


# ---------------------------------------------------------------- what a verdict proves


def test_a_verdict_tells_the_combination(env: LockedEnv, verdict: Verdict) -> None:
    row = validation(env, verdict, Sha256("d" * 64), "a file")
    assert row is not None
    assert (row.python, row.torch, row.variant) == ("3.10", "2.13.0", "cpu")
    assert (row.packages["mmcv"], row.built) == ("2.1.0", ("mmcv",))
    assert (row.passed, row.skipped, row.archs) == (2, 0, ())


def test_failures_and_other_hardware_prove_nothing(env: LockedEnv, verdict: Verdict) -> None:
    digest = Sha256("d" * 64)
    for suites, on_target in (((), True), (verdict.suites, False)):
        result, reasons = conclude((), suites, on_target=on_target)
        other = replace(verdict, suites=suites, on_target=on_target, result=result, reasons=reasons)
        assert validation(env, other, digest, "") is None


def test_a_verdict_of_another_lock_is_not_counted(locks: Path, verdict: Verdict) -> None:
    heard: list[str] = []
    assert len(list(validations(locks, progress=heard.append))) == 1
    write_verdict(replace(verdict, lock_digest="e" * 64), locks / "own/cpu/verdict.json")
    assert list(validations(locks, progress=heard.append)) == []
    (told,) = heard
    assert "the verdict of another lock" in told


def test_a_folder_that_vanishes_while_it_is_read_is_passed_over(
    locks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (locks / ".aside").mkdir()
    scan = os.scandir

    def vanishing(path: str) -> object:
        if str(path).endswith(".aside"):
            raise FileNotFoundError(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    assert len(list(validations(locks))) == 1


# ---------------------------------------------------------------- which requests it helps


def core(row: Validation, gpu: str, *wishes: str) -> CoreSolution | None:
    from mmlock.resolve.request.interpret import interpret

    asked = interpret(bare(), request(*wishes, gpu=gpu))
    graph = GraphRequest(
        target=asked.target,
        requirements=tuple(
            CoreRequirement(name=w.name, specifier=w.specifier, text=w.text) for w in asked.core_requirements
        ),
        validations=(row,),
    )
    return solve_core(build_graph(bare(), graph), ClingoEngine())


def test_it_helps_who_asks_for_less_and_not_who_asks_for_more(env: LockedEnv, verdict: Verdict) -> None:
    row = validation(env, verdict, Sha256("d" * 64), "a file")
    assert row is not None
    less = core(row, "cpu", "mmcv")
    assert less is not None
    assert (less.python, [one.row for one in less.validated]) == ("3.10", [row])
    more = core(row, "cpu", "mmdet>=3", "mmpose>=1")
    assert more is not None
    assert more.validated == ()


def test_gpu_code_must_have_run_on_every_device(env: LockedEnv, verdict: Verdict) -> None:
    row = validation(env, verdict, Sha256("d" * 64), "a file")
    assert row is not None
    from mmlock.core.names import DeviceKind

    built = replace(
        row, kind=DeviceKind.CUDA, archs=("sm_90",), torch="2.11.0", variant="cu130", python="3.12"
    )
    held = core(built, "h100", "mmdet>=3")
    other = core(built, "rtx5090", "mmdet>=3")
    assert held is not None
    assert other is not None
    assert [one.row for one in held.validated] == [built]
    assert other.validated == ()
    assert any(option.form is Form.BUILD for option in held.packages())


def test_of_several_validations_why_names_the_newest(env: LockedEnv, verdict: Verdict) -> None:
    row = validation(env, verdict, Sha256("d" * 64), "a file")
    assert row is not None
    newer = replace(row, lock=Sha256("e" * 64), day="2026-12-01")
    more = replace(row, lock=Sha256("f" * 64), passed=9)
    found = [ValidatedSet(row=one, groups=()) for one in (row, newer, more)]
    assert [one.row for one in reasons._most_telling(found)] == [newer]
    assert reasons._most_telling(()) == []
