"""GPU code: which torch builds, toolkits and drivers serve the GPU that a text names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from mmlock.core.device import Device, code_for, format_cc
from mmlock.core.versions import version
from mmlock.doctor.log_window import joined, runs
from mmlock.doctor.model import Examined, Match
from mmlock.doctor.proposals import wishes_of
from mmlock.facts.devices.find import find_device
from mmlock.facts.devices.support import torch_support
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import TorchBuild

if TYPE_CHECKING:
    from mmlock.doctor.diagnose import Surroundings


def gpu_arch(match: Match, around: Surroundings) -> Examined:
    """Which torch builds have code for the GPU."""
    device = _device(match, around)
    if device is None or device.arch is None:
        return Examined(evidence=("the text does not tell which GPU it is: `nvidia-smi -L` does",))
    return Examined(
        fields={"sm": f"{device.name}, {device.arch}" if device.name != device.arch else device.arch},
        evidence=(
            *_support(around.matrix, device),
            *_of_torch(around, device),
            *_index(around.matrix, device),
        ),
    )


def _device(match: Match, around: Surroundings) -> Device | None:
    words = [match.fields.get("gpu", ""), *(m.value for m in around.mentions.of("gpu"))]
    for word in (*words, match.fields.get("sm", "")):
        found = find_device(around.matrix, word.strip()) if word else None
        if isinstance(found, Device):
            return found
    return None


def _support(matrix: Matrix, device: Device) -> Iterator[str]:
    support = torch_support(matrix, device)
    if support.any_variant is None:
        yield f"no torch build that is known has code for {device.arch}"
        return
    first = f"{support.any_variant.first}+{support.any_variant.first_variants[0]}"
    pypi = f"; of PyPI's builds from {support.pypi.first}" if support.pypi else "; none of PyPI's builds"
    last = f" to {support.any_variant.last}"
    yield f"torch builds with code for {device.arch}: from {first}{last}{pypi}"


def named_build(around: Surroundings) -> TorchBuild | None:
    """The torch build that a text names, as far as it does."""
    told = around.mentions.value("torch")
    if told is None:
        return None
    release, _, variant = told.partition("+")
    rows = [row for row in around.matrix.torch_builds if row.torch == release and "linux" in row.platform]
    return next((row for row in rows if row.variant == variant or (not variant and row.on_pypi)), None)


def _of_torch(around: Surroundings, device: Device) -> Iterator[str]:
    build = named_build(around)
    if build is None or build.archs is None:
        return
    has = code_for(device, build.archs, build.ptx).value
    archs = " ".join(build.archs) or "no GPU code"
    verdict = {"native": "which runs on it", "ptx": "which the driver translates"}.get(has, "not this one")
    told = f"{around.mentions.teller('torch')} torch {build.torch}+{build.variant}"
    yield f"{told}, which holds {archs}: {verdict}"


def _index(matrix: Matrix, device: Device) -> Iterator[str]:
    """Known breakages of wheels for such a GPU."""
    capability = format_cc(device.arch or "sm_0")
    for breakage in matrix.breaks:
        for when in breakage.when:
            if when.package == "gpu" and when.versions == f"=={capability}" and "wheel" in breakage.title:
                yield f"{breakage.title} ({breakage.confidence})"


def arch_list(match: Match, around: Surroundings) -> Examined:
    """Which torch releases know an arch of TORCH_CUDA_ARCH_LIST."""
    arch = match.fields.get("arch", "")
    rows = around.matrix.cpp_extension
    knowing = [torch for torch, row in rows.items() if arch in row.archs]
    evidence = [f"`{arch}` in TORCH_CUDA_ARCH_LIST is known to torch {runs(knowing, rows)}"]
    if not knowing:
        evidence = [f"none of the {len(rows)} torch releases that were read knows `{arch}`"]
    if (told := around.mentions.value("torch")) and told.partition("+")[0] not in knowing:
        evidence.append(f"{around.mentions.teller('torch')} torch {told}, which does not know it")
    return Examined(evidence=tuple(evidence))


def toolkit_arch(match: Match, around: Surroundings) -> Examined:
    """Which CUDA toolkits know an arch."""
    found = re.search(r"\d+[af]?", match.fields.get("arch", ""))
    sm = f"sm_{found[0]}" if found else ""
    row = next((row for row in around.matrix.capabilities if row.sm == sm.rstrip("af")), None)
    if row is None:
        return Examined(evidence=(f"`{sm}` is no arch that is known",))
    last = f" to {row.last_cuda}" if row.last_cuda else " on"
    evidence = [f"{sm} ({row.family}) is known to CUDA {row.first_cuda}{last}"]
    if told := around.mentions.value("toolkit") or around.mentions.value("cuda"):
        evidence.append(f"the text names CUDA {told}")
    return Examined(evidence=tuple(evidence))


def driver(match: Match, around: Surroundings) -> Examined:
    """What a driver serves, by the number in the message, and what torch's CUDA needs."""
    evidence: list[str] = []
    wishes = wishes_of(match.row.cures, match.fields, around.mentions, around.matrix)
    have = around.mentions.value("driver")
    if (number := match.fields.get("found", "")).isdigit() and len(number) <= len("12040"):
        major, rest = divmod(int(number), 1000)
        serves = f"{major}.{rest // 10}"
        evidence.append(f"the driver is of CUDA {serves} (`{number}`)")
        have = have or next((kit.driver for kit in around.matrix.toolkits if kit.cuda == serves), None)
    if have:
        wishes = tuple(replace(wish, options=(*wish.options, f"--driver={have}")) for wish in wishes)
    build = named_build(around)
    cuda = build.cuda if build else around.mentions.value("cuda")
    row = next((row for row in around.matrix.toolkits if row.cuda == cuda), None)
    if row is not None:
        evidence.append(f"CUDA {row.cuda} runs with driver {row.driver_floor} or newer")
    else:
        floors: dict[str, str] = {}
        for kit in sorted(around.matrix.toolkits, key=lambda kit: version(kit.cuda)):
            floors.setdefault(kit.cuda.partition(".")[0], kit.driver_floor)
        told = joined(f"CUDA {major}.x from {floor}" for major, floor in floors.items())
        evidence.append(f"drivers that will do: {told}")
    return Examined(evidence=tuple(evidence), wishes=wishes)
