"""A build step that sets no bound on gcc takes whatever compiler is there, and nvcc does not."""

from __future__ import annotations

import pytest
from judge_cases import toolchain
from judge_locks import modern

from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.judge.judged_lock import open_lock
from mmlock.resolve.judge.model import Severity
from mmlock.resolve.judge.step_rules import builds


@pytest.mark.parametrize(
    ("gcc_max", "words"),
    [
        (None, "supports gcc up to 14, but the step allows any"),
        (15, "supports gcc up to 14, but the step allows 15"),
        (14, None),
        (13, None),
    ],
)
def test_a_step_allows_no_gcc_that_its_nvcc_refuses(
    gcc_max: int | None, words: str | None, matrix: Matrix
) -> None:
    found = [o for o in builds(open_lock(toolchain(gcc_max=gcc_max)(modern()), matrix)) if "gcc" in o.text]
    assert [o.severity for o in found] == ([Severity.REFUSE] if words else [])
    assert words is None or words in found[0].text


@pytest.mark.parametrize("cuda", ["11.8", "12.6", "12.7", "12.9", "13.0"])
def test_a_step_is_built_with_the_cuda_of_its_torch_and_neither_an_older_nor_a_newer_one(
    cuda: str, matrix: Matrix
) -> None:
    words = f"is built with CUDA {cuda}, but torch 2.11.0+cu128 has 12.8"
    assert any(words in o.text for o in builds(open_lock(toolchain(cuda=cuda)(modern()), matrix)))
    own = builds(open_lock(toolchain(cuda="12.8")(modern()), matrix))
    assert not any("is built with CUDA" in o.text for o in own)
