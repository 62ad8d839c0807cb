"""A refresh of known vulnerabilities over a loopback PyPI and OSV, as they are when up, lying and down."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loopback_web import Reply, Web

from mmlock.core.names import AdvisorySeverity, Confidence, PackageName
from mmlock.core.versions import version as parsed
from mmlock.facts.matrix.advisories import Advisory, concerning
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.scrape.advisories import scrape, scrape_osv
from mmlock.net.fetching import Fetched, FetchFault, FetchProblem

Run = Callable[..., Any]
TORCH = PackageName("torch")


def entry(name: str, *aliases: str, fixed: tuple[str, ...] = (), **more: object) -> dict[str, object]:
    """One vulnerability as PyPI's JSON lists it."""
    said = {"summary": "it breaks", "details": "", "link": "https://osv.dev/x", "withdrawn": None}
    return {"id": name, "aliases": list(aliases), "fixed_in": list(fixed), **said, **more}


def release(web: Web, name: str, version: str, *entries: object) -> None:
    web.put(
        f"/pypi/{name}/{version}/json", json.dumps({"info": {}, "vulnerabilities": list(entries)}).encode()
    )


def record(web: Web, name: str, *events: dict[str, str], severity: str | None = None, **more: object) -> None:
    """One of OSV's records."""
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}]
    affected = [{"package": {"ecosystem": "PyPI", "name": "torch"}, "ranges": ranges}]
    said = {"id": name, "affected": affected, "database_specific": {"severity": severity}, **more}
    web.put(f"/v1/vulns/{name}", json.dumps(said).encode())


@pytest.fixture
def run(refreshed: Run, web: Web) -> Run:
    places = {"advisories": f"{web.root}/pypi", "osv": f"{web.root}/v1"}
    return lambda *only, **more: refreshed(only=only or ("advisories", "osv"), places=places, **more)


def torch_row(matrices: Path, name: str) -> Advisory:
    return next(row for row in Matrix(matrices).advisories("torch") if row.id == name)


def newest(matrices: Path) -> str:
    return max((row.torch for row in Matrix(matrices).torch_builds if row.on_pypi), key=parsed)


@pytest.mark.slow
def test_an_advisory_of_today_is_a_fact_with_its_release(run: Run, web: Web, matrices: Path) -> None:
    release(
        web, "torch", "2.1.0", entry("PYSEC-2099-1", "CVE-2099-1", "GHSA-aaaa-bbbb-cccc", fixed=("99.0",))
    )
    report = run("advisories")
    assert report["written"] == ["advisories/torch.json"]
    row = torch_row(matrices, "CVE-2099-1")
    assert (row.affected, row.fixed_in, row.severity) == (("==2.1.0",), ("99.0",), None)
    assert row.aliases == ("GHSA-aaaa-bbbb-cccc", "PYSEC-2099-1")
    assert row.source == ("advisories",)
    assert run("advisories")["written"] == []


@pytest.mark.slow
def test_what_its_ranges_cover_already_changes_nothing(run: Run, web: Web) -> None:
    release(web, "torch", "2.1.0", entry("PYSEC-2025-41", "CVE-2025-32434", fixed=("2.6.0",)))
    assert run("advisories")["changes"] == []
    release(web, "torch", "2.1.0", entry("GHSA-x2x2-x2x2-x2x2", withdrawn="2099-01-01T00:00:00Z"))
    assert run("advisories")["changes"] == [], "nobody stands by it any more"


@pytest.mark.slow
def test_osv_gives_the_range_and_the_worst_rating(run: Run, web: Web, matrices: Path) -> None:
    release(web, "torch", "2.1.0", entry("PYSEC-2099-1", "CVE-2099-1", "GHSA-aaaa-bbbb-cccc"))
    record(web, "PYSEC-2099-1", {"introduced": "1.5"}, {"last_affected": "2.1.1"})
    record(web, "GHSA-aaaa-bbbb-cccc", {"introduced": "0"}, {"fixed": "2.1.2"}, severity="HIGH")
    run()
    row = torch_row(matrices, "CVE-2099-1")
    assert set(row.affected) == {"<2.1.2", ">=1.5,<=2.1.1"}
    assert (row.fixed_in, row.severity) == (("2.1.2",), AdvisorySeverity.HIGH)
    assert run()["written"] == []


@pytest.mark.slow
def test_databases_that_differ_count_both(run: Run, web: Web, matrices: Path) -> None:
    """A release that one of them calls mended and another affected is affected."""
    row = torch_row(matrices, "CVE-2025-3000")
    record(web, "PYSEC-2025-194", {"introduced": "0"}, {"fixed": "2.7.0"})
    record(web, "GHSA-rrmf-rvhw-rf47", {"introduced": "0"}, {"fixed": "2.13.0"})
    run("osv")
    after = torch_row(matrices, "CVE-2025-3000")
    assert after.fixed_in == ("2.13.0",)
    assert next(concerning((after,), "2.11.0"), None) is not None
    assert after.severity is row.severity, "a record without a rating takes none away"


@pytest.mark.slow
def test_a_withdrawn_advisory_goes(run: Run, web: Web, matrices: Path) -> None:
    record(web, "PYSEC-2025-198", {"introduced": "0"}, withdrawn="2099-01-01T00:00:00Z")
    run("osv", trust_removals=True)
    assert "CVE-2025-46148" not in {row.id for row in Matrix(matrices).advisories("torch")}


@pytest.mark.slow
def test_an_index_without_such_pages_is_an_outage_and_the_facts_stay(
    run: Run, web: Web, matrices: Path, snapshot: Callable[[], dict[str, bytes]]
) -> None:
    before = snapshot()
    report = run()
    states = {one["name"]: one["state"] for one in report["indexes"]}
    assert states["advisories"] == "outage"
    assert "has no JSON page of a release" in str(report["indexes"])
    for reply in (Reply(status=503), Reply(body=b"[1, 2]"), Reply(body=b"{" * 200), Reply(body=b"")):
        for version in ("2.1.0", newest(matrices)):
            web.put(f"/pypi/torch/{version}/json", reply)
        web.put("/v1/vulns/PYSEC-2025-41", reply)
        run()
        assert snapshot() == before


@pytest.mark.parametrize(
    "item",
    [
        7,
        [],
        {},
        {"id": 7},
        {"id": "CVE-1-\x1b[31m", "aliases": "CVE"},
        {"id": "../../x", "aliases": [None, {"a": 1}]},
        entry("PYSEC-1-1", summary="\x1b[31m" + "x" * 9000, fixed_in=["nonsense", 7, "1.0.dev-x"]),
    ],
)
def test_entries_that_are_none_are_told_or_cleaned(item: object) -> None:
    body = json.dumps({"vulnerabilities": [item]}).encode()
    asking = scrape(held={TORCH: ["2.1.0", "no version"]}, known={}, day="2026-11-28")
    assert [one.url.rpartition("pypi/")[2] for one in next(asking)] == ["torch/2.1.0/json"]
    with pytest.raises(StopIteration) as stop:
        asking.send([Fetched(url="https://x.example", content_type="application/json", body=body)])
    found = stop.value.value
    rows = [row for facts in found.facts for row in facts.rows]
    assert bool(rows) != bool(found.warnings)
    for row in rows:
        assert row.summary.isprintable()
        assert len(row.summary) < 200
        assert row.fixed_in == ()


def test_a_database_that_is_down_leaves_the_row_whole() -> None:
    row = Advisory(
        id="CVE-1",
        aliases=("GHSA-a-b-c", "PYSEC-1-1"),
        summary="s",
        affected=("<2",),
        fixed_in=("2",),
        severity=AdvisorySeverity.LOW,
        url="https://x.example",
        source=("s",),
        confidence=Confidence.CAPTURED,
    )
    asking = scrape_osv(known={TORCH: (row,)}, day="2026-11-28")
    next(asking)
    spoken = {
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": "torch"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9"}]}],
            }
        ]
    }
    page = Fetched(url="https://x.example", content_type="", body=json.dumps(spoken).encode())
    with pytest.raises(StopIteration) as stop:
        asking.send([page, FetchFault(problem=FetchProblem.UNREACHABLE, url="u", text="is down")])
    assert stop.value.value.facts == (), "half of what is known would be less than what was"
    assert stop.value.value.stale == ("CVE-1: is down",)
