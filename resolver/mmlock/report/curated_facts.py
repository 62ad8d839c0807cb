"""The chapters about what is written by hand: vulnerabilities, breakages, recipes, stacks."""

from __future__ import annotations

from mmlock.core.names import PackageName, normalize
from mmlock.core.versions import allows
from mmlock.facts.matrix import model
from mmlock.facts.matrix.advisories import advisory_text, concerning
from mmlock.facts.matrix.load import Matrix
from mmlock.report.chapter import Chapter, cited_sources, fact, is_wanted

__all__ = ["advisories", "breaks", "recipes", "stacks"]


def advisories(matrix: Matrix, package: PackageName, wanted: str | None) -> Chapter:
    """Known vulnerabilities."""
    rows = matrix.advisories(package)
    told = rows if wanted is None else tuple(concerning(rows, wanted))
    sources = matrix.sources("advisories", package)
    facts = tuple(fact(advisory_text(row), [row], sources) for row in told)
    return Chapter(name="advisories", title="Known vulnerabilities", facts=facts)


def breaks(matrix: Matrix, package: PackageName, wanted: str | None) -> Chapter:
    """Known breakages."""
    sources = matrix.sources("breaks")
    facts = tuple(
        fact(_break_text(row), [row], sources)
        for row in matrix.breaks
        if any(
            when.package == package and (wanted is None or allows(when.versions, wanted)) for when in row.when
        )
    )
    return Chapter(name="breaks", title="Known breakages", facts=facts)


def _break_text(row: model.Breakage) -> str:
    conditions = " and ".join(_when_text(when) for when in row.when)
    cure = "; the lock does this" if row.cured else ""
    return f"{row.title} (when {conditions}). {row.symptom}. Fix: {row.fix}{cure}"


def _when_text(when: model.When) -> str:
    parts = [f"{when.package} {when.versions}".strip()]
    if when.form:
        parts.append(f"as {when.form}")
    if when.cuda:
        parts.append(f"of CUDA {when.cuda}")
    return " ".join(parts)


def recipes(matrix: Matrix, package: PackageName, wanted: str | None) -> Chapter:
    """How it is built from source."""
    rows = [
        row
        for row in matrix.recipes
        if row.package == package and (wanted is None or allows(row.versions, wanted))
    ]
    sources = cited_sources(matrix, "recipes", rows)
    facts = tuple(fact(_recipe_text(row, wanted), [row], sources) for row in rows)
    return Chapter(name="recipes", title="Build recipes", facts=facts)


def _recipe_text(row: model.Recipe, wanted: str | None) -> str:
    parts = [f"{row.id}: {row.package} {row.versions}", f"torch {row.torch or 'any'}"]
    parts.append(f"Python {row.pythons or 'any'}")
    if row.std is not None:
        parts.append(f"C++{row.std}")
    parts.append(f"for {', '.join(row.kinds)}")
    if row.patches:
        parts.append(f"patched ({', '.join(patch.id for patch in row.patches)})")
    done = [item for item in row.verified if is_wanted(item.version, wanted)]
    parts += [
        f"tested: {item.version} on torch {item.torch}+{item.variant}, Python {item.python} ({item.how})"
        for item in done
    ]
    if not done:
        parts.append("not tested")
    if row.note:
        parts.append(row.note)
    return "; ".join(parts)


def stacks(matrix: Matrix, package: PackageName, _wanted: str | None) -> Chapter:
    """Stacks that contain it."""
    sources = matrix.sources("stacks")
    from packaging.requirements import Requirement

    facts = tuple(
        fact(f"{row.name}: {', '.join(row.requirements)}", [row], sources)
        for row in matrix.stacks
        if any(normalize(Requirement(text).name) == package for text in row.requirements)
    )
    return Chapter(name="stacks", title="Stacks that contain it", facts=facts)
