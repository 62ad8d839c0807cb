"""Whole runs of the command line: real facts, a real uv, and a package index on the loopback interface."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from closers import OpenWorld
from msgspec.structs import replace
from solved import facts, request

from mmlock.app.solving import locked
from mmlock.core.errors import NoAnswer
from mmlock.core.names import Confidence
from mmlock.core.progress import silent
from mmlock.lock.model import Finding, Level
from mmlock.resolve.judge.accepted import accepted

from .conftest import Run, stock

NOWHERE = "http://127.0.0.1:9/simple"
"""The discard port: nobody answers there."""


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.slow
def test_a_solve_writes_a_lock_and_the_same_bytes_again(run: Run, index: Any, tmp_path: Path) -> None:
    stock(index, gpu="rtx5090")
    first, second, third = (tmp_path / name for name in ("one", "two", "three"))
    line = ("solve", "--gpu", "rtx5090", "--index-url", index.url)
    ran = run(*line, "--out", str(first))
    assert ran.code == 0, ran.err
    assert "torch" in ran.out
    assert "mmcv" in ran.out
    assert set(files_of(first)) >= {"pylock.toml", "build.toml", "requirements.txt", "why.md"}

    assert run(*line, "--out", str(second)).code == 0
    assert files_of(second) == files_of(first)
    assert run(*line, "--out", str(first)).code == 0
    assert files_of(first) == files_of(second)

    asked = len(index.asked)
    offline = run(*line, "--offline", "--out", str(third))
    assert offline.code == 0, offline.err
    assert len(index.asked) == asked
    assert files_of(third) == files_of(first)

    told = run("why", "mmcv", "--lock", str(first))
    assert told.code == 0, told.err
    assert "torch 2.11.0+cu130" in told.out
    unknown = run("why", "mmdeploy", "--lock", str(first))
    assert unknown.code == 2
    assert "hint: it has" in unknown.err


@pytest.mark.slow
def test_the_json_twin_holds_what_the_lock_holds(run: Run, index: Any) -> None:
    stock(index, "mmengine", "torch==2.1.2", gpu="a100", cuda="12.1")
    line = ("solve", "mmengine", "--torch", "2.1.2", "--cuda", "12.1", "--gpu", "a100")
    ran = run(*line, "--index-url", index.url, "--format", "json")
    assert ran.code == 0, ran.err
    data = json.loads(ran.out)
    assert data["torch"] == "2.1.2+cu121"
    assert data["sealed"] is True
    named = {package["name"]: package for package in data["packages"]}
    assert {"torch", "mmengine", "numpy", "addict"} <= set(named)
    assert all(file["sha256"] for package in named.values() for file in package["files"])
    assert named["numpy"]["files"][0]["url"].startswith(index.url.removesuffix("/simple"))


@pytest.mark.slow
def test_the_solver_listens_to_the_closure(run: Run, index: Any, tmp_path: Path) -> None:
    """A package that has wheels for Python 3.10 only brings the whole stack there."""
    stock(index, "mmengine", gpu="a100", python="3.10", torch="==2.1.2", cuda="12.1")
    index.add("exotic", "1.0", tag="cp310-cp310-manylinux_2_17_x86_64")
    line = ("solve", "mmengine", "exotic", "--torch", "2.1.2", "--cuda", "12.1", "--gpu", "a100")
    out = tmp_path / "lock"
    ran = run(*line, "--index-url", index.url, "--format", "json", "--out", str(out))
    assert ran.code == 0, ran.err
    data = json.loads(ran.out)
    assert data["python"] == "3.10"
    notes = [f["text"] for f in data["findings"] if f["subject"] == "closure"]
    assert any("python 3.11" in text for text in notes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("solve --gpu gtx680", 1, "sm_30"),
        ("solve --gpu nonsense9000", 2, "nonsense9000"),
        ("solve --gpu cpu --stack nope", 2, "unknown `--stack nope`"),
        ("solve --gpu cpu --cuda 12.8", 2, "contradicts"),
        ("solve --gpu a100 --python 3.13t", 1, "no known version satisfies `--python 3.13t`"),
        ("solve", 2, "no target"),
        ("solve torch==2.4.1 --gpu rtx5090", 1, "are incompatible"),
        ("solve mmengine --gpu mlu370", 1, "no public packages support"),
        (f"solve mmengine --gpu cpu --index-url {NOWHERE}", 2, "index"),
        ("solve mmengine --gpu cpu --offline", 2, "offline"),
        ("why-not numpy<2 --gpu cpu", 2, "is none"),
    ],
)
def test_every_failure_is_one_error_and_leaves_no_file(
    run: Run, tmp_path: Path, line: str, code: int, says: str
) -> None:
    out = tmp_path / "lock"
    words = line.split()
    ran = run(*words, *(["--out", str(out)] if words[0] == "solve" else []))
    assert ran.code == code, ran.err
    assert ran.out == ""
    lines = ran.err.strip().splitlines()
    assert [one for one in lines if one.startswith("error:")] == lines[:1]
    assert says in ran.err
    assert "Traceback" not in ran.err
    assert not out.exists()


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_leaves_no_part(run: Run, index: Any, tmp_path: Path) -> None:
    stock(index, "mmengine", "torch==2.1.2", gpu="a100", cuda="12.1")
    file = tmp_path / "file"
    file.write_text("mine")
    line = ("solve", "mmengine", "--torch", "2.1.2", "--cuda", "12.1", "--gpu", "a100")
    ran = run(*line, "--index-url", index.url, "--out", str(file / "lock"))
    assert ran.code == 2
    assert ran.err.startswith("error:")
    assert file.read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith((".", "tmp"))) == []


# ---------------------------------------------------------------- why-not and graph


@pytest.mark.slow
def test_why_not_tells_the_chain_and_what_would_hold(run: Run) -> None:
    ran = run("why-not", "torch==2.4.1", "--gpu", "rtx5090")
    assert ran.code == 0
    first, *rest = ran.out.splitlines()
    assert first == "`--gpu rtx5090` and `torch==2.4.1` are incompatible"
    assert any("no kernels for sm_120" in line for line in rest)
    assert any("nearest to `torch==2.4.1` that works" in line for line in rest)
    data = json.loads(run("why-not", "torch==2.4.1", "--gpu", "rtx5090", "--format", "json").out)
    assert data["holds"] is False
    assert sorted(data["incompatible"]) == ["--gpu rtx5090", "torch==2.4.1"]
    assert all(link["source"] for link in data["chain"])


@pytest.mark.slow
def test_why_not_says_when_nothing_stands_against_it(run: Run) -> None:
    ran = run("why-not", "mmdet>=3", "--gpu", "a100", "--format", "json")
    assert ran.code == 0
    data = json.loads(ran.out)
    assert data["holds"] is True
    assert any(label.startswith("mmdet 3") for label in data["solution"])


@pytest.mark.slow
def test_the_graph_in_three_formats(run: Run, tmp_path: Path) -> None:
    dot = run("graph", "mmengine", "--gpu", "rtx5090")
    assert dot.code == 0
    assert dot.out.startswith("digraph")
    data = json.loads(run("graph", "mmengine", "--gpu", "rtx5090", "--format", "json").out)
    assert data["directed"] is True
    ids = {node["id"] for node in data["nodes"]}
    assert all(edge["from"] in ids and edge["to"] in ids and edge["reason"] for edge in data["edges"])
    file = tmp_path / "g.graphml"
    written = run("graph", "mmengine", "--gpu", "rtx5090", "--format", "graphml", "--out", str(file))
    assert (written.code, written.out) == (0, "")
    root = ET.fromstring(file.read_text())  # noqa: S314 - our own text
    nodes = {n.get("id") for n in root.iter("{http://graphml.graphdrawing.org/xmlns}node")}
    assert nodes == ids


# ---------------------------------------------------------------- the second check


@pytest.mark.slow
def test_a_warning_about_a_package_hides_no_refusal_of_it() -> None:
    env = locked(
        facts(),
        request("mmengine", "mmdet", gpu="rtx5090", no_abi_check=True),
        progress=silent,
        closer=OpenWorld(),
    )
    packages = tuple(p for p in env.packages if p.name != "mmengine")
    warning = Finding(
        level=Level.WARNING, subject="mmdet", text="not checked", source=(), confidence=Confidence.INFERRED
    )
    wrong = replace(env, packages=packages, findings=(*env.findings, warning))
    with pytest.raises(NoAnswer) as caught:
        accepted(facts(), wrong)
    assert any(cause.startswith("mmdet:") and "mmengine" in cause for cause in caught.value.causes)
    assert accepted(facts(), env).packages == env.packages
