"""What follows from files for a torch build and a card, case by case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspected_wheel import CODE, CUDA, FACTS, ONE, TORCH, WHEEL, A, B, gpu, wheel
from msgspec.structs import replace

from mmlock.binary.model import Answer, BinaryFormat, HasGpuCode, NotRead, PtxDriver
from mmlock.binary.verdict import verdict
from mmlock.core.device import Code, Device
from mmlock.core.names import DeviceKind


def test_a_fitting_pair_holds_in_all_three() -> None:
    found = verdict(WHEEL, TORCH)
    assert (found.declared.answer, found.libraries.answer, found.symbols.answer) == (Answer.HOLDS,) * 3
    assert found.loads is Answer.HOLDS
    assert not found.refused


@pytest.mark.parametrize(
    ("requires", "answer"),
    [
        (("torch>=2.0,<2.2",), Answer.HOLDS),
        (("torch (==2.1.1)",), Answer.FAILS),
        (("torch==2.0.1",), Answer.FAILS),
        (("torch",), Answer.UNKNOWN),
        (("numpy",), Answer.UNKNOWN),
        (("torch==2.0.1; extra == 'old'",), Answer.UNKNOWN),
        (("not a requirement ===",), Answer.UNKNOWN),
        ((), Answer.UNKNOWN),
    ],
)
def test_what_is_declared_is_an_answer_of_its_own(requires: tuple[str, ...], answer: Answer) -> None:
    found = verdict(replace(WHEEL, requires=requires), TORCH)
    assert found.declared.answer is answer
    assert found.loads is Answer.HOLDS


@pytest.mark.parametrize(
    ("needed", "answer", "says"),
    [
        ("libcudart.so.11.0", Answer.FAILS, "loads libcudart.so.12 instead"),
        ("libcudart.so.13", Answer.FAILS, "loads libcudart.so.12 instead"),
        ("libtorch_cuda_cu.so", Answer.FAILS, "has no such library"),
        ("libcusparse.so.12", Answer.FAILS, "does not load it"),
        ("libcuda.so.1", Answer.UNKNOWN, "NVIDIA driver"),
        ("libGL.so.1", Answer.UNKNOWN, "the machine may"),
        ("libcublas.so.12", Answer.HOLDS, "loads"),
        ("libstdc++.so.6", Answer.HOLDS, "loads"),
        ("ld-linux-x86-64.so.2", Answer.HOLDS, "loads"),
        ("_C.so", Answer.HOLDS, "loads"),
    ],
)
def test_each_library_is_judged_by_who_brings_it(needed: str, answer: Answer, says: str) -> None:
    found = verdict(wheel(needed=("libc10.so", needed)), TORCH).libraries
    assert found.answer is answer
    assert says in " ".join(found.evidence)


def test_what_a_wheel_asks_of_nvidia_may_come_that_way() -> None:
    asked = replace(wheel(needed=("libcudart.so.11.0",)), requires=("nvidia-cuda-runtime-cu11==11.8.89",))
    assert verdict(asked, TORCH).libraries.answer is Answer.UNKNOWN


def test_other_packages_may_bring_libraries() -> None:
    found = verdict(wheel(needed=("libspecial.so.3",)), TORCH, brought=["libspecial.so.3"])
    assert found.libraries.answer is Answer.HOLDS


def test_a_cpu_torch_has_no_cuda_libraries() -> None:
    cpu = replace(TORCH, facts=replace(FACTS, libraries=("libc10.so",), needs=("libc.so.6",)))
    found = verdict(WHEEL, cpu).libraries
    assert found.answer is Answer.FAILS
    assert "no libcudart" in found.evidence[0]


def test_a_missing_name_is_told() -> None:
    found = verdict(wheel(torch_needs=(A, B, "_ZN2at3newEv")), TORCH)
    assert found.symbols.answer is Answer.FAILS
    assert found.symbols.names == ("_ZN2at3newEv",)
    assert found.refused


def test_a_neighbour_in_the_wheel_may_give_a_name() -> None:
    own = "_ZN2at6nativeownEv"
    giver = replace(ONE, path="ext/lib.so", torch_gives=(own,))
    asking = replace(ONE, torch_needs=(A, own))
    assert verdict(replace(WHEEL, extensions=(giver, asking)), TORCH).symbols.answer is Answer.HOLDS


def test_what_was_not_read_is_unknown_and_never_missing() -> None:
    dark = replace(TORCH, facts=replace(FACTS, unread=("libtorch_cuda.so",)))
    found = verdict(wheel(torch_needs=(A, CUDA)), dark)
    assert found.symbols.answer is Answer.UNKNOWN
    assert found.symbols.names == (CUDA,)
    assert not found.refused
    assert verdict(wheel(torch_needs=(A, CUDA)), TORCH).symbols.answer is Answer.FAILS
    both = verdict(wheel(torch_needs=(A, CUDA, "_ZN2at3newEv")), dark).symbols
    assert (both.answer, both.names) == (Answer.FAILS, ("_ZN2at3newEv",))


def test_the_other_cxx_abi_does_not_load() -> None:
    found = verdict(wheel(cxx11_abi=1), TORCH).symbols
    assert found.answer is Answer.FAILS
    assert "ABI 1" in found.evidence[0]
    assert verdict(wheel(cxx11_abi=None), TORCH).symbols.answer is Answer.HOLDS


def test_files_that_were_not_read_leave_doubt() -> None:
    dark = replace(WHEEL, not_read=(NotRead(path="x.so", kind=BinaryFormat.ELF, why="is cut short"),))
    found = verdict(dark, TORCH)
    assert found.loads is Answer.UNKNOWN
    assert "is cut short" in " ".join(found.symbols.evidence)


@pytest.mark.parametrize(
    ("tag", "file", "python", "answer"),
    [
        ("cp310-cp310-linux_x86_64", "cpython-310", None, Answer.HOLDS),
        ("cp310-cp310-linux_x86_64", "cpython-311", None, Answer.FAILS),
        ("cp310-cp310-linux_x86_64", "cpython-310", "3.11", Answer.FAILS),
        ("cp39-abi3-linux_x86_64", "abi3", "3.12", Answer.HOLDS),
        ("py3-none-linux_x86_64", "cpython-39", None, Answer.HOLDS),
        ("cp310-cp310-linux_x86_64", None, "3.12", Answer.FAILS),
        ("cp39-abi3-linux_x86_64", None, "3.12", Answer.UNKNOWN),
        ("cp313-cp313t-linux_x86_64", "cpython-313t", "3.13t", Answer.HOLDS),
        ("cp313-cp313-linux_x86_64", "cpython-313t", None, Answer.FAILS),
    ],
)
def test_file_names_and_tags_speak_of_one_python(
    tag: str, file: str | None, python: str | None, answer: Answer
) -> None:
    found = verdict(replace(wheel(python=file), tags=(tag,)), TORCH, python=python)
    assert found.python.answer is answer


@pytest.mark.parametrize(
    ("arch", "code"),
    [
        ("sm_80", Code.NATIVE),
        ("sm_86", Code.NATIVE),
        ("sm_90", Code.NATIVE),
        ("sm_120", Code.PTX),
        ("sm_75", Code.UNKNOWN),  # some kernels only
        ("sm_70", Code.NONE),
    ],
)
def test_kernels_for_a_card(arch: str, code: Code) -> None:
    (found,) = verdict(
        WHEEL, TORCH, [gpu(arch)], drivers={"8.4": PtxDriver(cuda="12.4", driver="550.54")}
    ).gpus
    assert found.code is code
    assert found.driver == ("550.54" if code is Code.PTX else None)
    assert found.cuda == ("12.4" if code is Code.PTX else None)


def test_a_card_without_code_is_refused_and_one_in_doubt_is_not() -> None:
    assert verdict(WHEEL, TORCH, [gpu("sm_70")]).refused
    assert not verdict(WHEEL, TORCH, [gpu("sm_75")]).refused


def test_files_for_newer_cards_only_do_not_spoil_the_rest() -> None:
    newer = replace(
        ONE, path="ext/hopper.so", gpu_code=replace(CODE, archs=("sm_90a",), ptx=(), some_archs=())
    )
    (found,) = verdict(replace(WHEEL, extensions=(ONE, newer)), TORCH, [gpu("sm_80")]).gpus
    assert found.code is Code.NATIVE
    assert "differ" in found.evidence[0]


def test_code_that_was_not_read_is_unknown() -> None:
    (found,) = verdict(wheel(gpu=HasGpuCode.UNKNOWN, gpu_code=None), TORCH, [gpu("sm_80")]).gpus
    assert found.code is Code.UNKNOWN
    cpu = Device(kind=DeviceKind.CPU, name="cpu")
    assert verdict(WHEEL, TORCH, [cpu]).gpus[0].code is Code.UNKNOWN


NAMES = st.frozensets(st.sampled_from([f"_ZN2at{n}fooEv" for n in range(3, 9)]), max_size=6)


@pytest.mark.slow
@given(needs=NAMES, gives=NAMES, exports=NAMES)
def test_symbols_hold_exactly_when_every_need_is_met(
    needs: frozenset[str], gives: frozenset[str], exports: frozenset[str]
) -> None:
    asking = replace(ONE, torch_needs=tuple(sorted(needs)), torch_gives=tuple(sorted(gives)), cxx11_abi=None)
    found = verdict(replace(WHEEL, extensions=(asking,)), replace(TORCH, names=exports)).symbols
    assert set(found.names) == needs - gives - exports
    assert (found.answer is Answer.HOLDS) is (needs <= gives | exports)
