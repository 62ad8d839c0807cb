"""Which symbol names are torch's, and what they tell."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NAMESPACES = "2at|3c10|4c10d|5torch|6caffe2"
_TORCH = re.compile(
    # vtables, type infos, guards, thunks, what is local to a function
    r"_Z(?:T[VTISCJ]|GV|GR|Th?n?\d+_|Tv\d+_n?\d+_|Tc\w{2,12}?_)?Z*"
    rf"N[KVrRO]*(?:{_NAMESPACES})"
    # Python objects, and the C interfaces
    r"|_ZL?\d+THP|THP[A-Z]\w|aoti_torch_|torch_"
    # libtorch_python's own converters of tensors and devices
    rf"|_ZNK?8pybind116detail11type_casterIN(?:{_NAMESPACES})"
)
# Kernels and communication between GPUs are in the CUDA libraries whatever their names say.
_CUDA = re.compile(
    r"cuda|CUDA|Cuda|nccl|NCCL|Nccl|cudnn|CUDNN|cublas|cusparse|cusolver|cufft|curand|nvrtc"
    r"|N[KVrRO]*(?:2at6native|4c10d)"
)
# Digits in a mangled name are a length, but for substitutions, parameters, literals and offsets of thunks.
_DIGITS = re.compile(r"S[0-9A-Z]{0,9}_|T[0-9]{0,9}_|L[a-z]n?[0-9]+E|^_ZT[hv]n?[0-9]+_(?:n?[0-9]+_)?|([0-9]+)")


def is_torch(name: str) -> bool:
    """Whether a symbol belongs to torch's own interface (c10, at, torch, caffe2, THP, aoti)."""
    return _TORCH.match(name) is not None


def torch_names(names: Iterable[str]) -> frozenset[str]:
    """Those of the names that are torch's."""
    match = _TORCH.match
    return frozenset(name for name in names if match(name))


def is_cuda(name: str) -> bool:
    """Whether a torch name may live in torch's CUDA libraries."""
    return _CUDA.search(name) is not None


def cxx11_abi(names: Iterable[str]) -> int | None:
    """`_GLIBCXX_USE_CXX11_ABI` as torch names show it; None when they do not, or contradict each other.

    `Ss` stands for the `std::string` of before GCC 5; the new one has `__cxx11` in its name.
    """
    new = old = 0
    for name in names:
        if "__cxx11" in name:
            new += 1
        elif "Ss" in name and "Ss" in _without_identifiers(name):
            old += 1
    if bool(new) == bool(old):
        return None
    return 1 if new else 0


def _without_identifiers(name: str) -> str:
    """A mangled name without the words that its source has in clear."""
    kept: list[str] = []
    at = 0
    while found := _DIGITS.search(name, at):
        kept.append(name[at : found.start()])
        # No name is longer than its symbol, and a number may be.
        at = found.end() + (min(int(found[1][:9]), len(name)) if found[1] else 0)
    kept.append(name[at:])
    return " ".join(kept)
