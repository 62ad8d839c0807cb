"""What can be wrong with an environment: one function for each, one line here for each. All are pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mmlock.core.names import DeviceKind
from mmlock.doctor.checks import binaries, conda, declared, devices, openmmlab, records
from mmlock.doctor.environment.model import Environment, Trouble, TroubleKind, TroubleSeverity
from mmlock.facts.matrix.load import Matrix

Check = Callable[[Environment, Matrix], Iterator[Trouble]]


def _read(env: Environment, _: Matrix) -> bool:
    return bool(env.interpreter.sites)


def _conda(env: Environment, _: Matrix) -> bool:
    return bool(env.conda or env.conda_faults)


def _compiled(env: Environment, _: Matrix) -> bool:
    return env.torch is not None and bool(env.inspected)


def _scanned(env: Environment, matrix: Matrix) -> bool:
    """Whether there is a package whose sources were read."""
    return any(matrix.releases(name) for name in env.installed)


def _with_gpu(env: Environment, _: Matrix) -> bool:
    return any(device.kind is DeviceKind.CUDA for device in env.devices)


CHECKS: Sequence[tuple[str, Check, Callable[[Environment, Matrix], bool]]] = (
    ("the interpreter runs", records.interpreter, lambda *_: True),
    ("no distribution is installed twice", records.doubles, _read),
    ("no leftovers of broken installations", records.leftovers, _read),
    ("no two distributions provide one module", records.providers, _read),
    ("records of conda are readable", conda.records, _conda),
    ("packages of conda are as conda installed them", conda.overwritten, _conda),
    ("wheels match this Python", records.tags, lambda env, _: env.interpreter.python is not None),
    ("torch is complete", binaries.torch, lambda env, _: env.torch is not None),
    (
        "shared libraries are installed",
        binaries.libraries,
        lambda env, _: env.interpreter.platform is not None,
    ),
    (
        "compiled ops are installed",
        openmmlab.ops,
        lambda env, _: any(env.all("mmcv")) or any(env.all("mmcv-full")),
    ),
    ("compiled extensions load with torch", binaries.loads, _compiled),
    ("glibc is new enough", binaries.glibc, lambda env, _: env.interpreter.glibc is not None),
    ("kernels match the GPU", devices.code, _with_gpu),
    (
        "the driver is new enough",
        devices.driver,
        lambda env, _: env.driver is not None and env.cuda is not None,
    ),
    ("checks at import pass", openmmlab.asserts, _scanned),
    ("undeclared imports are installed", openmmlab.undeclared, _scanned),
    ("no known incompatibility applies", openmmlab.breakages, _read),
    ("declared requirements are satisfied", declared.requirements, _read),
)
"""What holds when a check finds nothing, the check, and whether it had anything to look at."""

_ORDER = {TroubleSeverity.FAILS: 0, TroubleSeverity.RISK: 1, TroubleSeverity.NOTE: 2}


def examine(env: Environment, matrix: Matrix) -> tuple[tuple[Trouble, ...], tuple[str, ...]]:
    """(what is wrong, the gravest first; what was checked and holds)."""
    troubles: list[Trouble] = []
    holding: list[str] = []
    for text, check, applies in CHECKS:
        new = list(check(env, matrix))
        troubles += new
        if applies(env, matrix) and not any(one.severity is not TroubleSeverity.NOTE for one in new):
            holding.append(text)
    told = [one for one in troubles if not any(_told_by(one, other) for other in troubles)]
    return tuple(sorted(told, key=lambda one: _ORDER[one.severity])), tuple(holding)


def _told_by(one: Trouble, other: Trouble) -> bool:
    """Whether another trouble tells the same fault, and more of it."""
    same = set(one.packages) and set(one.packages) <= set(other.packages)
    pair = (one.check, other.check)
    return (
        bool(same)
        and pair
        in {
            (TroubleKind.LIBRARIES, TroubleKind.LOADS),
            (TroubleKind.BREAKAGES, TroubleKind.PROVIDERS),
        }
        and other.severity is not TroubleSeverity.NOTE
    )
