"""Known vulnerabilities in locks: named with what keeps the mended release away, and bounded on request."""

from __future__ import annotations

import pytest
from solved import facts, request, solved

from mmlock.core.errors import NoAnswer, UsageError
from mmlock.core.names import AdvisorySeverity, Confidence, PackageName
from mmlock.lock.formats import pylock, why_md
from mmlock.lock.model import LockedEnv
from mmlock.lock.text import summary
from mmlock.resolve.closure.model import Closed
from mmlock.resolve.core_solver.alternatives import not_newer
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.loop.loop import NoResolution
from mmlock.resolve.loop.refusal import no_answer
from mmlock.resolve.plan.advisories import bounds, known_advisories
from mmlock.resolve.plan.assemble import Decision, assemble
from mmlock.resolve.request.advisories import advisory_constraints

TORCH, SETUPTOOLS = PackageName("torch"), PackageName("setuptools")


class NoIndex:
    """Knows no file."""

    def ask(self, place: object, package: PackageName) -> str:
        return f"{place} has no {package} for this test"

    def mirrored(self, files: tuple[object, ...], package: PackageName, version: str) -> tuple[object, ...]:
        del package, version
        return files


def locked(**more: object) -> LockedEnv:
    one = solved("mmdet", "mmcv", gpu="rtx5090", **more)
    decision = Decision(
        matrix=facts(),
        rows=one.rows,
        solution=one.solution,
        closed=Closed(packages=(), engine="uv 0", from_cache=False),
        target=one.asked.target,
        stack="custom",
        request=(),
        newer=not_newer(one.rows, one.solution, ClingoEngine(), one.asked.objectives),
    )
    env = assemble(decision, NoIndex())  # type: ignore[arg-type]
    assert isinstance(env, LockedEnv)
    return env


@pytest.fixture(scope="module")
def env() -> LockedEnv:
    return locked()


@pytest.mark.slow
def test_a_lock_names_what_its_torch_has_and_why_the_mended_one_is_not_taken(env: LockedEnv) -> None:
    (one,) = [one for one in env.advisories if one.package == TORCH]
    assert (one.id, one.severity, one.fixed_in) == ("CVE-2025-3000", AdvisorySeverity.MODERATE, ("2.13.0",))
    assert one.kept_by is not None
    assert "torch 2.13.0+cu130 has no tested recipe for mmcv 2.1.0" in one.kept_by
    assert one.confidence is Confidence.CAPTURED
    assert any("github.com/advisories" in text for text in one.source)


@pytest.mark.slow
def test_the_first_screen_has_one_line_and_why_md_a_table(env: LockedEnv) -> None:
    line = "1 known vulnerability of torch (worst: moderate, CVE-2025-3000)"
    assert summary(env).count(line) == 1
    text = why_md.render(env)
    assert "## Known vulnerabilities" in text
    assert (
        "| torch 2.11.0 | [CVE-2025-3000](<https://github.com/advisories/GHSA-rrmf-rvhw-rf47>) | moderate |"
        in text
    )
    assert "known vulnerabilit" not in summary(locked(torch="==2.13.0"))


def test_a_lock_file_keeps_them(env: LockedEnv) -> None:
    assert pylock.read(pylock.render(env)).env.advisories == env.advisories


def test_an_address_in_a_lock_that_is_none_is_told(env: LockedEnv) -> None:
    text = pylock.render(env).replace(
        "https://github.com/advisories/GHSA-rrmf-rvhw-rf47", "javascript:alert(1)"
    )
    with pytest.raises(UsageError) as error:
        pylock.read(text)
    assert "not an http" in "\n".join(error.value.lines())


def test_who_holds_an_ordinary_package_below_the_mended_release_is_named() -> None:
    bound = tuple(bounds("torch 2.11.0", ("setuptools<82", "sympy>=1.13", "no requirement ==")))
    (one,) = known_advisories(facts(), [(SETUPTOOLS, "81.0.0")], bound, ())
    assert one.kept_by == "torch 2.11.0 requires setuptools<82"
    (free,) = known_advisories(facts(), [(SETUPTOOLS, "81.0.0")], (), ())
    assert free.kept_by is None


@pytest.mark.parametrize(
    ("severity", "torch"),
    [("critical", "2.11.0"), ("high", "2.11.0"), ("medium", "2.13.0"), ("low", "2.13.0")],
)
def test_a_bound_moves_torch_only_as_far_as_it_must(severity: str, torch: str) -> None:
    assert solved("mmcv", gpu="rtx5090", no_known_cve=severity).version("torch") == torch


def test_a_bound_reaches_ordinary_packages_too() -> None:
    core = frozenset({"torch"})
    told = {one.text for one in advisory_constraints(facts(), "moderate", core)}
    assert "setuptools>=83.0.0" in told
    assert "pillow>=12.3.0" in told, "what nobody rated counts"
    assert not any(text.startswith("torch") for text in told), "those are the core's"
    assert not tuple(advisory_constraints(facts(), None, core))


@pytest.mark.slow
def test_a_fix_out_of_reach_is_a_conflict_with_its_chain() -> None:
    one = solved("mmcv", gpu="rtx5090", torch="==2.11.0", no_known_cve="moderate")
    assert one.found is None
    error = no_answer(facts(), one.asked, NoResolution(rows=one.rows, refusals=()))
    assert isinstance(error, NoAnswer)
    text = "\n".join(error.lines())
    assert "`--torch 2.11.0` and `--no-known-cve moderate` are incompatible" in text
    assert "torch 2.11.0+cu130 has CVE-2025-3000 (moderate, mended in 2.13.0)" in text


def test_a_severity_that_is_none_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--no-known-cve"):
        request("mmcv", no_known_cve="scary")
    assert "--no-known-cve=moderate" in request("mmcv", no_known_cve="Medium").words()
