"""GPU code: which torch builds, toolkits and drivers serve the GPU that a text names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from mmlock.core.device import Code, Device, format_cc
from mmlock.core.names import DeviceKind, Form
from mmlock.core.versions import version
from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.log_window import after, before, joined, runs
from mmlock.doctor.model import Examination, SymptomMatch
from mmlock.doctor.proposals import proposed_solves
from mmlock.doctor.subject import of_module, subject_of
from mmlock.facts.devices.find import find_device
from mmlock.facts.devices.support import RUNS, code_in, torch_support
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import TorchBuild

_ON_GPU = {
    Code.NATIVE: "it runs on this GPU",
    Code.PTX: "the driver compiles its PTX for this GPU",
    Code.REPORTED: "it was seen to run on this GPU, which NVIDIA does not promise",
    Code.NONE: "no kernels for this GPU",
    Code.UNKNOWN: "whether it runs on this GPU is unknown",
}


def gpu_arch(match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """Which torch builds have code for the GPU."""
    device = _device(match, around)
    if device is None or device.arch is None:
        return Examination(evidence=("the text does not name the GPU: `nvidia-smi -L` shows it",))
    cures = match.row.cures
    if torch_runs(
        around, device
    ):  # then what has no kernels is an extension, and another torch cures nothing
        cures = tuple(replace(cure, otherwise=()) for cure in cures)
    fields = {"sm": f"{device.name}, {device.arch}" if device.name != device.arch else device.arch}
    subject = subject_of(match, around.log, around.matrix)
    return Examination(
        fields=fields,
        subject=subject,
        solves=proposed_solves(cures, fields, around.entities, around.matrix, subject),
        evidence=(
            *_support(around.matrix, device),
            *_of_torch(around, device),
            *_index(around.matrix, device),
        ),
    )


def torch_runs(around: DiagnosisContext, device: Device) -> bool:
    """Whether the torch that a text names is known to have kernels for the device."""
    build = named_build(around)
    if build is None or build.archs is None:
        return False
    return code_in(around.matrix, build, device) in RUNS


def _device(match: SymptomMatch, around: DiagnosisContext) -> Device | None:
    words = [match.fields.get("gpu", ""), *(m.value for m in around.entities.of("gpu"))]
    for word in (*words, match.fields.get("sm", "")):
        device = find_device(around.matrix, word.strip()) if word else None
        if isinstance(device, Device) and device.kind is DeviceKind.CUDA:
            return device
    return None


def _support(matrix: Matrix, device: Device) -> Iterator[str]:
    support = torch_support(matrix, device)
    if support.any_variant is None:
        yield f"no known torch build has kernels for {device.arch}"
        return
    first = f"{support.any_variant.first}+{support.any_variant.first_variants[0]}"
    pypi = f"; on PyPI from {support.pypi.first}" if support.pypi else "; none on PyPI"
    last = f" to {support.any_variant.last}"
    yield f"torch builds with kernels for {device.arch}: from {first}{last}{pypi}"


def named_build(around: DiagnosisContext) -> TorchBuild | None:
    """The torch build that a text names, as far as it does."""
    told = around.entities.value("torch")
    if told is None:
        return None
    release, _, variant = told.partition("+")
    rows = [row for row in around.matrix.torch_builds if row.torch == release and "linux" in row.platform]
    return next((row for row in rows if row.variant == variant or (not variant and row.on_pypi)), None)


def _of_torch(around: DiagnosisContext, device: Device) -> Iterator[str]:
    build = named_build(around)
    if build is None or build.archs is None:
        return
    archs = " ".join(build.archs) or "no GPU arch"
    verdict = _ON_GPU[code_in(around.matrix, build, device)]
    told = f"{around.entities.teller('torch')} torch {build.torch}+{build.variant}"
    yield f"{told}, built for {archs}: {verdict}"


def _index(matrix: Matrix, device: Device) -> Iterator[str]:
    """Known breakages of wheels for such a GPU."""
    capability = format_cc(device.arch or "sm_0")
    for breakage in matrix.breaks:
        if not any(when.form is Form.WHEEL for when in breakage.when):
            continue
        for when in breakage.when:
            if when.package == "gpu" and when.versions == f"=={capability}":
                yield f"{breakage.title} ({breakage.confidence})"


def arch_list(match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """Which torch releases know an arch of TORCH_CUDA_ARCH_LIST."""
    arch = match.fields.get("arch", "")
    rows = around.matrix.cpp_extension
    knowing = [torch for torch, row in rows.items() if arch in row.archs]
    evidence = [f"torch that supports `{arch}` in TORCH_CUDA_ARCH_LIST: {runs(knowing, rows)}"]
    if not knowing:
        evidence = [f"none of the {len(rows)} known torch releases supports `{arch}`"]
    if (told := around.entities.value("torch")) and told.partition("+")[0] not in knowing:
        evidence.append(f"{around.entities.teller('torch')} torch {told}, which does not support it")
    return Examination(evidence=tuple(evidence))


def toolkit_arch(match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """Which CUDA toolkits know an arch."""
    number = re.search(r"\d+[af]?", match.fields.get("arch", ""))
    sm = f"sm_{number[0]}" if number else ""
    row = next((row for row in around.matrix.capabilities if row.sm == sm.rstrip("af")), None)
    if row is None:
        return Examination(evidence=(f"`{sm}` is not a known arch",))
    last = f" to {row.last_cuda}" if row.last_cuda else " and newer"
    evidence = [f"CUDA that supports {sm} ({row.family}): {row.first_cuda}{last}"]
    if told := around.entities.value("toolkit") or around.entities.value("cuda"):
        evidence.append(f"the text names CUDA {told}")
    return Examination(evidence=tuple(evidence))


def driver(match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """What a driver serves, by the number in the message, and what torch's CUDA needs."""
    evidence: list[str] = []
    solves = proposed_solves(match.row.cures, match.fields, around.entities, around.matrix)
    have = around.entities.value("driver")
    if (number := match.fields.get("found", "")).isdigit() and len(number) <= len("12040"):
        major, rest = divmod(int(number), 1000)
        serves = f"{major}.{rest // 10}"
        evidence.append(f"the driver supports CUDA up to {serves} (`{number}`)")
        have = have or next((kit.driver for kit in around.matrix.toolkits if kit.cuda == serves), None)
    if have:
        solves = tuple(
            replace(proposed, options=(*proposed.options, f"--driver={have}")) for proposed in solves
        )
    build = named_build(around)
    cuda = build.cuda if build else around.entities.value("cuda")
    row = next((row for row in around.matrix.toolkits if row.cuda == cuda), None)
    if row is not None:
        evidence.append(f"CUDA {row.cuda} needs driver {row.driver_floor} or newer")
    else:
        floors: dict[str, str] = {}
        for kit in sorted(around.matrix.toolkits, key=lambda kit: version(kit.cuda)):
            floors.setdefault(kit.cuda.partition(".")[0], kit.driver_floor)
        told = joined(f"{floor} for CUDA {major}.x" for major, floor in floors.items())
        evidence.append(f"minimum driver: {told}")
    return Examination(evidence=tuple(evidence), solves=solves)


def amd_gpu(match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """The arch of the AMD GPU that a text names."""
    for entity in around.entities.of("gpu"):
        device = find_device(around.matrix, entity.value)
        if isinstance(device, Device) and device.kind is DeviceKind.ROCM and device.arch:
            cures = match.row.cures
            if torch_runs(around, device):
                cures = tuple(replace(cure, otherwise=()) for cure in cures)
            subject = subject_of(match, around.log, around.matrix)
            return Examination(
                fields={"gfx": device.arch},
                evidence=tuple(_rocm(device, around)),
                subject=subject,
                solves=proposed_solves(cures, {}, around.entities, around.matrix, subject),
            )
    return Examination(solves=())  # for which arch is not known


def _rocm(device: Device, around: DiagnosisContext) -> Iterator[str]:
    build = named_build(around)
    if build is None or not build.archs or build.kind is not DeviceKind.ROCM:
        return
    yield f"torch {build.torch}+{build.variant} is built for {' '.join(build.archs)}"
    if device.arch in build.archs:
        yield f"{device.arch} is among them: an extension has no kernels, or another torch is loaded"


def device_op(match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """What is known of mmcv on that kind of device."""
    kind = match.fields["device"].partition(":")[0]
    row = next((row for row in around.matrix.accelerators if row.kind.value == kind), None)
    if row is None:
        return Examination(subject=of_module("mmcv", around.matrix))
    evidence = [row.mmcv]
    if row.build_env:
        told = " ".join(f"{name}={value}" for name, value in sorted(row.build_env.items()))
        evidence.append(f"a build for it sets {told}")
    return Examination(evidence=tuple(evidence), subject=of_module("mmcv", around.matrix))


def ptxas(match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """The toolkit's, where nvcc is in the text."""
    near = (*match.lines, *before(around.log, match), *after(around.log, match))
    told = toolkit_arch(match, around)
    if any("nvcc" in line.text for line in near):
        return replace(told, row="arch-unknown-to-nvcc")
    return Examination()


def triton(match: SymptomMatch, around: DiagnosisContext) -> Examination | None:
    """Only where triton compiles: nvcc has the same ptxas, and says the same."""
    near = (*match.lines, *before(around.log, match), *after(around.log, match))
    if not any("riton" in line.text or "PTXASError" in line.text for line in near):
        return None
    arch = match.fields.get("arch") or around.entities.value("arch") or around.entities.value("gpu")
    fields = {"arch": arch} if arch else {}
    return Examination(fields=fields, subject=of_module("triton", around.matrix))
