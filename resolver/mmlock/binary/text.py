"""Inspections and verdicts as lines for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from mmlock.binary.demangle import demangle
from mmlock.binary.gpu_verdict import NO_GPU_CODE
from mmlock.binary.model import (
    Answer,
    ArguedAnswer,
    Compatibility,
    CompiledExtension,
    Extent,
    GpuFinding,
    HasGpuCode,
    Inspected,
)
from mmlock.binary.tables import TorchBuildId, TorchFacts
from mmlock.core.device import Code

_WIDTH = 110
_SHOWN = 8
"""Names that are listed before the rest is counted."""
_LOADS = {
    Answer.HOLDS: "loads",
    Answer.FAILS: "does not load",
    Answer.UNKNOWN: "may load: not everything could be checked",
}


def inspected_lines(found: Inspected) -> Iterator[str]:
    """What the files of a wheel say."""
    head = " ".join(part for part in (found.name, found.version) if part) or found.place
    yield f"{head}{_cost(found)}"
    if found.tags:
        yield f"  tags: {', '.join(found.tags)}"
    for one in found.extensions:
        yield from _extension_lines(one)
    for file in found.not_read:
        yield f"  {file.path}: {file.why}"
    if not found.extensions and not found.not_read:
        yield "  no compiled files: nothing in it depends on torch's binary interface"


def verdict_lines(verdict: Compatibility) -> Iterator[str]:
    """Beside one torch: whether it loads, why, and what its kernels are good for."""
    yield f"beside torch {verdict.torch}: {_LOADS[verdict.loads]}"
    for label, finding in (
        ("declared", verdict.declared),
        ("libraries", verdict.libraries),
        ("symbols", verdict.symbols),
        ("python", verdict.python),
    ):
        yield from _finding_lines(label, finding)
    for gpu in verdict.gpus:
        yield from gpu_lines(gpu)


def torch_lines(facts: TorchFacts, names: int) -> Iterator[str]:
    """What was read of a torch build."""
    yield f"torch {facts.build} for {facts.build.platform}: {facts.wheel}"
    yield from _wrapped("GPU code", _archs(facts))
    yield f"  C++ ABI {_known(facts.cxx11_abi)} · {_floors(facts.floors)} · {names} exported torch names"
    yield from _wrapped("libraries", " ".join(facts.libraries))
    yield from _wrapped("needs", " ".join(facts.needs))
    if facts.unread:
        yield f"  not read: {', '.join(facts.unread)}"


def exporting_lines(name: str, exporting: Sequence[TorchBuildId], known: int) -> Iterator[str]:
    """Which builds export a name."""
    yield name
    if (plain := demangle(name)) != name:
        yield f"  {plain}"
    if exporting:
        yield f"  exported by {len(exporting)} of {known} torch builds that were read:"
        yield from _wrapped("", ", ".join(str(build) for build in exporting))
    else:
        yield f"  exported by none of the {known} torch builds that were read"


def _cost(found: Inspected) -> str:
    if found.bytes_read and found.size:
        return f" · {_megabytes(found.bytes_read)} of {_megabytes(found.size)} MB read"
    return ""


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"


def _extension_lines(one: CompiledExtension) -> Iterator[str]:
    part = " · read in part" if one.extent is Extent.PREFIX else ""
    yield f"  {one.path}"
    abi = f" · C++ ABI {one.cxx11_abi}" if one.cxx11_abi is not None else ""
    needs = f"{len(one.torch_needs)} torch names of {one.undefined} undefined"
    yield f"    {one.machine}{abi} · {_floors(one.floors)} · {needs}{part}"
    yield from _wrapped("needs", " ".join(one.needed), indent=4)
    if one.gpu is not HasGpuCode.NO:
        yield from _wrapped("GPU code", _gpu_code(one), indent=4)


def _gpu_code(one: CompiledExtension) -> str:
    code = one.gpu_code
    if code is None:
        return "not read"
    archs = " ".join((*code.archs, *code.ptx)) or "no arch that all kernels have"
    some = " ".join((*code.some_archs, *code.some_ptx))
    read = f"{code.containers} kernel files" if code.complete else f"the first {code.containers} kernel files"
    return f"{archs} ({read}{f'; some also have {some}' if some else ''})"


def _floors(floors: object) -> str:
    names = {"GLIBC": "glibc", "GLIBCXX": "libstdc++", "CXXABI": "CXXABI"}
    items = floors.items() if isinstance(floors, dict) else ()
    told = [f"{names.get(kind, kind)} {version}" for kind, version in items if kind != "CXXABI"]
    return ", ".join(sorted(told)) or "no glibc version stated"


def _finding_lines(label: str, finding: ArguedAnswer) -> Iterator[str]:
    first, *rest = finding.evidence or ("",)
    yield from _wrapped(f"{label:<10} {finding.answer.value:<8}", first, plain=True)
    for text in rest:
        yield from _wrapped(" " * 19, text, plain=True)
    if finding.answer is not Answer.HOLDS:
        shown = [name for name in finding.names if name.startswith("_Z") or "." not in name]
        for name in shown[:_SHOWN]:
            yield f"{'':<22}{_shortened(demangle(name))}"
        if len(shown) > _SHOWN:
            yield f"{'':<22}and {len(shown) - _SHOWN} more"


def gpu_lines(gpu: GpuFinding) -> Iterator[str]:
    """What the kernels mean for one device."""
    arch = f" ({gpu.device.arch})" if gpu.device.arch and gpu.device.arch != gpu.device.name else ""
    means = {
        Code.NATIVE: "native code",
        Code.PTX: "no native code, but PTX that the driver compiles",
        Code.REPORTED: "code that was seen to run on it and that NVIDIA does not promise",
        Code.NONE: "no code that runs on it",
        Code.UNKNOWN: "not known",
    }[gpu.code]
    if gpu.evidence == (NO_GPU_CODE,):
        yield from _wrapped(f"{gpu.device.name}{arch}", NO_GPU_CODE)
        return
    driver = ""
    if gpu.code is Code.PTX:
        made = f"of CUDA {gpu.cuda}" if gpu.cuda else "of the toolkit that made it"
        driver = f" (that {made}{f', {gpu.driver},' if gpu.driver else ''} or a newer one)"
    yield from _wrapped(f"{gpu.device.name}{arch}", f"{means}{driver}")
    for text in gpu.evidence:
        yield from _wrapped(" " * 4, text, plain=True)


def _archs(facts: TorchFacts) -> str:
    return " ".join(facts.archs) if facts.archs else "none stated"


def _known(value: int | None) -> str:
    return "not known" if value is None else str(value)


def _shortened(text: str) -> str:
    room = _WIDTH - 22
    return text if len(text) <= room else f"{text[: room - 3]}..."


def _wrapped(label: str, text: str, *, indent: int = 2, plain: bool = False) -> Iterator[str]:
    start = " " * indent + (f"{label} " if plain else f"{label}: " if label else "  ")
    lines = wrap(
        text,
        _WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from lines or [start.rstrip()]
