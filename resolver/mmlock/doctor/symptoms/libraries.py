"""Shared libraries: who brings the one that is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace
from packaging.requirements import Requirement

from mmlock.core.names import normalize
from mmlock.core.versions import InvalidVersion, version
from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.log_window import after, blamed, joined, runs
from mmlock.doctor.model import Examination, SymptomMatch
from mmlock.doctor.proposals import proposed_solves
from mmlock.facts.matrix.curated import Breakage

_CUDA = re.compile(
    r"lib(?:cudart|cublas|cublasLt|cudnn\w*|cufft|curand|cusolver|cusparse\w*|nvrtc|nccl|nvToolsExt|cupti|nvJitLink)"
    r"[.-].*"
)
_DRIVER = re.compile(r"lib(?:cuda|nvidia-ml|nvcuvid)\.so.*")
_TORCH = re.compile(r"lib(?:torch|c10|caffe2|shm)[\w-]*\.(?:so.*|dylib)")
_DESKTOP = re.compile(r"lib(?:GL|gthread-2\.0|glib-2\.0|SM|Xext|Xrender|X11|xcb)\.so.*")
_XFORMERS = re.compile(r"PyTorch (?P<built>[\d.]+(?:\+\w+)?) .{0,100}\(you have (?P<met>[\d.]+(?:\+\w+)?)\)")


def library(match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """Whose library it is."""
    name = re.split(r"[/\\]", match.fields.get("library", ""))[-1]
    fields = {"library": name}
    if _DRIVER.fullmatch(name):
        return Examination(row="library-driver", fields=fields)
    if _CUDA.fullmatch(name):
        return Examination(row="library-cuda", fields=fields, evidence=tuple(_cudart(name, around)))
    if _TORCH.fullmatch(name):
        if _in_every_torch(name.replace(".dylib", ".so"), around):
            return Examination(row="library-torch-not-loaded", fields=fields)
        evidence = () if name.endswith(".dylib") else tuple(_torch(name, around))
        return Examination(row="library-torch", fields=fields, evidence=evidence)
    if _DESKTOP.fullmatch(name):
        return Examination(row="library-gl", fields=fields)
    return Examination(fields=fields)


def _cudart(name: str, around: DiagnosisContext) -> Iterator[str]:
    """Which torch brings that runtime."""
    rows = [row for row in around.matrix.torch_builds if "linux" in row.platform and row.cudart]
    bringing = [row for row in rows if row.cudart == name or f"{row.cudart}." in f"{name}."]
    pypi = [row.torch for row in bringing if row.on_pypi]
    known = [row.torch for row in around.matrix.torch_builds if row.on_pypi]
    if pypi:
        yield f"torch on PyPI with `{name}`: {runs(pypi, known)}"
    variants = sorted({row.variant for row in bringing})
    if variants:
        yield f"variants with it: {joined(variants)}"
    if told := around.entities.value("torch"):
        own = [row for row in rows if row.torch == told.partition("+")[0] and (row.on_pypi or "+" in told)]
        exact = [row for row in own if row.variant == told.partition("+")[2]] or own
        if exact and exact[0].cudart != name:
            yield f"{around.entities.teller('torch')} torch {told}, which has `{exact[0].cudart}`"


def _in_every_torch(name: str, around: DiagnosisContext) -> bool:
    known = [facts for build in around.symbols.builds() if (facts := around.symbols.facts(build))]
    return bool(known) and all(name in facts.libraries for facts in known)


def _torch(name: str, around: DiagnosisContext) -> Iterator[str]:
    """Which torch wheels hold the library, by their own files."""
    known = around.symbols.builds()
    holding = [b for b in known if (facts := around.symbols.facts(b)) and name in facts.libraries]
    if not holding:
        yield f"none of the {len(known)} known torch builds has `{name}`"
        return
    told = runs((b.torch for b in holding), (b.torch for b in known))
    yield f"torch with `{name}`: {told} (of {len(known)} builds on PyPI)"
    if len(holding) < len(known):
        yield "so the extension was compiled for one of these, and another is installed"


def glibc(match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """Which torch builds the machine's glibc could still do."""
    try:
        wanted = version(match.fields.get("version", "").rstrip("."))
    except InvalidVersion:
        return Examination()
    rows = [row for row in around.matrix.torch_builds if row.on_pypi and row.glibc and "x86" in row.platform]
    fewer = [row for row in rows if row.glibc and version(row.glibc) < wanted]
    floors = sorted({row.glibc for row in fewer if row.glibc}, key=version)
    known = [row.torch for row in rows]
    evidence = [
        f"torch on PyPI for glibc {floor}: {runs((r.torch for r in fewer if r.glibc == floor), known)}"
        for floor in floors
    ]
    evidence.append(f"a lock is for glibc {around.matrix.defaults['glibc']} by default (`--glibc`)")
    return Examination(evidence=tuple(evidence))


def numpy_abi(match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """The package that was compiled against another numpy: the innermost of the traceback."""
    skip = {"numpy", "torch"}
    tops = [top for top, _ in blamed(around.log, match) if top not in skip]
    package = normalize(tops[0]) if tops else "a module"
    owners = {normalize(m.module): m.packages[0] for m in around.matrix.modules}
    told = {normalize(top): owners.get(normalize(top)) for top in tops}
    owner = next((str(name) for name in told.values() if name and around.matrix.releases(name)), "")
    known = [row for row in around.matrix.breaks if _bounds_numpy(row) and package in _concerned(row)]
    if not owner:  # a package below a framework: the known breakage names the framework
        owner = next((when.package for row in known for when in row.when), "")
    texts = tuple(f"{row.title}; {row.fix}" for row in known)
    expected, got = (int(match.fields.get(name, "0")) for name in ("expected", "got"))
    if expected > got:  # the module knows a larger structure than numpy has
        return Examination(row="numpy-older-than-module", fields={"package": str(package)} if tops else {})
    return Examination(fields={"package": str(package), "owner": owner}, evidence=texts)


def _bounds_numpy(row: Breakage) -> bool:
    return any(Requirement(text).name == "numpy" for text in row.constraints)


def _concerned(row: Breakage) -> frozenset[str]:
    """Whose fault a breakage is."""
    return frozenset({row.culprit} if row.culprit else {when.package for when in row.when})


def xformers(match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """The torch it was built for, and the one it meets."""
    for line in (*match.lines, *after(around.log, match, 6)):
        if versions := _XFORMERS.search(line.text):
            built, met = versions["built"], versions["met"]
            solves = proposed_solves(match.row.cures, match.fields, around.entities, around.matrix)
            kept = tuple(replace(proposed, torch=met.partition("+")[0]) for proposed in solves)
            texts = tuple(_for_torch(met.partition("+")[0], around))
            if met.endswith("+cpu"):
                texts = (*texts, f"torch {met} is the build for the CPU: xformers needs the one with CUDA")
            return Examination(fields={"built": built, "met": met}, evidence=texts, solves=kept)
    return Examination(fields={"built": "another release", "met": "of another release"})


def _for_torch(torch: str, around: DiagnosisContext) -> Iterator[str]:
    fitting = [row.version for row in around.matrix.binaries("xformers") if row.torch == f"=={torch}"]
    if fitting:
        yield f"xformers for torch {torch}: {joined(sorted(set(fitting), key=version))}"
