"""How much a forge is asked: counted, over as many locks as this repository keeps."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from forge_story import KINDS, Story
from lock_repository import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from mmlock.core.update_arguments import ForgeKind

pytestmark = pytest.mark.slow

QUIET = 10
CHANGED = 8
"""Requests for each pull request that is opened or made again, besides those of a quiet run."""


def catalogue() -> str:
    """The pairs of this repository that have a lock."""
    known = tomllib.loads((ROOT / "mmlock.toml").read_text())
    stacks = {
        stack: [t for t in table["targets"] if (ROOT / "lockfiles" / stack / t / "pylock.toml").is_file()]
        for stack, table in known["stacks"].items()
    }
    targets = "".join(
        f"[targets.{name}]\ngpus = {table['gpus']}\n" for name, table in known["targets"].items()
    )
    tables = "".join(f'[stacks."{name}"]\ntargets = {found}\n' for name, found in stacks.items() if found)
    return f'exclude-newer = "2026-11-01T00:00:00Z"\n{targets}{tables}'


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_quiet_run_asks_at_most_ten_times_whatever_is_open_closed_edited_or_waits(
    kind: ForgeKind, tmp_path: Path
) -> None:
    policy = (
        '[update]\nsplit = "target"\nlabels = ["deps"]\nreviewers = ["ada"]\nlimit-hour = 0\nlimit-open = 6\n'
    )
    story = Story(kind, tmp_path, policy, text=catalogue(), page=50)
    forge = story.forge
    story.release("2026-11-10", "4.1.0")
    count = 0

    def asked() -> int:
        nonlocal count
        before, count = count, len(forge.requests)
        return count - before

    first = story.run()
    opened = [branch for branch, fate in first.items() if fate == "open"]
    assert len(opened) == 6 < len(first)
    assert asked() <= QUIET + CHANGED * len(opened) + (len(first) - len(opened))  # what was never asked for

    forge.close(forge.open_ones()[0].number)
    forge.close(forge.open_ones()[0].number)
    forge.push_file(forge.open_ones()[0].branch, "README.md", "by hand\n")
    again = story.run()
    assert sorted(again.values()).count("ignored") == 2
    asked()
    for _ in range(2):
        assert (
            story.run()["mmlock/packages-" + forge.open_ones()[-1].branch.removeprefix("mmlock/packages-")]
            == "keep"
        )
        assert asked() <= QUIET
