"""Compilers: what nvcc and the headers of torch accept."""

from __future__ import annotations

import re

from msgspec.structs import replace

from mmlock.core.versions import version
from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.log_window import after, around, before, runs
from mmlock.doctor.model import Examination, SymptomMatch
from mmlock.doctor.proposals import proposed_solves

_BUILT_WITH = re.compile(r"PyTorch \((?P<cuda>[\d.]+)\)")
_SETUP = re.compile(
    r"setup\.py|Getting requirements to build wheel|Preparing metadata|egg_info|build_isolation|build backend"
)
_ASKED = re.compile(
    r"(?:Collecting|Downloading|Building|Processing|Preparing|to build|for|built|build) [`'\"]?"
    r"(?P<name>mm[\w-]+|flash[_-]attn|xformers|detectron2|spconv[\w-]*)"
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
    return Examination(fields={"gcc": gcc or "some older version"}, evidence=tuple(evidence))


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
    asked = (*before(here.log, match), *after(here.log, match))
    name = next((asking["name"] for line in asked if (asking := _ASKED.search(line.text))), "")
    return Examination(fields={"package": name.replace("_", "-")})
