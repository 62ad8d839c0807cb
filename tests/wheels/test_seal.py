"""Wheels go into the lock; what the lock then says is true."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest
from build_world import artifact_of, locked, make_env, make_step
from made_wheels import put_wheel
from msgspec.structs import replace

from mmlock.app.changing import build
from mmlock.core.build_arguments import BuildArguments, InstallArguments
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import Sha256, normalize
from mmlock.lock.model import FetchStep, HashTrust, LockedEnv
from mmlock.lock.read import read_lock
from mmlock.lock.write import write_lock
from mmlock.net.download import FetchedFile
from mmlock.wheels.fetching import FetchedWheel
from mmlock.wheels.find_uv import find_uv
from mmlock.wheels.install_lock import install
from mmlock.wheels.model import BuiltWheel, CheckStatus, WheelTest
from mmlock.wheels.seal import Placement, seal_built, seal_fetched, unmet

NAME = "probe-1.0+cpu-py3-none-any.whl"
URL = f"https://example.invalid/whl/{NAME.replace('+', '%2B')}"


def make_wheel(folder: Path, requires: str = "") -> Path:
    metadata = f"Metadata-Version: 2.1\nName: probe\nVersion: 1.0+cpu\n{requires}"
    return put_wheel(folder, NAME, {"probe.py": b""}, metadata=metadata)


def fetched(wheel: Path, origin: str, *, remote: bool) -> FetchedWheel:
    digest = Sha256(hashlib.sha256(wheel.read_bytes()).hexdigest())
    file = FetchedFile(path=wheel, name=NAME, sha256=digest, size=wheel.stat().st_size, origin=origin)
    return FetchedWheel(file=file, requires=(), checks=(), hashes=HashTrust.UNVERIFIED, remote=remote)


def fetch_step() -> FetchStep:
    return FetchStep(
        package=normalize("probe"),
        version="1.0+cpu",
        url=URL,
        index="https://example.invalid/whl",
        why="no hash is known",
        reasons=(),
    )


def built(tmp_path: Path, **record: object) -> BuiltWheel:
    path = tmp_path / "tinyext-1.0+pt2-1kab-cp311-cp311-linux_x86_64.whl"
    path.write_bytes(b"wheel")
    return BuiltWheel(
        package=normalize("tinyext"),
        version="1.0+pt2",
        key="ab" * 32,
        path=path,
        sha256=Sha256(hashlib.sha256(b"wheel").hexdigest()),
        size=5,
        checks=(WheelTest(name="odd", status=CheckStatus.NOT_CHECKED, detail="no way"),),
        record=record,
        hit=False,
    )


@pytest.fixture
def env(tmp_path: Path) -> LockedEnv:
    (tmp_path / "tinyext-1.0.tar.gz").write_text("x")
    (tmp_path / "numpy-2.0-py3-none-any.whl").write_text("x")
    numpy = locked("numpy", "2.0", artifact_of(tmp_path / "numpy-2.0-py3-none-any.whl"))
    return make_env((numpy,), (make_step(tmp_path / "tinyext-1.0.tar.gz"),))


def test_a_built_wheel_takes_the_place_of_its_step(env: LockedEnv, tmp_path: Path) -> None:
    sealed = seal_built(env, env.build[0], built(tmp_path), Placement(folder=tmp_path / "lock"))
    assert sealed.sealed
    (package,) = [p for p in sealed.packages if p.name == "tinyext"]
    name = "tinyext-1.0+pt2-1kab-cp311-cp311-linux_x86_64.whl"
    assert package.files[0].url == f"wheels/{name}"
    assert (tmp_path / "lock" / "wheels" / name).read_bytes() == b"wheel"
    assert any("not checked after the build: odd" in finding.text for finding in sealed.findings)
    write_lock(sealed, tmp_path / "lock")
    assert read_lock(tmp_path / "lock") == sealed


def test_a_wheel_that_changed_since_it_was_checked_is_not_put_beside_the_lock(
    env: LockedEnv, tmp_path: Path
) -> None:
    wheel = built(tmp_path)
    wheel.path.write_bytes(b"another build")
    with pytest.raises(EnvironmentFault, match="is not the wheel that was checked"):
        seal_built(env, env.build[0], wheel, Placement(folder=tmp_path / "lock"))
    assert list((tmp_path / "lock" / "wheels").iterdir()) == []


def test_a_served_wheel_is_named_by_its_url(env: LockedEnv, tmp_path: Path) -> None:
    placement = Placement(folder=tmp_path / "lock", base_url="https://wheels.example/x/")
    sealed = seal_built(env, env.build[0], built(tmp_path), placement)
    (package,) = [p for p in sealed.packages if p.name == "tinyext"]
    assert package.files[0].url.startswith("https://wheels.example/x/tinyext-1.0%2Bpt2-1kab-")
    assert not (tmp_path / "lock").exists()


def test_a_newer_glibc_is_told_in_the_lock(env: LockedEnv, tmp_path: Path) -> None:
    placement = Placement(folder=tmp_path / "lock")
    sealed = seal_built(env, env.build[0], built(tmp_path, glibc="2.34"), placement)
    assert sealed.target.glibc == "2.34"
    assert any("needs glibc 2.34" in finding.text for finding in sealed.findings)
    older = seal_built(env, env.build[0], built(tmp_path, glibc="2.4"), placement)
    assert older.target.glibc == env.target.glibc


def test_a_glibc_that_was_asked_for_is_kept_or_refused(env: LockedEnv, tmp_path: Path) -> None:
    asked = replace(env, request=("--glibc=2.5", "--gpu=cpu"))
    with pytest.raises(EnvironmentFault, match="needs glibc 2"):
        seal_built(asked, asked.build[0], built(tmp_path, glibc="2.34"), Placement(folder=tmp_path))


def test_a_wheel_that_needs_just_the_glibc_that_was_asked_for_is_taken(
    env: LockedEnv, tmp_path: Path
) -> None:
    floor = env.target.glibc
    assert floor is not None
    asked = replace(env, request=(f"--glibc={floor}", "--gpu=cpu"))
    sealed = seal_built(asked, asked.build[0], built(tmp_path, glibc=floor), Placement(folder=tmp_path))
    assert sealed.target.glibc == floor
    assert [finding.text for finding in sealed.findings if "glibc" in finding.text] == []


@pytest.mark.parametrize(
    ("requires", "said"),
    [
        ("numpy>=1", None),
        ("numpy<2", "`numpy<2`, the lock has 2.0"),
        ("Absent_Thing", "`Absent_Thing`, nothing of it is there"),
        ("absent; sys_platform == 'win32'", None),
        ("absent; extra == 'all'", None),
        ("absent; python_version < '3'", None),
        ("tinyext>=1", None),
        ("not a requirement !", None),
    ],
)
def test_what_the_metadata_asks_is_compared_with_the_lock(
    env: LockedEnv, requires: str, said: str | None
) -> None:
    assert list(unmet([requires], env)) == ([said] if said else [])


def test_a_fetched_wheel_of_a_folder_lies_beside_the_lock(env: LockedEnv, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "links")
    step = fetch_step()
    unsealed = replace(env, fetch=(step,), build=())
    wheel_here = fetched(wheel, str(wheel), remote=False)
    sealed = seal_fetched(unsealed, step, wheel_here, Placement(folder=tmp_path / "lock"))
    (package,) = [p for p in sealed.packages if p.name == "probe"]
    assert package.files[0].url == f"wheels/{NAME}"
    assert package.index is None
    assert any("--find-links" in finding.text for finding in sealed.findings)


def test_a_fetched_wheel_of_its_index_keeps_its_url(env: LockedEnv, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "links")
    step = fetch_step()
    unsealed = replace(env, fetch=(step,), build=())
    sealed = seal_fetched(unsealed, step, fetched(wheel, URL, remote=True), Placement(folder=tmp_path))
    (package,) = [p for p in sealed.packages if p.name == "probe"]
    assert (package.files[0].url, package.index) == (URL, step.index)


# ---------------------------------------------------------------- the use case


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("MMLOCK_WHEELHOUSE", raising=False)
    return tmp_path


def test_a_lock_of_fetch_steps_is_sealed_from_a_folder(env: LockedEnv, home: Path) -> None:
    make_wheel(home / "links", "Requires-Dist: missing\n")
    write_lock(replace(env, fetch=(fetch_step(),), build=()), home / "lock")
    report = build(
        BuildArguments(lock=home / "lock" / "pylock.toml", find_links=(home / "links",), offline=True)
    )
    assert report.data["sealed"] is True  # type: ignore[index]
    back = read_lock(home / "lock")
    assert back.sealed
    assert not (home / "lock" / "build.toml").exists()
    assert any("`missing`, nothing of it is there" in finding.text for finding in back.findings)
    assert "sealed already" in build(BuildArguments(lock=home / "lock")).text


@pytest.mark.slow
def test_a_format_that_the_folder_has_not_is_not_added(env: LockedEnv, home: Path) -> None:
    make_wheel(home / "links")
    write_lock(replace(env, fetch=(fetch_step(),), build=()), home / "lock", ["pylock"])
    build(BuildArguments(lock=home / "lock", find_links=(home / "links",), offline=True))
    assert not (home / "lock" / "requirements.txt").exists()


def test_a_step_that_cannot_be_fetched_leaves_the_lock_as_it_was(env: LockedEnv, home: Path) -> None:
    write_lock(replace(env, fetch=(fetch_step(),), build=()), home / "lock")
    before = (home / "lock" / "pylock.toml").read_bytes()
    with pytest.raises(EnvironmentFault, match="could not be downloaded"):
        build(BuildArguments(lock=home / "lock", offline=True))
    assert (home / "lock" / "pylock.toml").read_bytes() == before


def test_what_is_no_wheel_is_not_taken(env: LockedEnv, home: Path) -> None:
    (home / "links").mkdir()
    (home / "links" / NAME).write_text("an error page")
    write_lock(replace(env, fetch=(fetch_step(),), build=()), home / "lock")
    with pytest.raises(EnvironmentFault, match="no whole wheel"):
        build(BuildArguments(lock=home / "lock", find_links=(home / "links",), offline=True))


@pytest.mark.slow
def test_what_somebody_else_installed_is_not_removed_unasked(env: LockedEnv, home: Path) -> None:
    uv = find_uv()
    plain = ["venv", "--quiet", "--no-project", "--python", sys.executable]
    uv.run([*plain, str(home / "theirs")], "made")
    site = next((home / "theirs").glob("lib/*/site-packages"))
    wheel = make_wheel(home / "links")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    write_lock(replace(env, packages=(), build=()), home / "lock")

    def put(prefix: str, *, exact: bool | None = None) -> bool:
        arguments = InstallArguments(
            lock=home / "lock", prefix=home / prefix, python=sys.executable, offline=True, exact=exact
        )
        install(arguments)
        return (site / "probe.py").exists()

    with pytest.raises(EnvironmentFault, match="mmlock did not make it") as error:
        put("theirs")
    assert error.value.causes == ("installing exactly the lock would remove probe",)
    assert put("theirs", exact=False)
    assert not put("theirs", exact=True)
    put("ours")
    put("ours")


def test_mmlocks_own_environment_is_never_a_target(env: LockedEnv, home: Path) -> None:
    write_lock(replace(env, build=()), home / "lock")
    for exact in (None, False, True):
        with pytest.raises(EnvironmentFault, match="where mmlock itself runs"):
            install(InstallArguments(lock=home / "lock", prefix=Path(sys.prefix), exact=exact))


def test_an_unsealed_lock_is_not_installed(env: LockedEnv, home: Path) -> None:
    write_lock(env, home / "lock")
    with pytest.raises(UsageError, match="not sealed") as error:
        install(InstallArguments(lock=home / "lock", prefix=home / "env"))
    assert error.value.causes == ("still to build or download: tinyext 1.0",)
    assert not (home / "env").exists()
