"""Wheels: read, checked, written anew, kept, served."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from build_world import TAG, make_env, make_step
from made_house import KEY, LIBRARY, LINUX, house, make_wheel
from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault
from mmlock.wheels.checks import arch_check, examine
from mmlock.wheels.model import BuildPlan, BuiltWheel, CheckStatus
from mmlock.wheels.planning import plan_build
from mmlock.wheels.prune import prune
from mmlock.wheels.simple_index import wants_json
from mmlock.wheels.static_index import write_static
from mmlock.wheels.wheel_file import Rewrite, read_wheel, rewrite_wheel
from mmlock.wheels.wheel_record import record_fault
from mmlock.wheels.wheelhouse import Damaged, Wheelhouse

__all__ = ["house"]


def make_plan(tmp_path: Path, **changes: object) -> BuildPlan:
    sdist = tmp_path / "tinyext-1.0.tar.gz"
    sdist.write_text("x")
    step = replace(make_step(sdist), build_requires=(), **changes)
    return plan_build(make_env((), (step,)), step)


def faults(wheel: Path, plan: BuildPlan) -> list[str]:
    checks = examine(read_wheel(wheel), plan).checks
    return [f"{c.name}: {c.detail}" for c in checks if c.status is CheckStatus.FAILED]


# ---------------------------------------------------------------- checks


def test_a_right_wheel_passes(tmp_path: Path) -> None:
    assert faults(make_wheel(tmp_path, LINUX, LIBRARY), make_plan(tmp_path)) == []


@pytest.mark.parametrize(
    ("name", "files", "word"),
    [
        ("tinyext-1.0-py3-none-any.whl", None, "built without its compiled part"),
        (LINUX, None, "no compiled file in it"),
        (LINUX, {"tinyext/other.so": ""}, "there is no `tinyext/_ext*.so`"),
        ("tinyext-1.0-cp36-cp36m-linux_x86_64.whl", LIBRARY, "not for Python"),
        (LINUX.replace("1.0", "1.1"), LIBRARY, "requested: tinyext 1.0"),
        (LINUX.replace("tinyext", "tinylite"), LIBRARY, "requested: tinyext 1.0"),
    ],
)
def test_a_trap_is_refused(tmp_path: Path, name: str, files: dict[str, str] | None, word: str) -> None:
    assert any(word in fault for fault in faults(make_wheel(tmp_path, name, files), make_plan(tmp_path)))


def test_a_pure_package_may_be_pure(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, check=("file:tinyext/__init__.py",), std=None)
    assert faults(make_wheel(tmp_path, "tinyext-1.0-py3-none-any.whl"), plan) == []


def test_a_wheel_that_would_write_outside_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as error:
        read_wheel(make_wheel(tmp_path, LINUX, {"../../escape": "x"}))
    assert "would not be written as one file in the environment" in error.value.causes[0]


@pytest.mark.parametrize(
    ("asked", "held", "ptx", "lacking"),
    [
        ("9.0;12.0", ("sm_90", "sm_120"), (), None),
        ("9.0;12.0", ("sm_90",), (), "no kernels for sm_120; it is built for sm_90"),
        ("9.0+PTX", ("sm_90",), (), "no kernels for compute_90"),
        ("9.0+PTX", ("sm_90",), ("compute_90",), None),
        ("9.0a", ("sm_90",), (), "no kernels for sm_90a"),
        ("10.0", (), ("compute_100",), "no kernels for sm_100"),
    ],
)
def test_every_asked_arch_must_be_there(
    asked: str, held: tuple[str, ...], ptx: tuple[str, ...], lacking: str | None
) -> None:
    check = arch_check(asked.split(";"), set(held), set(ptx))
    if lacking is None:
        assert check.status is CheckStatus.PASSED
    else:
        assert check.status is CheckStatus.FAILED
        assert lacking in check.detail


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")
def test_a_wheel_without_gpu_code_is_refused_where_it_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.cpp").write_text("int answer() { return 42; }\n")
    words = ["g++", "-shared", "-fPIC", "a.cpp", "-o", "a.so"]
    subprocess.run(words, cwd=tmp_path, check=True)
    wheel = make_wheel(tmp_path, LINUX, {"tinyext/_ext.so": (tmp_path / "a.so").read_bytes()})
    (fault,) = faults(wheel, make_plan(tmp_path, env={"TORCH_CUDA_ARCH_LIST": "9.0"}))
    assert fault == "GPU archs: no GPU code in tinyext/_ext.so; asked was 9.0"
    assert faults(wheel, make_plan(tmp_path)) == []


# ---------------------------------------------------------------- written anew


def test_a_rewritten_wheel_is_whole_and_stable(tmp_path: Path) -> None:
    files = {"tinyext/__init__.py": "x = 1\n", "tinyext-1.0.data/scripts/run": "#!python\n"}
    facts = read_wheel(make_wheel(tmp_path, LINUX, files))
    change = Rewrite(version="1.0+pt2.13.0cpu", build="1kabc", extra={"sboms/a.json": b"{}"})
    first = rewrite_wheel(facts, tmp_path / "one", change)
    second = rewrite_wheel(facts, tmp_path / "two", change)
    assert first.read_bytes() == second.read_bytes()
    assert first.name == f"tinyext-1.0+pt2.13.0cpu-1kabc-{TAG}-{TAG}-linux_x86_64.whl"
    assert record_fault(first) is None
    again = read_wheel(first)
    assert (again.version, again.metadata_version, again.build) == ("1.0+pt2.13.0cpu",) * 2 + ("1kabc",)
    with zipfile.ZipFile(first) as archive:
        text = archive.read("tinyext-1.0+pt2.13.0cpu.dist-info/METADATA").decode()
        assert "tinyext-1.0+pt2.13.0cpu.data/scripts/run" in archive.namelist()
        assert b"Build: 1kabc\n" in archive.read("tinyext-1.0+pt2.13.0cpu.dist-info/WHEEL")
    assert (
        text == "Metadata-Version: 2.1\nName: tinyext\nVersion: 1.0+pt2.13.0cpu\n\nVersion: 9 in the text\n"
    )


# ---------------------------------------------------------------- kept and served


def held(house: Wheelhouse) -> BuiltWheel:
    found = house.get(KEY)
    assert found is not None
    return found


def test_what_is_put_comes_back(house: Wheelhouse) -> None:
    assert held(house).hit
    assert held(house).checks[0].detail == "yes"
    assert house.verify() == []
    assert house.get("cd" * 32) is None


def test_a_changed_wheel_is_neither_given_nor_verified(house: Wheelhouse) -> None:
    wheel = held(house)
    wheel.path.chmod(0o644)
    data = bytearray(wheel.path.read_bytes())
    data[40] ^= 1
    wheel.path.write_bytes(data)
    assert house.get(KEY) is None
    (bad,) = house.verify()
    assert "sha256" in bad.why


def test_provenance_of_another_file_is_found(house: Wheelhouse) -> None:
    (held(house).path.parent / "provenance.json").write_text('{"subject": [{"digest": {"sha256": "00"}}]}')
    (bad,) = house.verify()
    assert bad.why == "its provenance is about another file"


def test_an_entry_that_cannot_be_read_is_told_and_pruned(house: Wheelhouse, tmp_path: Path) -> None:
    (held(house).path.parent / "entry.json").write_text("{")
    (entry,) = house.entries()
    assert isinstance(entry, Damaged)
    builds = tmp_path / "builds"
    (builds / "stopped").mkdir(parents=True)
    (builds / "stopped" / "big").write_bytes(b"x" * 100)
    told = prune(house, builds, days=None, dry_run=True)
    assert [(item.path.name, item.size > 0) for item in told] == [("stopped", True), (KEY, True)]
    assert (builds / "stopped").exists()
    prune(house, builds, days=None, dry_run=False)
    assert not (builds / "stopped").exists()
    assert list(house.entries()) == []


def test_old_wheels_go_when_asked(house: Wheelhouse, tmp_path: Path) -> None:
    assert prune(house, tmp_path / "none", days=1, dry_run=True) == []
    (item,) = prune(house, tmp_path / "none", days=0, dry_run=False)
    assert item.why == "older than 0 days"
    assert house.get(KEY) is None


def test_clients_get_the_form_they_prefer() -> None:
    pip = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
    assert wants_json(pip)
    assert not wants_json("text/html,application/json;q=0.9")
    assert not wants_json("*/*")
    assert not wants_json("")


def test_it_becomes_a_folder_of_plain_files(house: Wheelhouse, tmp_path: Path) -> None:
    assert write_static(house, tmp_path / "site") == 1
    page = (tmp_path / "site" / "simple" / "tinyext" / "index.html").read_text()
    link = page.partition('href="')[2].partition("#")[0]
    assert (tmp_path / "site" / "simple" / "tinyext" / link.replace("%2B", "+")).read_bytes()
    assert write_static(house, tmp_path / "site") == 1
