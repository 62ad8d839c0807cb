"""`mmlock matrix refresh` and `mmlock matrix diff` as they are typed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mmlock.cli.main import main
from mmlock.facts.matrix import store
from mmlock.facts.refresh.indexes import INDEXES
from mmlock.facts.refresh.state import last_seen

ROOT = Path(__file__).parents[3]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    large = shutil.ignore_patterns("files", "requires", "binaries", "releases")
    return Path(shutil.copytree(ROOT / "matrices", tmp_path / "matrices", ignore=large))


@pytest.mark.slow
def test_an_outage_is_told_and_is_no_error(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    down = "openmmlab=http://127.0.0.1:9/mmcv/dist"
    assert main(["matrix", "refresh", "--only", "openmmlab", "--at", down, "--offline"]) == 0
    told = capsys.readouterr().out
    assert "openmmlab: could not be read; its facts stay, " in told
    assert "days old (2026-06-30)" in told
    assert "no fact differs" in told
    assert copy.is_dir()


@pytest.mark.slow
def test_strict_makes_it_one(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "refresh", "--only", "openmmlab", "--offline", "--strict"]) == 2
    assert "error: 1 of 1 indexes could not be read completely" in capsys.readouterr().err
    assert copy.is_dir()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--only", "nothing"], "`--only`: `nothing` is neither an index nor a package"),
        (["--at", "openmmlab"], "`--at openmmlab` is not INDEX=URL"),
        (["--at", "nothing=https://x.example"], "`--at`: `nothing` is not an index"),
        (["--matrices", "nowhere"], "`nowhere`, is not one"),
        (["--locks", "nowhere", "--offline", "--only", "openmmlab"], "`nowhere`: no such folder"),
        (["--index-url", "ftp://x"], "--index-url: `ftp://x` is no http or https URL"),
    ],
)
def test_a_bad_request_is_one_error(
    copy: Path, capsys: pytest.CaptureFixture[str], words: list[str], text: str
) -> None:
    assert main(["matrix", "refresh", *words]) == 2
    assert text in capsys.readouterr().err
    assert copy.is_dir()


@pytest.mark.slow
def test_a_diff_of_two_folders_tells_facts_and_locks(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new"
    shutil.copytree(copy, new)
    document = store.read(new, "torch-builds")
    assert document is not None
    data = store.encode("torch-builds", document.rows[1:], document.sources, document.note)
    store.replace(new / "torch" / "builds.json", data)
    assert main(["matrix", "diff", str(copy), str(new)]) == 0
    told = capsys.readouterr().out
    assert told.startswith("1 removed\ntorch/builds.json: 1 removed\n  - ")
    assert main(["matrix", "diff", str(copy), str(new), "--format", "json"]) == 0
    (change,) = json.loads(capsys.readouterr().out)["changes"]
    assert (change["kind"], change["package"]) == ("removed", "torch")


@pytest.mark.slow
def test_equal_folders_differ_in_nothing(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "diff", str(copy), str(copy)]) == 0
    assert capsys.readouterr().out == "no fact differs\n"


@pytest.mark.slow
def test_a_broken_folder_is_named(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "gpus.json").write_text("{")
    assert main(["matrix", "diff", str(copy), str(ROOT / "matrices")]) == 2
    assert "matrix file `gpus.json` is broken" in capsys.readouterr().err


@pytest.mark.slow
def test_the_age_of_every_index_is_told_though_one_was_asked(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["matrix", "refresh", "--only", "onedl", "--offline", "--format", "json"]) == 0
    ages = json.loads(capsys.readouterr().out)["ages"]
    assert set(ages) == set(INDEXES)
    assert ages["openmmlab"] == {"last_read": "2026-06-30", "recorded": True}
    assert ages["onedl"]["recorded"] is (copy / "providers" / "onedl-mmcv.json").is_file()
    assert main(["matrix", "refresh", "--only", "onedl", "--offline"]) == 0
    told = capsys.readouterr().out
    assert "facts by index: pypi " in told
    assert "no facts of it are recorded" in told


def test_somebody_else_s_page_does_not_make_an_index_younger(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    head = {"schema": "files", "sources": {"pytorch": "read 2026-01-02", "lock-a": "uv.lock of 2026-11-30"}}
    text = json.dumps(head)[:-1] + ',"rows":[\n]}\n'
    (tmp_path / "files" / "a.json").write_text(text)
    assert last_seen(tmp_path, ("files/*.json",)) == "2026-11-30"
    assert last_seen(tmp_path, ("files/*.json",), ("pytorch",)) == "2026-01-02"
    (tmp_path / "files" / "a.json").write_text("no JSON 2026-12-01\n")
    assert last_seen(tmp_path, ("files/*.json",)) is None
