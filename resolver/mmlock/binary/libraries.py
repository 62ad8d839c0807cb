"""Whether the libraries that a wheel's files need will be there when torch is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mmlock.binary.model import Answer, ArguedAnswer, Inspected
from mmlock.binary.tables import TorchFacts
from mmlock.core.names import normalize

_SYSTEM = re.compile(
    # glibc, the compiler's run time and what torch cannot run without; PEP 600 counts on the same
    r"(?:libc|libm|libdl|librt|libpthread|libutil|libnsl|libresolv|libanl|libgcc_s|libstdc\+\+|libatomic)\.so[.\d]*"
    r"|ld-linux[\w-]*\.so[.\d]*|linux-vdso\.so[.\d]*"
)
_DRIVER = re.compile(r"lib(?:cuda|nvidia-ml|nvcuvid|nvidia-encode)\.so[.\d]*")
_TORCH = re.compile(r"lib(?:torch|c10|caffe2|shm)[\w-]*\.so[.\d]*")
_PYTHON = re.compile(r"libpython3[.\dt]*\.so[.\d]*")
_STEM = re.compile(r"(?P<stem>.+?)\.so(?P<version>[.\d]*)")
_NVIDIA = re.compile(r"nvidia-|cuda-toolkit|cuda-")
_CUDA = re.compile(
    r"lib(?:cudart|cublas|cublasLt|cudnn|cufft|curand|cusolver|cusparse|cusparseLt|nvrtc|nccl|nvToolsExt|cupti"
    r"|nvJitLink|cufile|nvshmem_host)[\w]*\.so[.\d]*"
)


def judge_libraries(extension: Inspected, facts: TorchFacts, brought: frozenset[str]) -> ArguedAnswer:
    """DT_NEEDED of every file against torch, the wheel itself, the system and what else is brought."""
    own = {*extension.bundled, *(one.soname for one in extension.extensions if one.soname)}
    wanted: dict[str, str] = {}
    for one in extension.extensions:
        for name in one.needed:
            wanted.setdefault(name, one.path)
    there = {*facts.libraries, *facts.needs, *brought, *own}
    missing: dict[str, str] = {}
    doubtful: dict[str, str] = {}
    for name, path in sorted(wanted.items()):
        if name in there or _SYSTEM.fullmatch(name) or _PYTHON.fullmatch(name):
            continue
        if why := _surely_absent(name, facts, extension.requires):
            missing[name] = f"`{path}` needs `{name}`: {why}"
        else:
            doubtful[name] = f"`{path}` needs `{name}`: {_doubt(name, facts, extension.requires)}"
    if missing:
        return ArguedAnswer(answer=Answer.FAILS, evidence=tuple(missing.values()), names=tuple(missing))
    blind = tuple(f"`{file.path}` {file.why}" for file in extension.not_read)
    if doubtful or blind:
        return ArguedAnswer(
            answer=Answer.UNKNOWN, evidence=(*doubtful.values(), *blind), names=tuple(sorted(doubtful))
        )
    torchs = sorted(wanted.keys() & {*facts.libraries, *facts.needs})
    text = f"torch {facts.build} loads {', '.join(torchs)}" if torchs else "it needs no library of torch"
    return ArguedAnswer(answer=Answer.HOLDS, evidence=(text,))


def _surely_absent(name: str, facts: TorchFacts, requires: Iterable[str]) -> str | None:
    """Why nothing will bring a library; None when something may."""
    if _TORCH.fullmatch(name):
        return f"torch {facts.build} has no such library"
    if not _CUDA.fullmatch(name):
        return None
    if any(_NVIDIA.match(normalize(text)) for text in requires):
        return None  # the wheel asks for NVIDIA's packages itself
    stem = _stem(name)
    other = sorted(there for there in {*facts.libraries, *facts.needs} if _stem(there) == stem)
    if other:
        return f"torch {facts.build} loads {', '.join(other)} instead"
    if stem == "libcudart":
        return f"torch {facts.build} loads no libcudart that others could use"
    # libtorch_cuda asks for more than the libraries that were read.
    return None if facts.unread else f"torch {facts.build} does not load it"


def _doubt(name: str, facts: TorchFacts, requires: Iterable[str]) -> str:
    if _DRIVER.fullmatch(name):
        return "it comes with the NVIDIA driver of the machine"
    if _CUDA.fullmatch(name):
        if any(_NVIDIA.match(normalize(text)) for text in requires):
            return "one of its own requirements may install it"
        return f"{' or '.join(facts.unread)} may load it, which was not read"
    return "neither torch nor the wheel has it; the machine may"


def _stem(name: str) -> str:
    found = _STEM.fullmatch(name)
    stem = found["stem"] if found else name
    return re.sub(r"-[0-9a-f]{8}$", "", stem)
