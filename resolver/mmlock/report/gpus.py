"""What the matrix says of devices: `mmlock gpus [NAME]`."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from mmlock.core.device import Device, format_cc, parse_sm
from mmlock.core.names import DeviceKind
from mmlock.core.report import Page
from mmlock.facts.devices.find import NoDevice, accelerator_of, find_device, gpu_of
from mmlock.facts.devices.support import TorchRange, TorchSupport, board_platform, torch_support
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Accelerator, Capability, DeviceAnswer, Gpu
from mmlock.resolve.request.devices import unknown_device

__all__ = ["DeviceView", "device_page", "device_view", "devices_page"]

_WIDTH = 110


class DeviceView(Struct, frozen=True, kw_only=True):
    """Everything known of one device."""

    device: Device
    gpu: Gpu | None
    """The NVIDIA part; None for a bare capability and for other makers' devices."""
    capability: Capability | None
    accelerator: Accelerator | None
    support: TorchSupport | None
    """Which torch builds run; None where GPU code does not decide it."""
    sources: tuple[str, ...]


def device_view(matrix: Matrix, text: str) -> DeviceView:
    """The facts about the device a text names. Raises UsageError with the nearest names."""
    device = find_device(matrix, text)
    if isinstance(device, NoDevice):
        raise unknown_device(device)
    gpu = gpu_of(matrix, device)
    capability = next((row for row in matrix.capabilities if row.sm == device.arch), None)
    accelerator = accelerator_of(matrix, device)
    sources = [
        matrix.sources(section).get(key, key)
        for section, row in (("gpus", gpu), ("capabilities", capability), ("accelerators", accelerator))
        if row is not None
        for key in row.source
    ]
    return DeviceView(
        device=device,
        gpu=gpu,
        capability=capability,
        accelerator=accelerator,
        support=torch_support(matrix, device, board_platform(matrix, text))
        if device.arch is not None
        else None,
        sources=tuple(dict.fromkeys(sources)),
    )


def device_page(matrix: Matrix, text: str) -> Page:
    """The answer to `mmlock gpus NAME`. Raises UsageError."""
    view = device_view(matrix, text)
    return Page(text="\n".join(_lines(view)), data=_data(view))


# ---------------------------------------------------------------- one device


def _lines(view: DeviceView) -> list[str]:
    device = view.device
    lines = [f"{device.name} ({device.arch})" if device.arch not in {None, device.name} else device.name]
    row = view.gpu or view.accelerator
    if row is not None and row.aliases:
        lines.append(f"  also called          {', '.join(row.aliases)}")
    if view.gpu is not None:
        lines.append(f"  family               {view.gpu.family}, {view.gpu.segment}")
    if view.capability is not None:
        lines += _capability_lines(view.capability)
    if view.accelerator is not None:
        lines += _accelerator_lines(view.accelerator)
    if view.support is not None:
        lines += _support_lines(view.support)
    notes = [row.note for row in (view.gpu, view.capability) if row is not None and row.note]
    lines += [f"  note                 {note}" for note in notes]
    facts = [row for row in (view.gpu, view.capability, view.accelerator) if row is not None]
    lines.append(f"  confidence           {', '.join(dict.fromkeys(str(row.confidence) for row in facts))}")
    lines += [f"  source               {text}" for text in view.sources]
    return lines


def _capability_lines(row: Capability) -> list[str]:
    last = f"to {row.last_cuda}" if row.last_cuda else "on"
    lines = [
        f"  compute capability   {format_cc(row.sm)} ({row.sm})",
        f"  CUDA toolkits        {row.first_cuda} {last}",
    ]
    if row.tegra:
        lines.append("  Tegra                NVIDIA promises only kernels of this very capability, and PTX")
    return lines


def _accelerator_lines(row: Accelerator) -> list[str]:
    answer = "a lock" if row.answer is DeviceAnswer.LOCK else "no lock, see the note"
    lines = [
        f"  kind                 {row.kind}",
        f"  mmlock gives         {answer}",
        f"  mmcv                 {row.mmcv}",
        f"  note                 {row.note}",
    ]
    if row.plugin is not None:
        lines.append(f"  torch plug-in        {row.plugin}")
    return lines


def _support_lines(support: TorchSupport) -> list[str]:
    lines = [
        f"  torch on PyPI        {_range_text(support.pypi, variants=False)} ({support.platform})",
        f"  torch on any index   {_range_text(support.any_variant, variants=True)}",
    ]
    if support.ptx_only:
        lines.append("  PTX                  the driver compiles some of them at first use")
    lines += [
        f"  not promised         code for {row.runs} was seen to run, with CUDA {row.cuda} and {row.needs}: "
        f"{row.note}"
        for row in support.reports
    ]
    if support.unknown:
        lines.append(f"  not known            the GPU code of {support.unknown} more builds")
    return lines


def _range_text(value: TorchRange | None, *, variants: bool) -> str:
    if value is None:
        return "none has kernels for it"
    first = f"{value.first} ({', '.join(value.first_variants)})" if variants else value.first
    last = f"{value.last} ({', '.join(value.last_variants)})" if variants else value.last
    text = f"{first} to {last}, {value.releases} releases"
    return f"{text}, not {', '.join(value.gaps)}" if value.gaps else text


def _data(view: DeviceView) -> Mapping[str, Any]:
    return {
        "name": view.device.name,
        "kind": str(view.device.kind),
        "arch": view.device.arch,
        "compute_capability": format_cc(view.device.arch)
        if view.device.kind is DeviceKind.CUDA and view.device.arch
        else None,
        "tegra": view.device.tegra,
        "gpu": msgspec.to_builtins(view.gpu),
        "capability": msgspec.to_builtins(view.capability),
        "accelerator": msgspec.to_builtins(view.accelerator),
        "torch": msgspec.to_builtins(view.support),
        "sources": list(view.sources),
    }


# ---------------------------------------------------------------- all devices


def devices_page(matrix: Matrix) -> Page:
    """The answer to `mmlock gpus`: NVIDIA parts by compute capability, then the others."""
    by_sm: dict[str, list[Gpu]] = {}
    for gpu in matrix.gpus:
        by_sm.setdefault(gpu.sm, []).append(gpu)
    capabilities = sorted(matrix.capabilities, key=lambda row: parse_sm(row.sm), reverse=True)
    lines = ["NVIDIA GPUs, by compute capability"]
    rows: list[Mapping[str, Any]] = []
    for capability in capabilities:
        device = Device(kind=DeviceKind.CUDA, name=capability.sm, arch=capability.sm, tegra=capability.tegra)
        support = torch_support(matrix, device)
        names = [gpu.name for gpu in by_sm.get(capability.sm, ())]
        lines += _group_lines(capability, support, names)
        rows.append(
            {
                "sm": capability.sm,
                "compute_capability": format_cc(capability.sm),
                "first_cuda": capability.first_cuda,
                "last_cuda": capability.last_cuda,
                "gpus": names,
                "torch": msgspec.to_builtins(support),
            }
        )
    lines += ["", "Others"]
    lines += [
        f"  {row.name}  ({row.kind}, {_answer(row)}): {_some(row.aliases)}" for row in matrix.accelerators
    ]
    others = [
        {"name": row.name, "kind": str(row.kind), "arch": row.arch, "answer": row.answer, "note": row.note}
        for row in matrix.accelerators
    ]
    lines += ["", "More about one device, with sources: `mmlock gpus NAME`"]
    return Page(text="\n".join(lines), data={"nvidia": rows, "others": others})


def _group_lines(row: Capability, support: TorchSupport, names: Sequence[str]) -> list[str]:
    last = f"to {row.last_cuda}" if row.last_cuda else "on"
    head = f"  {format_cc(row.sm):>5}  {row.family}: CUDA {row.first_cuda} {last}; "
    if support.pypi is not None:
        head += f"torch on PyPI {support.pypi.first} to {support.pypi.last}"
    elif support.any_variant is not None:
        value = support.any_variant
        head += f"torch {value.first} to {value.last}, none of them on PyPI"
    else:
        head += "no torch build"
    indent = " " * 9
    listed = textwrap.wrap(", ".join(names), _WIDTH, initial_indent=indent, subsequent_indent=indent)
    return [head, *listed]


def _answer(row: Accelerator) -> str:
    return "lock" if row.answer is DeviceAnswer.LOCK else "no lock"


def _some(names: Sequence[str]) -> str:
    """Enough names to recognize the row by."""
    shown = 6
    return ", ".join(names[:shown]) + (", ..." if len(names) > shown else "")
