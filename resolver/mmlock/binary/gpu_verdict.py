"""What the kernels of a wheel mean for one device."""

from __future__ import annotations

from collections.abc import Mapping

from mmlock.binary.model import CompiledExtension, GpuFinding, HasGpuCode, Inspected, PtxDriver
from mmlock.core.device import Code, Device, code_for, cubin_runs, ptx_runs
from mmlock.core.names import DeviceKind

NO_GPU_CODE = "it has no GPU code at all: what it does on a GPU, if anything, it leaves to others"
_WORST_FIRST = (Code.NONE, Code.UNKNOWN, Code.PTX, Code.NATIVE)


def gpu_finding(extension: Inspected, device: Device, drivers: Mapping[str, PtxDriver]) -> GpuFinding:
    """The code of the whole wheel for a device: the best of its files where they differ, and how."""
    if device.kind is not DeviceKind.CUDA:
        text = f"{device.name} runs no CUDA code, and no other GPU code is read"
        return _finding(device, Code.UNKNOWN, evidence=(text,))
    if device.arch is None:
        return _finding(device, Code.UNKNOWN, evidence=(f"the arch of {device.name} is not known",))
    holding = [one for one in extension.extensions if one.gpu is HasGpuCode.YES]
    hidden = [one for one in extension.extensions if one.gpu is HasGpuCode.UNKNOWN]
    unread = tuple(f"`{file.path}` {file.why}" for file in extension.not_read)
    if not holding:
        if hidden or unread:
            dark = (f"`{one.path}`: its GPU code was not read" for one in hidden)
            return _finding(device, Code.UNKNOWN, evidence=(*dark, *unread))
        return _finding(device, Code.UNKNOWN, evidence=(NO_GPU_CODE,))
    told = [(one, _code(one, device)) for one in holding]
    # A package may carry kernels of newer cards in a file of its own: the other files still serve this one.
    best = max((code for _, code in told), key=_WORST_FIRST.index)
    worst = min((code for _, code in told), key=_WORST_FIRST.index)
    ptx = next((one for one, code in told if code is Code.PTX), None) if best is Code.PTX else None
    needs = drivers.get(ptx.gpu_code.isa or "") if ptx and ptx.gpu_code else None
    evidence = tuple(_sentence(one, device, code) for one, code in told)
    if best is not worst:
        evidence = (f"its files differ; {best.value} is the best of them", *evidence)
    return GpuFinding(
        device=device,
        code=best,
        cuda=needs.cuda if needs else None,
        driver=needs.driver if needs else None,
        complete=all(one.gpu_code is not None and one.gpu_code.complete for one in holding) and not hidden,
        evidence=evidence,
    )


def _code(one: CompiledExtension, device: Device) -> Code:
    """What one file has for a device."""
    gpu = one.gpu_code
    if gpu is None or device.arch is None:
        return Code.UNKNOWN
    everywhere = code_for(device, gpu.archs, gpu.ptx)
    if everywhere is not Code.NONE:
        return everywhere
    if _some(one, device):
        # Some kernels run and some do not; or each has its own arch of those that would do.
        return Code.UNKNOWN
    return Code.NONE


def _some(one: CompiledExtension, device: Device) -> list[str]:
    """Archs that only some of the kernels have and that would do."""
    gpu, arch = one.gpu_code, device.arch
    if gpu is None or arch is None:
        return []
    cubins = [built for built in gpu.some_archs if cubin_runs(built, arch, tegra=device.tegra)]
    return cubins + [built for built in gpu.some_ptx if ptx_runs(built, arch)]


def _sentence(one: CompiledExtension, device: Device, code: Code) -> str:
    gpu = one.gpu_code
    if gpu is None:
        return f"`{one.path}`: its GPU code was not read"
    held = " ".join((*gpu.archs, *gpu.ptx)) or "no arch in common"
    read = "" if gpu.complete else f" (in its first {gpu.containers} kernels)"
    end = "" if code is not Code.UNKNOWN else f"; only some kernels have {' '.join(_some(one, device))}"
    return f"`{one.path}` has {held}{read}{end}"


def _finding(device: Device, code: Code, *, evidence: tuple[str, ...]) -> GpuFinding:
    return GpuFinding(device=device, code=code, cuda=None, driver=None, complete=False, evidence=evidence)
