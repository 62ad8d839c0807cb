"""What was validated on such a target is preferred, and `why` says so; other verdicts prove nothing."""

from __future__ import annotations

import atexit
import base64
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from closers import OpenWorld
from msgspec.structs import replace
from solved import facts, request

from mmlock.app import solving
from mmlock.app.solving import locked
from mmlock.core.arguments import SolveArguments
from mmlock.core.artifact import Artifact
from mmlock.core.errors import UsageError
from mmlock.core.names import Confidence, Form, PackageName, Sha256
from mmlock.core.progress import silent
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.facts.matrix.model import Validation
from mmlock.facts.matrix.store import encode
from mmlock.lock.model import LockedEnv, LockedPackage, Reason, ReasonKind
from mmlock.lock.read import read_lock
from mmlock.lock.text import why_package
from mmlock.lock.write import write_lock
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.solution import CoreSolution, solve_core
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.graph.request import GraphRequest
from mmlock.resolve.graph.rows import ValidatedSet
from mmlock.resolve.plan import reasons
from mmlock.resolve.request.model import CoreRequirement
from mmlock.validate.attest.signers import KeySigner
from mmlock.validate.attest.trust import Trust
from mmlock.validate.conclude import conclude
from mmlock.validate.digest import lock_digest
from mmlock.validate.evidence import evidence
from mmlock.validate.model import CheckRow, Hardware, KernelDevice, Status, SuiteRun, Verdict
from mmlock.validate.proven import validation, validations
from mmlock.validate.signing import put_verdict
from mmlock.validate.standing import Standing

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
    rows = evidence(arguments).rows
    return locked(bare(), arguments, progress=silent, closer=OpenWorld(), validations=rows)


@pytest.fixture(scope="module")
def env() -> LockedEnv:
    return solve(request("mmdet>=3", offline=True, no_abi_check=True, **PINNED))


@pytest.fixture
def verdict(env: LockedEnv) -> Verdict:
    rows = tuple(
        CheckRow(suite="mmcv", name=name, status=Status.PASSED, device=KernelDevice.CPU)
        for name in ("nms", "bev")
    )
    suites = (SuiteRun(name="mmcv", package="mmcv", checks=rows),)
    result, _ = conclude((), suites, on_target=True)
    return Verdict(
        result=result,
        lock_digest=lock_digest(env),
        stack=env.stack,
        target=("cpu",),
        device=KernelDevice.CPU,
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


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The own key of these tests is the one of `signer`; no `mmlock.toml` is near."""
    monkeypatch.setenv("MMLOCK_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def locks(tmp_path: Path, env: LockedEnv, verdict: Verdict, signer: KeySigner) -> Path:
    """A folder with one lock and its verdict, signed with the own key."""
    write_lock(env, tmp_path / "locks/own/cpu")
    put_verdict(verdict, env, tmp_path / "locks/own/cpu", signer)
    return tmp_path / "locks"


def again(gpu: str = "cpu", **more: object) -> LockedEnv:
    return solve(request("mmdet>=3", gpu=gpu, offline=True, no_abi_check=True, **more))


def objective(env: LockedEnv) -> tuple[int, tuple[str, ...]]:
    (found,) = [(term.value, term.detail) for term in env.objectives if term.name == "validated"]
    return found


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_newer_torch_is_named_with_what_it_would_pay(locks: Path) -> None:
    told = why_package(again(verdicts=(locks,)), "torch")
    assert told is not None
    assert "costs more in `validated`" in told


OTHER = (1, ("another combination was validated on such a target",))


@pytest.mark.slow
def test_the_user_s_own_word_goes_before_it_and_the_lock_says_so(locks: Path) -> None:
    env = again(verdicts=(locks,), python="3.12", torch="2.13.0")
    assert env.python == "3.12"
    assert objective(env) == OTHER


@pytest.mark.slow
def test_what_prefer_puts_first_goes_before_it(locks: Path) -> None:
    env = again(verdicts=(locks,), prefer=("newest-python",))
    assert env.python != "3.10"
    assert objective(env) == OTHER


@pytest.mark.slow
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
        result, _ = conclude((), suites, on_target=on_target)
        other = replace(verdict, suites=suites, on_target=on_target, result=result)
        assert validation(env, other, digest, "") is None


@pytest.mark.slow
def test_a_verdict_of_another_lock_is_not_counted(
    locks: Path, env: LockedEnv, verdict: Verdict, signer: KeySigner, trust: Trust
) -> None:
    assert len(validations([locks], trust).rows) == 1
    put_verdict(replace(verdict, lock_digest="e" * 64), env, locks / "own/cpu", signer)
    found = validations([locks], trust)
    assert (found.rows, [one.standing for one in found.passed_over]) == ((), [Standing.OTHER_LOCK])


def test_a_folder_that_vanishes_while_it_is_read_is_passed_over(
    locks: Path, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    (locks / ".aside").mkdir()
    scan = os.scandir

    def vanishing(path: str) -> object:
        if str(path).endswith(".aside"):
            raise FileNotFoundError(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    assert len(validations([locks], trust).rows) == 1


def test_what_was_built_is_a_kind_of_reason_and_no_sentence(
    env: LockedEnv, verdict: Verdict, made_wheel: Callable[[str], LockedPackage]
) -> None:
    digest = Sha256("d" * 64)
    for kind, built in ((ReasonKind.BUILT, ("mmcv",)), (ReasonKind.WHEEL, ())):
        sealed = replace(env, build=(), packages=(*env.packages, made_wheel(kind)))
        row = validation(sealed, replace(verdict, lock_digest=lock_digest(sealed)), digest, "")
        assert row is not None
        assert row.built == built


@pytest.fixture
def made_wheel() -> Callable[[str], LockedPackage]:
    """The wheel of mmcv, with a reason of a kind."""

    def make(kind: str) -> LockedPackage:
        text = "built by recipe x"
        reason = Reason(text=text, source=(), confidence=Confidence.MEASURED, kind=kind)
        file = Artifact(name="mmcv.whl", url="wheels/mmcv.whl", sha256=Sha256("a" * 64))
        return LockedPackage(
            name=PackageName("mmcv"),
            version="2.1.0",
            form=Form.WHEEL,
            files=(file,),
            core=True,
            via=(),
            reasons=(reason,),
        )

    return make


# ---------------------------------------------------------------- whose word steers the solver


def chosen(env: LockedEnv) -> tuple[str, str]:
    return env.python, env.torch


def _solved_page(locks: Path, **more: object) -> tuple[LockedEnv, dict[str, Any], str]:
    """The whole use case: what is chosen, and what is said."""
    arguments = request("mmdet>=3", gpu="cpu", offline=True, no_abi_check=True, verdicts=(locks,), **more)
    arguments = replace(arguments, matrices=bare().root, out=locks.parent / "out")
    page = solving.solve(arguments, closer=OpenWorld())
    assert isinstance(page.data, dict)
    return read_lock(locks.parent / "out"), page.data, page.text


@pytest.mark.slow
def test_a_forged_verdict_steers_nothing_until_its_signer_is_trusted(
    locks: Path, env: LockedEnv, verdict: Verdict, stranger: KeySigner, tmp_path: Path
) -> None:
    put_verdict(verdict, env, locks / "own/cpu", stranger)
    without, data, text = _solved_page(locks)
    assert chosen(without) == chosen(again()) != chosen(env)
    (ignored,) = data["ignored_verdicts"]
    assert (ignored["standing"], ignored["path"]) == ("foreign", str(locks / "own/cpu/verdict.json"))
    assert text.count(str(locks / "own/cpu/verdict.json")) == 1

    signers = tmp_path / "allowed.toml"
    signers.write_text(f'keys = [{{ name = "ann", key = "{stranger.private.public}" }}]\n')
    with_it, data, _ = _solved_page(locks, allowed_signers=(signers,))
    assert chosen(with_it) == chosen(env)
    assert "ignored_verdicts" not in data


@pytest.mark.slow
def test_an_unsigned_verdict_steers_nothing(locks: Path, env: LockedEnv, verdict: Verdict) -> None:
    put_verdict(verdict, env, locks / "own/cpu", None)
    found, data, _ = _solved_page(locks)
    assert chosen(found) == chosen(again())
    assert [one["standing"] for one in data["ignored_verdicts"]] == ["unsigned"]


@pytest.mark.slow
def test_a_changed_verdict_steers_nothing(locks: Path) -> None:
    path = locks / "own/cpu/verdict.json"
    document = json.loads(path.read_bytes())
    payload = (
        base64.b64decode(document["payload"])
        .replace(b'"passed":2', b'"passed":9')
        .replace(b"A CPU", b"B CPU")
    )
    document["payload"] = base64.b64encode(payload).decode()
    path.write_text(json.dumps(document))
    found, data, _ = _solved_page(locks)
    assert chosen(found) == chosen(again())
    assert [one["standing"] for one in data["ignored_verdicts"]] == ["altered"]


@pytest.mark.slow
@pytest.mark.parametrize("data", [b"[" * 200_000, b"9" * 6000, b"", b'{"_type": "x"}'])
def test_a_hostile_verdict_neither_steers_nor_stops_a_solve(locks: Path, data: bytes) -> None:
    (locks / "own/cpu/verdict.json").write_bytes(data)
    found, said, _ = _solved_page(locks)
    assert chosen(found) == chosen(again())
    assert len(said["ignored_verdicts"]) == 1


@pytest.mark.slow
def test_keys_of_the_project_s_mmlock_toml_count(
    locks: Path, env: LockedEnv, verdict: Verdict, stranger: KeySigner
) -> None:
    put_verdict(verdict, env, locks / "own/cpu", stranger)
    Path("mmlock.toml").write_text(
        f'[trust]\nkeys = [{{ name = "ann", key = "{stranger.private.public}" }}]\n'
    )
    assert chosen(again(verdicts=(locks,))) == chosen(env)


@pytest.mark.slow
def test_keys_beside_the_verdicts_do_not(
    locks: Path, env: LockedEnv, verdict: Verdict, stranger: KeySigner
) -> None:
    put_verdict(verdict, env, locks / "own/cpu", stranger)
    text = f'keys = [{{ name = "ann", key = "{stranger.private.public}" }}]\n'
    (locks / "allowed_signers.toml").write_text(text)
    (locks / "mmlock.toml").write_text(f"[trust]\n{text}")
    assert chosen(again(verdicts=(locks,))) == chosen(again())


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


@pytest.mark.slow
def test_it_helps_who_asks_for_less_and_not_who_asks_for_more(env: LockedEnv, verdict: Verdict) -> None:
    row = validation(env, verdict, Sha256("d" * 64), "a file")
    assert row is not None
    less = core(row, "cpu", "mmcv")
    assert less is not None
    assert (less.python, [one.row for one in less.validated]) == ("3.10", [row])
    more = core(row, "cpu", "mmdet>=3", "mmpose>=1")
    assert more is not None
    assert more.validated == ()


@pytest.mark.slow
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
