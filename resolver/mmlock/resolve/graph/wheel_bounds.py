"""What a prebuilt extension needs of the machine beside its torch: glibc, and the driver of its own CUDA."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.names import Confidence
from mmlock.core.versions import version
from mmlock.facts.matrix.model import Binary
from mmlock.resolve.graph.builder import GraphBuilder, cite
from mmlock.resolve.graph.rows import BinaryChoice, Option, Rejection

__all__ = ["WheelBound", "driver_bound", "glibc_bound", "hold_wheels"]


class WheelBound(Struct, frozen=True, kw_only=True):
    """A bound of the machine on prebuilt extensions."""

    fits: Callable[[Binary], bool]
    reject: Callable[[Option, Binary], Rejection]


def glibc_bound(glibc: str) -> WheelBound:
    """Wheels whose glibc is recorded need no newer one."""
    return WheelBound(
        fits=lambda row: row.glibc is None or version(row.glibc) <= version(glibc),
        reject=lambda option, row: Rejection(
            text=f"{option.label} needs glibc {row.glibc} or newer",
            source=option.source,
            confidence=option.confidence,
        ),
    )


def driver_bound(builder: GraphBuilder, driver: str) -> WheelBound:
    """Wheels of a CUDA whose oldest driver is known and no newer; those without CUDA need none."""
    platform = builder.request.target.platform
    toolkits = {toolkit.cuda: toolkit for toolkit in builder.matrix.toolkits}

    def floor_of(row: Binary) -> str | None:
        toolkit = toolkits.get(row.cuda or "")
        return toolkit.floor_on(platform) if toolkit else None

    def fits(row: Binary) -> bool:
        floor = floor_of(row)
        return row.cuda is None or (floor is not None and version(floor) <= version(driver))

    def reject(option: Option, row: Binary) -> Rejection:
        toolkit, floor = toolkits.get(row.cuda or ""), floor_of(row)
        needed = f"driver {floor} or newer" if floor else "an unknown driver"
        return Rejection(
            text=f"{option.label} is built with CUDA {row.cuda}, which needs {needed}",
            source=cite("toolkits", toolkit.source) if toolkit else (),
            confidence=toolkit.confidence if toolkit else Confidence.INFERRED,
        )

    return WheelBound(fits=fits, reject=reject)


def hold_wheels(builder: GraphBuilder, key: str, bound: WheelBound) -> None:
    """Extend the last constraint, which is on torch, to prebuilt extensions. `key` identifies the bound."""
    torch = builder.user_constraints.pop()

    def stays(option: Option) -> bool:
        return not isinstance(option.choice, BinaryChoice) or bound.fits(option.choice.binary)

    def reject(option: Option) -> Rejection:
        choice = option.choice
        return (
            bound.reject(option, choice.binary) if isinstance(choice, BinaryChoice) else torch.reject(option)
        )

    parts = list(torch.parts)
    for slot, indices in builder.slots.items():
        kept = builder.group(slot, f"wheels:{key}", stays)
        if len(kept) < len(indices):
            parts.append((slot, kept))
    builder.user_constraints.append(replace(torch, parts=tuple(parts), reject=reject))
