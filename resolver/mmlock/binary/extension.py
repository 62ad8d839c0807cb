"""One shared object, read as far as torch and the loader care."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from mmlock.binary.archive import Prefix
from mmlock.binary.elf import Elf, read_elf
from mmlock.binary.elf_prefix import read_elf_prefix
from mmlock.binary.fatbin import MAGIC_BYTES, SECTION, GpuCode, read_gpu_code
from mmlock.binary.floors import floors_of
from mmlock.binary.model import BinaryFormat, CompiledExtension, Extent, HasGpuCode
from mmlock.binary.names import cxx11_abi, torch_names
from mmlock.binary.reading import OutOfReach, Source, Unreadable

SAMPLE = 2
"""Kernel containers that are read of a remote file; in four wheels of four they told the same as all."""

_COMPILED = re.compile(r"\.so(?:\.\d+)*$|\.pyd$|\.dylib$|\.dll$", re.IGNORECASE)
_PYTHON_TAG = re.compile(r"\.(cpython-\d+[a-z]*|abi3)(?:-[\w-]+)?\.so$")
_REGISTER = "__cudaRegisterFatBinary"
_MACH_O = frozenset(
    {b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"}
)


def is_compiled(path: str) -> bool:
    """Whether a file is compiled code by its name."""
    return _COMPILED.search(path) is not None


def kind_of(source: Source) -> BinaryFormat:
    """What a compiled file is by its first bytes. Raises Unreadable."""
    head = source.read(0, min(4, source.size))
    if head == b"\x7fELF":
        return BinaryFormat.ELF
    if head[:2] == b"MZ":
        return BinaryFormat.PE
    return BinaryFormat.MACH_O if head in _MACH_O else BinaryFormat.OTHER


def read_extension(path: str, source: Source) -> CompiledExtension:
    """A whole file. Raises Unreadable."""
    elf = read_elf(source)
    section = next((s for s in elf.sections or () if s.name == SECTION), None)
    code: GpuCode | None = None
    gpu = HasGpuCode.NO
    if section is not None:
        code = read_gpu_code(source, section.offset, section.size)
        gpu = HasGpuCode.YES if code and code.containers else HasGpuCode.NO
    elif not elf.sections:
        gpu = HasGpuCode.UNKNOWN
    return _extension(path, Extent.WHOLE, elf, gpu, code)


def read_extension_prefix(path: str, source: Prefix, *, gpu: bool = True) -> CompiledExtension:
    """The first bytes of a file. Raises Unreadable where they do not tell enough."""
    elf = read_elf_prefix(source)
    # Kernels are registered by a function of libcudart: only a static libcudart would hide it.
    registers = any(name.startswith(_REGISTER) for name in elf.symbols.undefined)
    dynamic = any(name.startswith("libcudart.so") for name in elf.needed)
    held, code = HasGpuCode.UNKNOWN, None
    if registers and gpu:
        held, code = _sampled(source)
    elif dynamic and not registers:
        held = HasGpuCode.NO
    own = PurePosixPath(path).name
    return _extension(path, Extent.PREFIX, elf, held, code, but=own)


def _sampled(source: Prefix) -> tuple[HasGpuCode, GpuCode | None]:
    """The first kernels in a prefix: containers are found by their mark, then walked."""
    at = source.find(MAGIC_BYTES, 0)
    if at < 0:
        return HasGpuCode.UNKNOWN, None
    try:
        code = read_gpu_code(source, at, source.size - at, sample=SAMPLE)
    except OutOfReach:
        raise
    except Unreadable:
        return HasGpuCode.UNKNOWN, None
    return (HasGpuCode.YES, code) if code and code.containers else (HasGpuCode.UNKNOWN, None)


def _extension(
    path: str, extent: Extent, elf: Elf, gpu: HasGpuCode, code: GpuCode | None, *, but: str | None = None
) -> CompiledExtension:
    needs = torch_names(elf.symbols.undefined)
    gives = torch_names(elf.symbols.defined)
    tag = _PYTHON_TAG.search(path)
    return CompiledExtension(
        path=path,
        extent=extent,
        machine=elf.machine,
        soname=elf.soname,
        needed=tuple(name for name in elf.needed if name != but),
        runpath=elf.runpath,
        torch_needs=tuple(sorted(needs)),
        torch_gives=tuple(sorted(gives)),
        undefined=len(elf.symbols.undefined),
        floors=floors_of(elf.versions or {}),
        cxx11_abi=cxx11_abi(needs | gives),
        gpu=gpu,
        gpu_code=code,
        modules=tuple(
            sorted(n.removeprefix("PyInit_") for n in elf.symbols.defined if n.startswith("PyInit_"))
        ),
        python=tag[1] if tag else None,
    )
