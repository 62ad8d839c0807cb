"""What a project may need besides: imports of its tools, and guesses. A lock can do without them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.arguments import SolveArguments
from mmlock.core.cache import unheard
from mmlock.core.errors import NoAnswer
from mmlock.core.progress import Progress
from mmlock.core.project_pins import PinNote
from mmlock.core.requirements import Asked, unique
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.loop.indexes import Indexes

if TYPE_CHECKING:
    from mmlock.resolve.loop.guesses import Found

__all__ = ["Extra", "split_extras", "with_extras"]


class Extra(Struct, frozen=True, kw_only=True):
    """Requirements that a lock may do without."""

    requirements: tuple[Asked, ...]
    what: str
    """`what only tools import`."""
    why: str
    """As a clause: `only a tool or a demo needs it`."""
    pins: tuple[PinNote, ...] = ()


def split_extras(
    matrix: Matrix,
    arguments: SolveArguments,
    *,
    progress: Progress,
    served: Callable[[float], object] = unheard,
) -> tuple[SolveArguments, list[Extra]]:
    """The request without what it may do without, and that; what is given up first comes first."""
    bare = replace(arguments, wishes=(), guesses=())
    extras = []
    if arguments.wishes:
        what, why = "what only tools import", "only a tool or a demo needs it"
        extras.append(Extra(requirements=arguments.wishes, what=what, why=why))
    if arguments.guesses:
        found = _looked_up(matrix, arguments, progress, served)
        bare = replace(bare, notes=(*bare.notes, *(one.note for one in found if not one.holds)))
        if held := [one for one in found if one.holds]:
            requirements, pins = tuple(one.asked for one in held), tuple(one.pin for one in held)
            what, why = "guesses", "it is a guess by the name of a module"
            extras.append(Extra(requirements=requirements, what=what, why=why, pins=pins))
    return bare, extras


def with_extras(
    arguments: SolveArguments, kept: Iterable[Extra], gone: Iterable[Extra], refused: NoAnswer | None
) -> SolveArguments:
    """The request with some extras, and notes about those that are gone."""
    kept = tuple(kept)
    message = refused.message if refused else ""
    notes = (
        (one.origin, f"`{one.text}` is left out: {extra.why}, and {message}")
        for extra in gone
        for one in extra.requirements
    )
    return replace(
        arguments,
        requirements=unique((*arguments.requirements, *(r for extra in kept for r in extra.requirements))),
        pins=(*arguments.pins, *(pin for extra in kept for pin in extra.pins)),
        notes=(*arguments.notes, *notes),
    )


def _looked_up(
    matrix: Matrix, arguments: SolveArguments, progress: Progress, served: Callable[[float], object]
) -> tuple[Found, ...]:
    from mmlock.resolve.loop.guesses import look_up

    with Indexes(
        index=arguments.index,
        offline=arguments.offline,
        progress=progress,
        environ=os.environ,
        served=served,
    ) as indexes:
        return look_up(matrix, arguments.guesses, indexes)
