"""`--no-known-cve`: what is left out of each slot, and the words for it."""

from __future__ import annotations

import pytest
from made_graph import MadeFacts, builder, put_pythons, put_releases, put_torch, release, torch_build

from mmlock.core.names import AdvisorySeverity, Confidence, Form
from mmlock.facts.matrix.advisories import Advisory
from mmlock.resolve.graph.advisory_rows import constrain_advisories
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.rows import ConstraintKind, NothingChoice


def advisory(
    name: str, severity: AdvisorySeverity | None, *affected: str, fixed: tuple[str, ...] = ()
) -> Advisory:
    return Advisory(
        id=name,
        aliases=(),
        summary="it is unsafe",
        affected=affected,
        fixed_in=fixed,
        severity=severity,
        url="https://advisories.example",
        source=("database",),
        confidence=Confidence.DOCUMENTED,
    )


def graph(*rows: Advisory) -> GraphBuilder:
    """0 Python, 1 torch, 2-4 releases of mmcv, 5 none of it."""
    made = builder(MadeFacts({"advisories": {"mmcv": rows}}))
    put_pythons(made, "3.12")
    put_torch(made, torch_build())
    put_releases(made, "mmcv", release("3.0"), release("2.0"), release("1.0"))
    made.option("mmcv", "no mmcv", NothingChoice(), form=Form.LEFT_OUT)
    return made


@pytest.mark.parametrize(
    ("severity", "least", "kept"),
    [
        (AdvisorySeverity.HIGH, AdvisorySeverity.HIGH, {2, 5}),
        (AdvisorySeverity.CRITICAL, AdvisorySeverity.HIGH, {2, 5}),
        (None, AdvisorySeverity.CRITICAL, {2, 5}),
        (AdvisorySeverity.MODERATE, AdvisorySeverity.HIGH, None),
    ],
)
def test_affected_versions_are_left_out_from_that_severity_on(
    severity: AdvisorySeverity | None, least: AdvisorySeverity, kept: set[int] | None
) -> None:
    made = graph(advisory("CVE-1", severity, "<3.0"))
    constrain_advisories(made, least)
    if kept is None:
        assert made.user_constraints == []
        return
    (constraint,) = made.user_constraints
    assert constraint.parts == (("mmcv", frozenset(kept)),)
    assert (constraint.name, constraint.kind) == (f"--no-known-cve {least}", ConstraintKind.ADVISORY)


def test_the_worst_is_told_with_what_mends_it_and_how_many_more_there_are() -> None:
    made = graph(
        advisory("CVE-1", AdvisorySeverity.LOW, "<2.0"),
        advisory("CVE-2", AdvisorySeverity.CRITICAL, "<2.0", fixed=("2.0", "3.0")),
        advisory("CVE-3", AdvisorySeverity.HIGH, "==2.0"),
        advisory("CVE-4", None, "==2.0", fixed=("3.0",)),
    )
    constrain_advisories(made, AdvisorySeverity.LOW)
    reject = made.user_constraints[0].reject
    told = reject(made.options[4])
    assert told.text == "mmcv 1.0 has CVE-2 (critical, mended in 2.0) and 1 more"
    assert told.source == ("advisories/mmcv#database",)
    assert told.confidence is Confidence.DOCUMENTED
    assert reject(made.options[3]).text == "mmcv 2.0 has CVE-3 (high, no fix known) and 1 more"


def test_one_alone_is_told_without_a_number_and_one_that_nobody_rated_as_such() -> None:
    made = graph(advisory("CVE-4", None, "==2.0", fixed=("3.0",)))
    constrain_advisories(made, AdvisorySeverity.LOW)
    reject = made.user_constraints[0].reject
    assert reject(made.options[3]).text == "mmcv 2.0 has CVE-4 (not rated, mended in 3.0)"
    sound = reject(made.options[2])  # a member
    assert (sound.text, sound.confidence) == ("mmcv 3.0", Confidence.INFERRED)
