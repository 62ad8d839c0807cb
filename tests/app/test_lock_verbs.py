"""The folder of a lock over its life: solved, solved again, used, changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mmlock import app
from mmlock.core.arguments import SolveArguments
from mmlock.core.artifact import Artifact, IndexSettings, NamedIndex
from mmlock.core.errors import UsageError
from mmlock.core.names import Form, PackageName
from mmlock.lock.formats.toml_in import open_toml
from mmlock.lock.model import LockedEnv, LockedPackage
from mmlock.lock.read import read_lock
from mmlock.lock.write import write_lock
from mmlock.resolve.request.preferences import with_preferences

from .conftest import Run, stock

LINE = ("solve", "mmengine", "--torch", "2.1.2", "--cuda", "12.1", "--gpu", "a100")
SURROUNDINGS = dict(os.environ)
"""As they were before a fixture hid the settings of the user's tools."""
LOCKS = Path(__file__).parents[2] / "lockfiles" / "openmmlab"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("MMLOCK_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def solve(run: Run, index: Any) -> Run:
    stock(index, "mmengine", "torch==2.1.2", gpu="a100", cuda="12.1")
    return lambda *more: run(*LINE, "--index-url", index.url, *more)


@pytest.mark.slow
def test_a_solve_writes_lock_and_a_dry_run_does_not(solve: Run) -> None:
    dry = solve("--dry-run")
    assert dry.code == 0, dry.err
    assert dry.out.endswith("dry run: nothing was written\n")
    assert not Path("lock").exists()
    done = solve()
    assert done.code == 0
    assert Path("lock/pylock.toml").is_file()
    assert "lock: lock" in done.out


@pytest.mark.parametrize("made", ["file", "folder"])
def test_what_is_no_lock_is_left_alone_before_anything_is_asked(solve: Run, index: Any, made: str) -> None:
    if made == "file":
        Path("lock").write_text("mine")
    else:
        Path("lock").mkdir()
        Path("lock/thesis.tex").write_text("mine")
    asked = len(index.asked)
    done = solve()
    assert done.code == 2
    assert done.err.startswith(
        f"error: `lock` {'cannot be a folder' if made == 'file' else 'is not a lock folder'}\n"
    )
    assert "--out" in done.err
    assert len(index.asked) == asked
    assert not Path("lock/pylock.toml").exists()


@pytest.mark.slow
def test_an_empty_folder_is_as_good_as_a_new_one(solve: Run) -> None:
    Path("lock").mkdir()
    assert solve().code == 0


@pytest.mark.slow
def test_the_lock_that_is_there_is_preferred_unless_it_is_to_be_upgraded(tmp_path: Path) -> None:
    env = read_lock(LOCKS / "a100")
    write_lock(env, tmp_path / "lock")
    arguments = SolveArguments(out=tmp_path / "lock")
    found = dict(with_preferences(arguments).preferences)
    assert (found["torch"], found["python"]) == (env.torch, env.python)
    assert found["mmcv"] == "2.1.0"  # a step's version is preferred as well
    assert len(found) == len(env.packages) + len(env.steps) + 1
    some = dict(with_preferences(replace(arguments, upgrade_packages=(PackageName("torch"),))).preferences)
    assert some == {name: version for name, version in found.items() if name != "torch"}
    assert with_preferences(replace(arguments, upgrade=True)).preferences == ()
    assert with_preferences(replace(arguments, out=tmp_path / "nothing")).preferences == ()
    (tmp_path / "lock/pylock.toml").write_text("broken")
    assert with_preferences(arguments).preferences == ()


@pytest.mark.slow
def test_what_is_newer_comes_in_only_when_it_is_asked_for(
    solve: Run, index: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked_now(*more: str) -> dict[str, str]:
        done = solve(*more)
        assert done.code == 0, done.err
        return {package.name: package.version for package in read_lock(Path("lock")).packages}

    first = locked_now()
    monkeypatch.setenv("MMLOCK_CACHE_TTL", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "fresh"))  # the pages are fresh for ten minutes
    index.add("addict", "9999.0")
    index.add("rich", "9999.0")
    assert locked_now() == first
    assert locked_now() == first
    assert locked_now("--upgrade-package", "Addict") == {**first, "addict": "9999.0"}
    assert locked_now("--upgrade") == {**first, "addict": "9999.0", "rich": "9999.0"}


@pytest.mark.slow
def test_a_verdict_and_wheels_of_another_lock_go_and_that_is_said(solve: Run) -> None:
    write_lock(read_lock(LOCKS / "cpu"), Path("lock"))
    Path("lock/verdict.json").write_bytes((LOCKS / "cpu" / "verdict.json").read_bytes())
    Path("lock/wheels").mkdir()
    Path("lock/wheels/mmcv-2.1.0-cp311-cp311-linux_x86_64.whl").touch()
    done = solve()
    assert done.code == 0, done.err
    assert "removed verdict.json" in done.out
    assert "removed mmcv-2.1.0" in done.out
    assert sorted(path.name for path in Path("lock").iterdir()) == [
        "pylock.toml", "requirements.txt", "why.md",
    ]  # fmt: skip
    assert "removed" not in solve().out
    Path("lock/verdict.json").write_bytes((LOCKS / "cpu" / "verdict.json").read_bytes())
    assert len(json.loads(solve("--upgrade", "--format", "json").out)["removed"]) == 1


# ---------------------------------------------------------------- a lock folder is code


@pytest.mark.slow
def test_ones_own_lock_is_known_and_a_strangers_is_not(solve: Run, run: Run) -> None:
    assert solve().code == 0
    assert run("build").code == 0  # sealed already, and known
    assert app.review(Path("lock")) is None
    theirs = run("build", str(LOCKS / "t20"))
    assert theirs.code == 2
    assert "download mmcv 2.1.0" in theirs.err
    assert "`--yes`" in theirs.err
    text = Path("lock/pylock.toml").read_text()
    Path("lock/pylock.toml").write_text(text + "\n# changed\n")
    assert run("export", "script").code == 2
    assert run("export", "script", "--yes").code == 0
    assert run("export", "script").code == 0  # accepted for good


@pytest.mark.slow
def test_a_lock_that_mmlock_itself_changes_stays_known(solve: Run) -> None:
    from mmlock.upkeep.known_locks import stays_known

    assert solve().code == 0
    with stays_known(Path("lock")):
        path = Path("lock/pylock.toml")
        path.write_text(path.read_text() + "\n# sealed\n")
    assert app.review(Path("lock")) is None

    def fail_after_a_step() -> None:
        with stays_known(Path("lock")):
            path.write_text(path.read_text() + "\n# one step\n")
            raise OSError("halfway")

    with pytest.raises(OSError, match="halfway"):
        fail_after_a_step()
    assert app.review(Path("lock")) is None


def test_the_variables_of_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/elsewhere")
    prefix = tmp_path / "env"
    with pytest.raises(Exception, match="not a virtual environment"):
        app.run_environment(LOCKS / "cpu", prefix)
    prefix.mkdir()
    (prefix / "pyvenv.cfg").touch()
    found = app.run_environment(LOCKS / "cpu" / "pylock.toml", prefix)
    assert found["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1"
    assert found["VIRTUAL_ENV"] == str(prefix)
    assert found["PATH"].startswith(str(prefix))
    assert "PYTHONHOME" not in found


# ---------------------------------------------------------------- bound indexes


def test_what_is_recorded_as_a_fact_cannot_be_bound_to_an_index(run: Run, index: Any) -> None:
    line = (
        "solve",
        "mmengine",
        "--gpu",
        "cpu",
        "--index",
        f"team={index.url}",
        "--index-package",
        "team=mmcv",
    )
    done = run(*line)
    assert done.code == 2
    assert "`mmcv` cannot be bound to the index `team`" in done.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--index", "team"], "is not NAME=URL"),
        (["--index", "team=nowhere", "--index-package", "team=x"], "is not the URL of an index"),
        (["--index", "team=https://t.example/s"], "names no package"),
        (["--index-package", "team=x"], "no --index is named `team`"),
        (
            [
                "--index",
                "a=https://a.example",
                "--index",
                "b=https://b.example",
                "--index-package",
                "a=x",
                "--index-package",
                "b=X",
            ],
            "`x` is bound to `a` already",
        ),
        (
            [f"--index={n}=https://a.example" for n in ("a.b", "a-b")] + ["--index-package=a.b=x"],
            "is too like `a-b`",
        ),
    ],
)
def test_a_binding_that_is_none_is_told(run: Run, words: list[str], says: str) -> None:
    done = run("solve", "--gpu", "cpu", *words)
    assert done.code == 2
    assert says in done.err


@pytest.mark.slow
def test_a_bound_package_is_locked_from_its_index(solve: Run, index: Any) -> None:
    from package_index import serving

    index.add("our-ops", "9.9")
    with serving() as team:
        team.add("our-ops", "1.0")
        words = ("--with", "our-ops", "--index", f"team={team.url}", "--index-package", "team=our-ops")
        done = solve(*words)
        assert done.code == 0, done.err
        (package,) = [p for p in read_lock(Path("lock")).packages if p.name == "our-ops"]
        assert package.version == "1.0"
        assert package.files[0].url.startswith(team.url.removesuffix("/simple"))


def test_named_indexes_have_a_normal_form() -> None:
    named = NamedIndex(name="t", url="https://t.example", packages=(PackageName("B_b"), PackageName("a")))
    checked = SolveArguments(index=IndexSettings(named=(named,))).checked()
    assert checked.index.named[0].packages == ("a", "b-b")
    assert checked.checked() == checked


# ---------------------------------------------------------------- projects


def sealed(index: Any, tmp_path: Path, bound: str = "addict<2") -> LockedEnv:
    """A lock of small wheels: by URL, from torch's own index, and beside the lock.

    `bound`: what torch requires; the lock knows better than it.
    """
    import hashlib

    from package_index import wheel

    env = read_lock(LOCKS / "cpu")
    packages = []
    for name, version, requires in (
        ("addict", "2.4.0", ()),
        ("torch", "2.13.0+cpu", (bound,)),
        ("mmcv", "2.1.0", ("addict", "torch")),
    ):
        index.add(name, version, *requires)
        file, data = wheel(name, version, requires, "py3-none-any")
        url = f"{index.url.removesuffix('/simple')}/files/{name}/{file}"
        if name == "mmcv":
            (tmp_path / "lock/wheels").mkdir(parents=True)
            (tmp_path / "lock/wheels" / file).write_bytes(data)
            url = f"wheels/{file}"
        packages.append(
            LockedPackage(
                name=PackageName(name),
                version=version,
                form=Form.WHEEL,
                files=(Artifact(name=file, url=url, sha256=hashlib.sha256(data).hexdigest()),),  # type: ignore[arg-type]
                core=name != "addict",
                via=(),
                index=index.url if name == "torch" else None,
            )
        )
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return replace(env, packages=tuple(packages), build=(), fetch=(), verdict=None, python=here)


@pytest.mark.slow
def test_uv_takes_the_project_and_installs_what_the_lock_has(
    run: Run, index: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import uv

    write_lock(sealed(index, tmp_path), tmp_path / "lock")
    monkeypatch.chdir(tmp_path)
    done = run("export", "uv", "--yes", "--out", "pyproject.toml")
    assert done.code == 0, done.err
    for words in (["lock"], ["sync", "--dry-run"]):
        line = [uv.find_uv_bin(), *words, "--default-index", index.url, "--python", sys.executable]
        ran = subprocess.run(line, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert ran.returncode == 0, ran.stderr
    assert "#sha256=" in Path("pyproject.toml").read_text()
    assert {line.strip() for line in ran.stderr.splitlines() if line.startswith(" +")} == {
        f"+ addict @ {index.url.removesuffix('/simple')}/files/addict/addict-2.4.0-py3-none-any.whl",
        "+ mmcv==2.1.0 (from file://" + str(tmp_path / "lock/wheels/mmcv-2.1.0-py3-none-any.whl") + ")",
        "+ torch==2.13.0+cpu",
    }


PROGRAMS = {"poetry": "poetry", "pdm": "pdm[locked]"}
"""`locked`: PDM's own pins; with others its HTTP cache may not even be imported."""


@pytest.mark.network
@pytest.mark.parametrize(("tool", "bound"), [("poetry", "addict>=2"), ("pdm", "addict<2")])
def test_poetry_and_pdm_lock_what_the_lock_has(
    run: Run, index: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str, bound: str
) -> None:
    """The tools come from PyPI. Poetry has no overrides: it gets a lock that contradicts no metadata."""
    import uv

    env = sealed(index, tmp_path, bound)
    write_lock(env, tmp_path / "lock")
    monkeypatch.chdir(tmp_path)
    done = run("export", tool, "--yes", "--out", "pyproject.toml")
    assert done.code == 0, done.err
    environ = {**SURROUNDINGS, "HOME": str(tmp_path / "home"), "POETRY_VIRTUALENVS_CREATE": "false"}
    words = [
        uv.find_uv_bin(),
        "tool",
        "run",
        "--python",
        sys.executable,
        "--from",
        PROGRAMS[tool],
        tool,
        "lock",
    ]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path, env=environ)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    text = (tmp_path / f"{tool}.lock").read_text()
    held = open_toml(text, f"{tool}.lock").tables("package")
    assert {one.text("name"): one.text("version") for one in held} == {
        one.name: one.version for one in env.packages
    }
    assert all(file.sha256 is not None and file.sha256 in text for one in env.packages for file in one.files)


@pytest.mark.parametrize("tool", ["uv", "poetry", "pdm"])
def test_a_project_names_every_pin_and_where_it_is(
    run: Run, index: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    write_lock(sealed(index, tmp_path), tmp_path / "lock")
    monkeypatch.chdir(tmp_path)
    text = run("export", tool, "--yes").out
    for part in ("2.4.0", "2.13.0+cpu", "lock/wheels/mmcv-2.1.0-py3-none-any.whl", index.url):
        assert part in text
    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1" in text
    assert f'requires-python = "=={sys.version_info[0]}.{sys.version_info[1]}.*"' in text


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["uv", "poetry", "pdm"])
def test_a_lock_that_is_not_sealed_makes_no_project(run: Run, tool: str) -> None:
    done = run("export", tool, str(LOCKS / "rtx5090"), "--yes")
    assert done.code == 2
    assert "is not sealed" in done.err
    assert "mmlock build" in done.err


def test_a_direct_url_carries_its_hash() -> None:
    from mmlock.wheels.export.projects import pinned

    env = read_lock(LOCKS / "cpu")
    (package, *_) = env.packages
    file = replace(package.files[0], url="https://x.example/a-1.whl")
    links = replace(package, files=(file,), index="https://x.example/cu121/index.html")
    (found,) = pinned(replace(env, packages=(links,), build=(), fetch=()), Path("lock"))
    assert found.url == f"https://x.example/a-1.whl#sha256={file.sha256}"
    with pytest.raises(UsageError):
        pinned(env, Path("lock"))
