"""Conda locks in other forms: the script is run, the files are read by rattler and by us."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import rattler
from build_world import artifact_of, locked, make_env
from conda_channel import channel_package, this_python
from made_wheels import put_wheel
from msgspec.structs import replace

from mmlock.core.build_arguments import ExportArguments, ExportForm
from mmlock.core.errors import UsageError
from mmlock.core.names import Platform, Sha256
from mmlock.lock.formats import conda_lock_yml, pixi_lock, pixi_toml
from mmlock.lock.formats.conda_parts import subdir
from mmlock.lock.model import CondaPackage, LockedEnv
from mmlock.lock.write import write_lock
from mmlock.resolve.closure.uv_find import find_uv
from mmlock.wheels.export import dockerfile, notebook, script
from mmlock.wheels.export.export import export as export_page
from mmlock.wheels.export.model import Export
from mmlock.wheels.export.projects import pinned
from mmlock.wheels.export.together import names_of, render_together

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FORGE = "https://conda.anaconda.org/conda-forge"

TOOL = """#!{python}
# A conda tool as the script needs one: rattler reads the explicit list, checks every hash and installs.
import asyncio, hashlib, sys
from pathlib import Path
import rattler
from rattler.explicit_environment import ExplicitEnvironmentSpec

words = dict(zip(sys.argv, sys.argv[1:]))
spec = ExplicitEnvironmentSpec.from_path(Path(words["--file"]))
records = []
for entry in spec.packages:
    url, _, digest = str(entry.url).partition("#")
    name, version, build = url.rpartition("/")[2].removesuffix(".conda").rsplit("-", 2)
    assert digest.startswith("sha256:"), digest
    # As conda and micromamba do, and rattler does not for a channel on a disk.
    path = Path(url.removeprefix("file://"))
    if hashlib.sha256(path.read_bytes()).hexdigest() != digest.removeprefix("sha256:"):
        sys.exit("hash mismatch")
    record = rattler.PackageRecord(
        name=name, version=version, build=rattler.BuildString(build), build_number=0, subdir="linux-64",
        sha256=bytes.fromhex(digest.removeprefix("sha256:")),
    )
    place = url.rpartition("/")[0].rpartition("/")[0]
    records.append(rattler.RepoDataRecord(record, url.rpartition("/")[2], url, place))
cache = Path(words["--prefix"] + ".cache")
asyncio.run(rattler.install(records, words["--prefix"], cache_dir=cache, show_progress=False))
"""


def package(name: str, version: str = "1.0", *depends: str, kind: str = "linux-64") -> CondaPackage:
    return CondaPackage(
        name=name,
        version=version,
        build="h1_0",
        build_number=0,
        channel=FORGE,
        subdir=kind,
        file=f"{name}-{version}-h1_0.conda",
        sha256=Sha256("a" * 64),
        md5="b" * 32,
        size=None,
        depends=depends,
    )


@pytest.fixture
def env(tmp_path: Path) -> LockedEnv:
    wheel = artifact_of(
        put_wheel(tmp_path / "lock" / "wheels", "beta-2.0-py3-none-any.whl", {"beta.py": b"X = 7\n"})
    )
    base = make_env((locked("beta", "2.0", replace(wheel, url=f"wheels/{wheel.name}")),))
    target = replace(base.target, platform=Platform.LINUX_X86_64, glibc="2.28")
    conda = (package("pip"), package("python", "3.12.0"))
    return replace(base, target=target, conda=conda, channels=(FORGE,), environment={"MODE": "a b"})


def whole(env: LockedEnv, *imports: str) -> Export:
    return Export(env=env, builds=(), imports=imports, shadows=())


@pytest.mark.slow
def test_the_script_installs_both_parts_by_hash(tmp_path: Path, env: LockedEnv) -> None:
    channel = tmp_path / "channel"
    platform = subdir(env.target.platform)
    pip = channel_package(channel, platform, "pip", {"share/pip.txt": "pip"}, "python")
    env = replace(env, conda=(pip, this_python(channel, platform)), channels=(channel.as_uri(),))
    tool = tmp_path / "tools" / "micromamba"
    tool.parent.mkdir()
    tool.write_text(TOOL.format(python=sys.executable))
    tool.chmod(0o755)
    found = find_uv(os.environ)
    assert found is not None
    (tool.parent / "uv").symlink_to(Path(found.path).resolve())
    (tmp_path / "lock" / "build.sh").write_text(script.render(whole(env, "beta")))

    def run(prefix: str) -> subprocess.CompletedProcess[str]:
        environ = {
            "PATH": f"{tool.parent}:/usr/bin:/bin", "PREFIX": str(tmp_path / prefix),
            "WORK": str(tmp_path / "work"), "HOME": str(tmp_path), "UV_OFFLINE": "1",
        }  # fmt: skip
        return subprocess.run(
            ["sh", tmp_path / "lock" / "build.sh"], capture_output=True, text=True, check=False, env=environ
        )

    ran = run("prefix")
    assert ran.returncode == 0, ran.stderr
    assert "import beta: ok" in ran.stdout
    assert any((tmp_path / "prefix" / "conda-meta").glob("python-*.json"))
    assert run("prefix").returncode == 0  # again into the same one

    wrong = replace(env.conda[0], sha256=Sha256("0" * 64))
    (tmp_path / "lock" / "build.sh").write_text(
        script.render(whole(replace(env, conda=(wrong, env.conda[1]))))
    )
    refused = run("other")
    assert refused.returncode != 0
    assert not (tmp_path / "other" / "mmlock.json").exists()


def test_the_script_says_what_it_needs(env: LockedEnv) -> None:
    text = script.render(whole(env))
    assert "Needs micromamba, mamba or conda" in text
    assert f"{FORGE}/linux-64/pip-1.0-h1_0.conda#sha256:{'a' * 64}" in text
    assert "uv venv" not in text
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0


def test_a_hostile_channel_is_one_word_of_the_script(env: LockedEnv, tmp_path: Path) -> None:
    evil = replace(env.conda[0], channel=f"https://x/$(touch {tmp_path}/pwned)';touch {tmp_path}/pwned;'")
    text = script.render(whole(replace(env, conda=(evil,))))
    subprocess.run(
        ["sh"], input=text, text=True, check=False, capture_output=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert not (tmp_path / "pwned").exists()


def test_the_dockerfile_takes_no_python_image(env: LockedEnv) -> None:
    text = dockerfile.render(whole(env))
    assert "ARG BASE=debian:bookworm-slim" in text
    assert "COPY --from=mambaorg/micromamba /bin/micromamba" in text


def test_what_cannot_hold_conda_packages_says_so(env: LockedEnv, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a notebook cell cannot hold this lock"):
        notebook.render(whole(env))
    with pytest.raises(UsageError, match="cannot hold this lock"):
        pinned(env, tmp_path)


# ---------------------------------------------------------------- several locks in one file


def two(env: LockedEnv) -> dict[str, LockedEnv]:
    other = replace(env, conda=(package("pip"), package("python", "3.11.0")), packages=())
    return {"a100": env, "cpu": other}


@pytest.mark.parametrize("version", pixi_lock.VERSIONS)
def test_rattler_reads_every_environment_of_one_pixi_lock(
    env: LockedEnv, version: int, tmp_path: Path
) -> None:
    path = tmp_path / "pixi.lock"
    path.write_text(pixi_lock.render_many(two(env), version))
    lock = rattler.LockFile.from_path(path)
    for name, locked_env in two(env).items():
        there = lock.environment(name)
        assert there is not None
        found = {
            (one.name, str(one.version))
            for platform in there.platforms()
            for one in there.packages(platform) or []
        }
        wanted = {(one.name, one.version) for one in locked_env.conda}
        assert found == wanted | {(str(one.name), one.version) for one in locked_env.packages}


@pytest.mark.parametrize("version", pixi_lock.VERSIONS)
def test_what_was_written_together_is_read_apart(env: LockedEnv, version: int) -> None:
    found = pixi_lock.read_many(pixi_lock.render_many(two(env), version), "pixi.lock")
    assert {name: part[0] for name, part in found.items()} == {n: e.conda for n, e in two(env).items()}
    assert [file.name for file in found["a100"][2]] == ["beta-2.0-py3-none-any.whl"]
    assert found["cpu"][2] == ()
    with pytest.raises(UsageError) as raised:
        pixi_lock.read(pixi_lock.render_many(two(env), version), "pixi.lock")
    assert "`environments` holds `a100`, `cpu`" in raised.value.causes[0]


def test_an_environment_may_name_nothing_that_is_not_there(env: LockedEnv) -> None:
    text = pixi_lock.render_many(two(env))
    with pytest.raises(UsageError) as raised:
        pixi_lock.read_many(text.replace("pip-1.0-h1_0.conda", "pap-1.0-h1_0.conda", 1), "f")
    assert "`packages` does not hold" in raised.value.causes[0]


def test_conda_lock_holds_one_lock_for_each_platform(env: LockedEnv) -> None:
    mac = replace(
        env,
        target=replace(env.target, platform=Platform.MACOS_ARM64),
        conda=(package("pip", kind="osx-arm64"), package("python", kind="osx-arm64")),
    )
    text = conda_lock_yml.render_many([env, mac])
    assert text.count("platform: linux-64") == 3
    assert text.count("platform: osx-arm64") == 3
    with pytest.raises(UsageError, match="two locks for linux-64"):
        conda_lock_yml.render_many([env, env])


def test_a_pixi_workspace_pins_every_build(env: LockedEnv) -> None:
    text = pixi_toml.render(env)
    assert text is not None
    found = tomllib.loads(text)
    assert found["workspace"]["platforms"] == ["linux-64"]
    assert found["dependencies"] == {
        "pip": {"version": "==1.0", "build": "h1_0"},
        "python": {"version": "==3.12.0", "build": "h1_0"},
    }
    assert found["system-requirements"] == {"libc": {"family": "glibc", "version": "2.28"}}
    assert found["pypi-dependencies"] == {"beta": {"path": "./wheels/beta-2.0-py3-none-any.whl"}}
    assert found["activation"] == {"env": {"MODE": "a b"}}


def test_a_pixi_workspace_of_several_locks_has_an_environment_for_each(env: LockedEnv) -> None:
    found = tomllib.loads(pixi_toml.render_many(two(env)))
    assert found["environments"] == {
        name: {"features": [name], "no-default-feature": True} for name in ("a100", "cpu")
    }
    assert found["feature"]["cpu"]["dependencies"]["python"]["version"] == "==3.11.0"


def test_paths_are_as_they_are_from_the_new_file(env: LockedEnv, tmp_path: Path) -> None:
    text = render_together(ExportForm.PIXI_LOCK, {tmp_path / "lock": env}, tmp_path / "other")
    assert "pypi: ./../lock/wheels/beta-2.0-py3-none-any.whl" in text


def test_names_of_locks_are_their_folders_apart_where_alike() -> None:
    alike = [Path("/x/openmmlab/cpu"), Path("/x/3d/cpu"), Path("/x/3d/A100_x")]
    assert list(names_of(alike).values()) == ["openmmlab-cpu", "3d-cpu", "a100-x"]
    with pytest.raises(UsageError, match="the same name"):
        names_of([Path("/x/a_b"), Path("/x/a-b")])


@pytest.mark.parametrize(
    ("changes", "form", "schema", "words"),
    [
        ({"conda": ()}, ExportForm.PIXI, None, "has no conda packages"),
        ({}, ExportForm.PIXI_LOCK, 5, "is no version of pixi-lock"),
        ({}, ExportForm.CONDA_LOCK, 7, "is no version of conda-lock"),
    ],
)
def test_what_no_file_can_hold_is_refused(
    env: LockedEnv, changes: dict[str, object], form: ExportForm, schema: int | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        render_together(form, {Path("/x/cpu"): replace(env, **changes)}, Path("/x"), schema=schema)


def test_the_verb_writes_several_locks_into_one_file(env: LockedEnv, tmp_path: Path) -> None:
    env = replace(env, packages=())
    write_lock(env, tmp_path / "a100")
    write_lock(two(env)["cpu"], tmp_path / "cpu")
    arguments = ExportArguments(
        lock=tmp_path / "a100",
        others=(tmp_path / "cpu",),
        form=ExportForm.PIXI_LOCK,
        out=tmp_path / "pixi.lock",
        schema=7,
    )
    export_page(arguments)
    found = pixi_lock.read_many((tmp_path / "pixi.lock").read_text(), "pixi.lock")
    assert set(found) == {"a100", "cpu"}
    with pytest.raises(UsageError, match="takes one lock"):
        export_page(replace(arguments, form=ExportForm.UV))
