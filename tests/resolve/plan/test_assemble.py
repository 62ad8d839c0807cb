"""A decision becomes a locked environment: packages with hashes, steps for the rest, findings, reasons."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace
from solved import Solved, facts, solved

from mmlock.core.artifact import Artifact, ClosedPackage
from mmlock.core.names import Confidence, Form, PackageName, Sha256
from mmlock.lock.model import Finding, FindingKind, LockedEnv, ReasonKind
from mmlock.resolve.closure.model import Closed
from mmlock.resolve.plan.assemble import Decision, _hashed, assemble, driver_floor
from mmlock.resolve.plan.files import WheelLocation, locate
from mmlock.resolve.plan.findings import environment, findings
from mmlock.resolve.plan.steps import NoSources

SHA = Sha256("ab" * 32)


@dataclass
class Index:
    """Answers with these files, or with a reason; notes what it was asked."""

    files: tuple[Artifact, ...] | str = "it could not be reached"
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    mirror: str | None = None

    def ask(self, place: WheelLocation, package: PackageName) -> tuple[Artifact, ...] | str:
        self.asked.append((place.index, package, place.version))
        return self.files

    def mirrored(
        self, files: tuple[Artifact, ...], package: PackageName, version: str
    ) -> tuple[Artifact, ...]:
        del package, version
        if self.mirror is None:
            return files
        return tuple(replace(file, url=f"{self.mirror}/{file.name}") for file in files)


def closed_package(name: str, version: str, file: str, sha256: Sha256 | None = SHA) -> ClosedPackage:
    url = f"https://files.pythonhosted.org/packages/{file}"
    return ClosedPackage(
        name=PackageName(name),
        version=version,
        files=(Artifact(name=file, url=url, sha256=sha256),),
        via=("mmengine",),
    )


ADDICT = closed_package("addict", "2.4.0", "addict-2.4.0-py3-none-any.whl")


def decision(one: Solved, *packages: ClosedPackage, **more: object) -> Decision:
    return Decision(
        matrix=facts(),
        rows=one.rows,
        solution=one.solution,
        closed=Closed(packages=packages or (ADDICT,), engine="uv 0.0.0", from_cache=False),
        target=one.asked.target,
        stack=one.asked.stack,
        request=one.asked.arguments.words(),
        accelerators=one.asked.accelerators,
        **more,  # type: ignore[arg-type]
    )


def env_of(one: Solved, *packages: ClosedPackage, index: Index | None = None) -> LockedEnv:
    found = assemble(decision(one, *packages), index or Index())
    assert isinstance(found, LockedEnv)
    return found


@pytest.fixture(scope="module")
def modern() -> Solved:
    return solved(gpu="rtx5090")


def test_a_modern_stack_is_wheels_and_one_build(modern: Solved) -> None:
    index = Index()
    env = env_of(modern, index=index)
    assert index.asked == []  # the matrix has every hash
    assert [step.package for step in env.build] == ["mmcv"]
    assert env.fetch == ()
    assert not env.sealed
    assert [p.name for p in env.packages] == ["addict", "mmdet", "mmengine", "mmsegmentation", "torch"]
    assert all(file.sha256 for p in env.packages for file in p.files)
    core = {p.name for p in env.packages if p.core}
    assert core == {"mmdet", "mmengine", "mmsegmentation", "torch"}
    assert env.torch == "2.11.0+cu130"
    assert env.environment == {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
    assert [v.name for v in env.objectives] == [str(t) for t in modern.asked.objectives]
    assert env.matrix_digest == facts().digest


def test_assembling_twice_gives_the_same(modern: Solved) -> None:
    assert env_of(modern) == env_of(modern)


def test_every_core_package_has_an_argument(modern: Solved) -> None:
    env = env_of(modern)
    for package in env.packages:
        assert bool(package.reasons) == package.core
        for reason in package.reasons:
            assert reason.text
            assert reason.source, reason.text
    torch = next(p for p in env.packages if p.name == "torch")
    assert any(r.kind is ReasonKind.REQUESTED and "--gpu rtx5090" in r.text for r in torch.reasons)
    assert any(r.kind is ReasonKind.GPU and "sm_120" in r.text for r in torch.reasons)
    (mmcv,) = env.build
    assert any("none for torch 2.11.0+cu130" in r.text for r in mmcv.reasons)


@pytest.mark.slow
def test_what_has_no_published_hash_becomes_a_download() -> None:
    one = solved("mmcv==2.1.0", gpu="cpu", torch="2.1.2", python="3.11")
    index = Index()
    env = env_of(one, index=index)
    (step,) = env.fetch
    assert step.package == "mmcv"
    assert "publishes no hashes" in step.why
    assert index.asked == []  # an index without hashes cannot help
    assert "mmcv" not in {p.name for p in env.packages}


def test_a_hash_that_public_locks_state_seals_what_its_index_publishes_none_for() -> None:
    one = solved("mmcv==2.1.0", "torch==2.1.2", gpu="t4", python="3.11")
    index = Index()
    env = env_of(one, index=index)
    assert (env.fetch, index.asked) == ((), [])
    (mmcv,) = [p for p in env.packages if p.name == "mmcv"]
    (file,) = mmcv.files
    assert file.url.endswith("/cu121/torch2.1.0/mmcv-2.1.0-cp311-cp311-manylinux1_x86_64.whl")
    assert (file.sha256 or "").startswith("e0ee80f8")
    assert env.sealed


def test_locks_that_disagree_leave_a_download_that_says_so() -> None:
    one = solved("mmcv==2.1.0", "torch==2.1.2", gpu="t4", python="3.11")
    option = one.solution.picked["mmcv"]
    place = locate(facts(), option, one.solution.torch, one.asked.target, "3.11")
    disputed = replace(place, files=tuple(replace(f, sha256=None) for f in place.files), disputed=True)
    files, why = _hashed(disputed, PackageName("mmcv"), decision(one), Index())
    assert (files, "disagree" in why) == ((), True)


CPU_TORCH = Artifact(
    name="torch-1.12.1+cpu-cp310-cp310-linux_x86_64.whl",
    url="https://download.pytorch.org/whl/cpu/torch-1.12.1%2Bcpu-cp310-cp310-linux_x86_64.whl",
    sha256=SHA,
)


def test_an_index_that_knows_the_hash_seals_the_package() -> None:
    one = solved("torch==1.12.1", gpu="cpu", python="3.10")
    wrong = replace(CPU_TORCH, name=CPU_TORCH.name.replace("cp310", "cp39"))
    unhashed = replace(CPU_TORCH, name=CPU_TORCH.name.replace("linux", "manylinux1"), sha256=None)
    index = Index(files=(wrong, unhashed, CPU_TORCH))
    env = env_of(one, index=index)
    assert index.asked == [("https://download.pytorch.org/whl/cpu", "torch", "1.12.1+cpu")]
    (torch,) = [p for p in env.packages if p.name == "torch"]
    assert torch.files == (CPU_TORCH,)
    assert torch.version == "1.12.1+cpu"
    assert env.sealed


@pytest.mark.parametrize(
    ("answer", "why"),
    [("it could not be reached", "it could not be reached"), ((), "lists no fitting file with a hash")],
)
def test_an_index_that_does_not_leaves_a_download(answer: tuple[Artifact, ...] | str, why: str) -> None:
    one = solved("torch==1.12.1", gpu="cpu", python="3.10")
    env = env_of(one, index=Index(files=answer))
    (step,) = env.fetch
    assert (step.package, step.version) == ("torch", "1.12.1+cpu")
    assert why in step.why
    assert step.url.startswith("https://download.pytorch.org/whl/cpu")


def test_files_of_the_users_own_index_go_first(modern: Solved) -> None:
    env = env_of(modern, index=Index(mirror="https://mirror.example/files"))
    torch = next(p for p in env.packages if p.name == "torch")
    assert all(file.url.startswith("https://mirror.example/files/") for file in torch.files)
    assert all(file.sha256 for file in torch.files)


def test_ordinary_packages_keep_who_asked_for_them(modern: Solved) -> None:
    env = env_of(modern, ADDICT)
    (addict,) = [p for p in env.packages if p.name == "addict"]
    assert (addict.form, addict.core, addict.via) == (Form.WHEEL, False, ("mmengine",))


def test_an_ordinary_package_without_a_hash_is_a_download(modern: Solved) -> None:
    bare = closed_package("odd", "1.0", "odd-1.0-py3-none-any.whl", sha256=None)
    env = env_of(modern, bare)
    (step,) = env.fetch
    assert (step.package, step.url) == ("odd", bare.files[0].url)
    assert "odd" not in {p.name for p in env.packages}


def test_sources_that_the_installer_builds_are_warned_of(modern: Solved) -> None:
    env = env_of(modern, closed_package("fast", "0.1", "fast-0.1.tar.gz"))
    (package,) = [p for p in env.packages if p.name == "fast"]
    assert package.form is Form.SDIST
    (warning,) = [f for f in env.findings if f.subject == "fast"]
    assert warning.level == "warning"
    assert "no wheel" in warning.text


def test_builds_without_sources_are_told_not_left_out(modern: Solved) -> None:
    mmcv = replace(modern.solution.picked["mmcv"], version="2.99.0")
    solution = replace(modern.solution, picked={**modern.solution.picked, "mmcv": mmcv})
    found = assemble(replace(decision(modern), solution=solution), Index())
    assert found == (NoSources(package="mmcv", version="2.99.0"),)


def test_other_providers_are_named() -> None:
    env = env_of(solved("mmcv", gpu="t4"))
    assert any("onedl-mmcv" in reason.text for reason in env.left_out)
    without = env_of(solved("mmengine==0.10.7", gpu="cpu"))
    assert not any("onedl-mmcv" in reason.text for reason in without.left_out)


def test_notes_come_before_other_findings(modern: Solved) -> None:
    note = Finding(level="note", subject="closure", text="x", source=(), confidence=Confidence.MEASURED)
    found = assemble(decision(modern, notes=(note,)), Index())
    assert isinstance(found, LockedEnv)
    assert found.findings[0] == note


# ---------------------------------------------------------------- findings


def told(one: Solved) -> list[Finding]:
    return list(findings(facts(), one.solution, one.asked.target, one.asked.accelerators))


def test_what_remains_broken_is_a_warning_and_what_is_cured_a_note() -> None:
    one = solved("mmdet", gpu="t4", present=["openmim==0.3.9"], python="3.12")
    levels = {f.subject: f.level for f in told(one)}
    assert levels["openmim-py312"] == "warning"
    assert levels["mmengine-pkg-resources"] == "note"
    broken = next(f for f in told(one) if f.subject == "openmim-py312")
    assert broken.source
    assert "#" not in broken.source[0].split(" ")[0]


@pytest.mark.slow
def test_warnings_stand_first_and_nothing_is_said_twice() -> None:
    for one in (solved(gpu="rtx5090"), solved("mmcv", gpu="t4"), solved("mmpose", gpu="cpu")):
        found = told(one)
        assert found == sorted(found, key=lambda f: f.level != "warning")
        assert len(set(found)) == len(found)


def test_archs_nobody_published_are_said_to_be_unchecked() -> None:
    found = told(solved("mmcv", gpu="t4"))
    assert any(f.subject == "mmcv" and f.kind is FindingKind.UNREAD_CODE for f in found)
    assert not any(f.kind is FindingKind.UNREAD_CODE for f in told(solved("mmcv", gpu="cpu")))


def test_code_the_driver_must_compile_is_said_so() -> None:
    one = solved("xformers==0.0.22.post7", gpu="rtx4090", python="3.10")
    assert one.version("xformers") == "0.0.22.post7"
    texts = [f.text for f in told(one) if f.subject == "xformers"]
    assert texts == []  # sm_80 code runs on sm_89
    newer = solved("xformers==0.0.28.post3", gpu="rtx5090", torch="2.5")
    assert newer.found is None  # that torch has no code for it


def test_other_devices_are_told_what_they_get() -> None:
    found = told(solved("mmcv", gpu="mps"))
    assert any(f.level == "warning" and "MPS" in f.text.upper() for f in found)


def test_inferred_metadata_is_admitted() -> None:
    found = told(solved("torch==2.1.2+cu118", gpu="a100"))
    assert any(f.subject == "torch" and f.kind is FindingKind.METADATA for f in found)
    plain = told(solved("torch==2.1.2", gpu="a100", cuda="12.1"))
    assert not any(f.kind is FindingKind.METADATA for f in plain)


def test_the_environment_is_what_the_cures_ask_for() -> None:
    values, why = environment(facts(), solved(gpu="rtx5090").solution)
    assert values == {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
    assert [reason.text.split(":")[0] for reason in why] == ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1"]
    assert all(reason.source for reason in why)
    assert environment(facts(), solved("mmcv", gpu="t4", torch="2.1").solution) == ({}, ())


# ---------------------------------------------------------------- drivers


@pytest.mark.parametrize(
    ("gpu", "torch", "floor"),
    [
        # CUDA 13 runs from 580 on; sm_120 parts came with CUDA 12.8, whose driver is 570.26.
        ("rtx5090", "==2.11.0+cu130", "580"),
        ("rtx5090", "==2.9.1+cu128", "570.26"),
        # Minor-version compatibility: any CUDA 12 runs from 525.60.13 on, where the card is older.
        ("a100", "==2.9.1+cu128", "525.60.13"),
        ("h100", "==2.1.2+cu118", "520.61.05"),
        ("t4", "==2.1.2+cu118", "450.80.02"),
    ],
)
def test_the_oldest_driver(gpu: str, torch: str, floor: str) -> None:
    one = solved(f"torch{torch}", gpu=gpu)
    found = driver_floor(facts(), one.solution.torch.cuda, one.asked.target)
    assert found is not None
    assert found.startswith(floor)


def test_no_cuda_needs_no_driver() -> None:
    one = solved("torch", gpu="cpu")
    assert driver_floor(facts(), one.solution.torch.cuda, one.asked.target) is None


def test_several_cards_need_the_driver_of_the_newest() -> None:
    one = solved("torch==2.9.1+cu128", gpu=("a100", "rtx5090"))
    found = driver_floor(facts(), "12.8", one.asked.target)
    assert found is not None
    assert found.startswith("570")
