"""What OpenMMLab packages check, register and import."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mmlock.core.names import normalize
from mmlock.core.versions import InvalidVersion, assert_holds, version
from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.log_window import around, blamed, runs
from mmlock.doctor.model import Examination, SymptomMatch
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Assert, Release

_OP = re.compile(r"(?P<op>[<>]=?) ?(?P<version>\d[\w.]*)")
_BUILDING = re.compile(
    r"setup\.py|Getting requirements to build wheel|get_requires_for_build|egg_info|metadata"
)
_OWN = frozenset({"mmengine", "mmcv"})


# ---------------------------------------------------------------- checks at import


def refused(match: SymptomMatch, here: DiagnosisContext) -> Examination:
    """Who refuses whom, what would be accepted, and for which torch that has wheels."""
    module = match.fields["name"].lower().replace("-", "_")
    name = _distribution(here.matrix, module)
    told = match.fields["version"].rstrip(".")
    bounds = [(m["op"], m["version"].rstrip(".")) for m in _OP.finditer(match.fields.get("wanted", ""))]
    who = _who(match, here, module, told, bounds)
    # mmseg 1.x names the lower bound alone in its message; the real check is in the facts.
    checks = _checks(here.matrix, who, module, here.entities.value(who) if who else None) if who else []
    evidence = [_check_text(who, release, checks_) for release, checks_ in checks[:1]]
    accepted = _accepted(here.matrix, name, [(c.op, c.version) for _, cs in checks[:1] for c in cs] or bounds)
    if accepted:
        known = [row.version for row in here.matrix.releases(name)]
        evidence.append(f"accepted: {name} {runs(accepted, known)}")
    evidence += _wheels(here.matrix, name, accepted)
    if not who:
        evidence += _same_bounds(here.matrix, module, bounds)
    owner = who or f"{name}{','.join(f'{op}{bound}' for op, bound in bounds)}"
    fields = {"who": who or "a package", "name": name, "version": told, "owner": owner}
    return Examination(fields=fields, evidence=tuple(evidence))


def _distribution(matrix: Matrix, module: str) -> str:
    row = next((row for row in matrix.modules if row.module == module), None)
    return str(row.packages[0]) if row else normalize(module)


def _who(
    match: SymptomMatch, here: DiagnosisContext, module: str, told: str, bounds: Sequence[tuple[str, str]]
) -> str | None:
    """The package whose `__init__` failed: by the traceback, else the one with these very bounds."""
    modules = {row.module: str(row.packages[0]) for row in here.matrix.modules}
    for top, _ in blamed(here.log, match):
        if top in modules and top != module:
            return modules[top]
    for package in here.matrix.release_packages:
        if here.entities.seen(package) and package not in {"mmcv", "mmcv-full", "mmcv-lite"}:
            for row in here.matrix.releases(package):
                own = {(c.op, c.version) for c in row.asserts if c.module == module}
                if own and own >= set(bounds) and not _passes(own, told):
                    return str(package)
    return None


def _same_bounds(matrix: Matrix, module: str, bounds: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The packages that check just this: one of them says so."""
    for package in matrix.release_packages:
        rows = [
            row.version
            for row in matrix.releases(package)
            if bounds and {(c.op, c.version) for c in row.asserts if c.module == module} == set(bounds)
        ]
        if rows:
            known = [row.version for row in matrix.releases(package)]
            yield f"{package} with this check: {runs(rows, known)}"


def _passes(checks: set[tuple[str, str]], told: str) -> bool:
    try:
        return all(assert_holds(op, bound, told) for op, bound in checks)
    except InvalidVersion:
        return True


def _checks(matrix: Matrix, who: str, module: str, told: str | None) -> list[tuple[Release, list[Assert]]]:
    """The checks of the release that a text names, else of the newest ones."""
    rows = sorted(matrix.releases(who), key=lambda row: version(row.version), reverse=True)
    rows = [row for row in rows if row.version == told] or [row for row in rows if not row.yanked]
    pairs = [(row, [check for check in row.asserts if check.module == module]) for row in rows]
    return [(row, checks) for row, checks in pairs if checks]


def _check_text(who: str | None, release: Release, checks: Sequence[Assert]) -> str:
    wanted = ", ".join(f"{check.op}{check.version}" for check in checks)
    return f"{who} {release.version} accepts {checks[0].module} {wanted}"


def _accepted(matrix: Matrix, name: str, bounds: Sequence[tuple[str, str]]) -> list[str]:
    if not bounds:
        return []
    rows = [row for row in matrix.releases(name) if not row.yanked]
    return [row.version for row in rows if _passes(set(bounds), row.version)]


def _wheels(matrix: Matrix, name: str, accepted: Sequence[str]) -> Iterator[str]:
    rows = [row for row in matrix.index_rows if row.package == name and set(row.versions) & set(accepted)]
    if rows:
        torches = sorted({row.directory.partition("/torch")[2] for row in rows}, key=version)
        yield f"OpenMMLab's index has wheels of these for torch up to {torches[-1]}"


# ---------------------------------------------------------------- registries


def registry(match: SymptomMatch, here: DiagnosisContext) -> Examination:
    """Which package registers a name, by its scope or because it is an op of mmcv."""
    full, where = match.fields["name"], match.fields.get("registry", "")
    scope, _, name = full.rpartition(".")
    fields = {"name": full, "registry": where, "owner": ""}
    op = next((op for op in here.matrix.ops if name in {op.name, *op.registry}), None)
    if op is not None:
        text = f"`{name}` is an op of mmcv (`mmcv.ops.{op.name}`), registered when `mmcv.ops` is imported"
        return Examination(
            fields=fields, evidence=(text, "so this mmcv has no ops, or no module imports them")
        )
    scopes = [scope] if scope else []
    if "::" in where:
        scopes.append(where.partition("::")[0])
    for each in scopes:
        row = next((row for row in here.matrix.modules if row.module == each), None)
        if row is not None and each not in _OWN:
            text = f"the scope `{each}` belongs to {row.packages[0]}, which must be installed and imported"
            return Examination(fields={**fields, "owner": str(row.packages[0])}, evidence=(text,))
    return Examination(fields=fields)


def registered(match: SymptomMatch, _: DiagnosisContext) -> Examination:
    """Adafactor is a case of its own."""
    if match.fields["name"] == "Adafactor":
        return Examination(row="registered-twice-adafactor")
    return Examination()


# ---------------------------------------------------------------- imports that fail


def pkg_resources(match: SymptomMatch, here: DiagnosisContext) -> Examination:
    """Whether it was wanted while building or while running."""
    for top, rest in blamed(here.log, match):
        if top not in {"setuptools", "pip"} and not rest.endswith("setup.py"):
            return Examination(evidence=(f"`{top}/{rest}` imports it at run time",))
        break
    if any(_BUILDING.search(line.text) for line in around(here.log, match)):
        return Examination(evidence=("setup.py imports it while the package is built",))
    return Examination()


def breakages(match: SymptomMatch, here: DiagnosisContext) -> Examination:
    """Known breakages with such a text, those of packages the text names first."""
    words = re.findall(r"'(collections|distutils)'?", match.lines[0].text) or ["distutils"]
    rows = [row for row in here.matrix.breaks if words[-1] in row.symptom]
    named = [
        row for row in rows if any(here.entities.seen(w.package) for w in row.when if w.package != "python")
    ]
    return Examination(evidence=tuple(f"{row.title}: {row.fix}" for row in (named or rows)[:3]))


def chumpy(match: SymptomMatch, here: DiagnosisContext) -> Examination | None:
    """Only where chumpy is spoken of."""
    near = [line.text for line in around(here.log, match)]
    return Examination() if any("chumpy" in text for text in near) else None
