"""Compilers: what nvcc and the headers of torch accept."""

from __future__ import annotations

import re

from msgspec.structs import replace

from mmlock.core.versions import version
from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.log_window import after, around, runs
from mmlock.doctor.model import Examination, SymptomMatch
from mmlock.doctor.proposals import on_a_gpu, proposed_solves
from mmlock.doctor.subject import of_build, of_module, subject_of
from mmlock.doctor.symptoms.devices import named_build

_BUILT_WITH = re.compile(r"PyTorch \((?P<cuda>[\d.]+)\)")
_SETUP = re.compile(
    r"setup\.py|Getting requirements to build wheel|Preparing metadata|egg_info|build_isolation|build backend"
)
_COMPILER = re.compile(
    r"(?:^|[\s:)])(?:catastrophic |fatal )?error(?:: | [A-Z]{1,4}\d{4}| #\d+)|#error\b|error LNK\d{4}"
    r"|undefined reference to|\b(?:nvcc|ptxas|nvlink) (?:fatal|error)|\bld(?:\.\w+)?: (?:cannot find|error)"
)
"""What a compiler or linker prints where it gives up."""
_NO_COMPILER = re.compile(
    r"error: (?:subprocess-exited|command |metadata-|legacy-install|failed-wheel|Failed|\[Errno|invalid )"
    r"|^\s*(?:ERROR|error): (?:Could|Failed|Distribution|No |Cannot)|RuntimeError|collect2: error"
)


def host_compiler(match: SymptomMatch, here: DiagnosisContext) -> Examination:
    """Which toolkits take which gcc."""
    limit = match.fields.get("gcc", "").partition(".")[0][:4]
    toolkits = sorted(here.matrix.toolkits, key=lambda row: version(row.cuda))
    told = match.fields.get("toolkit") or here.entities.value("toolkit") or here.entities.value("cuda")
    row = next((row for row in toolkits if row.cuda == told), None)
    gcc = limit or (str(row.gcc_max) if row else "")
    evidence = [f"CUDA {row.cuda} supports gcc up to {row.gcc_max}"] if row else []
    if gcc:
        same = [kit.cuda for kit in toolkits if kit.gcc_max == int(gcc)]
        if same and not row:
            evidence.append(
                f"gcc {gcc} is the newest that CUDA {runs(same, [kit.cuda for kit in toolkits])} supports"
            )
        newer = next((kit for kit in toolkits if kit.gcc_max > int(gcc)), None)
        if newer:
            evidence.append(f"CUDA {newer.cuda} and newer supports gcc {newer.gcc_max}")
    return Examination(fields={"gcc": gcc} if gcc else {}, evidence=tuple(evidence))


def toolkit(match: SymptomMatch, here: DiagnosisContext) -> Examination | None:
    """The CUDA of torch and that of the toolkit; other minors are a warning only."""
    have, cuda = match.fields["toolkit"], match.fields.get("cuda", "")
    if not cuda:
        lines = (*match.lines, *after(here.log, match, 3))
        cuda = next(
            (built_with["cuda"] for line in lines if (built_with := _BUILT_WITH.search(line.text))), ""
        )
    if cuda and cuda.partition(".")[0] == have.partition(".")[0]:
        return None
    solves = list(proposed_solves(match.row.cures, match.fields, here.entities, here.matrix))
    kept = [
        replace(proposed, cuda=have, when=f"to keep CUDA {have}: {proposed.when}".removesuffix(": "))
        for proposed in solves
        if proposed.gpu != "cpu" and any(row.cuda == have for row in here.matrix.torch_builds)
    ]
    having = sorted({row.torch for row in here.matrix.torch_builds if row.cuda == have}, key=version)
    evidence = [f"torch builds with CUDA {have}: {having[0]} to {having[-1]}"] if having else []
    if not having:
        evidence = [f"no torch build has CUDA {have}"]
    return Examination(
        fields={"cuda": cuda or "another CUDA"}, evidence=tuple(evidence), solves=(*solves, *kept)
    )


def cxx_standard(match: SymptomMatch, here: DiagnosisContext) -> Examination:
    """From which torch on the headers want that standard."""
    std = int(match.fields["std"])
    rows = {t: row for t, row in here.matrix.cpp_extension.items() if row.header_std is not None}
    wanting = [torch for torch, row in rows.items() if row.header_std == std]
    if not wanting:
        return Examination()
    return Examination(evidence=(f"torch whose headers need C++{std}: {runs(wanting, rows)}",))


def torch_missing(match: SymptomMatch, here: DiagnosisContext) -> Examination:
    """Whether a build did not see torch, or there is none at all."""
    lines = list(around(here.log, match))
    if not any(_SETUP.search(line.text) for line in lines):
        return Examination(row="torch-not-installed")
    subject = of_build(match, here.log, here.matrix)
    uv = any(_UV.search(line.text) for line in lines)
    row = "torch-missing-at-build-uv" if uv and subject else None
    solves = None
    if subject is not None and subject.decided and not here.matrix.releases(subject.package or ""):
        solves = on_a_gpu(proposed_solves(match.row.cures, {}, here.entities, here.matrix, subject))
    return Examination(row=row, subject=subject, solves=solves)


_UV = re.compile(
    r"[\u00d7├╰]─?▶?|The build backend returned an error|build_wheel` failed|hint: .{0,80}depends on `torch`"
)


def compiler_error(match: SymptomMatch, here: DiagnosisContext) -> Examination | None:
    """Only where no line of the text has a known meaning: the first error may be a consequence of that."""
    for line in here.log.lines:
        if any(hit.row.rank < match.row.rank for hit in here.patterns.hits(here.patterns.read(line.text))):
            return None
    return Examination(lines=match.lines[:1])


def compile_failed(match: SymptomMatch, here: DiagnosisContext) -> Examination:
    """The first thing that a compiler said; that it is not in the text only where it is not."""
    first = None
    for line in here.log.lines:
        text = here.patterns.read(line.text)
        if any(hit.row.rank < match.row.rank for hit in here.patterns.hits(text)):
            return Examination(row="compile-job-failed")
        if first is None and _COMPILER.search(text) and not _NO_COMPILER.search(text):
            first = line
    if first is None:
        return Examination()
    subject = subject_of(replace(match, lines=(first,)), here.log, here.matrix)
    return Examination(row="compiler-error", lines=(first,), subject=subject)


def nvcc_below_module(match: SymptomMatch, here: DiagnosisContext) -> Examination:
    """Whose setup.py asks, and what CUDA torch has."""
    name = match.fields["name"]
    subject = of_module(name, here.matrix) or of_build(match, here.log, here.matrix)
    build = named_build(here)
    if build is None or build.cuda is None:
        return Examination(subject=subject)
    told = f"{here.entities.teller('torch')} torch {build.torch}+{build.variant}, whose CUDA is {build.cuda}"
    return Examination(subject=subject, evidence=(told,))
