"""Symbol names: whose they are, and how they read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlock.binary.demangle import demangle
from mmlock.binary.names import cxx11_abi, is_cuda, is_torch


@pytest.mark.parametrize(
    "name",
    [
        "_ZN2at4_ops5zeros4callEN3c108ArrayRefINS2_6SymIntEEE",
        "_ZNK3c1010TensorImpl5sizesEv",
        "_ZTVN5torch8autograd4NodeE",
        "_ZTIN3c105ErrorE",
        "_ZGVZN3c1011demangleB5cxx11EPKcE1x",
        "_ZThn16_N5torch3jit6ModuleD0Ev",
        "_ZN6caffe28TypeMeta4MakeIfEES0_v",
        "_Z16THPVariable_WrapN2at10TensorBaseE",
        "_ZN8pybind116detail11type_casterIN2at6TensorEvE4loadENS_6handleEb",
        "THPVariableClass",
        "aoti_torch_get_data_ptr",
    ],
)
def test_torch_names_are_known(name: str) -> None:
    assert is_torch(name)


@pytest.mark.parametrize(
    "name",
    [
        "_ZNSt6vectorIN2at6TensorESaIS1_EED1Ev",
        "PyObject_Call",
        "cudaMalloc",
        "_ZN4vllm3attEN2at6TensorE",
        "_Znwm",
        "memcpy",
        "_ZN8pybind1112cpp_functionE",
    ],
)
def test_names_of_others_are_left_alone(name: str) -> None:
    assert not is_torch(name)


def test_what_cuda_libraries_hold_is_told_by_its_name() -> None:
    assert is_cuda("_ZN2at4cuda24getCurrentDevicePropertiesEv")
    assert is_cuda("_ZN2at17CUDAGeneratorImpl11device_typeEv")
    assert not is_cuda("_ZN2at4_ops5zeros4callEv")


@pytest.mark.parametrize(
    ("names", "abi"),
    [
        (["_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"], 1),
        (["_ZN3c105ErrorC2ENS_14SourceLocationESs"], 0),
        (["_ZN3c106detail23torchInternalAssertFailEPKcS2_jS2_RKSs"], 0),
        (["_ZN2at9processSsEv"], None),  # `processSs` is a word of the source
        (["_ZN2at6TensorC1Ev"], None),
        (["_ZN2at1fESs", "_ZN2at1gENSt7__cxx1112basic_stringIcEE"], None),
        ([], None),
    ],
)
def test_the_string_of_torch_names_tells_the_abi(names: list[str], abi: int | None) -> None:
    assert cxx11_abi(names) == abi


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        (
            "_ZN2at4_ops10zeros_like4callERKNS_6TensorE",
            "at::_ops::zeros_like::call(at::Tensor const&)",
        ),
        (
            "_ZN3c106detail14torchCheckFailEPKcS2_jRKSs",
            "c10::detail::torchCheckFail(char const*, char const*, unsigned int, std::string const&)",
        ),
        ("_ZNK3c106Scalar3logEv", "c10::Scalar::log() const"),
        ("_ZN2at6TensorC2ERKS0_", "at::Tensor::Tensor(at::Tensor const&)"),
        ("_ZN3c105ErrorD1Ev", "c10::Error::~Error()"),
        (
            "_ZN3c105Error3addENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE",
            "c10::Error::add(std::string)",
        ),
        ("aoti_torch_get_data_ptr", "aoti_torch_get_data_ptr"),
        ("_Znonsense", "_Znonsense"),
    ],
)
def test_names_read_as_they_were_written(name: str, reads: str) -> None:
    assert demangle(name) == reads


@given(st.text("_ZNSt0123456789EIKRPviabcdj", max_size=60))
def test_any_text_is_given_back_or_read(tail: str) -> None:
    assert demangle(f"_ZN{tail}")
    assert cxx11_abi([f"_ZN{tail}Ss"]) in {0, None}


@pytest.mark.slow
def test_a_name_that_stands_for_gigabytes_stays_as_it_is() -> None:
    doubled = "".join(f"S_IS{n}_S{n}_E" for n in "0123456789ABCDEFGHIJKLMNOP")
    assert demangle(f"_Z1f1aIiiE{doubled}") == f"_Z1f1aIiiE{doubled}"
    assert demangle("_Z1f1aIiiES_IS0_S0_E").startswith("f(a<int, int>, a<a<int, int>, a<int, int>>")


def test_a_constructor_is_named_by_its_class_whatever_the_arguments_of_templates_hold() -> None:
    assert demangle("_ZN1aI1bI1cEEC1Ev") == "a<b<c>>::a()"
    assert demangle("_ZN1x1aI1bI1cEED1Ev") == "x::a<b<c>>::~a()"
