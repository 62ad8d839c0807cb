"""A bounded run of each fuzz target; needs atheris."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
@pytest.mark.parametrize(
    "target", sorted(Path(__file__).parent.glob("fuzz_*.py")), ids=lambda path: path.stem
)
def test_no_input_crashes_or_hangs_a_reader(target: Path, tmp_path: Path) -> None:
    words = ["-max_total_time=20", "-timeout=5", "-rss_limit_mb=2048", str(tmp_path / "corpus")]
    ran = subprocess.run(
        [sys.executable, str(target), *words], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
