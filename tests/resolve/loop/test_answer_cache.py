"""An answer that was just given is given again while its oldest part is fresh."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from mmlock.core.arguments import SolveArguments
from mmlock.core.report import Page
from mmlock.resolve.loop import answer_cache as repeat

PAGE = Page(text="said", data={"some": "data"})
FILES = {"pylock.toml": "text\n", "build.toml": None}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"MMLOCK_CACHE_DIR": str(tmp_path / "cache"), "HOME": str(tmp_path)}


@pytest.fixture
def asked(tmp_path: Path) -> SolveArguments:
    (tmp_path / "lock").mkdir()
    (tmp_path / "lock" / "pylock.toml").write_text("text\n")
    return SolveArguments(gpus=("rtx5090",), out=tmp_path / "lock").checked()


def kept(asked: SolveArguments, environ: dict[str, str], *, age: float) -> Page | None:
    place = repeat.place(asked, environ)
    assert place is not None
    repeat.remember(place, PAGE, FILES, time.time() - age)
    return repeat.recall(place, asked, environ)


def test_a_fresh_answer_is_given_again(asked: SolveArguments, environ: dict[str, str]) -> None:
    assert kept(asked, environ, age=0) == PAGE


def test_an_answer_is_as_old_as_its_oldest_part(asked: SolveArguments, environ: dict[str, str]) -> None:
    assert kept(asked, environ | {"MMLOCK_CACHE_TTL": "1000"}, age=700) == PAGE
    assert kept(asked, environ, age=700) is None


def test_a_lock_that_was_changed_is_written_again(asked: SolveArguments, environ: dict[str, str]) -> None:
    assert asked.out is not None
    (asked.out / "pylock.toml").write_text("other\n")
    assert kept(asked, environ, age=0) is None
    (asked.out / "pylock.toml").write_text("text\n")
    (asked.out / "build.toml").write_text("of an earlier lock\n")
    assert kept(asked, environ, age=0) is None


def test_a_dry_run_needs_no_lock_folder(asked: SolveArguments, environ: dict[str, str]) -> None:
    assert asked.out is not None
    (asked.out / "pylock.toml").unlink()
    assert kept(asked, environ, age=0) is None
    assert kept(replace(asked, dry_run=True), environ, age=0) == PAGE


def test_another_request_is_another_answer(asked: SolveArguments, environ: dict[str, str]) -> None:
    other = SolveArguments(gpus=("rtx4090",), out=asked.out).checked()
    places = {repeat.place(asked, environ), repeat.place(other, environ)}
    places.add(repeat.place(asked, environ | {"UV_INDEX_URL": "https://index.example/simple"}))
    assert len(places) == 3


def test_other_facts_are_another_answer(environ: dict[str, str], tmp_path: Path) -> None:
    matrices = tmp_path / "matrices"
    (matrices / "curated").mkdir(parents=True)
    (matrices / "gpus.json").write_text("{}")
    (matrices / "curated" / "breaks.toml").write_text("a = 1\n")
    asked = SolveArguments(gpus=("rtx5090",), matrices=matrices).checked()
    before = repeat.place(asked, environ)
    (matrices / "curated" / "breaks.toml").write_text("a = 12\n")
    assert repeat.place(asked, environ) != before


@pytest.mark.parametrize("gpu", ["auto"])
def test_what_depends_on_this_machine_is_not_kept(gpu: str, environ: dict[str, str]) -> None:
    assert repeat.place(SolveArguments(gpus=(gpu,)).checked(), environ) is None
