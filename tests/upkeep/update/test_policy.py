"""`[update]` of mmlock.toml: what is read, and what is told about what cannot be."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from textwrap import dedent

import pytest

from mmlock.core.errors import UsageError
from mmlock.upkeep.update.policy import KEYS, Policy, Rebase, Split, parse_policy
from mmlock.upkeep.update.schedule import in_window, parse_age, parse_zone

TARGETS = frozenset({"cpu", "t4"})


def read(text: str) -> Policy:
    return parse_policy(dedent(text), "mmlock.toml", TARGETS)


def test_without_a_table_everything_is_as_documented() -> None:
    assert read("") == Policy()


def test_every_key_is_read() -> None:
    found = read(
        """
        [update]
        schedule = ["* 0-5 * * 1"]
        timezone = "Europe/Berlin"
        minimum-release-age = "1 week"
        limit-open = 3
        limit-hour = 0
        split = "target"
        ignore = ["Opencv_Python"]
        allowed = ["torch<2.13"]
        validate = ["cpu"]
        automerge = ["cpu"]
        labels = ["deps"]
        reviewers = ["ada", "org/team"]
        branch-prefix = "bot/locks-"
        commit-message = "deps: {title}"
        rebase-when = "conflicted"
        [[update.groups]]
        name = "openmmlab"
        packages = ["mmcv", "mmdet"]
        """
    )
    assert (found.split, found.rebase_when, found.limit_hour) == (Split.TARGET, Rebase.CONFLICTED, 0)
    assert found.minimum_release_age == timedelta(days=7)
    assert found.ignore == {"opencv-python"}
    assert [group.packages for group in found.groups] == [{"mmcv", "mmdet"}]
    assert found.branch_prefix == "bot/locks-"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('shedule = ["* * * * *"]', "update.shedule: unknown key"),
        ('schedule = ["every monday"]', "`every monday` is not a cron expression"),
        ('timezone = "Mars/Base"', "`Mars/Base` is not a time zone"),
        ('timezone = "../../etc/passwd"', "is not a time zone"),
        ('minimum-release-age = "soon"', "`soon` is not a time"),
        ("minimum-release-age = 3", "must be text"),
        ("limit-open = -1", "must be a number"),
        ("limit-open = true", "must be a number"),
        ('split = "pair"', "unknown value"),
        ('allowed = ["torch"]', "`torch` is not a package with a range"),
        ('validate = ["h100"]', "`h100` is no target of a stack"),
        ('labels = ["a\\u0007"]', "cannot be a label"),
        ('reviewers = ["-x"]', "is not a user's name"),
        ('branch-prefix = "--upload-pack=x/"', "cannot start the name of a branch"),
        ('branch-prefix = "a..b/"', "cannot start the name of a branch"),
        ('branch-prefix = "mmlock"', "cannot start the name of a branch"),
        ('commit-message = "a\\nb {title}"', "is not one line with `{title}`"),
        ('commit-message = "{secret} {title}"', "is not one line with `{title}`"),
        ("ignore = [1]", "must be a list of texts"),
        ('groups = [{name = "A", packages = []}]', "needs a name of lower-case letters"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(line: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(f"[update]\n{line}\n")
    assert says in raised.value.message
    assert raised.value.message.startswith("mmlock.toml: update")


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(UsageError) as raised:
        read('[update]\nlimit-open = -1\nsplit = "x"\n')
    assert len(raised.value.causes) == 2


def test_the_example_in_the_code_is_read_whole() -> None:
    from mmlock.upkeep.update import policy

    example = dedent((policy.__doc__ or "").partition("\n\n")[2])
    read(example)
    assert all(key.name in example for key in KEYS)


# ---------------------------------------------------------------- when


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("window", "zone", "moment", "inside"),
    [
        ("* 0-5 * * 1", "UTC", "2026-11-30 05:59:59", True),
        ("* 0-5 * * 1", "UTC", "2026-11-30 06:00:00", False),
        ("* 0-5 * * 1", "UTC", "2026-11-29 03:00:00", False),  # a Sunday
        ("* 0-5 * * 1", "Asia/Tokyo", "2026-11-29 16:00:00", True),  # Monday there
        ("30 4 * * *", "UTC", "2026-11-29 04:30:10", True),
        ("30 4 * * *", "UTC", "2026-11-29 04:31:00", False),
    ],
)
def test_a_window_is_open_in_the_minutes_that_match(
    window: str, zone: str, moment: str, *, inside: bool
) -> None:
    found = parse_zone(zone)
    assert found is not None
    assert in_window([window], found, at(moment)) is inside


def test_without_a_window_it_is_always_open() -> None:
    zone = parse_zone("UTC")
    assert zone is not None
    assert in_window([], zone, at("2026-11-29 04:31:00"))


@pytest.mark.parametrize(
    ("text", "hours"), [("3 days", 72), ("1 day", 24), ("12 hours", 12), ("2weeks", 336)]
)
def test_an_age_is_a_number_with_a_unit(text: str, hours: int) -> None:
    assert parse_age(text) == timedelta(hours=hours)
