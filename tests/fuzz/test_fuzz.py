"""No bytes from outside crash a reader: the corpus on every run, and in `long` what Atheris makes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from targets import TARGETS, Target

CORPUS = Path(__file__).parent / "corpus"
SHARE = float(os.environ.get("MMLOCK_TEST_SHARE", "1"))
SECONDS = 600
"""How long a target is fuzzed at a share of 1."""
MOST = 300_000
"""Bytes of the committed corpus."""


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_the_corpus_is_read_or_refused(target: Target) -> None:
    files = sorted((CORPUS / target.name).iterdir())
    assert files
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in files:
            target(path.read_bytes())


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_no_bytes_at_all_are_read_or_refused(target: Target) -> None:
    target(b"")


def test_the_corpus_has_no_folder_without_a_target_and_is_small() -> None:
    assert {path.name for path in CORPUS.iterdir()} == {target.name for target in TARGETS}
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < MOST


@pytest.mark.long
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not installed: extra `fuzz`, on Linux"
)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_no_input_crashes_or_hangs_a_reader(target: Target, tmp_path: Path) -> None:
    found = tmp_path / "found"
    found.mkdir()
    words = [f"-max_total_time={max(5, round(SECONDS * SHARE))}", "-timeout=10", "-rss_limit_mb=3000"]
    ran = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("fuzz.py")),
            target.name,
            *words,
            str(found),
            str(CORPUS / target.name),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    crashes = [path.read_bytes()[:500] for path in tmp_path.glob("*-*") if path.is_file()]
    assert ran.returncode == 0, f"{crashes}\n{ran.stderr[-3000:]}"
