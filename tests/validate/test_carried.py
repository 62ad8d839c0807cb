"""A validation that runs elsewhere: the archive, its program, and the verdict made of what comes back."""

from __future__ import annotations

import ensurepip
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from build_world import artifact_of, make_env
from build_world import locked as locked_file
from msgspec.structs import replace

from mmlock import app
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.validate_arguments import ValidateArguments, VerdictAction, VerdictArguments
from mmlock.lock.model import LockedEnv
from mmlock.lock.read import read_lock
from mmlock.lock.write import write_lock
from mmlock.validate.carried import manifest_of, write_archive
from mmlock.validate.model import KernelDevice, Result
from mmlock.validate.runner import KERNELS, kernels_digest
from mmlock.validate.store import read_verdict
from mmlock.validate.suites import chosen

PROBE = {
    "python": "3.11.7",
    "minor": "3.11",
    "implementation": "CPython",
    "prefix": "/prefix",
    "packages": [{"name": "torch", "version": "2.13.0+cpu"}, {"name": "mmcv", "version": "2.1.0"}],
    "machine": {"system": "Linux", "machine": "x86_64", "kernel": "6.1", "cores": 2, "glibc": "2.36"},
    "torch": {"version": "2.13.0+cpu", "cuda": None, "devices": []},
}


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMLOCK_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MMLOCK_WHEELHOUSE", str(tmp_path / "wheelhouse"))


def passed(suite: str, name: str, status: str = "passed") -> dict[str, Any]:
    return {"event": "check", "suite": suite, "check": name, "status": status, "device": "cpu", "seed": 0}


def ran(suite: str, package: str, words: str, *names: str, status: str = "passed") -> dict[str, Any]:
    rows = [{"event": "suite", "suite": suite, "checks": list(names), "seconds": 0.1}]
    rows += [passed(suite, name, status) for name in names]
    return {"name": suite, "package": package, "words": words, "rows": rows, "code": 0, "tail": ""}


@pytest.fixture
def result(env: LockedEnv) -> Callable[..., dict[str, Any]]:
    """What the program of an archive of `env` writes, with some parts otherwise."""
    import msgspec

    pairs = chosen(package.name for package in env.packages)
    manifest = manifest_of(env, pairs, seed=0, limit=60.0, tool="mmlock 1")
    suites = [ran(suite.name, package, suite.words, "one", "two") for suite, package in pairs]

    def made(**parts: Any) -> dict[str, Any]:
        return {
            "bundle": msgspec.to_builtins(manifest),
            "probe": PROBE,
            "device": "cpu",
            "suites": suites,
            "seconds": {"install": 1.0, "probe": 0.1, "checks": 2.0},
            "started": "2026-11-28T12:00:00Z",
            "fresh": True,
            **parts,
        }

    return made


def imported(env: LockedEnv, folder: Path, held: Mapping[str, Any] | bytes, **more: Any) -> dict[str, Any]:
    write_lock(env, folder / "lock")
    file = folder / "result.json"
    file.write_bytes(held if isinstance(held, bytes) else json.dumps(held).encode())
    arguments = VerdictArguments(action=VerdictAction.IMPORT, lock=folder / "lock", file=file, **more)
    data = app.verdict(arguments).data
    assert isinstance(data, dict)
    return data


# ---------------------------------------------------------------- what comes back


def test_a_result_becomes_the_verdict_of_its_lock(
    env: LockedEnv, tmp_path: Path, result: Callable[..., dict[str, Any]]
) -> None:
    data = imported(env, tmp_path, result())

    record = read_verdict(tmp_path / "lock" / "verdict.json")
    assert (data["result"], data["signed"]) == ("PASSED", True)
    assert record.verdict.result is Result.PASSED
    assert record.verdict.tool == "mmlock 1, run from an archive"
    assert record.verdict.kernels_digest == kernels_digest()
    assert read_lock(tmp_path / "lock").verdict == record.digest


def test_a_red_row_fails_the_verdict(
    env: LockedEnv, tmp_path: Path, result: Callable[..., dict[str, Any]]
) -> None:
    suites = [
        {**one, "rows": [*one["rows"][:-1], passed(one["name"], "two", "crashed")]}
        for one in result()["suites"]
    ]

    assert imported(env, tmp_path, result(suites=suites))["result"] == "FAILED"


def test_a_suite_that_was_left_out_is_no_silent_yes(
    env: LockedEnv, tmp_path: Path, result: Callable[..., dict[str, Any]]
) -> None:
    data = imported(env, tmp_path, result(suites=result()["suites"][:1]))

    assert data["result"] == "FAILED"
    assert any("not in the result" in one["text"] for one in data["concerns"])


def test_a_check_that_was_announced_and_did_not_come_is_lost(
    env: LockedEnv, tmp_path: Path, result: Callable[..., dict[str, Any]]
) -> None:
    suites = [{**one, "rows": one["rows"][:-1], "code": -9} for one in result()["suites"]]

    data = imported(env, tmp_path, result(suites=suites))

    assert data["result"] == "FAILED"
    assert any("ended before it" in one["text"] for one in data["concerns"])


def test_other_packages_there_than_in_the_lock_fail_it(
    env: LockedEnv, tmp_path: Path, result: Callable[..., dict[str, Any]]
) -> None:
    probe = {**PROBE, "packages": [PROBE["packages"][0], {"name": "mmcv", "version": "2.0.0"}]}  # type: ignore[index]

    assert imported(env, tmp_path, result(probe=probe))["result"] == "FAILED"


def test_a_result_of_another_lock_is_refused(
    env: LockedEnv, tmp_path: Path, result: Callable[..., dict[str, Any]]
) -> None:
    with pytest.raises(UsageError, match="is about another lock"):
        imported(replace(env, environment={"OTHER": "1"}), tmp_path, result())
    assert not (tmp_path / "lock" / "verdict.json").exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"{",
        lambda _: b"[" * 100_000,
        lambda held: {**held, "device": "toaster"},
        lambda held: {**held, "started": "yesterday"},
        lambda held: {**held, "probe": {}},
        lambda held: {**held, "probe": {**PROBE, "python": 3}},
        lambda held: {**held, "bundle": {**held["bundle"], "schema": 2}},
        lambda held: {**held, "suites": [{**held["suites"][0], "rows": [{"event": "suite"}]}]},
        lambda held: {
            **held,
            "suites": [
                {**one, "rows": [*one["rows"], {**passed("torch", "one"), "error": "<script>"}]}
                for one in held["suites"]
            ],
        },
        lambda held: {
            **held,
            "suites": [
                {**one, "rows": [*one["rows"], passed("torch", "one", "marvellous")]}
                for one in held["suites"]
            ],
        },
    ],
)
def test_bytes_that_are_no_result_are_refused_and_nothing_is_written(
    env: LockedEnv, tmp_path: Path, result: Callable[..., dict[str, Any]], spoil: Callable[[Any], Any]
) -> None:
    with pytest.raises(UsageError):
        imported(env, tmp_path, spoil(result()))
    assert not (tmp_path / "lock" / "verdict.json").exists()


def test_without_a_signature_it_counts_for_nobody(
    env: LockedEnv, tmp_path: Path, result: Callable[..., dict[str, Any]]
) -> None:
    assert imported(env, tmp_path, result(), unsigned=True)["signed"] is False
    assert not read_verdict(tmp_path / "lock" / "verdict.json").envelope.signatures


# ---------------------------------------------------------------- what goes there


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock of one real wheel, the pip that comes with Python, for this very Python."""
    found = sorted(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"))
    if not found:
        pytest.skip("this Python comes without the wheel of pip")
    bundled_pip = found[-1]
    file = replace(artifact_of(bundled_pip), url=bundled_pip.resolve().as_uri())
    made = make_env((locked_file("pip", bundled_pip.name.split("-")[1], file),))
    write_lock(replace(made, python=f"{sys.version_info[0]}.{sys.version_info[1]}"), tmp_path / "lock")
    return tmp_path / "lock"


def archive(lock: Path, name: str = "carried.tar", **more: Any) -> Path:
    target = lock.parent / name
    app.validate(ValidateArguments(lock=lock, bundle=target, offline=True, **more))
    return target


def unpacked(path: Path, folder: Path) -> Path:
    with tarfile.open(path) as held:
        held.extractall(folder, filter="data") if sys.version_info >= (3, 12) else held.extractall(folder)  # noqa: S202
    return folder / path.name.partition(".")[0]


def started(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a machine without mmlock would."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": "/nowhere"}
    command = [sys.executable, "-I", str(root / "validate.py"), *words]
    return subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, check=False)


def test_an_archive_holds_all_that_it_needs_and_the_same_bytes_again(lock: Path) -> None:
    first, second = archive(lock), archive(lock, "again.tar")
    with tarfile.open(first) as held:
        names = {member.name for member in held.getmembers()}
        assert all(member.isreg() and member.mtime == 0 for member in held.getmembers())

    assert {"carried/validate.py", "carried/bundle.json", "carried/kernels/run.py"} <= names
    assert {f"carried/kernels/{path.name}" for path in KERNELS.glob("*.py")} <= names
    assert any(name.startswith("carried/lock/wheels/pip-") for name in names)
    assert second.stat().st_size == first.stat().st_size
    assert archive(lock).read_bytes() == first.read_bytes()


def test_only_whole_validations_are_carried(lock: Path) -> None:
    with pytest.raises(UsageError, match="all checks"):
        archive(lock, suites=("torch",))


def test_an_archive_that_cannot_be_written_leaves_nothing(tmp_path: Path, env: LockedEnv) -> None:
    (tmp_path / "file").write_text("")
    manifest = manifest_of(env, (), seed=0, limit=1.0, tool="mmlock")

    with pytest.raises(EnvironmentFault, match="cannot be written"):
        write_archive(manifest, tmp_path, tmp_path / "file" / "carried.tar")


@pytest.mark.slow
def test_the_program_installs_by_hash_and_its_result_is_imported(lock: Path) -> None:
    root = unpacked(archive(lock), lock.parent / "there")

    done = started(root, "--device", "cpu")

    assert done.returncode == 0, done.stderr
    held = json.loads((root / "result.json").read_text())
    assert held["fresh"] is True
    assert "pip" in {row["name"] for row in held["probe"]["packages"]}
    (lock.parent / "result.json").write_bytes((root / "result.json").read_bytes())
    arguments = VerdictArguments(
        action=VerdictAction.IMPORT, lock=lock, file=lock.parent / "result.json", unsigned=True
    )
    data = app.verdict(arguments).data
    assert isinstance(data, dict)
    assert data["result"] == "FAILED", "without torch no kernel ran"


@pytest.mark.slow
def test_the_program_takes_no_changed_check_and_no_changed_wheel(lock: Path) -> None:
    root = unpacked(archive(lock), lock.parent / "there")
    (root / "kernels" / "run.py").write_text("print('fine')\n")
    first = started(root)
    root = unpacked(archive(lock), lock.parent / "again")
    wheel = next((root / "lock" / "wheels").iterdir())
    wheel.write_bytes(wheel.read_bytes() + b" ")
    second = started(root)

    assert (first.returncode, second.returncode) == (2, 2)
    assert "kernels/run.py was changed" in first.stderr
    assert "hash" in second.stderr.lower()
    assert not (root / "result.json").exists()


@pytest.mark.slow
def test_the_program_says_which_python_it_needs(lock: Path) -> None:
    root = unpacked(archive(lock), lock.parent / "there")
    manifest = json.loads((root / "bundle.json").read_text())
    (root / "bundle.json").write_text(json.dumps({**manifest, "python": "3.99"}))

    done = started(root)

    assert done.returncode == 2
    assert "the lock is for Python 3.99" in done.stderr


def test_the_program_is_of_the_oldest_python_of_a_lock() -> None:
    import ast

    from mmlock.validate.carried import SCRIPT

    ast.parse(SCRIPT.read_text(), feature_version=(3, 7))


def test_a_cuda_lock_is_wanted_on_cuda(env: LockedEnv) -> None:
    from mmlock.core.device import Device
    from mmlock.core.names import DeviceKind

    gpu = Device(kind=DeviceKind.CUDA, name="H100", arch="sm_90")
    cuda = replace(env, target=replace(env.target, devices=(gpu,)))

    assert manifest_of(cuda, (), seed=0, limit=1.0, tool="x").device is KernelDevice.CUDA
