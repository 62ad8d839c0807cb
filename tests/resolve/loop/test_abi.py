"""The compiled files of chosen wheels, read before a lock is written, and what becomes of its findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from made_files import Made, container, cubin, elf, fatbin, wheel
from msgspec.structs import replace
from solved import Solved, asked_words, facts, solved

from mmlock.binary.inspect import Uninspected, inspect_wheel
from mmlock.binary.model import Inspected
from mmlock.core.artifact import Artifact
from mmlock.core.names import Form, PackageName
from mmlock.core.progress import silent
from mmlock.lock.model import FindingKind, LockedEnv, LockedPackage, ReasonKind
from mmlock.net.http import Client
from mmlock.resolve.closure.model import Closed
from mmlock.resolve.graph.rows import BinaryChoice
from mmlock.resolve.loop import abi
from mmlock.resolve.loop.abi import check_abi
from mmlock.resolve.loop.compiled import WheelCheck, ordinary_wheels
from mmlock.resolve.loop.loop import Resolution
from mmlock.resolve.loop.nogoods import pick_of
from mmlock.resolve.plan.assemble import Decision, assemble
from mmlock.resolve.plan.files import WheelLocation
from mmlock.resolve.request.pinned_hashes import hold_hashes

CLOSED = Closed(packages=(), engine="uv 0", from_cache=False)
DEMAND = replace(asked_words("mmcv==2.1.0")[0], hashes=("sha256:" + "ab" * 32,))


@dataclass
class NoIndex:
    """Knows no file."""

    asked: list[str] = field(default_factory=list)

    def ask(self, place: WheelLocation, package: PackageName) -> str:
        self.asked.append(f"{place.index} {package}")
        return "it could not be reached"

    def mirrored(
        self, files: tuple[Artifact, ...], package: PackageName, version: str
    ) -> tuple[Artifact, ...]:
        self.asked.append(f"{package} {version}")
        return files


def mmcv_wheel(*archs: int) -> bytes:
    """A wheel with an extension that needs nothing of torch and has code for these archs."""
    code = fatbin([container(*(cubin(arch) for arch in archs))])
    made = elf(Made(undefined=["__cudaRegisterFatBinary"], needed=["libcudart.so.12"], gpu=code))
    return wheel({"mmcv/_ext.cpython-38-x86_64-linux-gnu.so": made}, name="mmcv", version="2.1.0")


def with_wheel(env: LockedEnv, path: Path) -> LockedEnv:
    """The same lock, whose download lies at a path."""
    steps = tuple(replace(step, url=str(path)) if step.package == "mmcv" else step for step in env.fetch)
    return replace(env, fetch=steps)


@pytest.fixture
def one() -> Solved:
    return solved("mmcv==2.1.0", gpu="a100", torch="==2.1.2", python="3.8", no_build=True)


def checked(one: Solved, env: LockedEnv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WheelCheck:
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))
    resolution = Resolution(rows=one.rows, solution=one.solution, closed=CLOSED, refusals=(), newer=())
    with Client(environ={}) as client:
        return check_abi(facts(), env, resolution, client, offline=True, progress=silent)


def locked(one: Solved, path: Path) -> LockedEnv:
    decision = Decision(
        matrix=facts(),
        rows=one.rows,
        solution=one.solution,
        closed=CLOSED,
        target=one.asked.target,
        stack="custom",
        request=(),
    )
    env = assemble(decision, NoIndex())
    assert isinstance(env, LockedEnv)
    assert [step.package for step in env.fetch] == ["mmcv"], "a wheel whose hash nobody has recorded"
    return with_wheel(hold_hashes(env, (DEMAND,)), path)


def kinds(env: LockedEnv) -> set[FindingKind]:
    return {finding.kind for finding in env.findings if finding.subject == "mmcv"}


@pytest.mark.slow
def test_gpu_code_that_was_read_ends_the_doubt_and_no_other_warning(
    one: Solved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mmcv-2.1.0-cp38-cp38-manylinux1_x86_64.whl"
    path.write_bytes(mmcv_wheel(80, 90))
    env = locked(one, path)
    assert kinds(env) >= {FindingKind.UNREAD_CODE, FindingKind.HASH}
    after = checked(one, env, tmp_path, monkeypatch).env
    assert FindingKind.UNREAD_CODE not in kinds(after)
    assert FindingKind.HASH in kinds(after), "nobody compared the hash that the user demands"


def test_a_wheel_that_cannot_be_read_leaves_every_doubt(
    one: Solved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mmcv-2.1.0-cp38-cp38-manylinux1_x86_64.whl"
    path.write_bytes(b"no archive")
    after = checked(one, locked(one, path), tmp_path, monkeypatch).env
    assert kinds(after) >= {FindingKind.UNREAD_CODE, FindingKind.HASH, FindingKind.ABI}


def test_a_wheel_without_code_for_the_device_is_refused(
    one: Solved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mmcv-2.1.0-cp38-cp38-manylinux1_x86_64.whl"
    path.write_bytes(mmcv_wheel(90))
    check = checked(one, locked(one, path), tmp_path, monkeypatch)
    assert check.refusal is not None
    assert "mmcv 2.1.0 wheel" in check.refusal.reason
    assert ReasonKind.ABI not in {reason.kind for package in check.env.packages for reason in package.reasons}


def test_files_that_a_package_does_without_are_not_held_against_its_wheel(tmp_path: Path) -> None:
    path = tmp_path / "mmcv-2.1.0-cp38-cp38-manylinux1_x86_64.whl"
    path.write_bytes(mmcv_wheel(80))
    read = inspect_wheel(path)
    assert isinstance(read, Inspected)
    one = solved("torchao", gpu="a100")
    option = next(option for option in one.solution.packages() if option.package == "torchao")
    assert isinstance(option.choice, BinaryChoice)

    row = option.choice.binary

    def taken(*patterns: str) -> Inspected | Uninspected | None:
        binary = replace(row, optional=patterns)
        return abi._needed(read, replace(option, choice=BinaryChoice(binary=binary)))

    assert taken() == read
    assert taken("torchao/_C*.so") == read
    assert taken("mmcv/_ext*.so") is None


# ---------------------------------------------------------------- ordinary packages


def codec(tmp_path: Path, *undefined: str) -> LockedPackage:
    """An ordinary package whose wheel needs these names of torch, and whose metadata requires nothing."""
    made = elf(Made(undefined=list(undefined), needed=["libtorch.so", "libc10.so"]))
    path = tmp_path / "torchcodec-0.17.0-cp38-cp38-manylinux_2_28_x86_64.whl"
    path.write_bytes(wheel({"torchcodec/libcore.so": made}, name="torchcodec", version="0.17.0"))
    return LockedPackage(
        name=PackageName("torchcodec"),
        version="0.17.0",
        form=Form.WHEEL,
        files=(Artifact(name=path.name, url=str(path), sha256=None),),
        core=False,
        via=("the request",),
    )


def beside(
    one: Solved, package: LockedPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> WheelCheck:
    path = tmp_path / "mmcv-2.1.0-cp38-cp38-manylinux1_x86_64.whl"
    path.write_bytes(mmcv_wheel(80))
    env = locked(one, path)
    return checked(one, replace(env, packages=(*env.packages, package)), tmp_path, monkeypatch)


def test_an_ordinary_wheel_that_lacks_names_of_torch_is_unfit_beside_that_torch(
    one: Solved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = codec(tmp_path, "_ZN5torch6stable6neverEv")
    unfit = beside(one, package, tmp_path, monkeypatch).unfit
    assert unfit is not None
    assert unfit.constraint.text == "torchcodec!=0.17.0"
    assert unfit.torch == pick_of(one.found.picked["torch"])  # type: ignore[union-attr]
    assert "1 torch name of 1 are not in torch 2.1.2" in unfit.reason


def test_an_ordinary_wheel_that_loads_says_so(
    one: Solved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = codec(tmp_path, "_ZN3c106detail14torchCheckFailEPKcS2_jRKSs")
    check = beside(one, package, tmp_path, monkeypatch)
    assert check.unfit is None
    reasons = next(p.reasons for p in check.env.packages if p.name == "torchcodec")
    assert {reason.kind for reason in reasons} == {ReasonKind.ABI}


def test_wheels_for_any_platform_and_those_of_other_kinds_are_not_read(one: Solved, tmp_path: Path) -> None:
    package = codec(tmp_path)
    pure = replace(package, files=(replace(package.files[0], name="torchcodec-0.17.0-py3-none-any.whl"),))
    other = replace(package, name=PackageName("munkres"))
    path = tmp_path / "mmcv-2.1.0-cp38-cp38-manylinux1_x86_64.whl"
    path.write_bytes(mmcv_wheel(80))
    env = replace(locked(one, path), packages=(pure, other))
    resolution = Resolution(rows=one.rows, solution=one.solution, closed=CLOSED, refusals=(), newer=())
    assert list(ordinary_wheels(env, resolution, ("torch",))) == []
    takers = replace(resolution, closed=replace(CLOSED, takers=(PackageName("munkres"),)))
    assert list(ordinary_wheels(env, takers, ("torch",))) == [other], "its metadata requires torch"
