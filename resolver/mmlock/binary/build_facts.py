"""What a wheel holds, in the words of the matrix: of a torch, and of an extension.

Of a torch some 10 MB are read: `version.py`, `libc10_cuda.so` (which CUDA runtime it loads) and
`libtorch_python.so` (the arch list it reports, its C++ ABI).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from mmlock.binary.archive import Archive
from mmlock.binary.cache import inspect_cached
from mmlock.binary.elf import read_elf
from mmlock.binary.floors import dotted, floors_of
from mmlock.binary.inspect import Effort
from mmlock.binary.model import CompiledExtension, HasGpuCode, Inspected
from mmlock.binary.names import cxx11_abi, torch_names
from mmlock.binary.reading import Unreadable
from mmlock.binary.remote import Remote
from mmlock.binary.torch_wheel import arch_list
from mmlock.binary.trees import WheelTree
from mmlock.core.names import Sha256, StrEnum
from mmlock.net.fetching import Fetcher

__all__ = ["Holds", "Unread", "UnreadReason", "read_build", "read_extension_wheel"]

_TORCH_BUDGET = 64 * 1024 * 1024
_EXTENSION_BUDGET = 160 * 1024 * 1024
_CUDA = re.compile(r"^cuda[ \t]*(?::[^=\n]*)?=[ \t]*['\"](\d+\.\d+)", re.MULTILINE)
_RUNTIME = re.compile(r"libcudart\.so\.\d+(?:\.\d+)?")


class Holds(Struct, frozen=True, kw_only=True):
    """What was read in a wheel; None is what could not be read."""

    archs: tuple[str, ...] | None
    """Empty: it has no GPU code."""
    ptx: tuple[str, ...]
    cuda: str | None
    """What it says that it was built with."""
    cudart: str | None
    """libcudart soname it loads; None: none, or not read."""
    cxx11_abi: int | None
    glibc: str | None
    """The highest version of glibc's symbols that it asks for."""


class UnreadReason(StrEnum):
    """Why a wheel tells nothing."""

    DAMAGED = "damaged"  # its bytes could not be had, or are not what they claim to be
    PARTLY = "partly"  # one of its compiled files was not understood
    NO_ARCH_LIST = "no-arch-list"
    NO_CODE = "no-code"


class Unread(Struct, frozen=True, kw_only=True):
    """A wheel that tells nothing."""

    kind: UnreadReason
    detail: str = ""
    """What exactly is wrong with which file: a clause."""

    @property
    def why(self) -> str:
        """A clause that can follow the name of the wheel."""
        if self.kind is UnreadReason.NO_ARCH_LIST:
            return "says which CUDA it was built with, and holds no arch list"
        return "holds no compiled code" if self.kind is UnreadReason.NO_CODE else self.detail


def read_build(client: Fetcher, url: str) -> Holds | Unread:
    """What a remote torch wheel for Linux holds."""
    try:
        tree = WheelTree(Archive(Remote(client, url, budget=_TORCH_BUDGET)))
        with tree.open(_one(tree, "torch/lib/libtorch_python.so")) as source:
            elf = read_elf(source)
            listed = arch_list(source, elf) or ()
            floors = floors_of(elf.versions or {})
            abi = cxx11_abi(torch_names(elf.symbols.undefined))
        told = _CUDA.search(tree.text("torch/version.py").decode("utf-8", "replace"))
        needed: tuple[str, ...] = ()
        if told and "torch/lib/libc10_cuda.so" in tree.files:
            with tree.open("torch/lib/libc10_cuda.so") as source:
                needed = tuple(read_elf(source).needed)
    except Unreadable as fault:
        return Unread(kind=UnreadReason.DAMAGED, detail=str(fault))
    if told and not listed:
        return Unread(kind=UnreadReason.NO_ARCH_LIST)
    return Holds(
        archs=tuple(word for word in listed if word.startswith("sm_")),
        ptx=tuple(word for word in listed if word.startswith("compute_")),
        cuda=told[1] if told else None,
        cudart=_runtime(needed),
        cxx11_abi=abi,
        glibc=floors.get("GLIBC"),
    )


def _one(tree: WheelTree, path: str) -> str:
    if path not in tree.files:
        raise Unreadable(f"has no `{path}`")
    return path


def read_extension_wheel(
    client: Fetcher, url: str, sha256: Sha256 | None, cache: Path | None
) -> Holds | Unread:
    """What a remote wheel of an extension holds: what every one of its kernels has code for."""
    effort = Effort(budget=_EXTENSION_BUDGET)
    found = inspect_cached(url, sha256, cache, client=client, effort=effort)
    if not isinstance(found, Inspected):
        return Unread(kind=UnreadReason.DAMAGED, detail=found.why)
    if found.not_read:
        first = found.not_read[0]
        return Unread(kind=UnreadReason.PARTLY, detail=f"holds `{first.path}`, which {first.why}")
    if not found.extensions:
        return Unread(kind=UnreadReason.NO_CODE)
    holding = [one for one in found.extensions if one.gpu is not HasGpuCode.NO]
    codes = [one.gpu_code for one in holding if one.gpu_code is not None]
    whole = len(codes) == len(holding)
    return Holds(
        archs=_shared(code.archs for code in codes) if whole else None,
        ptx=_shared(code.ptx for code in codes) if whole else (),
        cuda=None,
        cudart=_runtime(name for one in found.extensions for name in one.needed),
        cxx11_abi=_abi(found.extensions),
        glibc=max(
            (one.floors["GLIBC"] for one in found.extensions if "GLIBC" in one.floors),
            key=dotted,
            default=None,
        ),
    )


def _shared(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """What all groups have, in the order of the first."""
    first, *rest = [*groups] or [()]
    return tuple(word for word in first if all(word in group for group in rest))


def _runtime(needed: Iterable[str]) -> str | None:
    """The one CUDA runtime among some sonames; a copy under a hashed name is nobody else's business."""
    found = {name for name in needed if _RUNTIME.fullmatch(name)}
    return found.pop() if len(found) == 1 else None


def _abi(extensions: Iterable[CompiledExtension]) -> int | None:
    found = {one.cxx11_abi for one in extensions if one.cxx11_abi is not None}
    return found.pop() if len(found) == 1 else None
