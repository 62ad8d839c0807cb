"""Exports are run, not read: the script in a shell, the cell in a Python of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from build_world import PYTHON, MakeWorld, artifact_of, locked, make_env, make_step, tar_of
from msgspec.structs import replace

from mmlock.core.errors import UsageError
from mmlock.core.names import normalize
from mmlock.lock.model import BuildStep, FetchStep, LockedEnv
from mmlock.lock.trees import read_tree
from mmlock.resolve.closure.uv_find import find_uv
from mmlock.wheels.export import dockerfile, notebook, script
from mmlock.wheels.export.model import Export, PlannedBuild, import_names
from mmlock.wheels.model import Pin
from mmlock.wheels.planning import plan_build, with_fetched


def make_wheel(folder: Path, name: str, version: str, module: str, text: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{module}.py": text or f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in files.items():
            archive.writestr(member, content)
    return path


def exported(
    env: LockedEnv, *imports: str, shadows: tuple[str, ...] = (), builds: tuple[PlannedBuild, ...] = ()
) -> Export:
    return Export(env=env, builds=builds, imports=imports, shadows=shadows)


@pytest.fixture
def env(tmp_path: Path) -> LockedEnv:
    """One wheel by URL, one beside the lock."""
    far = artifact_of(make_wheel(tmp_path / "far", "alpha", "1.0", "alpha"))
    near = artifact_of(make_wheel(tmp_path / "lock" / "wheels", "beta", "2.0+x", "beta"))
    near = replace(near, url=f"wheels/{near.name}")
    made = make_env((locked("alpha", "1.0", far), locked("beta", "2.0+x", near)))
    return replace(made, environment={"BETA_MODE": "it's on"})


# ---------------------------------------------------------------- the script


def run_script(text: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    (folder / "build.sh").write_text(text)
    uv = find_uv(os.environ)
    assert uv is not None
    environ = {
        **os.environ,
        "PATH": f"{Path(uv.path).parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    environ |= {"UV_OFFLINE": "1", "UV_PYTHON": sys.executable, **variables}
    words = ["sh", str(folder / "build.sh")]
    return subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_script_installs_the_lock(env: LockedEnv, tmp_path: Path) -> None:
    ran = run_script(
        script.render(exported(env, "alpha", "beta")), tmp_path / "lock", PREFIX=str(tmp_path / "p q")
    )
    assert ran.returncode == 0, ran.stderr
    assert "import beta: ok" in ran.stdout
    assert "BETA_MODE=it's on" in ran.stderr
    code = "import alpha, beta; print(alpha.VERSION, beta.VERSION)"
    told = subprocess.run(
        [tmp_path / "p q" / "bin" / "python", "-c", code], capture_output=True, text=True, check=True
    )
    assert told.stdout == "1.0 2.0+x\n"


@pytest.mark.slow
def test_the_script_runs_again_but_not_over_what_is_not_its_own(env: LockedEnv, tmp_path: Path) -> None:
    text = script.render(exported(env, "alpha"))
    assert run_script(text, tmp_path / "lock", PREFIX=str(tmp_path / "p")).returncode == 0
    assert run_script(text, tmp_path / "lock", PREFIX=str(tmp_path / "p")).returncode == 0
    (tmp_path / "p" / "mmlock.json").unlink()
    ran = run_script(text, tmp_path / "lock", PREFIX=str(tmp_path / "p"))
    assert ran.returncode != 0
    assert "is somebody else's" in ran.stderr


@pytest.mark.slow
def test_words_of_the_lock_are_no_commands(env: LockedEnv, tmp_path: Path) -> None:
    sdist = tar_of({"a": "x"}, tmp_path / "tinyext-1.0.tar.gz")
    step = replace(make_step(sdist), build_requires=(), why="one\ntouch owned\n")
    step = replace(step, env={"A": "$(touch owned)", "B": "'; touch owned; '"})
    plan = plan_build(replace(env, build=(step,)), step)
    text = script.render(exported(env, builds=(PlannedBuild(plan=plan, pins=()),)))
    ran = run_script(text, tmp_path / "lock", PREFIX=str(tmp_path / "p"))
    assert "No module named pip" in ran.stderr  # as far as the compile, past every word
    with pytest.raises(UsageError, match="cannot be exported"):
        script.render(exported(env, "$(touch owned)"))
    pin = Pin(name=normalize("a"), version="1", file=replace(artifact_of(sdist), url="https://h/x --flag"))
    with pytest.raises(UsageError, match="cannot be exported"):
        script.render(exported(env, builds=(PlannedBuild(plan=plan, pins=(pin,)),)))
    assert not list(tmp_path.rglob("owned"))


@pytest.mark.slow
def test_the_script_refuses_a_changed_wheel(env: LockedEnv, tmp_path: Path) -> None:
    make_wheel(tmp_path / "far", "alpha", "1.0", "alpha", "EVIL = 1\n")
    ran = run_script(script.render(exported(env)), tmp_path / "lock", PREFIX=str(tmp_path / "p"))
    assert ran.returncode != 0
    assert "Hash mismatch" in ran.stderr


@pytest.mark.slow
def test_the_script_fails_when_a_module_cannot_be_imported(env: LockedEnv, tmp_path: Path) -> None:
    ran = run_script(script.render(exported(env, "gamma")), tmp_path / "lock", PREFIX=str(tmp_path / "p"))
    assert ran.returncode != 0
    assert "cannot import gamma" in ran.stderr


@pytest.mark.slow
def test_the_script_builds_what_the_lock_lacks(world: MakeWorld, tmp_path: Path) -> None:
    from mmlock.lock.model import PatchPlan

    patch = PatchPlan(
        id="p", file="backend.py", find="ANSWER = 42", replace="ANSWER = 44", reason="it is better"
    )
    here = world(patches=(patch,))
    plan = plan_build(here.env, here.step)
    whole = exported(here.env, "tinyext._ext", builds=(PlannedBuild(plan=plan, pins=plan.pins),))
    ran = run_script(script.render(whole), tmp_path / "lock", PREFIX=str(tmp_path / "p"), CXX="g++")
    assert ran.returncode == 0, ran.stderr
    code = "import tinyext._ext as e; print(e.answer())"
    told = subprocess.run(
        [tmp_path / "p" / "bin" / "python", "-c", code], capture_output=True, text=True, check=True
    )
    assert told.stdout == "44\n"


@pytest.mark.slow
def test_the_script_refuses_a_wheel_without_its_compiled_part(world: MakeWorld, tmp_path: Path) -> None:
    here = world({"PURE = False": "PURE = True"})
    plan = plan_build(here.env, here.step)
    whole = exported(here.env, builds=(PlannedBuild(plan=plan, pins=plan.pins),))
    ran = run_script(script.render(whole), tmp_path / "lock", PREFIX=str(tmp_path / "p"), CXX="g++")
    assert ran.returncode != 0
    assert "built without its compiled part" in ran.stderr
    assert not (tmp_path / "p").exists()


@pytest.mark.slow
def test_the_script_builds_against_what_it_fetched_from_an_extension_of_the_users_tree(
    world: MakeWorld, tmp_path: Path
) -> None:
    here = world({"def before():\n    pass": "def before():\n    import gamma"})
    near = make_wheel(tmp_path / "links", "gamma", "1.0", "gamma")
    url = f"https://nobody.example/{near.name}"
    fetch = FetchStep(
        package=normalize("gamma"), version="1.0", url=url, index="https://nobody.example", why="", reasons=()
    )
    project = tmp_path / "project"
    with tarfile.open(tmp_path / "tinyext-1.0.tar.gz") as archive:
        archive.extractall(project)  # noqa: S202  made by this test
    step = replace(here.step, build_requires=("pip", "gamma==1.0"), source=read_tree(project, "tinyext-1.0"))
    env = replace(here.env, fetch=(fetch,), build=(step,))
    plan = plan_build(with_fetched(env), step)
    whole = exported(env, "tinyext._ext", builds=(PlannedBuild(plan=plan, pins=plan.pins),))
    given = {"PREFIX": str(tmp_path / "p"), "CXX": "g++", "LINKS": str(near.parent), "PROJECT": str(project)}
    ran = run_script(script.render(whole), tmp_path / "lock", **given)
    assert ran.returncode == 0, ran.stderr
    assert "nobody knows whether that is right" in ran.stderr
    (project / "tinyext-1.0" / "ext.cpp").write_text("int changed;")
    given["PREFIX"] = str(tmp_path / "q")
    ran = run_script(script.render(whole), tmp_path / "lock2", **given)
    assert ran.returncode != 0
    assert "is PROJECT right?" in ran.stderr


# ---------------------------------------------------------------- the Dockerfile


def test_the_dockerfile_holds_the_script_and_what_runs_needs(env: LockedEnv) -> None:
    text = dockerfile.render(exported(replace(env, engine="uv 0.13.8"), "alpha"))
    assert f"ARG BASE=python:{PYTHON}-slim-bookworm\n" in text
    assert "COPY --from=ghcr.io/astral-sh/uv:0.13.8 /uv" in text
    assert "COPY wheels/ /opt/lock/wheels/" in text
    body = text.partition("<<'MMLOCK_SCRIPT' /opt/lock/build.sh\n")[2].partition("\nMMLOCK_SCRIPT\n")[0]
    assert body + "\n" == script.render(exported(replace(env, engine="uv 0.13.8"), "alpha"))
    assert 'ENV BETA_MODE="it\'s on"' in text


def test_a_system_toolkit_names_an_image_that_has_it(env: LockedEnv, tmp_path: Path) -> None:
    (tmp_path / "tinyext-1.0.tar.gz").write_text("x")
    step = replace(make_step(tmp_path / "tinyext-1.0.tar.gz"), build_requires=())
    step = replace(step, toolchain=replace(step.toolchain, provider="system", cuda="12.4"))
    plan = plan_build(replace(env, build=(step,)), step)
    text = dockerfile.render(exported(env, builds=(PlannedBuild(plan=plan, pins=()),)))
    assert "ARG BASE=nvidia/cuda:12.4.0-devel-" in text
    assert "look up the newest patch release" in text


# ---------------------------------------------------------------- the cell


def test_an_unsealed_lock_has_no_cell(env: LockedEnv) -> None:
    step = FetchStep(
        package=normalize("p"), version="1", url="https://x/p.whl", index="https://x", why="", reasons=()
    )
    with pytest.raises(UsageError, match="not sealed"):
        notebook.render(exported(replace(env, fetch=(step,))))


def test_the_cell_is_a_notebook_when_asked(env: LockedEnv) -> None:
    cell = notebook.render(exported(env, "alpha"))
    document = json.loads(notebook.as_ipynb(cell))
    assert "".join(document["cells"][0]["source"]) == cell
    compile(cell, "cell", "exec")


@pytest.mark.slow
def test_a_cell_in_another_python_says_so(env: LockedEnv, tmp_path: Path) -> None:
    (tmp_path / "cell.py").write_text(notebook.render(exported(replace(env, python="3.5"), "alpha")))
    ran = subprocess.run(
        [sys.executable, "cell.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert f"mmlock solve --python {PYTHON}" in ran.stderr


@pytest.mark.slow
def test_the_cell_mends_a_wrong_environment(env: LockedEnv, tmp_path: Path) -> None:
    """Removes what shadows, replaces what is wrong, leaves what is right, tells of the restart."""
    home = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    python = str(home / "bin" / "python")
    environ = {**os.environ, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    wrong = [
        make_wheel(tmp_path / "old", "beta", "1.0", "beta"),
        make_wheel(tmp_path / "old", "beta-lite".replace("-", "_"), "9.0", "beta_lite"),
        Path(env.packages[0].files[0].url.removeprefix("file://")),
    ]
    pip = [python, "-m", "pip", "install", "-q", "--no-deps", *map(str, wrong)]
    subprocess.run(pip, check=True, env=environ)
    stamp = next(home.glob("lib/*/site-packages/alpha.py")).stat().st_mtime_ns
    cell = notebook.render(exported(env, "alpha", "beta", shadows=("beta-lite", "beta-full")))
    cell = cell.replace("WHEELS = 'wheels'", f"WHEELS = {str(tmp_path / 'lock' / 'wheels')!r}")
    (tmp_path / "cell.py").write_text("import beta\n" + cell + "print('mode', os.environ['BETA_MODE'])\n")

    def run() -> str:
        ran = subprocess.run(
            [python, "cell.py"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    first = run()
    assert "1 of 2 packages are right already" in first
    assert "removing what shadows them: beta-lite" in first
    assert "installing beta 2.0+x" in first
    assert "RESTART THE KERNEL" in first
    assert "beta 1.0" in first
    assert "mode it's on" in first
    assert next(home.glob("lib/*/site-packages/alpha.py")).stat().st_mtime_ns == stamp
    second = run()
    assert "2 of 2 packages are right already" in second
    assert "no restart is needed" in second


# ---------------------------------------------------------------- which modules are tried


def test_decided_packages_are_imported_and_compiled_ones_by_their_extension(
    env: LockedEnv, tmp_path: Path
) -> None:
    path = tmp_path / "mmcv-2.1.0-cp311-cp311-linux_x86_64.whl"
    path.write_text("x")
    torch = tmp_path / "torch-2.0-cp311-cp311-linux_x86_64.whl"
    torch.write_text("x")
    packages = (locked("mmcv", "2.1.0", artifact_of(path)), locked("torch", "2.0", artifact_of(torch)))
    modules = {"mmcv": "mmcv", "torch": "torch", "numpy": "numpy"}
    found = import_names(replace(env, packages=packages), modules, {"mmcv": "mmcv._ext"})
    assert found == ["torch", "mmcv", "mmcv._ext"]


def test_a_step_counts_as_decided(env: LockedEnv, tmp_path: Path) -> None:
    (tmp_path / "tinyext-1.0.tar.gz").write_text("x")
    step: BuildStep = make_step(tmp_path / "tinyext-1.0.tar.gz")
    found = import_names(replace(env, build=(step,)), {"tinyext": "tinyext"}, {"tinyext": "tinyext._ext"})
    assert found == ["tinyext", "tinyext._ext"]
