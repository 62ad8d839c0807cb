"""What the page about verdicts shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "verdicts.md"


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 11), reason="the page uses tomllib")
@pytest.mark.parametrize("lock", sorted(path.parent for path in ROOT.glob("lockfiles/*/*/verdict.json")))
def test_another_tool_can_verify_the_committed_verdicts(lock: Path, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    signers = str(ROOT / "lockfiles" / "allowed_signers.toml")
    command = [sys.executable, "-c", code]
    ran = subprocess.run([*command, str(lock), signers], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "PASSED\n"), ran.stderr
    for name in ("pylock.toml", "verdict.json"):
        (tmp_path / name).write_bytes((lock / name).read_bytes())
    (tmp_path / "pylock.toml").write_bytes(b"# other\n")
    ran = subprocess.run([*command, str(tmp_path), signers], capture_output=True, text=True, check=False)
    assert ran.returncode != 0
