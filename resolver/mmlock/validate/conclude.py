"""From what was found to a result. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mmlock.core.names import DeviceKind
from mmlock.core.target import Target
from mmlock.validate.model import Difference, Gpu, Result, Status, SuiteRun

_KERNEL_DEVICES = {DeviceKind.CUDA: "cuda", DeviceKind.CPU: "cpu"}


def wanted_device(target: Target) -> str | None:
    """What the kernels of a lock for this target must run on; None: no suite knows such a device."""
    return _KERNEL_DEVICES.get(target.kind)


def on_target(target: Target, device: str, gpus: Sequence[Gpu]) -> bool:
    """Whether kernels that ran on `device` of this machine ran on what the lock is for."""
    if device != wanted_device(target):
        return False
    if device == "cpu":
        return True
    return bool(gpus) and gpus[0].arch in target.arch_list


def conclude(
    differences: Iterable[Difference],
    suites: Sequence[SuiteRun],
    *,
    on_target: bool,
    torch_error: str | None = None,
) -> tuple[Result, tuple[str, ...]]:
    """The result and why it is not PASSED."""
    failures = [*_failures(differences, suites)]
    if torch_error:
        failures.insert(0, f"torch cannot be used: {torch_error}")
    if failures:
        return Result.FAILED, tuple(failures)
    doubts = [*_doubts(suites, on_target=on_target)]
    return (Result.WARNED if doubts else Result.PASSED), tuple(doubts)


def _failures(differences: Iterable[Difference], suites: Sequence[SuiteRun]) -> Iterator[str]:
    for difference in differences:
        if difference.red:
            yield f"{difference.package}: {difference.text}"
    for suite in suites:
        if suite.broken:
            yield f"{suite.package} does not load: {suite.broken}"
        for row in suite.checks:
            if row.status.red:
                yield f"{suite.name} {row.name}: {row.reason}"
    if not any(row.status is Status.PASSED for suite in suites for row in suite.checks):
        yield "no kernel was run"


def _doubts(suites: Sequence[SuiteRun], *, on_target: bool) -> Iterator[str]:
    if not on_target:
        yield "not run on hardware that the lock is for"
    for suite in suites:
        if not any(row.status is Status.PASSED for row in suite.checks):
            yield f"no check of {suite.package} could run"
