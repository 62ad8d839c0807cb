"""The GPU code of a wheel for one device: the code, whether all of it was read, and the words."""

from __future__ import annotations

from inspected_wheel import BUILD, CODE, FACTS, ONE, TORCH, WHEEL, B, gpu, wheel
from msgspec.structs import replace

from mmlock.binary.gpu_verdict import NO_GPU_CODE, gpu_finding
from mmlock.binary.model import Answer, BinaryFormat, GpuFinding, HasGpuCode, Inspected, NotRead, PtxDriver
from mmlock.binary.tables import TorchFacts
from mmlock.binary.verdict import judge_declared, judge_symbols
from mmlock.core.device import Code, Device
from mmlock.core.names import DeviceKind

PART = replace(CODE, complete=False)
HIDDEN = replace(ONE, path="ext/_D.so", gpu=HasGpuCode.UNKNOWN, gpu_code=None)
PLAIN = replace(ONE, path="ext/_E.so", gpu=HasGpuCode.NO, gpu_code=None)


def found(*extensions: object, arch: str | None = "sm_80", **more: object) -> GpuFinding:
    device = replace(gpu("sm_80"), arch=arch)
    return gpu_finding(replace(WHEEL, extensions=extensions, **more), device, {})  # type: ignore[arg-type]


def test_a_finding_is_complete_when_each_file_with_gpu_code_was_read_to_its_end() -> None:
    other = replace(ONE, path="ext/_F.so")
    assert found(ONE).complete
    assert found(ONE, other, PLAIN).complete
    assert not found(replace(ONE, gpu_code=PART)).complete
    assert not found(ONE, replace(other, gpu_code=PART)).complete
    assert not found(ONE, replace(other, gpu_code=None)).complete
    assert not found(ONE, HIDDEN).complete
    assert not found(PLAIN).complete


def test_the_words_say_how_much_of_a_file_was_read() -> None:
    assert found(ONE).evidence == ("`ext/_C.so` has sm_80 sm_90 compute_90",)
    assert found(replace(ONE, gpu_code=PART)).evidence == (
        "`ext/_C.so` has sm_80 sm_90 compute_90 (in its first 9 kernels)",
    )
    assert found(replace(ONE, gpu_code=None)).evidence == ("`ext/_C.so`: its GPU code was not read",)
    assert (
        found(replace(ONE, gpu_code=replace(CODE, archs=(), ptx=())))
        .evidence[0]
        .startswith("`ext/_C.so` has no arch in common")
    )


def test_without_a_file_with_gpu_code_what_was_not_read_may_hold_some() -> None:
    assert found(PLAIN).evidence == (NO_GPU_CODE,)
    assert found(HIDDEN).evidence == ("`ext/_D.so`: its GPU code was not read",)
    dark = NotRead(path="ext/_G.so", kind=next(iter(BinaryFormat)), why="is cut off")
    assert found(PLAIN, not_read=(dark,)).evidence == ("`ext/_G.so` is cut off",)
    assert {found(PLAIN).code, found(HIDDEN).code} == {Code.UNKNOWN}


def test_files_that_differ_serve_with_the_best_of_them() -> None:
    newer = replace(ONE, path="ext/_F.so", gpu_code=replace(CODE, archs=("sm_120",), ptx=(), some_archs=()))
    answer = found(newer, ONE)
    assert answer.code is Code.NATIVE
    assert answer.evidence[0] == f"its files differ; {Code.NATIVE.value} is the best of them"
    assert found(newer).code is Code.NONE


def test_code_of_an_unknown_device_or_of_a_device_without_cuda_is_unknown() -> None:
    assert found(ONE, arch=None).evidence == ("the arch of sm_80 is not known",)
    amd = Device(kind=DeviceKind.ROCM, name="mi300x", arch="gfx942")
    answer = gpu_finding(WHEEL, amd, {})
    assert answer.code is Code.UNKNOWN
    assert answer.evidence == ("mi300x runs no CUDA code, and no other GPU code is read",)


def test_ptx_names_the_driver_that_compiles_it_and_cubins_need_none() -> None:
    drivers = {"8.4": PtxDriver(cuda="12.4", driver="550.54")}
    ptx = gpu_finding(WHEEL, gpu("sm_120"), drivers)
    assert (ptx.code, ptx.cuda, ptx.driver) == (Code.PTX, "12.4", "550.54")
    native = gpu_finding(WHEEL, gpu("sm_80"), drivers)
    assert (native.code, native.cuda, native.driver) == (Code.NATIVE, None, None)


# ---------------------------------------------------------------- words of the other verdicts


def declared(*requires: str, facts: TorchFacts = FACTS) -> tuple[Answer, str]:
    finding = judge_declared(replace(WHEEL, requires=requires), facts)
    return finding.answer, finding.evidence[0]


def test_metadata_that_names_torch_without_a_bound_and_metadata_that_does_not() -> None:
    assert declared("torch") == (Answer.UNKNOWN, "its metadata asks for torch in any version")
    assert declared("numpy") == (Answer.UNKNOWN, "its metadata says nothing of torch")
    assert declared("torch>=2; extra == 'x'") == (Answer.UNKNOWN, "its metadata says nothing of torch")


def test_a_torch_whose_version_is_none_is_not_compared() -> None:
    odd = replace(FACTS, build=replace(BUILD, torch="nightly"))
    answer, words = declared("torch==2.1.0", facts=odd)
    assert answer is Answer.UNKNOWN
    assert "is no version that can be compared" in words


def test_one_missing_name_is_counted_in_the_singular_and_none_needed_is_said() -> None:
    def said(extension: Inspected, *names: str) -> str:
        return judge_symbols(extension, replace(TORCH, names=frozenset(names))).evidence[-1]

    assert said(WHEEL, B).startswith("1 torch name of 2 are not in")
    assert said(WHEEL).startswith("2 torch names of 2 are not in")
    assert said(wheel(torch_needs=())) == "its files need no torch name"
    assert said(WHEEL, *ONE.torch_needs).startswith("all 2 torch names are in")
