"""`exclude-newer` in mmlock.toml: what moves, what stays, and what the text keeps."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from mmlock.core.catalogue import parse_catalogue
from mmlock.core.errors import UsageError
from mmlock.upkeep.update.dates import day_before, is_later, movable, moved

TEXT = """\
# kept locks
exclude-newer = "2026-01-01"   # on purpose

[stacks.openmmlab]
targets = ["cpu", "t4"]

[stacks.old]
targets = ["cpu"]
exclude-newer = "2024-01-01"
"""
DATE = "2026-11-25T00:00:00Z"


def dates(text: str) -> dict[str, str | None]:
    return {
        pair.name: pair.request.exclude_newer for pair in parse_catalogue(text, Path("mmlock.toml")).pairs
    }


def test_one_lock_gets_a_date_of_its_own_and_all_else_stays_as_written() -> None:
    text = moved(TEXT, DATE, ["openmmlab/t4"], whole=False)
    assert text.startswith(TEXT)
    assert dates(text) == {"openmmlab/cpu": "2026-01-01", "openmmlab/t4": DATE, "old/cpu": "2024-01-01"}


def test_when_no_other_would_change_the_date_at_the_top_moves_and_tables_of_pairs_go() -> None:
    some = moved(TEXT, DATE, ["openmmlab/t4"], whole=False)
    later = "2026-11-26T00:00:00Z"
    whole = moved(some, later, ["openmmlab/cpu", "openmmlab/t4"], whole=True)
    assert whole.rstrip() == TEXT.replace('"2026-01-01"', f'"{later}"').rstrip()


def test_other_options_of_a_pair_stay() -> None:
    text = TEXT + '\n[pairs."openmmlab/t4"]\npython = "3.10"\nexclude-newer = "2026-02-02"\n'
    whole = moved(text, DATE, [], whole=True)
    assert dates(whole)["openmmlab/t4"] == DATE
    assert 'python = "3.10"' in whole
    assert "2026-02-02" not in whole


def test_a_file_without_a_date_gets_one_before_its_first_table() -> None:
    text = '[stacks.openmmlab]\ntargets = ["cpu"]\n'
    assert dates(moved(text, DATE, ["openmmlab/cpu"], whole=True)) == {"openmmlab/cpu": DATE}


def test_a_date_of_a_stack_or_a_target_is_a_wish_and_is_not_moved() -> None:
    text = TEXT + '\n[targets.t4]\nexclude-newer = "2025-01-01"\n'
    pairs = parse_catalogue(text, Path("mmlock.toml")).pairs
    assert movable(text, pairs) == {"openmmlab/cpu"}


def test_a_table_for_no_pair_is_a_fault() -> None:
    with pytest.raises(UsageError, match="is no pair of a stack and one of its targets"):
        parse_catalogue(TEXT + '\n[pairs."openmmlab/h100"]\npython = "3.10"\n', Path("mmlock.toml"))


def test_a_pair_names_no_device_and_no_requirements() -> None:
    for line in ('gpus = ["t4"]', 'requirements = ["x"]'):
        with pytest.raises(UsageError, match="unknown key"):
            parse_catalogue(TEXT + f'\n[pairs."openmmlab/t4"]\n{line}\n', Path("mmlock.toml"))


def test_runs_of_one_day_agree_on_the_date() -> None:
    found = {
        day_before(datetime(2026, 11, 28, hour, 59, tzinfo=timezone.utc), timedelta(days=3))
        for hour in (0, 12, 23)
    }
    assert found == {DATE}


def test_a_date_never_moves_back() -> None:
    assert is_later("2026-11-25T00:00:00Z", "2026-11-24")
    assert not is_later("2026-11-25T00:00:00Z", "2026-11-25T00:00:00Z")
    assert not is_later("2026-11-25T00:00:00Z", "2026-11-25T00:00:01Z")
    assert is_later("2026-11-25T00:00:00Z", None)
