"""Code for the devices of the target, in torch and in extensions, and the words where there is none."""

from __future__ import annotations

import pytest
from made_graph import (
    CPU,
    MadeFacts,
    binary,
    builder,
    cuda_device,
    put_binaries,
    put_pythons,
    put_releases,
    put_torch,
    release,
    torch_build,
)

from mmlock.core.device import Device
from mmlock.core.names import Confidence, DeviceKind, PackageName
from mmlock.facts.matrix.curated import Breakage, Cudnn, When
from mmlock.facts.matrix.model import Binary
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.device_constraints import constrain_devices
from mmlock.resolve.graph.rows import ConstraintKind, UserConstraint

CUDNN = Cudnn(
    id="nine",
    versions=">=9",
    cuda="12",
    lowest="sm_75",
    highest="sm_120",
    source=("nvidia",),
    confidence=Confidence.DOCUMENTED,
)


def facts(*breaks: Breakage) -> MadeFacts:
    return MadeFacts({"breaks": breaks, "cudnn": (CUDNN,)})


def constrained(made: GraphBuilder) -> UserConstraint:
    constrain_devices(made)
    (constraint,) = made.user_constraints
    return constraint


def test_one_constraint_for_each_gpu_by_the_users_word_and_none_for_a_cpu() -> None:
    made = builder(facts(), cuda_device(), cuda_device("sm_90", "H100"), device_words=("a100", "big one"))
    put_torch(made, torch_build())
    constrain_devices(made)
    assert [one.name for one in made.user_constraints] == ["--gpu a100", "--gpu big one"]
    assert {one.kind for one in made.user_constraints} == {ConstraintKind.DEVICE}
    named = builder(facts(), cuda_device())
    put_torch(named, torch_build())
    assert constrained(named).name == "--gpu A100"
    plain = builder(facts(), CPU)
    put_torch(plain, torch_build())
    constrain_devices(plain)
    assert plain.user_constraints == []


@pytest.mark.parametrize(
    ("row", "stays"),
    [
        (binary(archs=("sm_80",)), True),
        (binary(archs=("sm_90",)), False),
        (binary(archs=None), True),  # nobody has read it
        (binary(archs=()), True),  # nothing in it that a GPU runs
        (binary(archs=("sm_90",), ptx=("compute_80",), cuda="12.1"), True),  # the driver compiles it
        (binary(archs=("sm_90",), ptx=("compute_80",), cuda="13.0"), False),  # it does not know that CUDA
    ],
)
def test_a_prebuilt_extension_needs_code_for_the_device(row: Binary, *, stays: bool) -> None:
    made = builder(facts(), cuda_device(), driver="550.54.14")
    put_torch(made, torch_build())
    (other,) = put_releases(made, "ext", release("9.0"))
    (index,) = put_binaries(made, row)
    parts = dict(constrained(made).parts)
    assert parts.get("ext", frozenset({index, other})) == {other, *({index} if stays else ())}
    assert ("ext" in parts) is not stays


def test_kernels_of_cuda_are_asked_of_cuda_devices_alone() -> None:
    made = builder(facts(), Device(kind=DeviceKind.ROCM, name="MI300", arch="gfx942"))
    put_torch(made, torch_build("2.4.1", "rocm6.1", archs=("gfx942",)))
    put_binaries(made, binary(archs=("sm_90",)))
    assert dict(constrained(made).parts) == {"torch": {0}}


def test_torch_is_constrained_even_where_all_of_it_fits_and_other_slots_are_not() -> None:
    made = builder(facts(), cuda_device())
    torch = put_torch(made, torch_build())
    put_pythons(made, "3.12")
    assert constrained(made).parts == (("torch", frozenset(torch)),)


def test_the_words_of_an_extension_without_kernels() -> None:
    made = builder(facts(), cuda_device())
    put_torch(made, torch_build())
    (index,) = put_binaries(made, binary(archs=("sm_90",)))
    told = constrained(made).reject(made.options[index])
    assert told.text == "ext 1.0 wheel has no kernels for sm_80 (A100)"
    assert told.source == ("binaries/ext#page",)
    assert told.confidence is Confidence.CAPTURED


@pytest.mark.parametrize(
    ("archs", "ptx", "words"),
    [
        (None, (), "the GPUs that torch 2.4.1+cu121 is built for are not known"),
        ((), (), "torch 2.4.1+cu121 has no GPU code; it has no kernels for sm_80 (A100)"),
        (
            ("sm_90",),
            ("compute_90",),
            "torch 2.4.1+cu121 is built for sm_90 compute_90; it has no kernels for sm_80 (A100)",
        ),
    ],
)
def test_the_words_of_a_torch_without_code(
    archs: tuple[str, ...] | None, ptx: tuple[str, ...], words: str
) -> None:
    made = builder(facts(), cuda_device())
    (index,) = put_torch(made, torch_build(archs=archs, ptx=ptx, confidence=Confidence.CAPTURED))
    constraint = constrained(made)
    assert dict(constraint.parts) == {"torch": frozenset()}
    told = constraint.reject(made.options[index])
    assert told.text == words
    assert told.source == ("torch-builds#build",)
    assert told.confidence is Confidence.CAPTURED


def test_a_torch_whose_cudnn_dropped_the_device_is_told_by_its_cudnn_unless_it_has_no_code_anyway() -> None:
    old = cuda_device("sm_70", "V100")
    made = builder(facts(), old)
    dropped, without = put_torch(
        made,
        torch_build(archs=("sm_70",), cudnn="9.1"),
        torch_build("2.3.0", archs=("sm_90",), cudnn="9.1"),
    )
    constraint = constrained(made)
    assert dict(constraint.parts) == {"torch": frozenset()}
    told = constraint.reject(made.options[dropped])
    assert told.text == (
        "torch 2.4.1+cu121 comes with cuDNN 9.1, which has kernels for sm_75 to sm_120: none for sm_70 (V100)"
    )
    assert told.source == ("cudnn#nvidia",)
    assert told.confidence is Confidence.DOCUMENTED
    assert "is built for sm_90" in constraint.reject(made.options[without]).text


def breakage(*when: When, dead: bool = True) -> Breakage:
    return Breakage(
        id="dies",
        title="it dies",
        when=when,
        symptom="a fault",
        fix="take another",
        source=("issue",),
        confidence=Confidence.MEASURED,
        dead=dead,
    )


GPU = When(package=PackageName("gpu"), versions="==8.0")
EXT = When(package=PackageName("ext"), versions="<2")


def test_what_is_dead_on_a_device_is_left_out_with_the_fact() -> None:
    made = builder(facts(breakage(GPU, EXT)), cuda_device())
    put_torch(made, torch_build())
    old, new = put_binaries(made, binary(), binary(version="2.0"))
    constraint = constrained(made)
    assert dict(constraint.parts)["ext"] == {new}
    told = constraint.reject(made.options[old])
    assert told.text == "it dies (a fault); take another"
    assert told.source == ("breaks#issue",)
    assert told.confidence is Confidence.MEASURED


@pytest.mark.parametrize(
    "fact",
    [
        breakage(GPU, EXT, dead=False),
        breakage(EXT),  # of no device
        breakage(When(package=PackageName("gpu"), versions="==9.0"), EXT),
        breakage(GPU, EXT, When(package=PackageName("torch"))),  # with a torch alone: a link says that
    ],
)
def test_what_is_not_dead_by_itself_on_the_device_stays(fact: Breakage) -> None:
    made = builder(facts(fact), cuda_device())
    put_torch(made, torch_build())
    put_binaries(made, binary(), binary(version="2.0"))
    assert "ext" not in dict(constrained(made).parts)
