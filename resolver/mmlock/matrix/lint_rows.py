"""Faults of a single row: values that have the right type and the wrong form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, singledispatch
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.device import parse_sm
from mmlock.core.names import Form, OpNeeds, normalize
from mmlock.core.versions import InvalidVersion, allows, is_specifier, version
from mmlock.matrix import model

__all__ = ["row_faults"]

Faults = Iterator[str]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PYTHON = re.compile(r"3\.\d{1,2}t?")
_CUDA = re.compile(r"\d{1,2}\.\d{1,2}")
_DOTTED = re.compile(r"\d+(\.\d+)+")
_CAPABILITY = re.compile(r"\d{1,2}\.\d[af]?")
_GFX = re.compile(r"gfx[0-9a-f]{3,4}")
_VARIANT = re.compile(r"cpu|xpu|cu\d{2,3}|rocm\d+(\.\d+)*")
_DIRECTORY = re.compile(r"(cpu|cu\d{2,3}|ascend[0-9a-z.]*)/torch\d+\.\d+\.\d+")
_STANDARDS = frozenset({11, 14, 17, 20, 23})
_ABIS = frozenset({None, 0, 1})
_PROVIDERS = frozenset({"pip", "system", "conda"})
_ANSWERS = frozenset({"lock", "reason"})
_TORCH_CHOICES = frozenset({None, "cpu", "rocm", "default"})
_LEAST_RANK = 9
_OPERATORS = frozenset({"<", "<=", ">", ">=", "==", "!="})
_FORMS = frozenset(form.value for form in Form)


@singledispatch
def row_faults(row: object) -> Faults:
    """What is wrong with one row, each fault as a sentence that starts with the field."""
    raise TypeError(type(row).__name__)


# ---------------------------------------------------------------- forms of values


def _matches(field: str, values: Iterable[str | None], pattern: re.Pattern[str], what: str) -> Faults:
    for value in values:
        if value is not None and not pattern.fullmatch(value):
            yield f"{field}: `{value}` is no {what}"


def _versions(field: str, *values: str | None) -> Faults:
    for value in values:
        if value is None:
            continue
        try:
            version(value)
        except InvalidVersion:
            yield f"{field}: `{value}` is no PEP 440 version"


def _specifiers(field: str, *values: str | None) -> Faults:
    for value in values:
        if value is not None and not is_specifier(value):
            yield f"{field}: `{value}` is no PEP 440 specifier"


def _requirements(field: str, values: Iterable[str], *, exact: bool = False) -> Faults:
    for value in values:
        if fault := _requirement_fault(value, exact=exact):
            yield f"{field}: {fault}"


@lru_cache(maxsize=8192)  # releases of a package repeat each other
def _requirement_fault(value: str, *, exact: bool) -> str | None:
    try:
        requirement = Requirement(value)
    except InvalidRequirement as error:
        return f"`{value}` is no requirement ({str(error).splitlines()[0]})"
    if exact and [s.operator for s in requirement.specifier] != ["=="]:
        return f"`{value}` must be pinned with `==`"
    return None


def _names(field: str, values: Iterable[str]) -> Faults:
    for value in values:
        if value != normalize(value) or not value:
            yield f"{field}: `{value}` is not in normal form (`{normalize(value)}`)"


def _archs(field: str, values: Iterable[str] | None, *, gfx: bool = False, prefix: str = "sm_") -> Faults:
    for value in values or ():
        if gfx and _GFX.fullmatch(value):
            continue
        if not value.startswith(prefix) or not _reads(parse_sm, value):
            yield f"{field}: `{value}` is no arch (`{prefix}90`{', `gfx942`' if gfx else ''})"


def _reads(parse: Callable[[str], Any], value: str) -> bool:
    try:
        parse(value)
    except ValueError:
        return False
    return True


def _url(field: str, value: str | None) -> Faults:
    if value is not None and not re.match(r"https://[^/\s]+/\S*$", value):
        yield f"{field}: `{value}` is no https URL"


def _one_of(field: str, value: Any, allowed: Iterable[Any]) -> Faults:
    if value not in allowed:
        known = ", ".join(sorted(f"`{item}`" for item in allowed if item is not None))
        yield f"{field}: `{value}` is none of {known}"


def _said(field: str, value: str) -> Faults:
    if not value.strip():
        yield f"{field}: is empty"


# ---------------------------------------------------------------- hardware and toolkits


@row_faults.register
def _(row: model.Gpu) -> Faults:
    yield from _said("name", row.name)
    yield from _archs("sm", (row.sm,))


@row_faults.register
def _(row: model.Capability) -> Faults:
    yield from _archs("sm", (row.sm,))
    yield from _matches("first_cuda, last_cuda", (row.first_cuda, row.last_cuda), _CUDA, "CUDA version")


@row_faults.register
def _(row: model.Accelerator) -> Faults:
    yield from _one_of("answer", row.answer, _ANSWERS)
    yield from _one_of("torch_variant", row.torch_variant, _TORCH_CHOICES)
    if row.answer == "lock" and row.torch_variant is None:
        yield "torch_variant: is missing, though the answer is `lock`"
    yield from _said("mmcv", row.mmcv)
    yield from _said("note", row.note)
    yield from _archs("arch", (row.arch,) if row.arch else (), gfx=True)
    yield from _names("plugin", (row.plugin,) if row.plugin else ())


@row_faults.register
def _(row: model.Toolkit) -> Faults:
    yield from _matches("cuda", (row.cuda,), _CUDA, "CUDA version")
    yield from _archs("first_sm, last_sm", (row.first_sm, row.last_sm))
    yield from _archs("archs", row.archs)
    yield from _matches("driver", (row.driver, row.driver_floor), _DOTTED, "driver version")


@row_faults.register
def _(row: model.Toolchain) -> Faults:
    yield from _matches("cuda", (row.cuda,), _CUDA, "CUDA version")
    yield from _one_of("provider", row.provider, _PROVIDERS)
    yield from _requirements("packages", row.packages, exact=True)
    if row.lockable and not row.packages:
        yield "packages: are missing, though it says it is lockable"


@row_faults.register
def _(row: model.CppExtension) -> Faults:
    yield from _versions("torch", row.torch)
    yield from _one_of("default_std", row.default_std, _STANDARDS)
    yield from _one_of("header_std", row.header_std, {None, *_STANDARDS})
    yield from _matches("archs", row.archs, _CAPABILITY, "item of TORCH_CUDA_ARCH_LIST")
    yield from _matches("gcc_bounds", row.gcc_bounds, _CUDA, "CUDA version")
    for bounds in row.gcc_bounds.values():
        yield from _versions("gcc_bounds", *bounds)


# ---------------------------------------------------------------- torch and friends


@row_faults.register
def _(row: model.TorchBuild) -> Faults:
    yield from _versions("torch", row.torch)
    yield from _matches("variant", (row.variant,), _VARIANT, "torch variant")
    yield from _matches("cuda", (row.cuda,), _CUDA, "CUDA version")
    if row.variant.startswith("cu") and row.cuda is not None and row.variant[2:] != row.cuda.replace(".", ""):
        yield f"cuda: `{row.cuda}` is not what variant `{row.variant}` says"
    yield from _url("index", row.index)
    yield from _archs("archs", row.archs, gfx=True)
    yield from _archs("ptx", row.ptx, prefix="compute_")
    yield from _one_of("cxx11_abi", row.cxx11_abi, _ABIS)
    yield from _matches("glibc", (row.glibc,), _DOTTED, "glibc version")
    yield from _matches("pythons", row.pythons, _PYTHON, "Python version")


@row_faults.register
def _(row: model.Requires) -> Faults:
    yield from _versions("version", row.version)
    yield from _requirements("requires", row.requires)
    yield from _specifiers("requires_python", row.requires_python)


@row_faults.register
def _(row: model.File) -> Faults:
    yield from _said("name", row.name)
    yield from _url("url", row.url)
    yield from _matches("sha256", (row.sha256,), _SHA256, "SHA-256 (64 lower-case hex digits)")
    if row.size is not None and row.size <= 0:
        yield f"size: {row.size} is no size of a file"
    yield from _specifiers("requires_python", row.requires_python)


@row_faults.register
def _(row: model.Binary) -> Faults:
    yield from _names("package", (row.package,))
    yield from _versions("version", row.version)
    yield from _specifiers("torch", row.torch)
    yield from _matches("cuda", (row.cuda,), _CUDA, "CUDA version")
    yield from _archs("archs", row.archs)
    yield from _archs("ptx", row.ptx, prefix="compute_")
    yield from _one_of("cxx11_abi", row.cxx11_abi, _ABIS)
    yield from _matches("glibc", (row.glibc,), _DOTTED, "glibc version")
    yield from _matches("pythons", row.pythons, _PYTHON, "Python version")
    yield from _url("url", row.url)


@row_faults.register
def _(row: model.ProvidedWheel) -> Faults:
    yield from _said("provider", row.provider)
    yield from _names("package", (row.package,))
    yield from _versions("version", row.version)
    yield from _specifiers("torch", row.torch)
    yield from _matches("variant", (row.variant,), _VARIANT, "torch variant")
    yield from _matches("pythons", row.pythons, _PYTHON, "Python version")
    yield from _archs("archs", row.archs, gfx=True)
    yield from _matches("glibc", (row.glibc,), _DOTTED, "glibc version")
    yield from _url("index", row.index)
    yield from _url("url", row.url)


# ---------------------------------------------------------------- OpenMMLab


@row_faults.register
def _(row: model.IndexRow) -> Faults:
    yield from _matches("directory", (row.directory,), _DIRECTORY, "directory of the index")
    yield from _names("package", (row.package,))
    yield from _versions("versions", *row.versions)
    yield from _matches("pythons", (*row.pythons_seen, *row.pythons_inferred), _PYTHON, "Python version")
    if not row.versions:
        yield "versions: are missing"


@row_faults.register
def _(row: model.Release) -> Faults:
    yield from _versions("version", row.version)
    yield from _specifiers("requires_python", row.requires_python)
    yield from _requirements("requires", row.requires)
    yield from _requirements("mim", row.mim)
    for item in row.asserts:
        yield from _one_of("asserts", item.op, _OPERATORS)
        yield from _versions("asserts", item.version)


@row_faults.register
def _(row: model.Submodule) -> Faults:
    yield from _specifiers("versions", row.versions)
    if "." not in row.name:
        yield f"name: `{row.name}` is a module of its own"


@row_faults.register
def _(row: model.Op) -> Faults:
    yield from _said("name", row.name)
    yield from _said("module", row.module)
    yield from _versions("since", row.since)
    yield from _versions("until", row.until)
    yield from _versions("earlier", *row.earlier)
    if row.needs is OpNeeds.TORCH and row.symbols:
        yield "symbols: an op in plain PyTorch calls none"


@row_faults.register
def _(row: model.Reach) -> Faults:
    yield from _said("module", row.module)
    yield from _versions("version", row.version)


@row_faults.register
def _(row: model.Validation) -> Faults:
    yield from _matches("lock", (row.lock, row.verdict), _SHA256, "sha256")
    yield from _matches("python", (row.python,), _PYTHON, "Python version")
    yield from _matches("variant", (row.variant,), _VARIANT, "torch variant")
    yield from _versions("torch", row.torch)
    yield from _versions("packages", *row.packages.values())
    yield from _names("packages", row.packages)
    if missing := sorted(set(row.built) - set(row.packages)):
        yield f"built: `{missing[0]}` is not among the packages"
    if row.passed < 1:
        yield "passed: nothing was run"


# ---------------------------------------------------------------- curated


@row_faults.register
def _(row: model.Breakage) -> Faults:
    if not row.when:
        yield "when: is empty, so it would always hold"
    for when in row.when:
        yield from _names("when.package", (when.package,))
        yield from _specifiers("when.versions", when.versions)
        yield from _specifiers("when.cuda", when.cuda)
        if when.form is not None:
            yield from _one_of("when.form", when.form, _FORMS)
    for field in ("title", "symptom", "fix"):
        yield from _said(field, getattr(row, field))
    yield from _requirements("constraints", row.constraints)
    yield from _requirements("add", row.add)
    yield from _names("drop", row.drop)


@row_faults.register
def _(row: model.Recipe) -> Faults:
    yield from _names("package", (row.package,))
    faults = [
        *_specifiers("versions", row.versions),
        *_specifiers("torch", row.torch),
        *_specifiers("pythons", row.pythons),
    ]
    yield from faults
    if row.std is not None:
        yield from _one_of("std", row.std, _STANDARDS)
    if not row.kinds:
        yield "kinds: are missing"
    yield from _requirements("build_requires", row.build_requires)
    for check in row.check:
        if not re.match(r"(file|tag):.", check):
            yield f"check: `{check}` starts with neither `file:` nor `tag:`"
    if row.memory_mb <= 0:
        yield f"memory_mb: {row.memory_mb} is no amount of memory"
    for patch in row.patches:
        yield from _said("patches.find", patch.find)
        yield from _said("patches.reason", patch.reason)
    for grouping in row.groupings:
        yield from _grouping(grouping)
    if not faults:
        for done in row.verified:
            yield from _verified(row, done)


def _grouping(grouping: model.Grouping) -> Faults:
    yield from _specifiers("groupings.versions", grouping.versions)
    yield from _specifiers("groupings.torch", grouping.torch)
    names = [name for group in grouping.groups for name in group]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"groupings: `{name}` is in two groups"
    for group in grouping.groups:
        if len(group) < 2:  # noqa: PLR2004  fewer make no group
            yield f"groupings: {', '.join(group) or 'nothing'} is no group"
        if any("/" in name for name in group):
            yield "groupings: names are of files in `folder`, without a path"


def _verified(recipe: model.Recipe, done: model.Verified) -> Faults:
    yield from _matches("verified.variant", (done.variant,), _VARIANT, "torch variant")
    wrong = [*_versions("verified", done.version, done.torch, done.python)]
    yield from wrong
    if wrong:
        return
    for field, bound, value in (
        ("versions", recipe.versions, done.version),
        ("torch", recipe.torch, done.torch),
        ("pythons", recipe.pythons, done.python),
    ):
        if not allows(bound, value):
            yield f"verified: `{value}` is outside of `{field}` (`{bound}`)"


@row_faults.register
def _(row: model.Stack) -> Faults:
    yield from _said("title", row.title)
    yield from _requirements("requirements", row.requirements)
    if not row.requirements:
        yield "requirements: are missing"


@row_faults.register
def _(row: model.Module) -> Faults:
    yield from _names("packages", row.packages)
    for field in ("with_ops", "on_request"):
        for package in getattr(row, field):
            if package not in row.packages:
                yield f"{field}: `{package}` is not among `packages`"
    if not row.packages:
        yield "packages: are missing"


@row_faults.register
def _(row: model.Default) -> Faults:
    yield from _said("value", row.value)


@row_faults.register
def _(row: model.Board) -> Faults:
    if not row.name.isalnum() or row.name != row.name.upper():
        yield f"`name` is `{row.name}`, not one upper-case word"


@row_faults.register
def _(row: model.Symptom) -> Faults:
    yield from _said("title", row.title)
    for field in ("cause", "advice"):
        for text in getattr(row, field):
            yield from _said(field, text)
    for pattern in row.patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"patterns: `{pattern}` is no regular expression ({error})"
    if not 0 <= row.rank <= _LEAST_RANK:
        yield f"rank: {row.rank} is not between 0 and {_LEAST_RANK}"
    for cure in row.cures:
        yield from _requirements("cures.packages", (p for p in cure.packages if not p.startswith("{")))
        if bool(cure.command) == bool(cure.packages or cure.options):
            yield "cures: each has either a `command` or the words of a solve"
