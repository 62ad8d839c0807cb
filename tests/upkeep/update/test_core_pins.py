"""Locks whose core a person does not want moved: what follows it may move, the core may not."""

from __future__ import annotations

from lock_repository import World, small_lock
from msgspec.structs import replace

from mmlock.lock.model import LockedEnv
from mmlock.upkeep.update.causes import Cause, CauseKind, Knob
from mmlock.upkeep.update.core_pins import follows_only
from mmlock.upkeep.update.moves import Move

PAIR = "openmmlab/rtx4090"


def move(new: LockedEnv, old: LockedEnv | None) -> Move:
    cause = Cause(kind=CauseKind.PACKAGES, knob=Knob.DATE)
    return Move(pair=PAIR, stack="openmmlab", target="rtx4090", old=old, new=new, diff=None, cause=cause)


def test_a_moved_core_is_not_what_follows_it() -> None:
    old = small_lock(PAIR)
    ordinary = World._with(old, "filelock", "4.1.0")
    torch = replace(World._with(old, "torch", "9.1.0+cu121"), torch="9.1.0+cu121")
    assert follows_only(move(ordinary, old))
    assert not follows_only(move(torch, old))
    assert not follows_only(move(ordinary, None))
