"""Which versions an advisory concerns, and what a bound at a severity makes of it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from solved import facts

from mmlock.core.names import AdvisorySeverity, Confidence
from mmlock.core.versions import allows
from mmlock.facts.matrix.advisories import Advisory, concerning, counts, fixes, safe
from mmlock.facts.matrix.lint_rows import row_faults

ROW = Advisory(
    id="CVE-1",
    aliases=("GHSA-1",),
    summary="it breaks",
    affected=(">=2,<2.4", "==3.0.1"),
    fixed_in=("2.4", "3.0.2"),
    severity=AdvisorySeverity.HIGH,
    url="https://example.org/CVE-1",
    source=("s",),
    confidence=Confidence.CAPTURED,
)


@pytest.mark.parametrize(
    ("version", "concerned"),
    [
        ("1.9", False),
        ("2.0", True),
        ("2.3.9+cu118", True),
        ("2.4", False),
        ("3.0.1", True),
        ("no version", False),
    ],
)
def test_a_version_is_concerned_where_one_span_admits_it(version: str, *, concerned: bool) -> None:
    assert bool(tuple(concerning((ROW,), version))) is concerned


def test_the_worst_comes_first_and_what_nobody_rated_last() -> None:
    rows = [
        replace(ROW, id=text, severity=one)
        for text, one in (("a", None), ("b", AdvisorySeverity.LOW), ("c", AdvisorySeverity.HIGH))
    ]
    assert [row.id for row in concerning(rows, "2.0")] == ["c", "b", "a"]


def test_a_bound_means_what_is_as_bad_and_what_nobody_rated() -> None:
    assert counts(ROW, AdvisorySeverity.HIGH)
    assert not counts(ROW, AdvisorySeverity.CRITICAL)
    assert counts(replace(ROW, severity=None), AdvisorySeverity.CRITICAL), "unknown is not harmless"


def test_only_later_releases_mend_a_version() -> None:
    assert fixes(ROW, "2.5") == ("3.0.2",)
    assert fixes(ROW, "2.1") == ("2.4", "3.0.2")


@pytest.mark.parametrize(
    ("affected", "fixed", "bound"),
    [
        (("<83",), ("83.0.0",), ">=83.0.0"),
        (("<=2.10.0",), (), ">2.10.0"),
        ((">=4.33",), (), "<4.33"),
        (("==1.0", "==1.1"), (), "!=1.0,!=1.1"),
        (("<99",), (), "<0"),
    ],
)
def test_what_is_safe_is_outside_of_every_span(
    affected: tuple[str, ...], fixed: tuple[str, ...], bound: str
) -> None:
    row = replace(ROW, affected=affected, fixed_in=fixed)
    assert safe(row) == bound
    for text in ("0.5", "1.0", "1.1", "2.10.0", "4.33", "82.9", "83.0.0"):
        if allows(bound, text):
            assert not tuple(concerning((row,), text)), text


def test_every_recorded_bound_keeps_what_it_concerns_away() -> None:
    """The tables themselves: no bound made of a row admits a version that the row concerns."""
    for package in facts().advisory_packages:
        for row in facts().advisories(package):
            for text in (*row.fixed_in, "0.1", "2.10.0", "10.4.0", "75.3.4", "81.0.0"):
                if allows(safe(row), text):
                    assert not tuple(concerning((row,), text)), (package, row.id, text)


def test_lint_finds_rows_that_contradict_themselves() -> None:
    assert not list(row_faults(ROW))
    assert "is affected, by what it says itself" in "".join(row_faults(replace(ROW, fixed_in=("2.3",))))
    assert "is empty" in "".join(row_faults(replace(ROW, affected=())))
    assert "no PEP 440" in "".join(row_faults(replace(ROW, affected=("2.6.0-NA-x",))))
