"""An undefined symbol: whose name it is, and which torch builds export it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from mmlock.binary.demangle import demangle
from mmlock.binary.names import is_torch
from mmlock.binary.tables import TorchBuildId
from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.distributions import MMCV, module_of_file, package_of, row_of
from mmlock.doctor.log_window import runs
from mmlock.doctor.model import Examination, ProposedSolve, SymptomMatch
from mmlock.doctor.proposals import on_a_gpu, proposed_solves

_CUDA = re.compile(
    r"(?:__)?cuda[A-Z_]\w*|cu[A-Z]\w*|(?:cublas|cudnn|cusparse|cufft|nccl|nvrtc|curand)[A-Z_]\w*"
)
_OWN = {"symbol-mkl": re.compile("iJIT_"), "spconv-out-of-step": re.compile("_ZN?K?2tv")}
"""Names of libraries that have a symptom of their own."""
_NEW, _OLD = "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE", "Ss"
"""`std::string` in a name: since GCC 5, and before."""
_PYTHON = re.compile(r"_?Py[A-Z_]\w*")
_STD = re.compile(r"_Z(?:T[VTIS])?N?K?(?:St|NSt7__cxx11|9__gnu_cxx)|_ZNK?St|_ZSt|__cxa_|GLIBCXX")


def examine(match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """Whose the name is, and what follows from who exports it."""
    symbol = match.fields["symbol"].partition("@")[0]
    plain = demangle(symbol)
    fields = {"symbol": symbol, "plain": plain, "file": _file(match)}
    if is_torch(symbol):
        return _torch(match, symbol, fields, around)
    for row, pattern in _OWN.items():
        if pattern.match(symbol):
            return Examination(row=row, fields=fields)
    if _CUDA.fullmatch(symbol):
        return Examination(row="symbol-cuda", fields=fields, evidence=())
    if _PYTHON.fullmatch(symbol):
        return Examination(row="symbol-python", fields=fields, evidence=())
    if _STD.match(symbol):
        return Examination(row="symbol-libstdcxx", fields=fields, evidence=(f"`{symbol}` is `{plain}`",))
    return Examination(row="symbol-other", fields=fields, evidence=())


def _torch(match: SymptomMatch, symbol: str, fields: dict[str, str], around: DiagnosisContext) -> Examination:
    """A name of libtorch: what to do depends on whose the file is that lacks it."""
    evidence = tuple(_of_torch(symbol, fields["plain"], around))
    known = around.symbols.builds()
    if len(known) == len(around.symbols.exporting(symbol)):
        return Examination(row="symbol-torch-not-loaded", fields=fields, evidence=evidence)
    path = match.fields.get("path", "")
    owner = row_of(around.matrix, module_of_file(path)) if path else None
    if owner is not None and owner.core and not any(map(around.matrix.lockable, owner.packages)):
        owner = None  # whoever has it built it, and has to do so again
    row = "symbol-torch"
    if owner is not None and owner.module != MMCV:
        row, name = "symbol-torch-package", package_of(owner, around.log)
        fields = {**fields, "package": name, "wheel": name.replace("-", "_")}
    elif path and owner is None:
        row = "symbol-torch-own"
    return Examination(row=row, fields=fields, evidence=evidence, solves=_solves(row, fields, around))


def _solves(name: str, fields: Mapping[str, str], around: DiagnosisContext) -> tuple[ProposedSolve, ...]:
    """Both in step; and, where the text tells the torch that is there, the extension built for that one."""
    row = next(row for row in around.matrix.symptoms if row.id == name)
    solves = proposed_solves(row.cures, fields, around.entities, around.matrix)
    if name == "symbol-torch-package":
        solves = on_a_gpu(solves)
    told = around.entities.value("torch")
    if told is None:
        return solves
    kept = (
        replace(proposed, torch=told, when=f"to keep torch {told}: {proposed.when}".removesuffix(": "))
        for proposed in solves
        if proposed.gpu != "cpu" or "+cu" not in told
    )
    return (*solves, *kept)


def _file(match: SymptomMatch) -> str:
    """`mmcv/_ext.cpython-38-x86_64-linux-gnu.so`: the package's folder and the file."""
    path = match.fields.get("path") or match.fields.get("file", "")
    parts = re.split(r"[/\\]", path.strip())
    return f"`{'/'.join(parts[-2:])}`" if parts[-1] else ""


def _of_torch(symbol: str, plain: str, around: DiagnosisContext) -> Iterator[str]:
    known = around.symbols.builds()
    exporting = around.symbols.exporting(symbol)
    yield f"`{plain}` is a symbol of libtorch"
    if not exporting:
        yield f"none of the {len(known)} known torch builds exports it ({ranges(known, known)})"
        yield "so it belongs to another build, or to a CUDA library that mmlock does not know"
        return
    lacking = tuple(build for build in known if build not in exporting)
    yield f"exported by torch {ranges(exporting, known)}"
    if lacking:
        yield f"not exported by torch {ranges(lacking, known)} (of {len(known)} known builds)"
        yield from _other_string(symbol, lacking, around) or _FIRST
    yield from _met(exporting, lacking, around)


_FIRST = ("so the file was compiled for one of the first, and one of the others is installed",)


def _other_string(symbol: str, lacking: Sequence[TorchBuildId], around: DiagnosisContext) -> tuple[str, ...]:
    """Whether the builds that lack a name have it with the other `std::string`: same release, other ABI."""
    new = _NEW in symbol
    twin = symbol.replace(_NEW, _OLD) if new else re.sub(r"Ss(?=v?$)", _NEW, symbol)
    having = [build for build in around.symbols.exporting(twin) if build in lacking] if twin != symbol else []
    if not having:
        return ()
    made = "1 (`cxx11abiTRUE` in a wheel's name)" if new else "0 (`cxx11abiFALSE` in a wheel's name)"
    return (
        f"torch {ranges(having, around.symbols.builds())} exports it with the other `std::string`",
        f"so the file was compiled with _GLIBCXX_USE_CXX11_ABI={made}, and the installed torch was not",
    )


def _met(
    exporting: Sequence[TorchBuildId], lacking: Sequence[TorchBuildId], around: DiagnosisContext
) -> Iterator[str]:
    """What the text says of the torch that is installed, and of the Python, which bounds it."""
    told = around.entities.value("torch")
    if told is not None:
        bare = told.partition("+")[0]
        verdict = "exports it" if bare in {build.torch for build in exporting} else "does not export it"
        known = {build.torch for build in (*exporting, *lacking)}
        who = around.entities.teller("torch")
        yield f"{who} torch {told}, which {verdict if bare in known else 'mmlock does not know'}"
    python = around.entities.value("python")
    if python is None:
        return
    builds = around.symbols.builds()
    having = {b.torch for b in around.matrix.torch_builds if python in b.pythons}
    fits = [build for build in lacking if build.torch in having]
    if fits and told is None and len(fits) < len(lacking):
        yield f"with Python {python}, the installed torch is one of {ranges(fits, builds)}"


def ranges(builds: Iterable[TorchBuildId], known: Sequence[TorchBuildId]) -> str:
    """`1.13.0 to 2.1.2`: the releases of builds."""
    return runs((build.torch for build in builds), (build.torch for build in known))
