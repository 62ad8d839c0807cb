"""GPU code and driver against the GPUs of the machine, or those that are named."""

from __future__ import annotations

from collections.abc import Iterator

from mmlock.binary.gpu_verdict import gpu_finding
from mmlock.binary.model import HasGpuCode, PtxDriver
from mmlock.core.device import Code, Device, code_for
from mmlock.core.names import DeviceKind
from mmlock.core.versions import version
from mmlock.doctor.environment.model import Environment, Trouble, TroubleKind, TroubleSeverity
from mmlock.facts.devices.tegra import tegra_report
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import TorchBuild


def torch_build(env: Environment, matrix: Matrix) -> TorchBuild | None:
    """What the facts know of the installed torch."""
    if env.torch is None:
        return None
    build = env.torch.facts.build
    rows = [row for row in matrix.torch_builds if (row.torch, row.platform) == (build.torch, build.platform)]
    return next((row for row in rows if row.variant == build.variant), None)


def code(env: Environment, matrix: Matrix) -> Iterator[Trouble]:
    """Whether torch and every extension have code for each GPU."""
    for device in env.devices:
        if device.kind is DeviceKind.CUDA:
            yield from _torch_code(env, matrix, device)
            yield from _extension_code(env, matrix, device)


def _torch_code(env: Environment, matrix: Matrix, device: Device) -> Iterator[Trouble]:
    if env.torch is None:
        return
    build = env.torch.facts.build
    if env.cuda is None:
        yield Trouble(
            check=TroubleKind.CODE,
            severity=TroubleSeverity.FAILS,
            title=f"torch {build} was built without CUDA; it cannot use the {device.name}",
            advice=("Lock for the GPU.",),
            packages=("torch",),
        )
        return
    row = torch_build(env, matrix)
    archs = env.torch.facts.archs or (row.archs if row else None)
    code = code_for(device, archs, row.ptx if row else ())
    if code is Code.NONE and tegra_report(matrix, device, archs, row.cuda if row else None) is None:
        yield Trouble(
            check=TroubleKind.CODE,
            severity=TroubleSeverity.FAILS,
            title=f"torch {build} has no kernels for the {device.name} ({device.arch})",
            evidence=(f"it is built for {' '.join(archs or ())}",),
            advice=(
                "Use a torch build with that arch, and rebuild or replace what is compiled against torch.",
            ),
            packages=("torch",),
        )


def _extension_code(env: Environment, matrix: Matrix, device: Device) -> Iterator[Trouble]:
    rows = sorted(matrix.toolkits, key=lambda row: version(row.cuda), reverse=True)
    drivers = {row.ptx_isa: PtxDriver(cuda=row.cuda, driver=row.driver) for row in rows}
    for name, inspected in env.inspected.items():
        finding = gpu_finding(inspected, device, drivers)
        label = f"{name} {env.installed[name].version}"
        if finding.code is Code.NONE:
            yield Trouble(
                check=TroubleKind.CODE,
                severity=TroubleSeverity.FAILS,
                title=f"{label} has no kernels for the {device.name} ({device.arch})",
                evidence=finding.evidence,
                advice=("Build it for the GPU, or use a wheel with that arch.",),
                packages=(name,),
            )
        elif (
            env.cuda
            and any("_ext" in one.path for one in inspected.extensions)
            and _without_cuda(inspected.extensions)
        ):
            yield Trouble(
                check=TroubleKind.CODE,
                severity=TroubleSeverity.FAILS,
                title=f"{label} was compiled without its CUDA ops, but torch has CUDA {env.cuda}",
                evidence=("its files contain no GPU code",),
                advice=(
                    "Use a wheel for your CUDA, or build it with FORCE_CUDA=1 and TORCH_CUDA_ARCH_LIST.",
                ),
                packages=(name,),
            )


def _without_cuda(extensions: tuple[object, ...]) -> bool:
    return all(getattr(one, "gpu", HasGpuCode.UNKNOWN) is HasGpuCode.NO for one in extensions)


def driver(env: Environment, matrix: Matrix) -> Iterator[Trouble]:
    """Whether the driver runs torch's CUDA."""
    if env.driver is None or env.cuda is None:
        return
    row = next((row for row in matrix.toolkits if row.cuda == env.cuda), None)
    if row is not None and version(env.driver) < version(row.driver_floor):
        yield Trouble(
            check=TroubleKind.DRIVER,
            severity=TroubleSeverity.FAILS,
            title=f"the driver {env.driver} is too old for torch's CUDA {env.cuda}",
            evidence=(f"it needs {row.driver_floor} or newer",),
            advice=(f"Update the driver, or use a torch with an older CUDA: `--driver {env.driver}`.",),
            packages=("torch",),
        )
