"""Random requests: what the solver answers is admissible, what it refuses is not, and nothing is better.

A fault names its command line. `MMLOCK_ORACLE_SEED=N` begins with another seed; `MMLOCK_TEST_SHARE=0.1`
asks a tenth of the many.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from asked import Answer, ask
from chance import request
from compared import compare, faults_of, known_faults, strictly
from problem import Problem
from request import Request, Unusable, machine
from search import Search, TooMany

SHARE = float(os.environ.get("MMLOCK_TEST_SHARE", "1"))
FIRST = int(os.environ.get("MMLOCK_ORACLE_SEED", "0"))
Record = Callable[[str, object], None]


def check(seeds: range, record: Record) -> None:
    told: Counter[str] = Counter()
    wrong = []
    for seed in seeds:
        found = compare(request(seed))
        told[found.outcome] += 1
        if found.faults:
            wrong.append(f"seed {seed}: {found.text()}")
        told[
            "undecided" if found.undecided else "known fault" if found.known else "agreed"
        ] += not found.faults
    record("oracle", dict(told))
    assert wrong == [], "\n".join(wrong)
    assert told["undecided"] * 8 <= len(seeds), "too many searches were given up to say much"


@pytest.mark.slow
@pytest.mark.parametrize("start", range(FIRST, FIRST + 300, 30))
def test_what_the_solver_says_of_300_requests_holds(start: int, record_property: Record) -> None:
    check(range(start, start + 30), record_property)


@pytest.mark.long
@pytest.mark.parametrize("start", range(FIRST, FIRST + max(100, round(10_000 * SHARE)), 50))
def test_what_the_solver_says_of_10_000_requests_holds(start: int, record_property: Record) -> None:
    check(range(start, start + 50), record_property)


# ---------------------------------------------------------------- what is known to be wrong


def shown(name: str) -> Request:
    told = {key: value for key, value in known_faults()[name].items() if key != "why"}
    return Request(**{k: tuple(v) if isinstance(v, list) else v for k, v in told.items()})


@pytest.mark.parametrize("name", known_faults())
@pytest.mark.xfail(reason="the solver overlooks it: see known.toml", strict=True, raises=AssertionError)
def test_a_known_fault_is_mended(name: str) -> None:
    assert strictly(shown(name)) == ()


@pytest.mark.parametrize("name", known_faults())
def test_a_known_fault_is_all_that_is_wrong_there(name: str) -> None:
    asked = shown(name)
    assert list(faults_of(Problem(asked, frozenset({name})), ask(asked))) == []


MENDED = {
    "builds-without-checks": Request(
        gpus=("cpu",), packages=("mmdet3d<0.9.0", "mmaction2<1.2.0"), python="3.7"
    ),
    "glibc-of-wheels": Request(gpus=("RTX 4090",), packages=("xformers",), driver="545.23.06", glibc="2.17"),
    "driver-of-wheels": Request(gpus=("T4",), packages=("spconv-cu102",), torch="==1.8.*", driver="418.39"),
    "python-of-other-metadata": Request(gpus=("A100",), packages=("flash-attn==2.7.2.post1",), python="3.7"),
    "patch-of-requires-python": Request(
        gpus=("cpu",), packages=("mmcv",), python="3.8", requires_python=">=3.8.1"
    ),
    "wheels-aged-twice": Request(gpus=("A100",), packages=("xformers==0.0.31.post1", "mmdet==3.2.0")),
}
"""What the solver once got wrong."""


@pytest.mark.slow
@pytest.mark.parametrize("name", MENDED)
def test_a_mended_fault_stays_mended(name: str) -> None:
    assert strictly(MENDED[name]) == ()


# ---------------------------------------------------------------- that it sees

DETECTION = Request(gpus=("RTX 4090",), packages=("mmdet==3.3.0",))


def refused(_: Answer) -> Answer:
    return Answer("refused")


def another(**changes: Any) -> Callable[[Answer], Answer]:
    return lambda answer: answer._replace(**changes)


def without(name: str) -> Callable[[Answer], Answer]:
    return lambda answer: answer._replace(packages=tuple(p for p in answer.packages if p.name != name))


def package(name: str, **changes: Any) -> Callable[[Answer], Answer]:
    return lambda answer: answer._replace(
        packages=tuple(p._replace(**changes) if p.name == name else p for p in answer.packages)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (refused, "admissible all the same"),
        (another(outcome="unusable"), "nothing is wrong with the request"),
        (another(python="3.13"), "has no wheel for Python 3.13"),
        (another(python="3.10"), "better by newest-python"),
        (another(torch="1.12.1", variant="cu102"), "has no code for"),
        (another(torch="2.0.1", variant="cu118"), "mmcv 2.1.0 wheel cu121/torch2.1.0 is not for torch"),
        (another(torch="2.1.0"), "better by newest-torch"),
        (another(torch="9.9.9"), "torch 9.9.9+cu121 is not for"),
        (another(nvcc="12.1"), "its toolkit is 12.1"),
        (without("mmcv"), "nothing fills mmcv"),
        (without("mmdet"), "nothing fills mmdet"),
        (package("mmengine", version="0.7.0"), "mmdet 3.3.0 needs"),
        (package("mmdet", version="3.2.0"), "is not mmdet==3.3.0"),
        (package("mmcv", place="cu118/torch2.1.0"), "is not for torch 2.1.2+cu121"),
        (package("mmcv", place="cu999/torch2.1.0"), "no fact offers"),
        (package("mmcv", version="2.2.0", place="cu121/torch2.1.0"), "mmdet 3.3.0 needs"),
        (package("mmengine", version="0.10.6"), ""),
    ],
)
def test_an_answer_that_was_changed_is_seen_through(change: Callable[[Answer], Answer], words: str) -> None:
    answer = ask(DETECTION)
    assert (answer.torch, answer.variant, answer.python) == ("2.1.2", "cu121", "3.11")
    assert list(faults_of(Problem(DETECTION), answer)) == []
    found = "\n".join(faults_of(Problem(DETECTION), change(answer)))
    assert words in found
    assert bool(found) is bool(words), "which mmengine serves it is no aim of its own"


@pytest.mark.slow
def test_what_nobody_needs_is_seen() -> None:
    answer = ask(DETECTION)
    more = ask(Request(gpus=("RTX 4090",), packages=("mmdet==3.3.0", "torchvision")))
    vision = tuple(p for p in more.packages if p.name == "torchvision")
    found = list(faults_of(Problem(DETECTION), answer._replace(packages=(*answer.packages, *vision))))
    assert any("nobody needs torchvision" in text for text in found)


@pytest.mark.slow
def test_a_build_where_a_wheel_would_do_is_seen() -> None:
    built = ask(Request(gpus=("RTX 4090",), packages=("mmdet==3.3.0",), torch="==2.11.0"))
    assert any(p.how == "build" for p in built.packages)
    (fault,) = faults_of(Problem(DETECTION), built)
    assert "better by wheels-first" in fault


@pytest.mark.slow
def test_a_search_that_grows_too_large_is_given_up_and_says_so() -> None:
    problem = Problem(DETECTION)
    with pytest.raises(TooMany):
        Search(problem, below=(9**9,) * 14, most=1).run()


# ---------------------------------------------------------------- facts that random requests seldom meet


@pytest.mark.parametrize(
    "name",
    [
        "GRID T4-16Q",
        "NVIDIA A40-48Q",
        "A100-4-20C",
        "NVIDIA L40S-24C",
        "GRID RTX6000-24Q",
        "NVIDIA RTX6000-Ada-48Q",
        "NVIDIA GeForce RTX 3080 Laptop GPU",
        "Quadro RTX 5000 with Max-Q Design",
        "Tesla V100S-PCIE-32GB",
        "NVIDIA H100 80GB HBM3",
    ],
)
def test_names_that_drivers_print_mean_the_same_device_to_both(name: str) -> None:
    assert strictly(Request(gpus=(name,), packages=("torch",))) == ()


@pytest.mark.parametrize(
    ("asked", "wrong", "words"),
    [
        # torch's own code is for it, its cuDNN has none
        (Request(gpus=("Tesla K80",), packages=("torch",)), ("2.6.0", "cu118", "3.11"), "brings cuDNN"),
        (
            Request(gpus=("T4",), packages=("torch",), platform="win_amd64", driver="525.60.13"),
            ("2.5.1", "cu121", "3.12"),
            "needs a newer driver",
        ),
        (Request(gpus=("cpu",), packages=("torch",)), ("2.8.0", "xpu", "3.13"), "is not for"),
    ],
)
def test_what_a_build_of_torch_lacks_on_the_machine_is_seen(
    asked: Request, wrong: tuple[str, str, str], words: str
) -> None:
    assert strictly(asked) == ()
    answer = ask(asked)._replace(torch=wrong[0], variant=wrong[1], python=wrong[2])
    assert words in "\n".join(faults_of(Problem(asked), answer))


# ---------------------------------------------------------------- the requests


@pytest.mark.slow
def test_a_seed_gives_the_same_request_every_time() -> None:
    assert [request(seed) for seed in range(50)] == [request(seed) for seed in range(50)]
    assert len({request(seed).command() for seed in range(200)}) > 190


@pytest.mark.slow
def test_the_requests_reach_what_they_should() -> None:
    drawn = [request(seed) for seed in range(1500)]
    words = " ".join(" ".join(r.packages) for r in drawn)
    for name in ("xformers", "flash-attn", "spconv-cu", "mmcv-full", "mmdet3d", "torchvision", "torch-npu"):
        assert name in words
    assert sum(len(r.gpus) > 1 for r in drawn) > 150
    assert sum(r.gpus == ("cpu",) for r in drawn) > 100
    assert sum(r.driver is not None for r in drawn) > 150
    kinds = set()
    for one in drawn:
        try:
            kinds.add(machine(one).kind)
        except Unusable:
            continue
    assert kinds == {"cuda", "cpu", "rocm", "mps", "npu", "gcu"}
