"""The bench: every rule, asked in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mmlock.facts.matrix.load import Matrix
from mmlock.lock.model import LockedEnv
from mmlock.resolve.judge import (
    break_rules,
    device_rules,
    file_rules,
    openmmlab_rules,
    pair_rules,
    require_rules,
    step_rules,
)
from mmlock.resolve.judge.judged_lock import JudgedLock, open_lock
from mmlock.resolve.judge.model import Objection, Severity

__all__ = ["RULES", "judge"]

Check = Callable[[JudgedLock], Iterator[Objection]]

RULES: tuple[Check, ...] = (
    file_rules.hashes,
    file_rules.doubles,
    file_rules.tags,
    file_rules.pythons,
    file_rules.bare_sdists,
    device_rules.torch_build,
    device_rules.archs,
    device_rules.accelerators,
    device_rules.drivers,
    device_rules.glibc,
    pair_rules.torch_pins,
    pair_rules.variants,
    pair_rules.one_cuda,
    pair_rules.abi,
    openmmlab_rules.asserts,
    openmmlab_rules.ops,
    openmmlab_rules.index_wheels,
    break_rules.breaks,
    step_rules.builds,
    require_rules.requirements,
    require_rules.extras,
)


def judge(env: LockedEnv, matrix: Matrix) -> tuple[Objection, ...]:
    """Everything that speaks against a lock, refusals first; nothing when all is known and fits."""
    lock = open_lock(env, matrix)
    objections = {objection for rule in RULES for objection in rule(lock)}
    return tuple(
        sorted(objections, key=lambda o: (o.severity is not Severity.REFUSE, o.rule, o.subject, o.text))
    )
