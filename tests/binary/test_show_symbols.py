"""What git shows of packed tables: the names that came and went, and a summary that is committed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import show_symbols

from mmlock.binary.tables import TorchBuildId, TorchFacts, TorchSymbols, write_symbols
from mmlock.core.names import Platform

ROOT = Path(__file__).parents[2]
KEPT, GONE, NEW = "_ZN2at4keptEv", "_ZNK2at6Tensor4goneEv", "_ZN5torch3newEi"


def table(torch: str, *names: str, unread: tuple[str, ...] = ()) -> TorchSymbols:
    facts = TorchFacts(
        build=TorchBuildId(torch=torch, variant="cu130", platform=Platform.LINUX_X86_64),
        wheel=f"torch-{torch}.whl",
        sha256=None,
        libraries=("libc10.so",),
        needs=(),
        unread=unread,
        cxx11_abi=1,
        archs=None,
    )
    return TorchSymbols(facts=facts, names=frozenset(names))


def test_a_summary_tells_what_came_and_went(tmp_path: Path) -> None:
    folder = tmp_path / "symbols"
    folder.mkdir()
    tables = [table("2.11.0", KEPT, GONE), table("2.12.0", KEPT, NEW, unread=("libtorch_cuda.so",))]
    (folder / "torch-2.symbols").write_bytes(write_symbols(tables))
    show_symbols.write_summary(folder)
    first, second = (folder / "builds.txt").read_text().splitlines()
    assert first.startswith("2.11.0+cu130 linux_x86_64: 2 names (at 2); sha256 ")
    assert second.startswith(
        "2.12.0+cu130 linux_x86_64: 2 names (at 1, torch 1); +1 -1 names; not read: libtorch"
    )
    assert first.rpartition(" ")[2] != second.rpartition(" ")[2]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_shows_the_names_that_differ(tmp_path: Path) -> None:
    """As `matrices/symbols/README.md` says, in a repository of this test."""

    def git(*words: str) -> str:
        run = subprocess.run(["git", *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        return run.stdout

    git("init", "-q")
    git("config", "diff.torch-symbols.textconv", f"{sys.executable} {ROOT / 'scripts' / 'show_symbols.py'}")
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    folder = tmp_path / "matrices" / "symbols"
    folder.mkdir(parents=True)
    (folder / "torch-2.symbols").write_bytes(write_symbols([table("2.11.0", KEPT, GONE)]))
    git("add", ".")
    (folder / "torch-2.symbols").write_bytes(write_symbols([table("2.11.0", KEPT, NEW)]))
    shown = git("diff", "--", "matrices/symbols").splitlines()
    assert f"-{GONE}  2.11.0+cu130" in shown
    assert f"+{NEW}  2.11.0+cu130" in shown
    assert f" {KEPT}  2.11.0+cu130" in shown


@pytest.mark.slow
def test_the_committed_summary_is_that_of_the_committed_tables() -> None:
    folder = ROOT / "matrices" / "symbols"
    assert (folder / "builds.txt").read_text().splitlines() == list(show_symbols.summary(folder))
