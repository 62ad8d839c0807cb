"""A wheel with one extension, a torch that it fits, and CUDA devices: the verdicts start from these."""

from __future__ import annotations

from msgspec.structs import replace

from mmlock.binary.fatbin import GpuCode
from mmlock.binary.model import CompiledExtension, Extent, HasGpuCode, Inspected
from mmlock.binary.tables import TorchBuildId, TorchFacts, TorchSymbols
from mmlock.core.device import Device
from mmlock.core.names import DeviceKind, Platform

A, B, CUDA = "_ZN2at6TensorC1Ev", "_ZN3c1010TensorImplD1Ev", "_ZN2at4cuda24getCurrentDevicePropertiesEv"
BUILD = TorchBuildId(torch="2.1.0", variant="cu121", platform=Platform.LINUX_X86_64)
FACTS = TorchFacts(
    build=BUILD,
    wheel="torch-2.1.0.whl",
    sha256=None,
    libraries=("libc10.so", "libtorch_cpu.so", "libtorch_cuda.so"),
    needs=("libcudart.so.12", "libc.so.6", "libcublas.so.12"),
    unread=(),
    cxx11_abi=0,
    archs=("sm_80",),
)
TORCH = TorchSymbols(facts=FACTS, names=frozenset({A, B}))
CODE = GpuCode(
    archs=("sm_80", "sm_90"),
    ptx=("compute_90",),
    some_archs=("sm_75",),
    some_ptx=(),
    containers=9,
    empty=1,
    complete=True,
    isa="8.4",
)
ONE = CompiledExtension(
    path="ext/_C.so",
    extent=Extent.WHOLE,
    machine="x86_64",
    soname=None,
    needed=("libc10.so", "libcudart.so.12", "libc.so.6"),
    runpath=(),
    torch_needs=(A, B),
    torch_gives=(),
    undefined=10,
    floors={"GLIBC": "2.17"},
    cxx11_abi=0,
    gpu=HasGpuCode.YES,
    gpu_code=CODE,
    modules=("_C",),
    python=None,
)
WHEEL = Inspected(
    place="ext.whl",
    name="ext",
    version="1.0",
    tags=("cp310-cp310-manylinux2014_x86_64",),
    requires=("torch==2.1.0",),
    requires_python=None,
    extensions=(ONE,),
    bundled=("_C.so",),
    not_read=(),
    bytes_read=0,
    size=None,
)


def wheel(**changes: object) -> Inspected:
    """The wheel with its one file changed."""
    return replace(WHEEL, extensions=(replace(ONE, **changes),))  # type: ignore[arg-type]


def gpu(arch: str, *, tegra: bool = False) -> Device:
    return Device(kind=DeviceKind.CUDA, name=arch, arch=arch, tegra=tegra)
