"""An undefined symbol: whose name it is, whose file lacks it, and which torch builds export it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from mmlock.binary.demangle import demangle
from mmlock.binary.names import cxx11_abi, is_torch
from mmlock.binary.tables import TorchBuildId
from mmlock.core.names import Platform
from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.log_window import runs
from mmlock.doctor.model import Examination, ProposedSolve, Subject, SymptomMatch, Told
from mmlock.doctor.proposals import mmcv_packages, on_a_gpu, proposed_solves
from mmlock.doctor.subject import TORCH, compiled_file, of_file

_CUDA = re.compile(
    r"(?:__)?cuda[A-Z_]\w*|cu[A-Z]\w*|(?:cublas|cudnn|cusparse|cufft|nvrtc|curand|cusolver|cufile)[A-Z_]\w*"
    r"|_?_?nvJitLink\w*|nv[A-Z]\w+|p?nccl[A-Z]\w*|nvml[A-Z]\w*"
)
_OWN = {"symbol-mkl": re.compile("iJIT_"), "spconv-out-of-step": re.compile("_ZN?K?2tv")}
"""Names of libraries that have a symptom of their own."""
_NEW, _OLD = "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE", "Ss"
"""`std::string` in a name: since GCC 5, and before."""
_PYTHON = re.compile(r"_?Py[A-Z_]\w*")
_STD = re.compile(r"_Z(?:T[VTIS])?N?K?(?:St|NSt7__cxx11|9__gnu_cxx)|_ZNK?St|_ZSt|__cxa_|GLIBCXX")
_UNSCOPED = re.compile(r"_Z\d{1,4}[A-Za-z_]")
_KERNEL = re.compile(r"cuda|kernel|launch|_gpu|forward|backward", re.IGNORECASE)
"""Words in the names of functions that a `.cu` file of an extension defines."""
_SCOPED = re.compile(r"_ZNK?(?P<size>\d{1,3})(?P<rest>[A-Za-z_]\w*)")


def examine(match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """Whose the name is, and what follows from who exports it."""
    symbol = match.fields["symbol"].partition("@")[0]
    plain = demangle(symbol)
    path = match.fields.get("path", "")
    owner = of_file(path, around.matrix) if path else None
    fields = {"symbol": symbol, "plain": plain, "file": _file(path or match.fields.get("file", ""))}
    for row, pattern in _OWN.items():
        if pattern.match(symbol):
            return Examination(row=row, fields=fields, subject=owner)
    if _is_of_torch(path):
        row = _of_torch_itself(symbol)
        fields["library"] = match.fields.get("library") or _library_of(symbol)
        return Examination(
            row=row, fields=fields, subject=Subject(told=Told.FILE, module=TORCH, package=TORCH)
        )
    if is_torch(symbol):
        return _torch(symbol, fields, owner, around)
    row = _row_of(symbol, path)
    fields["function"] = plain.partition("(")[0]
    evidence = (f"`{symbol}` is `{plain}`",) if plain != symbol else ()
    return Examination(row=row, fields={**fields, **_built(owner)}, evidence=evidence, subject=owner)


_BLAS = re.compile(
    r"(?:cblas_|LAPACKE_)?[sdcz](?:ge|gb|sy|he|po|pb|tr|or|un|dot|axpy|scal|gemm|ger|nrm)[a-z0-9]{0,5}_?"
)
"""Functions of BLAS and LAPACK: type, kind of matrix, what they do."""


def _of_torch_itself(symbol: str) -> str:
    """What is wrong where a file of torch lacks a name."""
    if is_torch(symbol):
        return "symbol-torch-mixed"
    if _CUDA.fullmatch(symbol):
        return "symbol-shadowed"
    return "symbol-blas" if _BLAS.fullmatch(symbol) else "symbol-torch-library"


def _row_of(symbol: str, path: str) -> str:
    """The symptom of a name that is not torch's."""
    for row, pattern in (("symbol-cuda", _CUDA), ("symbol-python", _PYTHON)):
        if pattern.fullmatch(symbol):
            return row
    if _STD.match(symbol):
        return "symbol-libstdcxx"
    return "symbol-own-kernel" if _is_own(symbol, path) else "symbol-other"


def _is_own(symbol: str, path: str) -> bool:
    """Whether a name is of the sources that the file itself was compiled from."""
    if _UNSCOPED.match(symbol):
        return "2at6Tensor" in symbol or _KERNEL.search(symbol) is not None
    if scoped := _SCOPED.match(symbol):
        space = scoped["rest"][: int(scoped["size"])]
        return space in compiled_file(path).parts or "2at6Tensor" in symbol
    return symbol.isidentifier() and any(word in symbol for word in _LAUNCHERS)


_LAUNCHERS = ("_kernel", "_cuda", "_launcher", "Launcher", "Laucher")
"""In names of functions in C that start a kernel, misspelled as old projects have it."""


def _is_of_torch(path: str) -> bool:
    """Whether a file is torch's own, or of the CUDA libraries that come with it."""
    file = compiled_file(path)
    return (file.installed and file.top in {TORCH, "nvidia"}) or file.stem.startswith(("libtorch", "libc10"))


_LIBRARIES = (
    ("nvJitLink", "libnvJitLink"),
    ("nccl", "libnccl"),
    ("cudnn", "libcudnn"),
    ("cublas", "libcublas"),
    ("cusparse", "libcusparse"),
    ("cufft", "libcufft"),
    ("cuda", "libcudart"),
)


def _library_of(symbol: str) -> str:
    """The library that a name of CUDA is in, as far as its beginning tells."""
    bare = symbol.lstrip("_p")
    return next((library for start, library in _LIBRARIES if bare.startswith(start)), "")


def _built(owner: Subject | None) -> dict[str, str]:
    return {"build": owner.build} if owner and owner.build and "{" not in owner.build else {}


def _torch(
    symbol: str, fields: dict[str, str], owner: Subject | None, around: DiagnosisContext
) -> Examination:
    """A name of libtorch: what to do depends on whose the file is that lacks it."""
    fields = {**fields, **_built(owner)}
    mac = around.entities.platform in {Platform.MACOS_ARM64, Platform.MACOS_X86_64}
    evidence: tuple[str, ...] = _own(fields)
    if not mac and around.entities.platform is not Platform.WINDOWS_X86_64:  # no symbols of these are known
        known = around.symbols.builds()
        exporting = around.symbols.exporting(symbol)
        if known and len(known) == len(exporting):
            return Examination(
                row="symbol-torch-not-loaded", fields=fields, evidence=_own(fields), subject=owner
            )
        abi = _other_abi(symbol, around)
        if abi and owner is not None and owner.package not in {None, *mmcv_packages(around.matrix)}:
            fields |= abi
            solves = _solves("symbol-abi", fields, owner, around)
            return Examination(
                row="symbol-abi", fields=fields, evidence=_own(fields), subject=owner, solves=solves
            )
        evidence = (*_own(fields), *(_abi(abi) if abi else _of_torch(symbol, exporting, around)))
    row = "symbol-torch-own"
    if owner is None or owner.package in mmcv_packages(around.matrix):
        row = "symbol-torch" if owner is not None or around.entities.seen("mmcv") else "symbol-torch-own"
    elif owner.package is not None:
        row, name = "symbol-torch-package", owner.package
        fields = {**fields, "package": name, "wheel": name.replace("-", "_")}
    solves = _solves(row, fields, owner, around)
    return Examination(row=row, fields=fields, evidence=evidence, solves=solves, subject=owner)


def _own(fields: Mapping[str, str]) -> tuple[str, ...]:
    return (f"`{fields['plain']}` is a symbol of libtorch",)


# ---------------------------------------------------------------- the two kinds of std::string


def _other_abi(symbol: str, around: DiagnosisContext) -> dict[str, str]:
    """Where the torch that a text names has the other `std::string` than the symbol; else empty."""
    made = cxx11_abi([symbol])
    told = around.entities.value("torch")
    if made is None or told is None:
        return {}
    release, _, variant = told.partition("+")
    platform = around.entities.platform or Platform.LINUX_X86_64
    rows = [
        row
        for row in around.matrix.torch_builds
        if row.torch == release
        and row.platform is platform
        and (row.variant == variant or (not variant and row.on_pypi))
    ]
    having = {row.cxx11_abi for row in rows}
    if having != {1 - made}:
        return {}
    names = {0: "FALSE", 1: "TRUE"}
    return {
        "made": str(made),
        "have": str(1 - made),
        "torch": told,
        "wanted": f"cxx11abi{names[1 - made]}",
        "unwanted": f"cxx11abi{names[made]}",
    }


def _abi(abi: Mapping[str, str]) -> Iterator[str]:
    yield (
        f"the file was compiled with _GLIBCXX_USE_CXX11_ABI={abi['made']}, and torch {abi['torch']} has"
        f" {abi['have']}: another torch was there when it was compiled, or that flag was set"
    )


# ---------------------------------------------------------------- solves


def _solves(
    name: str, fields: Mapping[str, str], owner: Subject | None, around: DiagnosisContext
) -> tuple[ProposedSolve, ...]:
    """The extension built for the torch that the text names, where it does; then both in step."""
    row = next(row for row in around.matrix.symptoms if row.id == name)
    solves = proposed_solves(row.cures, fields, around.entities, around.matrix, owner)
    if owner is not None and owner.package not in mmcv_packages(around.matrix):
        solves = on_a_gpu(solves)
    told = around.entities.value("torch")
    if told is None:
        return solves
    kept = tuple(
        replace(proposed, torch=told, when=f"to keep torch {told}: {proposed.when}".removesuffix(": "))
        for proposed in solves
        if proposed.gpu != "cpu" or "+cu" not in told
    )
    return (*kept, *solves)


def _file(path: str) -> str:
    """`mmcv/_ext.cpython-38-x86_64-linux-gnu.so`: the package's folder and the file."""
    parts = [part for part in re.split(r"[/\\]", path.strip()) if part]
    if len(parts) > 1 and re.fullmatch(r"(?:site|dist)-packages", parts[-2]):
        parts = parts[-1:]
    if len(parts) > 1 and parts[-2].endswith(".egg"):
        parts = parts[-1:]
    return f"`{'/'.join(parts[-2:])}`" if parts else ""


# ---------------------------------------------------------------- who exports it


def _of_torch(symbol: str, exporting: tuple[TorchBuildId, ...], around: DiagnosisContext) -> Iterator[str]:
    known = around.symbols.builds()
    if not exporting:
        yield f"none of the {len(known)} torch builds that mmlock knows exports it ({ranges(known, known)})"
        yield from _other_string(symbol, known, around) or (
            "so the file was compiled for another build: an older or newer one, a vendor's or your own",
        )
        return
    lacking = tuple(build for build in known if build not in exporting)
    yield f"exported by torch {ranges(exporting, known)}"
    if lacking:
        yield f"not exported by torch {ranges(lacking, known)} (of {len(known)} known builds)"
        yield from _other_string(symbol, lacking, around) or _FIRST
    yield from _met(exporting, lacking, around)


_FIRST = ("so the file was compiled for one of the first, and another torch is loaded",)


def _other_string(symbol: str, lacking: Sequence[TorchBuildId], around: DiagnosisContext) -> tuple[str, ...]:
    """Whether the builds that lack a name have it with the other `std::string`: same release, other ABI."""
    new = _NEW in symbol
    twin = symbol.replace(_NEW, _OLD) if new else re.sub(r"Ss(?=[a-z]*$)", _NEW, symbol)
    having = [build for build in around.symbols.exporting(twin) if build in lacking] if twin != symbol else []
    if not having:
        return ()
    made = "1 (`cxx11abiTRUE` in a wheel's name)" if new else "0 (`cxx11abiFALSE` in a wheel's name)"
    return (
        f"torch {ranges(having, around.symbols.builds())} exports it with the other `std::string`",
        f"so the file may be compiled with _GLIBCXX_USE_CXX11_ABI={made}, and the loaded torch is not",
    )


def _met(
    exporting: Sequence[TorchBuildId], lacking: Sequence[TorchBuildId], around: DiagnosisContext
) -> Iterator[str]:
    """What the text says of the torch that is installed, and of the Python, which bounds it."""
    told = around.entities.value("torch")
    if told is not None:
        yield f"{around.entities.teller('torch')} torch {told}, {_verdict(told, exporting, lacking)}"
    python = around.entities.value("python")
    if python is None:
        return
    builds = around.symbols.builds()
    having = {b.torch for b in around.matrix.torch_builds if python in b.pythons}
    fits = [build for build in lacking if build.torch in having]
    if fits and told is None and len(fits) < len(lacking):
        yield f"with Python {python}, the installed torch is one of {ranges(fits, builds)}"


def _verdict(told: str, exporting: Sequence[TorchBuildId], lacking: Sequence[TorchBuildId]) -> str:
    """Whether the very build exports the name; of a release alone, whether all of its known builds agree."""
    release, _, variant = told.partition("+")
    sides = {
        side
        for side, builds in ((True, exporting), (False, lacking))
        for build in builds
        if build.torch == release and (not variant or build.variant == variant)
    }
    if sides == {True}:
        return "which exports it: so another torch is loaded than that one"
    if sides == {False}:
        return "which does not export it"
    # Builds of one release differ in CUDA and in the `std::string`, seldom in anything else.
    others = {True for build in exporting if build.torch == release}
    nothing = not others and any(build.torch == release for build in lacking)
    return (
        "which does not export it in the builds that mmlock knows"
        if nothing
        else "of which mmlock does not know"
    )


def ranges(builds: Iterable[TorchBuildId], known: Sequence[TorchBuildId]) -> str:
    """`1.13.0 to 2.1.2`: the releases of builds."""
    return runs((build.torch for build in builds), (build.torch for build in known))
