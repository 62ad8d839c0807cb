"""Code for the target's devices, as constraints: of torch, and of every prebuilt extension."""

from __future__ import annotations

from mmlock.core.device import Code, Device, code_for
from mmlock.core.names import DeviceKind
from mmlock.facts.devices.cudnn import dropping_cudnn
from mmlock.facts.matrix.model import TorchBuild
from mmlock.resolve.graph.builder import GraphBuilder, cite
from mmlock.resolve.graph.dead_rows import dead_on, dead_reason
from mmlock.resolve.graph.rows import (
    BinaryChoice,
    ConstraintKind,
    Option,
    Rejection,
    TorchBuildChoice,
    UserConstraint,
)
from mmlock.resolve.graph.torch_rows import device_runs, driver_compiles, torch_label

__all__ = ["constrain_devices"]


def constrain_devices(builder: GraphBuilder) -> None:
    """One constraint for each device that the request names."""
    target = builder.request.target
    words = builder.request.device_words or tuple(d.name for d in target.devices)
    for device, word in zip(target.devices, words, strict=True):
        if device.arch is not None:
            builder.user_constraints.append(_device_constraint(builder, device, f"--gpu {word}"))


def _device_constraint(builder: GraphBuilder, device: Device, name: str) -> UserConstraint:
    """Code for one device in torch and in every prebuilt extension whose archs are known."""
    key = f"{device.kind}:{device.arch}:{device.tegra}:{builder.request.target.driver}"
    torch = builder.group(
        "torch",
        f"gpu:{key}",
        lambda o: isinstance(o.choice, TorchBuildChoice) and device_runs(builder, o.choice.build, device),
    )
    parts = [("torch", torch)]
    for slot, indices in builder.slots.items():
        # Two groups: the second is the same whatever the driver is.
        code = builder.group(slot, f"code:{key}", lambda o: not _lacks_code(builder, o, device))
        alive = builder.group(
            slot, f"runs:{device.kind}:{device.arch}", lambda o: dead_on(builder, o, device) is None
        )
        kept = code & alive
        if len(kept) < len(indices) and slot != "torch":
            parts.append((slot, kept))

    def reject(option: Option) -> Rejection:
        if isinstance(option.choice, TorchBuildChoice):
            return _no_code(builder, option.choice.build, device)
        if dead := dead_on(builder, option, device):
            return Rejection(
                text=dead_reason(dead), source=cite("breaks", dead.source), confidence=dead.confidence
            )
        return Rejection(
            text=f"{option.label} has no kernels for {device.arch} ({device.name})",
            source=option.source,
            confidence=option.confidence,
        )

    return UserConstraint(name=name, kind=ConstraintKind.DEVICE, parts=tuple(parts), reject=reject)


def _lacks_code(builder: GraphBuilder, option: Option, device: Device) -> bool:
    choice = option.choice
    if not isinstance(choice, BinaryChoice) or device.kind is not DeviceKind.CUDA:
        return False
    row = choice.binary
    if row.archs == ():
        return False  # without GPU code there is nothing in it that a GPU would have to run
    code = code_for(device, row.archs, row.ptx)
    return code is Code.NONE or (code is Code.PTX and not driver_compiles(builder, row.cuda))


def _no_code(builder: GraphBuilder, build: TorchBuild, device: Device) -> Rejection:
    held_by = dropping_cudnn(builder.matrix, build, device)
    if held_by is not None and code_for(device, build.archs, build.ptx) is not Code.NONE:
        text = (
            f"torch {build.torch}+{build.variant} comes with cuDNN {build.cudnn}, which has kernels for "
            f"{held_by.lowest} to {held_by.highest}: none for {device.arch} ({device.name})"
        )
        return Rejection(text=text, source=cite("cudnn", held_by.source), confidence=held_by.confidence)
    if build.archs is None:
        text = f"the GPUs that {torch_label(build)} is built for are not known"
    else:
        archs = " ".join((*build.archs, *build.ptx))
        built = f"is built for {archs}" if archs else "has no GPU code"
        text = f"{torch_label(build)} {built}; it has no kernels for {device.arch} ({device.name})"
    return Rejection(text=text, source=cite("torch-builds", build.source), confidence=build.confidence)
