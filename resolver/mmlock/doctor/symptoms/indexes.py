"""The wheel index of OpenMMLab, and versions that no index has."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mmlock.core.names import normalize
from mmlock.core.pythons import span
from mmlock.core.versions import version
from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.log_window import joined
from mmlock.doctor.model import Examination, SymptomMatch
from mmlock.doctor.proposals import proposed_solves
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.symptom_rows import Cure

_DIRECTORY = re.compile(r"mmcv/dist/(?P<variant>cpu|cu\d+)/(?:torch)?(?P<torch>\d+\.\d+(?:\.\d+)?)")
_BOUND = re.compile(r"(?P<name>[\w.-]+?)(?P<spec>[=<>!~].*)?")


def index_directory(match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """What the directory of a text holds, or which directories there are instead."""
    directory = _directory(around)
    package = normalize(match.fields.get("package", "mmcv"))
    fields = {"package": str(package)}
    if directory is None:
        return Examination(fields=fields, evidence=tuple(_newest(around.matrix, None, package)))
    rows = [row for row in around.matrix.index_rows if row.directory == directory]
    if not rows:
        variant = directory.partition("/")[0]
        evidence = [f"the index has no directory `{directory}`", *_newest(around.matrix, variant, package)]
        return Examination(fields=fields, evidence=tuple(evidence))
    return Examination(fields=fields, evidence=tuple(_held(rows_of(around.matrix, directory), directory)))


def rows_of(matrix: Matrix, directory: str) -> Iterator[tuple[str, str, str]]:
    """(package, its versions, its Pythons) of a directory, for Linux."""
    for row in matrix.index_rows:
        if row.directory == directory and row.platform == "linux_x86_64":
            pythons = row.pythons_seen or row.pythons_inferred
            inferred = "" if row.pythons_seen else " (inferred)"
            yield row.package, joined(row.versions), f"{span(pythons)}{inferred}"


def _held(rows: Iterator[tuple[str, str, str]], directory: str) -> Iterator[str]:
    for package, versions, pythons in rows:
        yield f"`{directory}` has {package} {versions} for Python {pythons}"


def _directory(around: DiagnosisContext) -> str | None:
    """The directory a text names last, with a whole release of torch."""
    for line in reversed(around.log.lines):
        if match := _DIRECTORY.search(line.text):
            torch = match["torch"] if match["torch"].count(".") > 1 else f"{match['torch']}.0"
            return f"{match['variant']}/torch{torch}"
    return None


def _newest(matrix: Matrix, variant: str | None, package: str) -> Iterator[str]:
    """The newest torch that the index has a package for, with that CUDA and with any."""
    rows = [row for row in matrix.index_rows if row.package == package] or matrix.index_rows
    known = {tuple(row.directory.split("/torch")) for row in rows}
    if variant is not None:
        own = sorted((torch for name, torch in known if name == variant), key=version)
        yield f"newest torch for {variant}: {own[-1]}" if own else f"the index has nothing for {variant}"
    last = max((torch for _, torch in known), key=version)
    with_last = sorted(name for name, torch in known if torch == last)
    yield f"newest torch with wheels of {package}: {last}, for {joined(with_last)}"


def no_version(match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """What is known of the version that was not found."""
    requirement_match = _BOUND.fullmatch(match.fields.get("requirement", ""))
    if requirement_match is None:
        return Examination(solves=())
    name = normalize(requirement_match["name"])
    known = {str(p) for module in around.matrix.modules if module.core for p in module.packages}
    if name not in known:
        return Examination(solves=())
    requirement = f"{name}{requirement_match['spec'] or ''}"
    evidence = tuple(_known_of(around.matrix, name, requirement_match["spec"] or ""))
    cures = (Cure(packages=(_without_local(requirement),)),)
    return Examination(evidence=evidence, solves=proposed_solves(cures, {}, around.entities, around.matrix))


def _without_local(requirement: str) -> str:
    return requirement.partition("+")[0]


def _known_of(matrix: Matrix, name: str, spec: str) -> Iterator[str]:
    if "+" in spec and name in {"torch", "torchvision", "torchaudio"}:
        variant = spec.partition("+")[2]
        index = next((row.index for row in matrix.torch_builds if row.variant == variant), None)
        yield f"builds with `+{variant}` are not on PyPI" + (f", but on {index}" if index else "")
    rows = matrix.releases(name)
    wanted = spec.lstrip("=")
    for row in rows:
        if row.version == wanted and not row.has_wheel:
            yield f"PyPI has {name} {wanted} only as source"
    if rows and spec.startswith("==") and wanted not in {row.version for row in rows}:
        newest = max(rows, key=lambda row: version(row.version)).version
        yield f"{name} has no release {wanted}; the newest is {newest}"
