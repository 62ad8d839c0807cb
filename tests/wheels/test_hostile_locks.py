"""A lock of which any text may be anything: an export refuses it, or the text stays a text.

The scripts are run, with every program that they call replaced by one that does nothing: whatever else runs
leaves a mark. The one field left out is `toolchain.setup`, which holds commands by its very meaning.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from build_world import locked, make_env, make_step, tar_of
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields, replace

from mmlock.core.artifact import Artifact
from mmlock.core.errors import UsageError
from mmlock.core.extension import SourceTree
from mmlock.core.names import Confidence, Sha256, StrEnum, normalize
from mmlock.lock.model import (
    BuildTool,
    FetchStep,
    Finding,
    LockedEnv,
    PatchPlan,
    Reason,
    SourceGroup,
    TermValue,
)
from mmlock.wheels.export import dockerfile, notebook, script
from mmlock.wheels.export.model import Export, PlannedBuild
from mmlock.wheels.model import Pin
from mmlock.wheels.planning import plan_build

PWNED = "mmlock_pwned"
PIECES = [
    PWNED,
    f"$({PWNED})",
    f"`{PWNED}`",
    f"; {PWNED} ;",
    f"\n{PWNED}\n",
    "\r\n",
    "'",
    '"',
    "'''",
    '"""',
    "\\",
    "\\\n",
    "\0",
    "\x1b[2J",
    "PINS\n",
    "MMLOCK_SCRIPT\n",
    "\nMMLOCK_SCRIPT\nRUN x\n",
    "PATCH\n",
    "TREE\n",
    "IMPORTS\n",
    "GROUP\n",
    "--flag",
    " --hash=sha256:00",
    "-",
    "../",
    "/etc/passwd",
    "#",
    "# escape=`",
    "$HOME",
    "${HOME}",
    "{jobs}",
    "{site_packages}",
    "{BESIDE}",
    "%s",
    "%0a",
    "*",
    "?",
    "[a]",
    "~",
    "&",
    "|",
    "<",
    ">",
    "(",
    ")",
    "\u2028",
    "\u202e",
    "\ud7ff",
    "{",
    "}",
    "=",
    "'; import os; '",
    "\n!touch x\n",
    "%%bash\n",
    " && ",
    "\t",
]
hostile = st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join)

STUBS = {
    "uv": (
        "for last; do :; done\n"
        'if [ "$1" = venv ]; then mkdir -p "$last/bin" && cp "$STUBS/python" "$last/bin/python"; fi'
    ),
    "python": "exit 0",
    "curl": 'while [ $# -gt 0 ]; do if [ "$1" = --output ]; then : > "$2"; fi; shift; done',
    "tar": "mkdir -p sources/top",
    "sha256sum": 'echo "$EXPECTED  x"',
    PWNED: ': > "$MARK"',
    "x": ': > "$MARK"',
    "import": ': > "$MARK"',
}


def reason() -> Reason:
    return Reason(text="r", source=("s",), confidence=Confidence.MEASURED, kind="wheel")


@pytest.fixture(scope="module")
def rich_env(tmp_path_factory: pytest.TempPathFactory) -> LockedEnv:
    """A lock in which every field that can be there is there."""
    folder = tmp_path_factory.mktemp("sources")
    sdist = tar_of({"a": "x"}, folder / "tinyext-1.0.tar.gz")
    sha = Sha256("ab" * 32)
    wheel = Artifact(
        name="alpha-1.0-py3-none-any.whl",
        url="https://h.example/alpha-1.0-py3-none-any.whl",
        sha256=sha,
        upload_time="2026-01-02T03:04:05Z",
        requires_python=">=3.9",
    )
    near = replace(wheel, name="beta-2.0-py3-none-any.whl", url="wheels/beta-2.0-py3-none-any.whl")
    step = make_step(sdist)
    assert isinstance(step.source, Artifact)
    tool = replace(
        wheel, name="ninja-1.0-py3-none-any.whl", url="https://h.example/ninja-1.0-py3-none-any.whl"
    )
    step = replace(
        step,
        source=replace(step.source, requires_python=">=3"),
        build_requires=("alpha>=1",),
        requires=("alpha",),
        toolchain=replace(
            step.toolchain,
            provider="system",
            cuda="12.4",
            cuda_home="/usr/local/cuda-{site_packages}",
            packages=("nvcc==1.0",),
            files=(replace(wheel, name="nvcc-1.0-py3-none-any.whl"),),
            gcc_source="s",
            note="n",
        ),
        env={"MAX_JOBS": "{jobs}", "FLAG": "1"},
        patches=(PatchPlan(id="p", file="a/b.py", find="x", replace="y", reason="because"),),
        groups=(SourceGroup(file="a/g.cu", parts=("a/b.cu", "a/c.cu")),),
        tools=(BuildTool(name=normalize("ninja"), version="1.0", file=tool),),
        note="n",
        verified="v",
        ops=("nms",),
        reasons=(reason(),),
    )
    tree = SourceTree(path="models/ops", sha256=sha, files=3)
    other = replace(step, package=normalize("treeext"), source=tree, groups=(), patches=())
    fetch = FetchStep(
        package=normalize("mmcv"),
        version="2.1.0",
        url="https://h.example/whl/mmcv-2.1.0-cp311-cp311-linux_x86_64.whl",
        index="https://h.example/whl",
        why="no hash",
        reasons=(reason(),),
        alternatives=("https://m.example/mmcv-2.1.0-cp311-cp311-linux_x86_64.whl",),
    )
    env = make_env(
        (locked("alpha", "1.0", wheel), locked("beta", "2.0", near, via=("alpha",))), (step, other)
    )
    env = replace(
        env,
        fetch=(fetch,),
        driver_floor="580.65",
        environment={"MODE": "on"},
        environment_reasons=(reason(),),
        findings=(
            Finding(level="note", subject="s", text="t", source=("s",), confidence=Confidence.MEASURED),
        ),
        objectives=(TermValue(name="n", meaning="m", value=1, detail=("d",)),),
        left_out=(reason(),),
        engine="uv 0.9",
        target=replace(env.target, driver="580.65"),
    )
    return replace(
        env,
        packages=tuple(replace(p, index="https://h.example/s", reasons=(reason(),)) for p in env.packages),
    )


# ---------------------------------------------------------------- any text of it replaced


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each text; of a mapping the names, too."""
    if isinstance(value, str):
        if not isinstance(value, StrEnum) and "setup" not in path:
            yield path
    elif isinstance(value, Struct):
        for field in fields(value):
            yield from places(getattr(value, field.name), (*path, field.name))
    elif isinstance(value, tuple):
        for at, item in enumerate(value):
            yield from places(item, (*path, at))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield (*path, ("key", key))
            yield from places(item, (*path, ("item", key)))


def put(value: Any, path: tuple[Any, ...], text: str, *, added: bool) -> Any:
    """The value with one text replaced, or with the hostile one behind what was there."""
    if not path:
        return value + text if added else text
    step, rest = path[0], path[1:]
    if isinstance(value, Struct):
        return replace(value, **{step: put(getattr(value, step), rest, text, added=added)})
    if isinstance(value, tuple):
        return (*value[:step], put(value[step], rest, text, added=added), *value[step + 1 :])
    kind, key = step
    if kind == "key":
        new = key + text if added else text
        return {(new if name == key else name): item for name, item in value.items()}
    return {**value, key: put(value[key], rest, text, added=added)}


def exported(env: LockedEnv) -> Export:
    builds = []
    for step in env.build:
        plan = plan_build(replace(env, build=(step,)), step)
        builds.append(
            PlannedBuild(
                plan=plan,
                pins=(*plan.pins, *(Pin(name=t.name, version=t.version, file=t.file) for t in step.tools)),
            )
        )
    return Export(env=env, builds=builds, imports=("alpha", "tinyext._ext"), shadows=("alpha-lite",))


def sealed(env: LockedEnv) -> LockedEnv:
    return replace(env, fetch=(), build=())


def run(text: str, folder: Path, expected: str) -> subprocess.CompletedProcess[str]:
    """Run a script where only the stubs, and what a shell cannot do without, are to be found."""
    stubs = folder / "stubs"
    stubs.mkdir(parents=True)
    for name, body in STUBS.items():
        (stubs / name).write_text(f"#!/bin/sh\n{body}\n")
        (stubs / name).chmod(0o755)
    for name in ("sh", "mkdir", "cp", "mv", "rm", "touch", "dirname", "sed", "cut", "cat", "getconf", "awk"):
        found = shutil.which(name)
        assert found is not None
        (stubs / name).symlink_to(found)
    (folder / "build.sh").write_text(text, encoding="utf-8", newline="")
    environ = {
        "PATH": str(stubs),
        "STUBS": str(stubs),
        "MARK": str(folder / "pwned"),
        "EXPECTED": expected,
        "HOME": str(folder / "home"),
        "LC_ALL": "C.UTF-8",
    }
    (folder / "models" / "ops").mkdir(parents=True)
    return subprocess.run(
        ["/bin/sh", str(folder / "build.sh")],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=60,
    )


def prepared(text: str) -> str:
    """The script in a world where parts of groups are there to be moved."""
    return text.replace("cd sources/*/\n", "cd sources/*/ && mkdir -p a && touch a/b.cu a/c.cu\n")


@pytest.mark.slow
def test_the_script_of_a_plain_lock_runs_to_its_end_with_the_stubs(
    rich_env: LockedEnv, tmp_path: Path
) -> None:
    source = rich_env.build[0].source
    ran = run(prepared(script.render(exported(rich_env))), tmp_path, str(source.sha256))
    assert ran.returncode == 0, ran.stderr
    assert "MODE=on" in ran.stderr


@pytest.mark.slow
@examples(150)
@given(data=st.data())
def test_no_text_of_a_lock_becomes_a_command(
    rich_env: LockedEnv, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(list(places(rich_env))))
    env = put(rich_env, path, data.draw(hostile), added=data.draw(st.booleans()))
    try:
        text = script.render(exported(env))
    except UsageError:
        return
    folder = tmp_path_factory.mktemp("run")
    checked = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    source = rich_env.build[0].source
    ran = run(prepared(text), folder, str(source.sha256))
    assert not (folder / "pwned").exists(), ran.stderr
    assert not list(folder.glob("**/owned"))
    assert "not found" not in ran.stderr
    assert "yntax error" not in ran.stderr
    shutil.rmtree(folder)


@pytest.mark.slow
@examples(150)
@given(data=st.data())
def test_no_text_of_a_lock_becomes_an_instruction_of_a_dockerfile(
    rich_env: LockedEnv, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(list(places(rich_env))))
    env = put(rich_env, path, data.draw(hostile), added=data.draw(st.booleans()))
    try:
        text = dockerfile.render(exported(env))
    except UsageError:
        return
    before, inner, after = around(text)
    assert inner == script.render(exported(env)).rstrip("\n").split("\n")
    plain_before, _, plain_after = around(dockerfile.render(exported(rich_env)))
    assert [words(line) for line in before] == [words(line) for line in plain_before]
    assert [words(line) for line in after] == [words(line) for line in plain_after]


def around(text: str) -> tuple[list[str], list[str], list[str]]:
    """The instructions before the script, the script, and those after it, as BuildKit takes them apart."""
    lines = text.split("\n")
    start = next(at for at, line in enumerate(lines) if line.startswith("COPY <<'"))
    mark = lines[start].partition("'")[2].partition("'")[0]
    end = lines.index(mark, start + 1)
    return lines[: start + 1], lines[start + 1 : end], lines[end + 1 :]


def words(line: str) -> str:
    """What an instruction is, without its values."""
    if line.startswith("ENV ") and "=" in line:
        value = line.partition("=")[2]
        assert unquoted(value) is not None, line
        return "ENV"
    return "#" if line.startswith("#") else line.split(" ", maxsplit=1)[0]


def unquoted(value: str) -> str | None:
    """A double-quoted value, or a plain one of ours, as BuildKit reads it; None where it ends too early."""
    if not value.startswith('"'):
        return value if "$" not in value.removesuffix(":$PATH").replace("${", "") else None
    out, at = "", 1
    while at < len(value) - 1:
        if value[at] == "\\":
            at += 1
        elif value[at] in '"$':
            return None
        out += value[at]
        at += 1
    return out if value.endswith('"') and at == len(value) - 1 else None


@pytest.mark.slow
@examples(150)
@given(data=st.data())
def test_no_text_of_a_lock_becomes_code_of_a_notebook(rich_env: LockedEnv, data: st.DataObject) -> None:
    whole = sealed(rich_env)
    path = data.draw(st.sampled_from(list(places(whole))))
    env = put(whole, path, data.draw(hostile), added=data.draw(st.booleans()))
    try:
        cell = notebook.render(exported(env))
    except UsageError:
        return
    assert shape(cell) == shape(notebook.render(exported(whole)))
    assert cell.isascii()
    document = json.loads(notebook.as_ipynb(cell))
    assert "".join(document["cells"][0]["source"]) == cell
    assert values(cell)["environment"] == dict(env.environment)


def shape(cell: str) -> list[str]:
    """The statements of a cell: kinds and names, and that its data is data."""
    found = []
    for node in ast.parse(cell).body:
        name = getattr(node, "name", "")
        if isinstance(node, ast.Assign):
            name = ast.unparse(node.targets[0])
            if name == "LOCK":
                ast.literal_eval(node.value)
        found.append(f"{type(node).__name__} {name}")
    return found


def values(cell: str) -> dict[str, Any]:
    assigned = {ast.unparse(n.targets[0]): n.value for n in ast.parse(cell).body if isinstance(n, ast.Assign)}
    data: dict[str, Any] = ast.literal_eval(assigned["LOCK"])
    return data


# ---------------------------------------------------------------- as linters see them


TEXT = "it's $(mmlock_pwned) `mmlock_pwned` \"quoted\" ; & | > '''"
"""What a text may be that is no name and no address."""


@pytest.fixture
def hostile_env(rich_env: LockedEnv) -> LockedEnv:
    """Every text that is not refused is hostile."""
    env = rich_env
    for path in places(rich_env):
        new = put(env, path, TEXT, added=False)
        try:
            script.render(exported(new))
            dockerfile.render(exported(new))
        except UsageError:
            continue
        env = new
    assert sum(value == TEXT for path in places(env) for value in [at(env, path)]) > 20
    return env


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        if isinstance(value, Struct):
            value = getattr(value, step)
        elif isinstance(value, tuple):
            value = value[step]
        else:
            value = step[1] if step[0] == "key" else value[step[1]]
    return value


@pytest.mark.slow
def test_shellcheck_finds_nothing_in_the_script_of_a_hostile_lock(
    hostile_env: LockedEnv, tmp_path: Path
) -> None:
    path = tmp_path / "build.sh"
    path.write_text(script.render(exported(hostile_env)))
    # 2016, 2089, 2090: the data holds `$(` and quotes, on purpose; 2030, 2031: each build is a subshell,
    # so that nothing of it reaches the next one.
    excluded = "--exclude=SC2016,SC2030,SC2031,SC2089,SC2090"
    words = ["shellcheck", "--shell=sh", excluded, "--format=gcc", str(path)]
    ran = subprocess.run(words, env=tools(), capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")


@pytest.mark.slow
def test_hadolint_finds_nothing_in_the_dockerfile_of_a_hostile_lock(
    hostile_env: LockedEnv, tmp_path: Path
) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(dockerfile.render(exported(hostile_env)))
    # DL3008: which release of apt's packages is right depends on the image; DL3006: BASE has its tag in ARG;
    # DL3022: uv comes from an image of its own, and the project from a build context.
    ignored = [f"--ignore=DL{number}" for number in (3006, 3008, 3022)]
    words = ["hadolint", "--no-color", *ignored, str(path)]
    ran = subprocess.run(words, env=tools(), capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")


def tools() -> dict[str, str]:
    """The environment with the programs that were installed beside this Python."""
    import sys

    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
