"""What a validation concludes from what it found, without running anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from mmlock.core.device import Device
from mmlock.core.names import DeviceKind, PackageName, Sha256
from mmlock.core.target import Target
from mmlock.lock.model import FetchStep, LockedEnv
from mmlock.validate.compare import compare
from mmlock.validate.conclude import conclude, on_target
from mmlock.validate.digest import core_wheels, lock_digest, sealed_with
from mmlock.validate.model import (
    CheckRow,
    Concern,
    ConcernKind,
    CoreWheel,
    Difference,
    DifferenceKind,
    InstalledPackage,
    KernelDevice,
    Probe,
    Result,
    Status,
    SuiteRun,
    Verdict,
    VisibleGpu,
)
from mmlock.validate.suites import SUITES, chosen
from mmlock.validate.text import concern, difference, lines

# ---------------------------------------------------------------- the lock and what is installed


def test_an_interpreter_with_the_lock_does_not_differ(env: LockedEnv, probed: Probe) -> None:
    assert compare(env, probed) == ()


@pytest.mark.parametrize(
    ("change", "kind", "red"),
    [
        ({"minor": "3.12"}, "python", True),
        ({"implementation": "PyPy"}, "python", True),
    ],
)
def test_another_interpreter_differs(
    env: LockedEnv, probed: Probe, change: dict[str, str], kind: str, *, red: bool
) -> None:
    (difference,) = compare(env, replace(probed, **change))  # type: ignore[arg-type]
    assert (difference.kind, difference.red) == (kind, red)


@pytest.mark.parametrize(
    ("package", "kind"),
    [
        (InstalledPackage(name="mmcv", version="2.2.0"), "version"),
        (InstalledPackage(name="mmcv", version="2.1.0+pt2.13.0cpu"), "version"),
        (InstalledPackage(name="mmcv", version="2.1.0", sha256="d" * 64), "bytes"),
        (InstalledPackage(name="mmcv", version="2.1.0", faults=("mmcv/_ext.so is missing",)), "files"),
    ],
)
def test_a_package_can_differ_in_three_ways(
    env: LockedEnv, probed: Probe, package: InstalledPackage, kind: str
) -> None:
    (difference,) = compare(env, replace(probed, packages={**probed.packages, "mmcv": package}))
    assert (difference.kind, difference.package, difference.red) == (kind, "mmcv", True)


def test_a_version_may_be_spelled_otherwise(env: LockedEnv, probed: Probe) -> None:
    same = InstalledPackage(name="mmcv", version="2.1.0.0", sha256="b" * 64)
    assert compare(env, replace(probed, packages={**probed.packages, "mmcv": same})) == ()


def test_a_missing_package_is_red_and_one_too_many_is_not(env: LockedEnv, probed: Probe) -> None:
    packages = {"torch": probed.packages["torch"], "six": InstalledPackage(name="six", version="1")}
    told = compare(env, replace(probed, packages=packages))
    assert [(item.kind, item.package, item.red) for item in told] == [
        ("missing", "mmcv", True),
        ("extra", "six", False),
    ]


# ---------------------------------------------------------------- the digest


def test_reasons_and_verdicts_do_not_change_what_a_lock_is(env: LockedEnv) -> None:
    assert lock_digest(replace(env, verdict="x", matrix_digest="y", request=())) == lock_digest(env)


def test_everything_that_is_installed_changes_it(env: LockedEnv) -> None:
    first, second = env.packages
    other = replace(first, files=(replace(first.files[0], sha256=Sha256("e" * 64)),))
    changed = [
        replace(env, packages=(other, second)),
        replace(env, packages=(first,)),
        replace(env, packages=(first, replace(second, version="2.1.1"))),
        replace(env, python="3.12"),
        replace(env, environment={}),
        replace(env, target=replace(env.target, devices=(Device(kind=DeviceKind.CPU, name="other"),))),
    ]
    assert len({lock_digest(item) for item in [env, *changed]}) == len(changed) + 1
    assert lock_digest(replace(env, packages=(second, first))) == lock_digest(env)


def _with_step(env: LockedEnv, version: str = "2.1.0") -> LockedEnv:
    """The lock as it was before mmcv was fetched."""
    step = FetchStep(
        package=PackageName("mmcv"),
        version=version,
        url="https://files.example/x.whl",
        index="",
        why="",
        reasons=(),
    )
    return replace(env, packages=env.packages[:1], fetch=(step,))


def test_a_lock_with_steps_is_known_by_the_wheels_they_came_to(env: LockedEnv) -> None:
    before = _with_step(env)
    assert lock_digest(before) != lock_digest(env)
    assert lock_digest(sealed_with(before, core_wheels(env))) == lock_digest(env)


def test_wheels_of_other_packages_and_versions_answer_no_step(env: LockedEnv) -> None:
    torch_only = tuple(wheel for wheel in core_wheels(env) if wheel.package == "torch")
    assert sealed_with(_with_step(env), torch_only) == _with_step(env)
    assert sealed_with(_with_step(env, "2.2.0"), core_wheels(env)) == _with_step(env, "2.2.0")


def test_a_wheel_whose_version_is_none_answers_no_step(env: LockedEnv) -> None:
    bad = CoreWheel(package="mmcv", version="not a version", files=())
    assert sealed_with(_with_step(env), [bad]) == _with_step(env)


def test_the_same_packages_for_another_device_are_another_lock(env: LockedEnv) -> None:
    cards = [
        Device(kind=DeviceKind.CUDA, name="GeForce RTX 4090", arch="sm_89"),
        Device(kind=DeviceKind.CUDA, name="GeForce RTX 5090", arch="sm_120"),
    ]
    first, second = (replace(env, target=replace(env.target, devices=(card,))) for card in cards)
    both, turned = (
        replace(env, target=replace(env.target, devices=devices))
        for devices in (tuple(cards), tuple(reversed(cards)))
    )
    assert len({lock_digest(one) for one in (env, first, second, both)}) == 4
    assert lock_digest(both) == lock_digest(turned)


# ---------------------------------------------------------------- the result


def _suites(*rows: CheckRow, broken: str | None = None) -> tuple[SuiteRun, ...]:
    return (SuiteRun(name="mmcv", package="mmcv", checks=rows, broken=broken),)


def test_passed_needs_a_check_that_passed(checked: Callable[..., CheckRow]) -> None:
    assert conclude((), _suites(checked("nms")), on_target=True) == (Result.PASSED, ())
    skipped = checked("roi_pool", Status.SKIPPED, "there is no cpu kernel")
    result, concerns = conclude((), _suites(skipped), on_target=True)
    assert (result, [one.kind for one in concerns]) == (Result.FAILED, [ConcernKind.NOTHING_RAN])


@pytest.mark.parametrize("status", [Status.FAILED, Status.CRASHED, Status.TIMEOUT])
def test_one_red_row_fails_the_whole(checked: Callable[..., CheckRow], status: Status) -> None:
    row = checked("psamask", status, "why")
    suites = _suites(checked("nms"), row)
    result, concerns = conclude((), suites, on_target=True)
    assert (result, concerns) == (
        Result.FAILED,
        (Concern(kind=ConcernKind.CHECK, suite=suites[0], check=row),),
    )
    assert concern(concerns[0]) == "mmcv psamask: why"


def test_a_package_that_does_not_load_fails_the_whole(checked: Callable[..., CheckRow]) -> None:
    suites = (*_suites(checked("nms")), SuiteRun(name="x", package="x", checks=(), broken="undefined symbol"))
    result, concerns = conclude((), suites, on_target=True)
    assert (result, [one.kind for one in concerns]) == (Result.FAILED, [ConcernKind.LOADING])
    assert concern(concerns[0]) == "x does not load: undefined symbol"


def test_a_torch_that_cannot_be_used_fails_the_whole(checked: Callable[..., CheckRow]) -> None:
    result, concerns = conclude((), _suites(checked("nms")), on_target=True, torch_error="no libcudart")
    assert (result, concerns) == (
        Result.FAILED,
        (Concern(kind=ConcernKind.TORCH, detail="no libcudart"),),
    )
    assert "no libcudart" in concern(concerns[0])


def test_what_differs_fails_the_whole(checked: Callable[..., CheckRow]) -> None:
    differing = Difference(kind=DifferenceKind.VERSION, package="mmcv", locked="2.1.0", installed="2.2.0")
    result, concerns = conclude([differing], _suites(checked("nms")), on_target=True)
    assert (result, concerns) == (
        Result.FAILED,
        (Concern(kind=ConcernKind.DIFFERENCE, difference=differing),),
    )
    extra = [Difference(kind=DifferenceKind.EXTRA, package="six", installed="1")]
    assert conclude(extra, _suites(checked("nms")), on_target=True)[0] is Result.PASSED


def test_off_target_is_a_warning(checked: Callable[..., CheckRow]) -> None:
    result, concerns = conclude((), _suites(checked("nms")), on_target=False)
    assert (result, concerns) == (Result.WARNED, (Concern(kind=ConcernKind.OFF_TARGET),))


def test_a_suite_of_which_nothing_ran_is_a_warning(checked: Callable[..., CheckRow]) -> None:
    none = SuiteRun(name="x", package="x", checks=(checked("a", Status.SKIPPED, "no device"),))
    result, concerns = conclude((), (*_suites(checked("nms")), none), on_target=True)
    assert (result, concerns) == (Result.WARNED, (Concern(kind=ConcernKind.IDLE_SUITE, suite=none),))


@pytest.mark.parametrize("kind", list(ConcernKind))
def test_every_concern_has_words(checked: Callable[..., CheckRow], kind: ConcernKind) -> None:
    row = checked("nms", Status.FAILED, "wrong")
    (suite,) = _suites(row, broken="no symbol")
    missing = Difference(kind=DifferenceKind.MISSING, package="mmcv", locked="2.1.0")
    one = Concern(kind=kind, suite=suite, check=row, difference=missing, detail="why")
    assert concern(one)


@pytest.mark.parametrize("kind", list(DifferenceKind))
def test_every_difference_has_words(kind: DifferenceKind) -> None:
    text = difference(
        Difference(kind=kind, package="mmcv", locked="{detail}", installed="{x}", detail="{locked.y}")
    )
    assert text.startswith("mmcv: ")
    assert "{" in text  # what comes from outside is no template


def test_on_target_is_the_very_arch(env: LockedEnv) -> None:
    card = Device(kind=DeviceKind.CUDA, name="GeForce RTX 5090", arch="sm_120")
    target = Target(devices=(card,), platform=env.target.platform, glibc=None)
    same = VisibleGpu(name="NVIDIA GeForce RTX 5090", arch="sm_120", memory_mb=32000)
    assert on_target(target, KernelDevice.CUDA, [same])
    assert not on_target(target, KernelDevice.CUDA, [replace(same, arch="sm_90")])
    assert not on_target(target, KernelDevice.CUDA, [])
    assert not on_target(target, KernelDevice.CPU, [same])
    assert on_target(env.target, KernelDevice.CPU, [])


# ---------------------------------------------------------------- the table, the text


def test_suites_are_found_by_package() -> None:
    assert [(suite.name, name) for suite, name in chosen(["mmcv-full", "six", "torch"])] == [
        ("torch", "torch"),
        ("mmcv", "mmcv-full"),
    ]
    assert [suite.name for suite, _ in chosen(["mmcv", "torch"], ("mmcv",))] == ["mmcv"]
    assert chosen(["mmcv-lite"]) == ()
    assert len({suite.name for suite in SUITES}) == len(SUITES)


def test_red_rows_are_told_with_their_reason(
    made: Callable[..., Verdict], checked: Callable[..., CheckRow]
) -> None:
    verdict = made(checked("nms"), checked("psamask", Status.FAILED, "2x3: error 1 is 900 times"))
    text = "\n".join(lines(verdict))
    assert text.startswith("FAILED: 1 passed, 1 failed\n  mmcv psamask: 2x3: error 1 is 900 times\n")
    assert "seed 7" in text
    assert "install 1.0 s" in text
