from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mmlock.core.arguments import SolveArguments
from mmlock.core.artifact import IndexSettings
from mmlock.core.names import Platform
from mmlock.core.scan_arguments import ScanArguments

if TYPE_CHECKING:
    from .conftest import Noted, Run


def test_solve_hands_over_everything_it_was_given(run: Run, app: Noted, tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text(
        "scipy\n--extra-index-url https://in.file/s\n--index-url https://in.file/i\n"
    )
    (tmp_path / "c.txt").write_text("numpy<2\n")
    (tmp_path / "pyproject.toml").write_text(
        "[project]\nname='p'\nrequires-python='>=3.9'\ndependencies=['six']\n"
        "[project.optional-dependencies]\nx=['attrs']\n[dependency-groups]\ng=['pytest']\n"
    )
    line = (
        f"solve mmdet>=3 --with mmcv==2.1.0 -r {tmp_path}/r.txt -c {tmp_path}/c.txt --project {tmp_path}"
        " --config a.py"
        " --extra x --group g --stack s --gpu rtx5090 --gpu A100 --python 3.10 --torch 2.9 --cuda cu128"
        " --driver 570.86 --platform linux --glibc 2.28 --no-build --allow-lite --allow-sdist Future_Fstrings"
        " --prefer t1 --prefer t2 --index-url https://i.org/simple --extra-index-url https://e.org/simple"
        " --find-links w --offline --exclude-newer 2026-01-31 --out locks --lock-format pylock"
        f" --matrices {tmp_path} --pre"
    )
    assert run(*line.split()).code == 0
    asked = app.request
    assert [a.text for a in asked.requirements] == [
        "mmdet>=3", "mmcv==2.1.0", "six", "attrs", "pytest", "scipy",
    ]  # fmt: skip
    assert [a.text for a in asked.constraints] == ["numpy<2"]
    assert asked == SolveArguments(
        requirements=asked.requirements,
        constraints=asked.constraints,
        requires_python=">=3.9",
        stack="s",
        project=tmp_path,
        configs=("a.py",),
        gpus=("rtx5090", "A100"),
        python="3.10",
        torch="==2.9.*",
        cuda="12.8",
        driver="570.86",
        platform=Platform.LINUX_X86_64,
        glibc="2.28",
        no_build=True,
        allow_lite=True,
        allow_sdist=asked.allow_sdist,
        prefer=("t1", "t2"),
        index=IndexSettings(
            index_url="https://i.org/simple",
            extra_index_urls=("https://in.file/s", "https://e.org/simple"),
            find_links=("w",),
        ),
        offline=True,
        exclude_newer="2026-01-31",
        prerelease=True,
        out=Path("locks"),
        lock_formats=("pylock",),
        matrices=tmp_path,
    )
    assert asked.allow_sdist == ("future-fstrings",)


def test_solve_without_words_asks_for_nothing_in_particular_and_writes_lock(run: Run, app: Noted) -> None:
    assert run("solve").code == 0
    assert app.request == SolveArguments(out=Path("lock"))


def test_a_requirements_file_may_come_from_stdin(
    run: Run, app: Noted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"six\n")))
    assert run("solve", "-r", "-").code == 0
    assert [(a.text, a.origin) for a in app.request.requirements] == [("six", "-:1")]


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (["gpus"], ("gpus", None, None)),
        (["gpus", "RTX 5090"], ("gpus", "RTX 5090", None)),
        (["gpus", "--matrices", "m"], ("gpus", None, Path("m"))),
        (["matrix", "show", "mmcv==2.1.0"], ("show", "mmcv==2.1.0", None)),
        (["matrix", "lint", "--matrices", "m"], ("lint", Path("m"))),
        (
            ["graph", "mmcv", "--gpu", "a100", "--stack", "pose", "--format", "graphml"],
            ("graph", SolveArguments(gpus=("a100",), stack="pose"), "mmcv", "graphml"),
        ),
    ],
)
def test_each_verb_puts_its_question(
    run: Run, app: Noted, words: list[str], call: tuple[object, ...]
) -> None:
    ran = run(*words)
    assert (ran.code, ran.out) == (0, f"{call[0]} done\n")
    assert app.calls == [call]


def test_why_not_takes_the_requirement_apart_from_the_request(run: Run, app: Noted) -> None:
    assert run("why-not", "torch==2.4.1", "--with", "mmcv", "--gpu", "rtx5090").code == 0
    _, asked, request = app.calls[0]
    assert getattr(asked, "text", None) == "torch==2.4.1"
    assert isinstance(request, SolveArguments)
    assert [a.text for a in request.requirements] == ["mmcv"]


def test_why_reads_a_lock_folder_or_the_lock_in_it(run: Run, app: Noted, tmp_path: Path) -> None:
    (tmp_path / "pylock.toml").touch()
    assert run("why", "mmcv", str(tmp_path)).code == 0
    assert run("why", "mmcv", str(tmp_path / "pylock.toml")).code == 0
    former = run("why", "mmcv", "--lock", str(tmp_path))
    assert (former.code, former.out) == (0, "why done\n")
    assert former.err == (
        "warning: `--lock` has another name now: use the argument: `mmlock why PACKAGE LOCK`\n"
    )
    assert app.calls == [("why", tmp_path, "mmcv")] * 3


def test_why_without_a_lock_names_the_locks_below(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "mmlock solve" in run("why", "mmcv").err
    (tmp_path / "lockfiles/openmmlab/a100").mkdir(parents=True)
    (tmp_path / "lockfiles/openmmlab/a100/pylock.toml").touch()
    ran = run("why", "mmcv")
    assert ran.code == 2
    assert "`mmlock why PACKAGE lockfiles/openmmlab/a100`" in ran.err


def test_graph_writes_a_file_whole(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "new" / "g.dot"
    ran = run("graph", "--out", str(out))
    assert (ran.code, ran.out, out.read_text()) == (0, "", "graph done")
    assert list(out.parent.iterdir()) == [out]


def test_graph_into_an_impossible_place_is_one_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = run("graph", "--out", str(tmp_path / "file" / "g.dot"))
    assert ran.code == 2
    assert ran.err.startswith("error: cannot write")


def test_json_goes_to_stdout_as_one_document(run: Run) -> None:
    assert json.loads(run("solve", "--format", "json").out) == {"verb": "solve"}


def test_progress_goes_to_stderr_and_only_when_asked_for(run: Run) -> None:
    assert run("solve").err == ""
    assert run("solve", "--no-progress").err == ""
    assert run("solve", "--progress").err == "  deciding\n"


def test_scan_hands_over_the_project_and_its_configs(run: Run, app: Noted, tmp_path: Path) -> None:
    done = run("scan", str(tmp_path), "--config", "a.py", "--config", "b.py")
    assert (done.code, done.out) == (0, "scan done\n")
    assert app.calls == [("scan", ScanArguments(project=tmp_path, configs=("a.py", "b.py")))]


def test_a_config_needs_the_folder_of_its_project(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname='p'\n")
    for words in (["--config", "a.py"], ["--config", "a.py", "--project", f"{tmp_path}/pyproject.toml"]):
        done = run("solve", *words)
        assert done.code == 2
        assert "--project DIR" in done.err


def test_a_project_without_requirements_of_its_own_is_still_one(run: Run, app: Noted, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\n")
    assert run("solve", "--project", str(tmp_path)).code == 0
    assert app.request == SolveArguments(project=tmp_path, out=Path("lock"))
