"""Locks with conda packages: what we write is read back, by us and by the tools they are for."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import rattler
from build_world import locked, make_env
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from judge_locks import wheel
from msgspec.structs import asdict, replace
from solved import facts

from mmlock.core.errors import UsageError
from mmlock.core.names import Platform, Sha256
from mmlock.lock.formats import conda_explicit, pixi_lock
from mmlock.lock.model import CondaPackage, LockedEnv
from mmlock.lock.read import read_lock
from mmlock.lock.write import render_lock, write_lock
from mmlock.validate.digest import lock_digest

FORGE = "https://conda.anaconda.org/conda-forge"


def records(*names: str) -> tuple[CondaPackage, ...]:
    """Recorded packages of conda-forge, the first of each name that has both hashes."""
    fields = set(CondaPackage.__struct_fields__)
    found: dict[str, CondaPackage] = {}
    for subdir in ("linux-64", "noarch"):
        for row in facts().conda(subdir):
            if row.channel == FORGE and row.sha256 and row.md5:
                known = {key: value for key, value in asdict(row).items() if key in fields}
                found.setdefault(row.name, CondaPackage(subdir=subdir, **known))
    return tuple(found[name] for name in sorted(names))


@pytest.fixture
def env() -> LockedEnv:
    pip = locked("addict", "2.4.0", wheel("addict-2.4.0-py3-none-any.whl"))
    base = make_env((pip,))
    return replace(
        base,
        target=replace(base.target, platform=Platform.LINUX_X86_64),
        conda=records("python", "pytorch", "libtorch", "numpy", "pip", "filelock", "cudnn"),
        channels=(FORGE,),
    )


@pytest.mark.slow
def test_the_folder_is_read_back_whole(env: LockedEnv, tmp_path: Path) -> None:
    write_lock(env, tmp_path)
    assert read_lock(tmp_path) == env


@pytest.mark.slow
def test_writing_what_was_read_gives_the_same_bytes(env: LockedEnv, tmp_path: Path) -> None:
    write_lock(env, tmp_path)
    for name, text in render_lock(read_lock(tmp_path)).items():
        if text is not None:
            assert (tmp_path / name).read_text(encoding="utf-8") == text


def test_a_lock_without_conda_packages_has_none_of_these_files(env: LockedEnv, tmp_path: Path) -> None:
    write_lock(env, tmp_path)
    assert {"pixi.lock", "conda-lock.yml", "environment.yml"} <= {path.name for path in tmp_path.iterdir()}
    write_lock(replace(env, conda=(), channels=()), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"pylock.toml", "requirements.txt", "why.md"}


@pytest.mark.slow
def test_two_halves_of_different_solves_are_refused(env: LockedEnv, tmp_path: Path) -> None:
    write_lock(env, tmp_path / "one")
    write_lock(replace(env, conda=env.conda[1:]), tmp_path / "two")
    shutil.copy(tmp_path / "two" / "pixi.lock", tmp_path / "one")
    with pytest.raises(UsageError, match="do not belong together"):
        read_lock(tmp_path / "one")


def test_the_digest_of_a_lock_covers_its_conda_part(env: LockedEnv) -> None:
    other = replace(env.conda[0], sha256=Sha256("0" * 64))
    assert lock_digest(env) != lock_digest(replace(env, conda=(other, *env.conda[1:])))
    assert lock_digest(env) != lock_digest(replace(env, conda=()))


@pytest.mark.parametrize("version", pixi_lock.VERSIONS)
def test_rattler_reads_every_version_of_pixi_lock(env: LockedEnv, version: int, tmp_path: Path) -> None:
    path = tmp_path / "pixi.lock"
    path.write_text(pixi_lock.render_as(env, version), encoding="utf-8")
    lock = rattler.LockFile.from_path(path)
    default = lock.environment("default")
    assert default is not None
    found = {
        (package.name, str(package.version), package.hashes.sha256.hex())
        for platform in default.platforms()
        for package in default.packages(platform) or []
        if isinstance(package, rattler.CondaLockedPackage)
    }
    assert found == {(one.name, one.version, str(one.sha256)) for one in env.conda}


def test_pip_packages_without_pip_are_refused_in_conda_lock(env: LockedEnv) -> None:
    bare = replace(env, conda=tuple(one for one in env.conda if one.name != "pip"))
    with pytest.raises(UsageError, match="no pip from conda"):
        render_lock(bare)


def test_an_explicit_file_is_for_locks_without_pip_packages(env: LockedEnv) -> None:
    assert render_lock(env)["explicit.txt"] is None
    with pytest.raises(UsageError, match="cannot hold this lock"):
        conda_explicit.render_strict(env)
    alone = render_lock(replace(env, packages=()))["explicit.txt"]
    assert alone is not None
    lines = alone.splitlines()
    assert lines[lines.index("@EXPLICIT") + 1 :] == [f"{one.url}#sha256:{one.sha256}" for one in env.conda]


@pytest.mark.parametrize(
    ("find", "instead", "words"),
    [
        ("sha256: ", "sha25: ", "is missing or none"),
        ("md5: ", "md: ", "is missing or none"),
        ("version: 6", "version: 9", "`version` is none of 6, 7"),
        ("- conda: https://", "- conda: ftp://", "is no URL of a conda package"),
        ("- conda: https://conda.anaconda.org/conda-forge/linux-64/", "- conda: ../../", "is no URL"),
        ("channels:", "canals:", "holds no URLs of channels"),
        ("version: 6", "a: &a [1]\nb: *a", "YAML aliases"),
        ("version: 6", "[", "cannot be read"),
    ],
)
def test_a_damaged_pixi_lock_names_the_place(env: LockedEnv, find: str, instead: str, words: str) -> None:
    text = pixi_lock.render_as(env, 6)
    assert find in text
    with pytest.raises(UsageError) as raised:
        pixi_lock.read(text.replace(find, instead), "pixi.lock")
    assert any(words in part for part in (str(raised.value), *raised.value.causes))


names = st.from_regex(r"[a-z_][a-z0-9_.-]{0,8}[a-z0-9]", fullmatch=True)
parts = st.from_regex(r"[A-Za-z0-9_.]{1,9}", fullmatch=True)
hexes = st.text("0123456789abcdef", min_size=64, max_size=64)
specs = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20), max_size=3).map(tuple)


@st.composite
def packages(draw: st.DrawFn) -> CondaPackage:
    name, version, build = draw(names), draw(parts), draw(parts)
    return CondaPackage(
        name=name,
        version=version,
        build=build,
        build_number=draw(st.integers(0, 10**6)),
        channel=draw(st.sampled_from([FORGE, "file:///srv/channel"])),
        subdir=draw(st.sampled_from(["linux-64", "noarch"])),
        file=f"{name}-{version}-{build}{draw(st.sampled_from(['.conda', '.tar.bz2']))}",
        sha256=Sha256(draw(hexes)),
        md5=draw(hexes)[:32],
        size=draw(st.none() | st.integers(0, 10**12)),
        depends=draw(specs),
        constrains=draw(specs),
        timestamp=draw(st.none() | st.integers(0, 10**14)),
    )


@pytest.mark.slow
@examples(40)
@given(
    found=st.lists(packages(), min_size=1, max_size=3, unique_by=lambda one: one.name),
    version=st.sampled_from([6, 7]),
)
def test_whatever_a_channel_holds_comes_back(found: list[CondaPackage], version: int) -> None:
    conda = tuple(sorted(found, key=lambda one: one.name))
    env = replace(make_env(()), conda=conda, channels=(FORGE,))
    env = replace(env, target=replace(env.target, platform=Platform.LINUX_X86_64))
    text = pixi_lock.render_as(env, version)
    assert pixi_lock.read(text, "pixi.lock")[:2] == (conda, (FORGE,))


@pytest.mark.slow
def test_pixi_sbom_reads_what_we_write(env: LockedEnv, tmp_path: Path) -> None:
    sbom = shutil.which("pixi-sbom", path=str(Path(__import__("sys").executable).parent))
    if sbom is None:
        pytest.skip("pixi-sbom is not installed")
    write_lock(env, tmp_path)
    for name in ("pixi.lock", "conda-lock.yml"):
        out = tmp_path / "sbom.json"
        ran = subprocess.run(
            [sbom, "--lockfile", str(tmp_path / name), "--output", str(out)],
            check=False,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        found = {one["name"] for one in json.loads(out.read_text())["components"]}
        assert {one.name for one in env.conda} | {"addict"} <= found


@pytest.mark.slow
def test_conda_lock_reads_and_renders_what_we_write(env: LockedEnv, tmp_path: Path) -> None:
    """Its own strict parser, and its own rendering of an explicit file."""
    pytest.importorskip("conda_lock")
    from conda_lock.lockfile import parse_conda_lock_file

    write_lock(env, tmp_path)
    content = parse_conda_lock_file(tmp_path / "conda-lock.yml")
    assert {one.name for one in content.package} == {*(one.name for one in env.conda), "addict"}
    tool = str(Path(sys.executable).parent / "conda-lock")
    words = ["render", "--kind", "explicit", "--platform", "linux-64", str(tmp_path / "conda-lock.yml")]
    subprocess.run([tool, *words], check=True, capture_output=True, cwd=tmp_path)
    lines = (tmp_path / "conda-linux-64.lock").read_text().splitlines()
    assert {line for line in lines if line.startswith("https://")} == {
        f"{one.url}#{one.md5}" for one in env.conda
    }
