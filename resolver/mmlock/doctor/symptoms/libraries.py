"""Shared libraries: who brings the one that is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from mmlock.core.names import normalize
from mmlock.core.versions import InvalidVersion, version
from mmlock.doctor.log_window import after, blamed, joined, runs
from mmlock.doctor.model import Examined, Match
from mmlock.doctor.proposals import wishes_of

if TYPE_CHECKING:
    from mmlock.doctor.diagnose import Surroundings

_CUDA = re.compile(
    r"lib(?:cudart|cublas|cublasLt|cudnn\w*|cufft|curand|cusolver|cusparse\w*|nvrtc|nccl|nvToolsExt|cupti|nvJitLink)"
    r"[.-].*"
)
_DRIVER = re.compile(r"lib(?:cuda|nvidia-ml|nvcuvid)\.so.*")
_TORCH = re.compile(r"lib(?:torch|c10|caffe2|shm)[\w-]*\.so.*")
_DESKTOP = re.compile(r"lib(?:GL|gthread-2\.0|glib-2\.0|SM|Xext|Xrender|X11|xcb)\.so.*")
_XFORMERS = re.compile(r"PyTorch (?P<built>[\d.]+(?:\+\w+)?) .{0,100}\(you have (?P<met>[\d.]+(?:\+\w+)?)\)")


def library(match: Match, around: Surroundings) -> Examined:
    """Whose library it is."""
    name = re.split(r"[/\\]", match.fields.get("library", ""))[-1]
    fields = {"library": name}
    if _DRIVER.fullmatch(name):
        return Examined(row="library-driver", fields=fields)
    if _CUDA.fullmatch(name):
        return Examined(row="library-cuda", fields=fields, evidence=tuple(_cudart(name, around)))
    if _TORCH.fullmatch(name):
        return Examined(row="library-torch", fields=fields, evidence=tuple(_torch(name, around)))
    if _DESKTOP.fullmatch(name):
        return Examined(row="library-gl", fields=fields)
    return Examined(fields=fields)


def _cudart(name: str, around: Surroundings) -> Iterator[str]:
    """Which torch brings that runtime."""
    rows = [row for row in around.matrix.torch_builds if "linux" in row.platform and row.cudart]
    bringing = [row for row in rows if row.cudart == name or f"{row.cudart}." in f"{name}."]
    pypi = [row.torch for row in bringing if row.on_pypi]
    known = [row.torch for row in around.matrix.torch_builds if row.on_pypi]
    if pypi:
        yield f"of PyPI's torch builds, {runs(pypi, known)} bring `{name}`"
    variants = sorted({row.variant for row in bringing})
    if variants:
        yield f"builds that bring it are of {joined(variants)}"
    if told := around.mentions.value("torch"):
        own = [row for row in rows if row.torch == told.partition("+")[0] and (row.on_pypi or "+" in told)]
        exact = [row for row in own if row.variant == told.partition("+")[2]] or own
        if exact and exact[0].cudart != name:
            yield f"{around.mentions.teller('torch')} torch {told}, which brings `{exact[0].cudart}`"


def _torch(name: str, around: Surroundings) -> Iterator[str]:
    """Which torch wheels hold the library, by their own files."""
    known = around.symbols.builds()
    holding = [b for b in known if (facts := around.symbols.facts(b)) and name in facts.libraries]
    if not holding:
        yield f"none of the {len(known)} torch builds that were read brings `{name}`"
        return
    told = runs((b.torch for b in holding), (b.torch for b in known))
    yield f"`{name}` comes with torch {told} ({len(known)} builds of PyPI were read)"
    if len(holding) < len(known):
        yield "so the extension was compiled against one of these, and meets another"


def glibc(match: Match, around: Surroundings) -> Examined:
    """Which torch builds the machine's glibc could still do."""
    try:
        wanted = version(match.fields.get("version", "").rstrip("."))
    except InvalidVersion:
        return Examined()
    rows = [row for row in around.matrix.torch_builds if row.on_pypi and row.glibc and "x86" in row.platform]
    fewer = [row for row in rows if row.glibc and version(row.glibc) < wanted]
    floors = sorted({row.glibc for row in fewer if row.glibc}, key=version)
    known = [row.torch for row in rows]
    evidence = [
        f"torch of PyPI that needs glibc {floor}: {runs((r.torch for r in fewer if r.glibc == floor), known)}"
        for floor in floors
    ]
    evidence.append(f"a lock is for glibc {around.matrix.defaults['glibc']} unless another is named")
    return Examined(evidence=tuple(evidence))


def numpy_abi(match: Match, around: Surroundings) -> Examined:
    """The package that was compiled against another numpy: the innermost of the traceback."""
    skip = {"numpy", "torch"}
    tops = [top for top, _ in blamed(around.log, match) if top not in skip]
    package = normalize(tops[0]) if tops else "a module"
    owners = {normalize(m.module): m.packages[0] for m in around.matrix.modules}
    told = {normalize(top): owners.get(normalize(top)) for top in tops}
    owner = next((str(name) for name in told.values() if name and str(name).startswith("mm")), "")
    texts = [
        f"{breakage.title}; {breakage.fix}"
        for breakage in around.matrix.breaks
        if package in breakage.title and "numpy" in breakage.title
    ]
    if not owner and package == "xtcocotools":
        owner = "mmpose"
    return Examined(fields={"package": str(package), "owner": owner}, evidence=tuple(texts))


def xformers(match: Match, around: Surroundings) -> Examined:
    """The torch it was built for, and the one it meets."""
    for line in (*match.lines, *after(around.log, match, 6)):
        if found := _XFORMERS.search(line.text):
            built, met = found["built"], found["met"]
            wishes = wishes_of(match.row.cures, match.fields, around.mentions, around.matrix)
            kept = tuple(replace(wish, torch=met.partition("+")[0]) for wish in wishes)
            texts = tuple(_for_torch(met.partition("+")[0], around))
            return Examined(fields={"built": built, "met": met}, evidence=texts, wishes=kept)
    return Examined(fields={"built": "another release", "met": "this one"})


def _for_torch(torch: str, around: Surroundings) -> Iterator[str]:
    fitting = [row.version for row in around.matrix.binaries("xformers") if row.torch == f"=={torch}"]
    if fitting:
        yield f"for torch {torch} there is xformers {joined(sorted(set(fitting), key=version))}"
