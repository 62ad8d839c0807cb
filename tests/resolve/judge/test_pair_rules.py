"""Two runtimes of one CUDA: no committed fact has such a pair, and the rule must see one all the same."""

from __future__ import annotations

from judge_cases import flash
from judge_locks import classic
from msgspec.structs import replace

from mmlock.core.names import normalize
from mmlock.facts.matrix.load import Matrix
from mmlock.lock.model import FetchStep
from mmlock.resolve.judge.judged_lock import JudgedLock, open_lock
from mmlock.resolve.judge.model import Severity
from mmlock.resolve.judge.pair_rules import one_cuda, variants

WHEEL = "flash_attn-2.3.5+cu118torch2.1cxx11abiFALSE-cp310-cp310-linux_x86_64.whl"


def case(matrix: Matrix, cudart: str | None) -> JudgedLock:
    """A flash-attn that loads libcudart.so.11.0, beside a torch that brings `cudart`."""
    found = open_lock(flash("2.3.5", WHEEL)(classic()), matrix)
    assert found.build is not None
    return replace(found, build=replace(found.build, cudart=cudart))


def test_a_wheel_that_loads_another_libcudart_of_the_same_cuda_is_refused(matrix: Matrix) -> None:
    (objection,) = one_cuda(case(matrix, "libcudart.so.11.9"))
    assert (objection.severity, objection.rule, objection.subject) == (Severity.REFUSE, "cuda", "flash-attn")
    assert "needs libcudart.so.11.0" in objection.text
    assert "has libcudart.so.11.9" in objection.text


def test_the_same_libcudart_and_one_that_nobody_has_read_are_not_refused(matrix: Matrix) -> None:
    assert list(one_cuda(case(matrix, "libcudart.so.11.0"))) == []
    assert list(one_cuda(case(matrix, None))) == []


def natten(variant: str, torch: str) -> FetchStep:
    index = "https://github.com/SHI-Labs/NATTEN/releases/download/v0.21.6"
    version = f"0.21.6+torch{torch}{variant}"
    url = f"{index}/natten-{version}-cp312-cp312-linux_x86_64.whl"
    return FetchStep(package=normalize("natten"), version=version, url=url, index=index, why="", reasons=())


def test_a_wheel_that_names_another_variant_than_that_of_torch_is_refused(matrix: Matrix) -> None:
    env = replace(
        classic(), torch="2.10.0+cu128", python="3.12", fetch=(natten("cu130", "2100"),), packages=()
    )
    (objection,) = variants(open_lock(env, matrix))
    assert (objection.severity, objection.subject) == (Severity.REFUSE, "natten")
    assert "is built for cu130, but torch is 2.10.0+cu128" in objection.text
    same = replace(env, fetch=(natten("cu128", "2100"),))
    assert list(variants(open_lock(same, matrix))) == []
