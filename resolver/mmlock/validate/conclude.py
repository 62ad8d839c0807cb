"""From what a validation saw to its result. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mmlock.core.names import DeviceKind
from mmlock.core.target import Target
from mmlock.validate.model import (
    Concern,
    ConcernKind,
    Difference,
    KernelDevice,
    Result,
    Status,
    SuiteRun,
    Verdict,
    VisibleGpu,
)

__all__ = ["concerns_of", "conclude", "on_target", "wanted_device"]

_KERNEL_DEVICES = {DeviceKind.CUDA: KernelDevice.CUDA, DeviceKind.CPU: KernelDevice.CPU}


def wanted_device(target: Target) -> KernelDevice | None:
    """What the kernels of a lock for this target must run on; None: no suite knows such a device."""
    return _KERNEL_DEVICES.get(target.kind)


def on_target(target: Target, device: KernelDevice, gpus: Sequence[VisibleGpu]) -> bool:
    """Whether kernels that ran on `device` of this machine ran on what the lock is for."""
    if device is not wanted_device(target):
        return False
    if device is KernelDevice.CPU:
        return True
    return bool(gpus) and gpus[0].arch in target.arch_list


def conclude(
    differences: Iterable[Difference],
    suites: Sequence[SuiteRun],
    *,
    on_target: bool,
    torch_error: str | None = None,
) -> tuple[Result, tuple[Concern, ...]]:
    """The result, and everything that keeps it from being PASSED."""
    failures = [*_failures(differences, suites)]
    if torch_error:
        failures.insert(0, Concern(kind=ConcernKind.TORCH, detail=torch_error))
    if failures:
        return Result.FAILED, tuple(failures)
    doubts = [*_doubts(suites, on_target=on_target)]
    return (Result.WARNED if doubts else Result.PASSED), tuple(doubts)


def concerns_of(verdict: Verdict) -> tuple[Concern, ...]:
    """What keeps a verdict from being PASSED, from its rows."""
    return conclude(
        verdict.differences, verdict.suites, on_target=verdict.on_target, torch_error=verdict.torch_error
    )[1]


def _failures(differences: Iterable[Difference], suites: Sequence[SuiteRun]) -> Iterator[Concern]:
    for difference in differences:
        if difference.red:
            yield Concern(kind=ConcernKind.DIFFERENCE, difference=difference)
    for suite in suites:
        if suite.broken:
            yield Concern(kind=ConcernKind.LOADING, suite=suite)
        for row in suite.checks:
            if row.status.red:
                yield Concern(kind=ConcernKind.CHECK, suite=suite, check=row)
    if not any(row.status is Status.PASSED for suite in suites for row in suite.checks):
        yield Concern(kind=ConcernKind.NOTHING_RAN)


def _doubts(suites: Sequence[SuiteRun], *, on_target: bool) -> Iterator[Concern]:
    if not on_target:
        yield Concern(kind=ConcernKind.OFF_TARGET)
    for suite in suites:
        if not any(row.status is Status.PASSED for row in suite.checks):
            yield Concern(kind=ConcernKind.IDLE_SUITE, suite=suite)
