"""What the lowest rooms import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mmlock

ROOT = Path(mmlock.__file__).parent


def test_these_rooms_stand_below_all_others() -> None:
    for room, below in (("files", {"core", "files"}), ("net", {"core", "files", "net"})):
        for path in (ROOT / room).glob("*.py"):
            used = {
                line.split()[1].split(".")[1]
                for line in path.read_text(encoding="utf-8").splitlines()
                if line.strip().startswith("from mmlock.")
            }
            assert used <= below, path.name


def test_a_cache_folder_is_made_where_nobody_has_an_effective_user(tmp_path: Path) -> None:
    program = (
        "import os\n"
        "del os.geteuid\n"
        "from pathlib import Path\n"
        "from mmlock.files.private import private_folder\n"
        f"assert private_folder(Path({str(tmp_path / 'cache')!r})).is_dir()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
