"""Builds that are known not to run at all on a device: no answer, whatever else there is."""

from __future__ import annotations

from collections.abc import Iterator

from mmlock.core.device import Device, format_cc
from mmlock.core.names import DeviceKind
from mmlock.core.versions import allows
from mmlock.facts.matrix.model import Breakage, When
from mmlock.resolve.graph.break_rows import matches
from mmlock.resolve.graph.builder import GraphBuilder, cite
from mmlock.resolve.graph.packages import SlotCatalog
from mmlock.resolve.graph.rows import LinkKind, Option

__all__ = ["add_dead_links", "dead_on", "dead_reason"]


def dead_on(builder: GraphBuilder, option: Option, device: Device) -> Breakage | None:
    """The fact by which an option runs nothing on a device, whatever it is combined with."""
    for breakage, others in _dead(builder, device):
        if len(others) == 1 and matches(option, others[0]):
            return breakage
    return None


def dead_reason(breakage: Breakage) -> str:
    """The fact as a sentence."""
    return f"{breakage.title} ({breakage.symptom}); {breakage.fix}"


def add_dead_links(builder: GraphBuilder, catalog: SlotCatalog) -> None:
    """Of those that are dead with some builds of another slot: they need one of the others there."""
    seen: set[str] = set()
    for device in builder.request.target.devices:
        for breakage, others in _dead(builder, device):
            if len(others) > 1 and breakage.id not in seen:
                seen.add(breakage.id)
                _link(builder, catalog, breakage, others)


def _dead(builder: GraphBuilder, device: Device) -> tuple[tuple[Breakage, tuple[When, ...]], ...]:
    """Facts about a device, with their conditions besides it."""
    if device.kind is not DeviceKind.CUDA or device.arch is None:
        return ()
    if device.arch not in builder.dead:
        builder.dead[device.arch] = tuple(_read_dead(builder, device.arch))
    return builder.dead[device.arch]


def _read_dead(builder: GraphBuilder, arch: str) -> Iterator[tuple[Breakage, tuple[When, ...]]]:
    capability = format_cc(arch)
    for breakage in builder.matrix.breaks:
        gpus = [when for when in breakage.when if when.package == "gpu"]
        if breakage.dead and gpus and all(allows(when.versions, capability) for when in gpus):
            yield breakage, tuple(when for when in breakage.when if when.package != "gpu")


def _link(builder: GraphBuilder, catalog: SlotCatalog, breakage: Breakage, others: tuple[When, ...]) -> None:
    """Lint holds such a fact to a package and torch."""
    package = next(when for when in others if when.package != "torch")
    torch = next(when for when in others if when.package == "torch")
    slot = catalog.slot_of(package.package)
    if slot is None or slot not in builder.slots:
        return
    alive = builder.group("torch", f"alive:{breakage.id}", lambda option: not matches(option, torch))
    for index in builder.slots[slot]:
        if matches(builder.options[index], package):
            builder.link(
                index,
                "torch",
                alive,
                LinkKind.DEAD,
                dead_reason(breakage),
                cite("breaks", breakage.source),
                breakage.confidence,
            )
