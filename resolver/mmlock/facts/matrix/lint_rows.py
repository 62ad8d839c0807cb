"""Faults of a single row: values that have the right type and the wrong form. Rows that scripts write."""

from __future__ import annotations

import re
from functools import singledispatch

from mmlock.core.names import DeviceKind, OpNeeds, WheelDetail
from mmlock.core.versions import is_specifier, is_version
from mmlock.facts.matrix import lint_forms as forms
from mmlock.facts.matrix import model
from mmlock.facts.matrix.advisories import Advisory, concerning
from mmlock.facts.matrix.lint_forms import Faults

__all__ = ["CUDA", "DOTTED", "PYTHON", "row_faults"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_CONDA_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
_CONDA_PART = re.compile(r"[A-Za-z0-9_.!+]+")
PYTHON = re.compile(r"3\.\d{1,2}t?")
CUDA = re.compile(r"\d{1,2}\.\d{1,2}")
DOTTED = re.compile(r"\b\d+(\.\d+)+")
_CAPABILITY = re.compile(r"\d{1,2}\.\d[af]?")
_DIRECTORY = re.compile(r"(cpu|cu\d{2,3}|ascend[0-9a-z.]{0,20})/torch\d+\.\d+\.\d+")
_ABIS = frozenset({None, 0, 1})
_OPERATORS = frozenset({"<", "<=", ">", ">=", "==", "!="})


@singledispatch
def row_faults(row: object) -> Faults:
    """What is wrong with one row, each fault as a sentence that starts with the field."""
    raise TypeError(type(row).__name__)


# ---------------------------------------------------------------- hardware and toolkits


@row_faults.register
def _(row: model.Gpu) -> Faults:
    yield from forms.said("name", row.name)
    yield from forms.archs("sm", (row.sm,))


@row_faults.register
def _(row: model.Capability) -> Faults:
    yield from forms.archs("sm", (row.sm,))
    yield from forms.matches("first_cuda, last_cuda", (row.first_cuda, row.last_cuda), CUDA, "CUDA version")


@row_faults.register
def _(row: model.Accelerator) -> Faults:
    if row.answer is model.DeviceAnswer.LOCK and row.torch_variant is None:
        yield "torch_variant: is missing, though the answer is `lock`"
    yield from forms.said("mmcv", row.mmcv)
    yield from forms.said("note", row.note)
    yield from forms.archs("arch", (row.arch,) if row.arch else (), gfx=True)
    yield from forms.names("plugin", (row.plugin,) if row.plugin else ())


@row_faults.register
def _(row: model.Toolkit) -> Faults:
    yield from forms.matches("cuda", (row.cuda,), CUDA, "CUDA version")
    yield from forms.archs("first_sm, last_sm", (row.first_sm, row.last_sm))
    yield from forms.archs("archs", row.archs)
    yield from forms.matches("driver", (row.driver, row.driver_floor), DOTTED, "driver version")
    windows = (row.driver_windows, row.driver_floor_windows)
    yield from forms.matches("driver_windows", windows, DOTTED, "driver version")


@row_faults.register
def _(row: model.Toolchain) -> Faults:
    yield from forms.matches("cuda", (row.cuda,), CUDA, "CUDA version")
    yield from forms.requirements("packages", row.packages, exact=True)
    if row.lockable and not row.packages:
        yield "packages: are missing, though it says it is lockable"


@row_faults.register
def _(row: model.CppExtension) -> Faults:
    yield from forms.versions("torch", row.torch)
    yield from forms.one_of("default_std", row.default_std, forms.STANDARDS)
    yield from forms.one_of("header_std", row.header_std, {None, *forms.STANDARDS})
    yield from forms.matches("archs", row.archs, _CAPABILITY, "item of TORCH_CUDA_ARCH_LIST")
    yield from forms.matches("gcc_bounds", row.gcc_bounds, CUDA, "CUDA version")
    for bounds in row.gcc_bounds.values():
        yield from forms.versions("gcc_bounds", *bounds)


@row_faults.register
def _(row: Advisory) -> Faults:
    yield from forms.said("id", row.id)
    yield from forms.said("summary", row.summary)
    yield from forms.url("url", row.url)
    for span in row.affected:
        yield from forms.specifiers("affected", span)
    if not row.affected:
        yield "affected: is empty, so that it concerns no version"
    yield from forms.versions("fixed_in", *row.fixed_in)
    if row.id in row.aliases:
        yield f"aliases: repeats `{row.id}`"
    readable = all(map(is_specifier, row.affected)) and all(map(is_version, row.fixed_in))
    affected = [one for one in row.fixed_in if readable and next(concerning((row,), one), None) is not None]
    if affected:
        yield f"fixed_in: `{affected[0]}` is affected, by what it says itself"


# ---------------------------------------------------------------- conda


@row_faults.register
def _(row: model.CondaRecord) -> Faults:
    yield from forms.matches("name", (row.name,), _CONDA_NAME, "conda package name")
    yield from forms.matches(
        "version, build", (row.version, row.build), _CONDA_PART, "conda version or build"
    )
    yield from forms.url("channel", row.channel)
    stem = f"{row.name}-{row.version}-{row.build}"
    if row.file not in {f"{stem}.conda", f"{stem}.tar.bz2"}:
        yield f"file: `{row.file}` is not the file of {stem}"
    yield from forms.matches("md5", (row.md5,), _MD5, "md5")
    if row.sha256 is not None and not _SHA256.fullmatch(row.sha256):
        yield f"sha256: `{row.sha256}` is not one"
    yield from forms.one_of("noarch", row.noarch, {None, "python", "generic"})


# ---------------------------------------------------------------- torch and friends


@row_faults.register
def _(row: model.TorchBuild) -> Faults:
    yield from forms.versions("torch", row.torch)
    yield from forms.matches("variant", (row.variant,), forms.VARIANT, "torch variant")
    yield from forms.matches("cuda", (row.cuda,), CUDA, "CUDA version")
    if row.variant.startswith("cu") and row.cuda is not None and row.variant[2:] != row.cuda.replace(".", ""):
        yield f"cuda: `{row.cuda}` is not what variant `{row.variant}` says"
    yield from forms.url("index", row.index)
    yield from forms.archs("archs", row.archs, gfx=True)
    yield from forms.archs("ptx", row.ptx, prefix="compute_")
    yield from forms.one_of("cxx11_abi", row.cxx11_abi, _ABIS)
    yield from forms.matches("glibc", (row.glibc,), DOTTED, "glibc version")
    yield from forms.matches("pythons", row.pythons, PYTHON, "Python version")
    yield from forms.matches("cudnn", (row.cudnn,), DOTTED, "cuDNN version")
    if not row.pythons:
        yield "pythons: are missing, so no environment can have it"
    if row.tag is None and not row.on_pypi:
        yield "tag: is missing, so no file name can be made; it is the platform tag of its wheels"
    if row.archs is None and WheelDetail.ARCHS not in row.unread:
        yield 'archs: are unknown, which `"unread":["archs"]` must say'
    if row.archs is not None and WheelDetail.ARCHS in row.unread:
        yield "unread: names archs, but the row has them"
    if row.kind in {DeviceKind.CUDA, DeviceKind.ROCM} and row.archs == ():
        yield f"archs: a build for {row.kind} without GPU code runs nowhere"


@row_faults.register
def _(row: model.Requires) -> Faults:
    yield from forms.versions("version", row.version)
    yield from forms.requirements("requires", row.requires)
    yield from forms.specifiers("requires_python", row.requires_python)
    yield from forms.matches("variant", (row.variant,), forms.VARIANT, "torch variant")


@row_faults.register
def _(row: model.File) -> Faults:
    yield from forms.said("name", row.name)
    yield from forms.url("url", row.url)
    yield from forms.matches("sha256", (row.sha256,), _SHA256, "SHA-256 (64 lower-case hex digits)")
    yield from forms.matches("disputed", row.disputed, _SHA256, "SHA-256 (64 lower-case hex digits)")
    if row.disputed and (row.sha256 is not None or len(row.disputed) == 1):
        yield "disputed: holds two hashes or more, and `sha256` is null then"
    if row.size is not None and row.size <= 0:
        yield f"size: {row.size} is no size of a file"
    yield from forms.specifiers("requires_python", row.requires_python)


@row_faults.register
def _(row: model.Binary) -> Faults:
    yield from forms.names("package", (row.package,))
    yield from forms.versions("version", row.version)
    yield from forms.specifiers("torch", row.torch)
    yield from forms.matches("cuda", (row.cuda,), CUDA, "CUDA version")
    yield from forms.archs("archs", row.archs)
    yield from forms.archs("ptx", row.ptx, prefix="compute_")
    yield from forms.one_of("cxx11_abi", row.cxx11_abi, _ABIS)
    yield from forms.matches("glibc", (row.glibc,), DOTTED, "glibc version")
    yield from forms.matches("pythons", row.pythons, PYTHON, "Python version")
    yield from forms.url("url", row.url)


@row_faults.register
def _(row: model.ProvidedWheel) -> Faults:
    yield from forms.said("provider", row.provider)
    yield from forms.names("package", (row.package,))
    yield from forms.versions("version", row.version)
    yield from forms.specifiers("torch", row.torch)
    yield from forms.matches("variant", (row.variant,), forms.VARIANT, "torch variant")
    yield from forms.matches("pythons", row.pythons, PYTHON, "Python version")
    yield from forms.archs("archs", row.archs, gfx=True)
    yield from forms.matches("glibc", (row.glibc,), DOTTED, "glibc version")
    yield from forms.url("index", row.index)
    yield from forms.url("url", row.url)


# ---------------------------------------------------------------- OpenMMLab


@row_faults.register
def _(row: model.IndexRow) -> Faults:
    yield from forms.matches("directory", (row.directory,), _DIRECTORY, "directory of the index")
    yield from forms.names("package", (row.package,))
    yield from forms.versions("versions", *row.versions)
    yield from forms.matches("pythons", (*row.pythons_seen, *row.pythons_inferred), PYTHON, "Python version")
    if not row.versions:
        yield "versions: are missing"


@row_faults.register
def _(row: model.Release) -> Faults:
    yield from forms.versions("version", row.version)
    yield from forms.specifiers("requires_python", row.requires_python)
    yield from forms.requirements("requires", row.requires)
    yield from forms.requirements("mim", row.mim)
    for item in row.asserts:
        yield from forms.one_of("asserts", item.op, _OPERATORS)
        yield from forms.versions("asserts", item.version)


@row_faults.register
def _(row: model.Submodule) -> Faults:
    yield from forms.specifiers("versions", row.versions)
    if "." not in row.name:
        yield f"name: `{row.name}` is a module of its own"


@row_faults.register
def _(row: model.MmcvEra) -> Faults:
    yield from forms.versions("first", row.first)


@row_faults.register
def _(row: model.Op) -> Faults:
    yield from forms.said("name", row.name)
    yield from forms.said("module", row.module)
    yield from forms.versions("since", row.since)
    yield from forms.versions("until", row.until)
    yield from forms.versions("earlier", *row.earlier)
    if row.needs is OpNeeds.TORCH and row.symbols:
        yield "symbols: an op in plain PyTorch calls none"


@row_faults.register
def _(row: model.Reach) -> Faults:
    yield from forms.said("module", row.module)
    yield from forms.versions("version", row.version)


@row_faults.register
def _(row: model.Validation) -> Faults:
    yield from forms.matches("lock", (row.lock, row.verdict), _SHA256, "sha256")
    yield from forms.matches("python", (row.python,), PYTHON, "Python version")
    yield from forms.matches("variant", (row.variant,), forms.VARIANT, "torch variant")
    yield from forms.versions("torch", row.torch)
    yield from forms.versions("packages", *row.packages.values())
    yield from forms.names("packages", row.packages)
    if missing := sorted(set(row.built) - set(row.packages)):
        yield f"built: `{missing[0]}` is not among the packages"
    if row.passed < 1:
        yield "passed: nothing was run"
