"""Corners of the rules: what stands first, what cannot be read, what only the second place knows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from judge_cases import both, fetch, lock, put, target
from judge_locks import classic, modern, package, wheel
from made_graph import MadeFacts, binary, torch_build
from msgspec.structs import replace

from mmlock.core.device import Device
from mmlock.core.names import Confidence, DeviceKind, Form, Platform, Sha256
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Binary, Requires, TorchBuild
from mmlock.lock.model import BuildStep, CondaPackage, Finding, FindingKind, Level, LockedEnv
from mmlock.resolve.judge import Severity, judge, judged_lock
from mmlock.resolve.judge.judged_lock import open_lock


def said(env: LockedEnv, matrix: Matrix, rule: str, severity: Severity = Severity.REFUSE) -> list[str]:
    return [o.text for o in judge(env, matrix) if (o.rule, o.severity) == (rule, severity)]


def finding(kind: FindingKind, subject: str, detail: str | None = None) -> Finding:
    return Finding(
        level=Level.NOTE,
        kind=kind,
        subject=subject,
        text="whatever",
        source=(),
        confidence=Confidence.MEASURED,
        detail=detail,
    )


# ---------------------------------------------------------------- steps


def with_first_step(env: LockedEnv, **changes: object) -> LockedEnv:
    """The lock with another step in front of its own."""
    (own,) = env.build
    first: BuildStep = replace(own, package=package("myops", "1.0").name, **changes)  # type: ignore[arg-type]
    return replace(env, build=(first, own))


def test_a_step_that_compiles_nothing_does_not_end_the_look_at_the_next(matrix: Matrix) -> None:
    env = modern()
    bad = replace(env, build=(replace(env.build[0], std=14),))
    assert any("C++14" in text for text in said(with_first_step(bad, form=Form.TORCH_OPS), matrix, "builds"))


def test_a_device_without_an_arch_does_not_end_the_look_at_the_next(matrix: Matrix) -> None:
    env = modern()
    nameless = Device(kind=DeviceKind.CUDA, name="some card")
    other = replace(env.target.devices[0], name="A100", arch="sm_80")
    env = target(devices=(nameless, other))(env)
    assert any("does not run on A100" in text for text in said(env, matrix, "builds"))


@pytest.mark.parametrize(
    ("cuda", "archs", "words"),
    [
        ("12.8", "12.1", "CUDA 12.8 does not compile for sm_121: 12.9 to now do"),
        ("13.0", "7.0", "CUDA 13.0 does not compile for sm_70: 9.0 to 12.9 do"),
    ],
)
def test_the_toolkits_that_compile_for_an_arch_are_told(
    cuda: str, archs: str, words: str, matrix: Matrix
) -> None:
    env = modern()
    (own,) = env.build
    step = replace(own, env={"TORCH_CUDA_ARCH_LIST": archs}, toolchain=replace(own.toolchain, cuda=cuda))
    assert words in said(replace(env, build=(step,)), matrix, "builds")


# ---------------------------------------------------------------- requirements and extras

TRACKING = "mmdet[tracking]"


def test_what_a_requested_extra_requires_must_be_locked(matrix: Matrix) -> None:
    texts = said(replace(modern(), request=("--gpu=rtx5090", TRACKING)), matrix, "requires")
    assert any("requires motmetrics" in text for text in texts)
    assert not any("cython" in text for text in texts)  # of another extra
    assert said(replace(modern(), request=("--gpu=rtx5090", "mmdet")), matrix, "requires") == []


def test_an_extra_whose_marker_is_false_asks_for_nothing(matrix: Matrix) -> None:
    never = replace(modern(), request=(f"{TRACKING}; python_version < '3.8'",))
    assert said(never, matrix, "requires") == []


class Told(Matrix):
    """The committed facts, with rows of requirements in the place of those of some packages."""

    __slots__ = ("told",)

    def requires(self, package: str) -> tuple[Requires, ...]:
        told: dict[str, tuple[Requires, ...]] = self.told
        return told[package] if package in told else super().requires(package)


def told(matrix: Matrix, **rows: Sequence[str]) -> Told:
    """Each keyword is a package of the modern lock, and what its release requires."""
    facts = Told(matrix.root)
    versions = {node.name: node.version for node in modern().packages}
    facts.told = {
        name: tuple(
            replace(row, requires=tuple(texts), platform=None, variant=None)
            for row in matrix.requires(name)
            if row.version == versions[package(name, "1").name]
        )[:1]
        for name, texts in rows.items()
    }
    return facts


@pytest.mark.slow
def test_an_extra_that_an_extra_asks_of_another_package_counts(matrix: Matrix) -> None:
    facts = told(
        matrix, mmdet=['mmengine[all]; extra == "tracking"'], mmengine=['lark; extra == "all"', "addict"]
    )
    asked = replace(modern(), request=(TRACKING,))
    assert said(asked, facts, "requires") == [
        'mmengine 0.10.7 requires lark; extra == "all", which is not locked'
    ]
    assert said(replace(asked, request=("mmdet",)), facts, "requires") == []


def test_what_a_package_requires_in_any_case_asks_for_no_extra(matrix: Matrix) -> None:
    facts = told(matrix, mmdet=["mmengine[all]"], mmengine=['lark; extra == "all"'])
    assert said(replace(modern(), request=(TRACKING,)), facts, "requires") == []


def test_of_a_release_without_metadata_its_own_files_tell_the_requirements(matrix: Matrix) -> None:
    facts = Told(matrix.root)
    facts.told = {"mmdet": ()}
    env = modern()
    gone = replace(env, packages=tuple(p for p in env.packages if p.name != "shapely"))
    assert any("mmdet 3.3.0 requires shapely" in text for text in said(gone, facts, "requires"))
    assert said(env, facts, "requires") == []


def test_an_extra_that_is_none_is_told_by_the_lock_or_refused(matrix: Matrix) -> None:
    asked = replace(modern(), request=("mmdet[nonsense]",))
    assert said(asked, matrix, "extras")
    right = finding(FindingKind.MISSING_EXTRA, "mmdet", "nonsense")
    assert said(replace(asked, findings=(right,)), matrix, "extras") == []
    for other in (
        replace(right, detail="aaa"),
        replace(right, detail="zzz"),
        replace(right, subject="aaa"),
        replace(right, kind=FindingKind.GENERAL),
    ):
        assert said(replace(asked, findings=(other,)), matrix, "extras")


@pytest.mark.slow
@pytest.mark.parametrize(("version", "has"), [("1.0", False), ("3.3.0", True), ("9.0", False)])
def test_only_the_extras_of_the_locked_release_count(version: str, matrix: Matrix, *, has: bool) -> None:
    """By name in Provides-Extra, and by the marker of a requirement."""
    (own,) = told(matrix, mmdet=[]).told["mmdet"]
    asked = replace(modern(), request=("mmdet[fast]",))
    for row in (
        replace(own, version=version, extras=("fast",)),
        replace(own, version=version, extras=(), requires=('addict; extra == "fast"',)),
    ):
        facts = Told(matrix.root)
        # A row of the release itself always stands first and last: an order decides nothing.
        facts.told = {"mmdet": (replace(own, extras=()), row, replace(own, extras=(), requires=()))}
        assert bool(said(asked, facts, "extras")) is not has


def test_of_a_package_without_recorded_metadata_no_extra_is_refused(matrix: Matrix) -> None:
    facts = Told(matrix.root)
    facts.told = {"mmdet": ()}
    assert said(replace(modern(), request=("mmdet[nonsense]",)), facts, "extras") == []


def test_each_missing_extra_is_told_by_itself_and_after_any_other_word(matrix: Matrix) -> None:
    words = ("--gpu=rtx5090", "unknown-package[x]", "mmdet[b-wrong,tracking,A_wrong]", "mmengine[c]")
    asked = replace(modern(), request=words)
    assert said(asked, matrix, "extras") == [
        "mmdet 3.3.0 has no extra `a-wrong`, and the lock does not warn of it",
        "mmdet 3.3.0 has no extra `b-wrong`, and the lock does not warn of it",
        "mmengine 0.10.7 has no extra `c`, and the lock does not warn of it",
    ]
    warned = replace(asked, findings=(finding(FindingKind.MISSING_EXTRA, "mmdet", "a-wrong"),))
    assert said(warned, matrix, "extras") == said(asked, matrix, "extras")[1:]


def test_an_extra_that_is_none_and_not_asked_here_is_no_fault(matrix: Matrix) -> None:
    request = ("--gpu=rtx5090", "mmdet[nonsense]; python_version < '3.8'", "unknown-package[x]")
    assert said(replace(modern(), request=request), matrix, "extras") == []


# ---------------------------------------------------------------- devices, drivers


def test_a_mac_takes_the_build_of_its_platform(matrix: Matrix) -> None:
    """Only such an accelerator takes whatever torch its platform has; a CPU does not."""
    for kind, refused in ((DeviceKind.MPS, False), (DeviceKind.CPU, True)):
        env = target(devices=(Device(kind=kind, name=kind.value),))(modern())
        assert bool(said(env, matrix, "accelerators")) is refused


def test_a_driver_that_nobody_knows_does_not_end_the_look_at_the_next(matrix: Matrix) -> None:
    class NoToolkits(Matrix):
        __slots__ = ()

        @property
        def toolkits(self) -> tuple[object, ...]:  # type: ignore[override]
            return tuple(row for row in super().toolkits if row.cuda != "12.8")

    spconv = package("spconv-cu126", "2.3.8", "spconv_cu126-2.3.8-cp312-cp312-manylinux_2_28_x86_64.whl")
    env = both(put(spconv), lock(driver_floor="400.1"))(modern())
    facts = NoToolkits(matrix.root)
    assert said(env, facts, "drivers", Severity.UNKNOWN)
    assert any("spconv-cu126" in text for text in said(env, facts, "drivers"))


@pytest.mark.parametrize("driver", ["", "newest", "five"])
def test_a_driver_that_is_no_version_is_not_new_enough(driver: str, matrix: Matrix) -> None:
    assert said(lock(driver_floor=driver)(modern()), matrix, "drivers")


def test_a_cpu_build_needs_no_driver(matrix: Matrix) -> None:
    env = lock(torch="2.11.0+cpu", driver_floor=None)(modern())
    assert said(env, matrix, "drivers") == []
    assert said(env, matrix, "drivers", Severity.UNKNOWN) == []


# ---------------------------------------------------------------- OpenMMLab


def test_a_version_that_is_none_is_told_and_the_next_provider_is_looked_at(matrix: Matrix) -> None:
    env = modern()
    odd = package("mmcv", "unreadable", "mmcv-1-py3-none-any.whl")
    old = package("onedl-mmcv", "1.0.0")
    env = replace(env, build=(), packages=(*env.packages, odd, old))
    assert any("`unreadable` is not a version" in t for t in said(env, matrix, "asserts", Severity.UNKNOWN))
    assert any("not 1.0.0" in text for text in said(env, matrix, "asserts"))


def test_the_directory_of_an_unknown_torch_is_compared_with_its_name(matrix: Matrix) -> None:
    right = lock(torch="2.1.99+cu118")(classic())
    assert not any("is built for cu118" in text for text in said(right, matrix, "index"))
    wrong = lock(torch="2.1.99+cu121")(classic())
    assert any("is built for cu118, not 2.1.99+cu121" in text for text in said(wrong, matrix, "index"))


@pytest.mark.parametrize(("variant", "has_gpu_code"), [("cu118", True), ("cu121", True), ("cpu", False)])
@pytest.mark.parametrize("kind", [DeviceKind.CUDA, DeviceKind.CPU])
def test_only_gpu_code_on_a_gpu_leaves_open_which_gpus_it_is_for(
    kind: DeviceKind, variant: str, matrix: Matrix, *, has_gpu_code: bool
) -> None:
    env = fetch("cu118", variant)(classic())
    if kind is DeviceKind.CPU:
        env = target(devices=(Device(kind=kind, name="cpu"),))(env)
    texts = said(env, matrix, "archs", Severity.UNKNOWN)
    told_of_mmcv = any("mmcv" in text and "are not published" in text for text in texts)
    assert told_of_mmcv is (has_gpu_code and kind is DeviceKind.CUDA)


# ---------------------------------------------------------------- what is known to fail


def test_a_finding_of_another_kind_about_a_breakage_is_no_warning_of_it(matrix: Matrix) -> None:
    known = next(row for row in matrix.breaks if row.id == "xformers-0.0.33-cudart")
    xformers = package("xformers", "0.0.33", "xformers-0.0.33-cp39-abi3-manylinux_2_28_x86_64.whl")
    env = put(xformers)(modern())
    assert any(known.title in text for text in said(env, matrix, "breaks"))
    told_ = replace(env, findings=(finding(FindingKind.BREAKAGE, known.id),))
    assert not any(known.title in text for text in said(told_, matrix, "breaks"))
    for other in (finding(FindingKind.GENERAL, known.id), finding(FindingKind.BREAKAGE, "another")):
        assert any(known.title in text for text in said(replace(env, findings=(other,)), matrix, "breaks"))


def test_a_condition_on_cuda_is_not_met_without_cuda(matrix: Matrix) -> None:
    known = next(row for row in matrix.breaks if row.id == "mmcv-wheel-sm90-torch20")
    h100 = Device(kind=DeviceKind.CUDA, name="H100", arch="sm_90")
    wheel_ = replace(package("mmcv", "2.1.0"), files=(wheel("mmcv-2.1.0-cp310-cp310-manylinux1_x86_64.whl"),))

    def breaks(torch: str) -> bool:
        env = both(target(devices=(h100,)), lock(torch=torch, fetch=()), put(wheel_))(classic())
        env = put(package("torch", torch, f"torch-{torch}-cp310-cp310-linux_x86_64.whl"))(env)
        return any(known.title in text for text in said(env, matrix, "breaks"))

    assert breaks("2.0.1+cu118")
    assert not breaks("2.0.1+cpu")
    assert not breaks("2.0.1+cu117")


def test_windows_has_wheels_of_its_own(matrix: Matrix) -> None:
    env = target(platform=Platform.WINDOWS_X86_64, glibc=None)(modern())
    assert said(env, matrix, "tags")


# ---------------------------------------------------------------- prebuilt extensions, by facts made by hand


def beside(env: LockedEnv, *names: str) -> LockedEnv:
    return put(*(package(name, "1.0", f"{name}-1.0-py3-none-any.whl") for name in names))(env)


def extensions(**rows: Binary) -> MadeFacts:
    """Facts about the wheels of a few packages; of others nothing is known."""
    wheels = {name: (replace(row, package=package(name, "1").name),) for name, row in rows.items()}
    return MadeFacts({"binaries": wheels})


def test_a_wheel_without_kernels_is_asked_for_none_and_does_not_hide_the_next() -> None:
    env = beside(modern(), "aext", "bext", "cext")
    facts = extensions(
        aext=binary(archs=None),  # without CUDA
        bext=binary(cuda="12.8", archs=()),  # without GPU code
        cext=binary(cuda="12.8", archs=("sm_90",)),
    )
    assert said(env, facts, "archs") == ["cext 1.0 has no kernels for GeForce RTX 5090 (sm_120)"]
    assert said(env, facts, "archs", Severity.UNKNOWN) == []


def test_a_wheel_that_goes_with_each_torch_is_asked_for_kernels_too() -> None:
    facts = extensions(aext=binary(same_variant=True, archs=("sm_90",)))
    assert len(said(beside(modern(), "aext"), facts, "archs")) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [
        binary(),
        binary(cuda="12"),  # the major alone: no more than torch needs
        binary(cuda="99.9", same_variant=True),  # torch tells its own
        binary(cuda="12", same_variant=True),
    ],
)
def test_a_wheel_that_tells_no_cuda_of_its_own_needs_no_driver_of_its_own(row: Binary) -> None:
    env = beside(modern(), "aext")
    for severity in (Severity.REFUSE, Severity.UNKNOWN):
        assert said(env, extensions(aext=row), "drivers", severity) == []
    assert said(env, extensions(aext=binary(cuda="99.9")), "drivers", Severity.UNKNOWN)


@pytest.mark.parametrize(
    ("row", "refused"),
    [
        (binary(torch="==2.11.*", cxx11_abi=0), True),
        (binary(torch="==2.11.*", cxx11_abi=1), False),
        (binary(cxx11_abi=0), False),  # it uses no libtorch
        (binary(torch="==2.11.*", cxx11_abi=0, same_variant=True), False),  # built with that very torch
    ],
)
def test_the_abi_is_asked_of_those_that_use_libtorch(row: Binary, *, refused: bool) -> None:
    env = beside(modern(), "aext")
    wanted = ["aext 1.0 has C++ ABI 0, but torch 2.11.0+cu128 has 1"] if refused else []
    assert said(env, extensions(aext=row), "abi") == wanted
    assert said(env, extensions(aext=row), "abi", Severity.UNKNOWN) == []


def test_a_source_archive_does_not_hide_the_wheel_beside_it(matrix: Matrix) -> None:
    six = package("six", "1.17.0", "six-1.17.0.tar.gz", "six-1.17.0-cp310-cp310-win_amd64.whl")
    assert any("six-1.17.0-cp310" in text for text in said(put(six)(modern()), matrix, "tags"))


# ---------------------------------------------------------------- channels


def of_channel(name: str, version: str, *depends: str) -> CondaPackage:
    return CondaPackage(
        name=name,
        version=version,
        build="0",
        build_number=0,
        channel="https://channel.example",
        subdir="linux-64",
        file=f"{name}-{version}-0.conda",
        sha256=Sha256("ab" * 32),
        md5="cd" * 16,
        size=None,
        depends=depends,
    )


def test_a_record_of_a_channel_is_a_package_where_it_needs_a_python(matrix: Matrix) -> None:
    env = replace(
        modern(),
        packages=(),
        conda=(
            of_channel("zlib", "1.3", "libgcc >=13"),
            of_channel("numpy", "2.1.0", "libgcc >=13", "python >=3.12,<3.13.0a0"),
            of_channel("pythonic", "1.0", "pythonlike"),
            of_channel("six", "1.17.0", "python"),
        ),
    )
    nodes = open_lock(env, matrix).nodes
    assert {name: node.version for name, node in nodes.items() if node.form is Form.CONDA} == {
        "numpy": "2.1.0",
        "six": "1.17.0",
    }


def test_the_cudnn_of_a_channel_is_the_one_that_torch_has() -> None:
    class OneBuild(MadeFacts):
        __slots__ = ()

        @property
        def torch_builds(self) -> tuple[TorchBuild, ...]:
            return (torch_build("2.11.0", "cu128", cudnn="9.0"),)

    def cudnn(*records: CondaPackage) -> str | None:
        build = judged_lock._torch_build(replace(modern(), conda=records), OneBuild({}))
        assert build is not None
        return build.cudnn

    assert cudnn(of_channel("zlib", "1.3"), of_channel("cudnn", "9.7"), of_channel("abc", "1")) == "9.7"
    assert cudnn(of_channel("zlib", "1.3"), of_channel("abc", "1")) == "9.0"
