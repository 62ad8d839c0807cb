"""Each rule, shown by a lock that is wrong in one way, against the committed facts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from judge_cases import REFUSED, UNKNOWN, Change, lite, put, step
from judge_locks import classic, modern, package, wheel
from msgspec.structs import replace

from mmlock.core.device import Device
from mmlock.core.names import Confidence, DeviceKind, Form
from mmlock.facts.matrix.load import Matrix
from mmlock.lock.model import Finding, FindingKind, Level, LockedEnv
from mmlock.resolve.judge import RULES, Objection, Severity, judge
from mmlock.resolve.judge.judged_lock import open_lock


def find(found: tuple[Objection, ...], severity: Severity, rule: str, subject: str) -> list[str]:
    return [o.text for o in found if (o.severity, o.rule, o.subject) == (severity, rule, subject)]


def words(objections: tuple[Objection, ...]) -> list[str]:
    return [f"{o.severity.value} {o.rule} {o.subject}: {o.text}" for o in objections]


@pytest.mark.parametrize("make", [modern, classic], ids=["modern", "classic"])
def test_a_right_lock_is_not_refused(make: Callable[[], LockedEnv], matrix: Matrix) -> None:
    found = judge(make(), matrix)
    assert [o.text for o in found if o.severity is Severity.REFUSE] == []


def test_a_lock_of_known_facts_has_nothing_against_it(matrix: Matrix) -> None:
    assert judge(modern(), matrix) == ()


def test_a_cuda_build_that_was_asked_for_by_name_may_serve_a_cpu(matrix: Matrix) -> None:
    cpu = replace(modern().target, devices=(Device(kind=DeviceKind.CPU, name="cpu"),))
    unasked = replace(modern(), target=cpu, request=("--gpu=cpu",))
    asked = replace(unasked, request=("--gpu=cpu", f"--torch={modern().torch}"))
    assert find(judge(unasked, matrix), Severity.REFUSE, "accelerators", "torch")
    assert not find(judge(asked, matrix), Severity.REFUSE, "accelerators", "torch")


def check(env: LockedEnv, severity: Severity, rule: str, subject: str, text: str, matrix: Matrix) -> None:
    found = judge(env, matrix)
    assert any(text in said for said in find(found, severity, rule, subject)), words(found)


@pytest.mark.parametrize(("make", "change", "rule", "subject", "text"), REFUSED)
def test_refused(
    make: Callable[[], LockedEnv], change: Change, rule: str, subject: str, text: str, matrix: Matrix
) -> None:
    assert not any(text in said for said in find(judge(make(), matrix), Severity.REFUSE, rule, subject))
    check(change(make()), Severity.REFUSE, rule, subject, text, matrix)


@pytest.mark.parametrize(("make", "change", "rule", "subject", "text"), UNKNOWN)
def test_unknown(
    make: Callable[[], LockedEnv], change: Change, rule: str, subject: str, text: str, matrix: Matrix
) -> None:
    check(change(make()), Severity.UNKNOWN, rule, subject, text, matrix)


@pytest.mark.slow
def test_every_rule_is_shown_by_some_wrong_lock(matrix: Matrix) -> None:
    locks = [change(make()) for make, change, *_ in [*REFUSED, *UNKNOWN]]
    cases = [open_lock(env, matrix) for env in locks]
    silent = [rule.__name__ for rule in RULES if not any(list(rule(case)) for case in cases)]
    assert silent == []


def test_a_breakage_that_is_told_is_not_refused(matrix: Matrix) -> None:
    finding = Finding(
        level=Level.WARNING,
        kind=FindingKind.BREAKAGE,
        subject="mmaction2-drn",
        text="whatever the words are",
        source=(),
        confidence=Confidence.MEASURED,
    )
    broken = put(package("mmaction2", "1.2.0"))(classic())
    told = replace(broken, findings=(finding,))
    assert find(judge(broken, matrix), Severity.REFUSE, "breaks", "mmaction2-drn")
    assert not find(judge(told, matrix), Severity.REFUSE, "breaks", "mmaction2-drn")


@pytest.mark.parametrize("request_", [("--allow-lite",), ("mmcv-lite>=2",)])
def test_lite_is_right_when_it_was_asked_for(request_: tuple[str, ...], matrix: Matrix) -> None:
    env = replace(lite(modern()), request=request_)
    assert not find(judge(env, matrix), Severity.REFUSE, "ops", "mmcv-lite")


def test_ops_in_plain_pytorch_are_right_when_they_were_allowed(matrix: Matrix) -> None:
    asked = {"form": Form.TORCH_OPS, "build_requires": (), "std": None, "env": {}}
    env = step(**asked)(modern())
    (told,) = find(judge(env, matrix), Severity.REFUSE, "ops", "mmcv")
    assert told == "mmcv has ops in plain PyTorch only"
    allowed = replace(env, request=("--allow-torch-ops",))
    assert judge(allowed, matrix) == ()
    name = "mmcv-2.1.0+torchops-1k0-py3-none-any.whl"
    made = replace(package("mmcv", "2.1.0+torchops", name), files=(wheel(name, "wheels"),))
    assert judge(put(made)(replace(allowed, build=())), matrix) == ()
    assert find(judge(put(made)(replace(env, build=())), matrix), Severity.REFUSE, "ops", "mmcv")


def test_asserts_follow_the_packages_own_comparison(matrix: Matrix) -> None:
    # PEP 440 would refuse 2.0.0rc4 < 2.0.0 as a match of <2.0.0; mmdet's own tuples accept it as >= 2.0.0rc4.
    env = step(version="2.0.0rc4")(modern())
    assert not find(judge(env, matrix), Severity.REFUSE, "asserts", "mmdet")
    assert find(judge(step(version="2.0.0rc3")(modern()), matrix), Severity.REFUSE, "asserts", "mmdet")


def test_a_wheel_that_a_step_made_is_not_the_official_one(matrix: Matrix) -> None:
    name = "mmcv-2.1.0-cp312-cp312-linux_x86_64.whl"
    made = replace(package("mmcv", "2.1.0", name), files=(wheel(name, "wheels"),))
    env = put(made)(replace(modern(), build=()))
    assert judge(env, matrix) == ()


def test_objections_cite_readable_sources(matrix: Matrix) -> None:
    (refused, *_) = [o for o in judge(step(version="2.2.0")(modern()), matrix) if o.rule == "asserts"]
    assert refused.source
    assert all(len(text) > 10 for text in refused.source)
