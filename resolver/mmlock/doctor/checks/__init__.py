"""What can be wrong with an environment: one function for each, one line here for each. All are pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mmlock.core.names import DeviceKind
from mmlock.doctor.checks import binaries, declared, devices, openmmlab, records
from mmlock.doctor.environment.model import Environment, Gravity, Trouble
from mmlock.matrix.load import Matrix

Check = Callable[[Environment, Matrix], Iterator[Trouble]]


def _always(_: Environment) -> bool:
    return True


def _compiled(env: Environment) -> bool:
    return env.torch is not None and bool(env.inspected)


def _with_gpu(env: Environment) -> bool:
    return any(device.kind is DeviceKind.CUDA for device in env.devices)


CHECKS: Sequence[tuple[str, Check, Callable[[Environment], bool]]] = (
    ("the interpreter runs", records.interpreter, _always),
    ("no distribution is there twice", records.doubles, _always),
    ("nothing is left of broken installations", records.leftovers, _always),
    ("no two distributions bring one module", records.providers, _always),
    ("wheels are of this Python", records.tags, lambda env: env.interpreter.python is not None),
    ("torch is whole", binaries.torch, lambda env: env.torch is not None),
    ("libraries are there", binaries.libraries, lambda env: env.interpreter.platform is not None),
    ("compiled ops are there", openmmlab.ops, lambda env: any(env.all("mmcv")) or any(env.all("mmcv-full"))),
    ("compiled extensions load beside torch", binaries.loads, _compiled),
    ("glibc is new enough", binaries.glibc, lambda env: env.interpreter.glibc is not None),
    ("GPU code fits the GPU", devices.code, _with_gpu),
    ("the driver is new enough", devices.driver, lambda env: env.driver is not None and env.cuda is not None),
    ("checks at import pass", openmmlab.asserts, _always),
    ("modules that are imported undeclared are there", openmmlab.undeclared, _always),
    ("nothing that is known to break applies", openmmlab.breakages, _always),
    ("declared requirements are met", declared.requirements, _always),
)
"""What holds when a check finds nothing, the check, and whether it had anything to look at."""

_ORDER = {Gravity.FAILS: 0, Gravity.RISK: 1, Gravity.NOTE: 2}


def examine(env: Environment, matrix: Matrix) -> tuple[tuple[Trouble, ...], tuple[str, ...]]:
    """(what is wrong, the gravest first; what was checked and holds)."""
    troubles: list[Trouble] = []
    holding: list[str] = []
    for text, check, applies in CHECKS:
        found = list(check(env, matrix))
        troubles += found
        if applies(env) and not any(one.gravity is not Gravity.NOTE for one in found):
            holding.append(text)
    return tuple(sorted(troubles, key=lambda one: _ORDER[one.gravity])), tuple(holding)
