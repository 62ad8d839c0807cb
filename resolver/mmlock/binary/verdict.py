"""What follows from the files of a wheel for one torch build and some devices. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from packaging.requirements import InvalidRequirement, Requirement

from mmlock.binary.gpu_verdict import gpu_finding
from mmlock.binary.libraries import judge_libraries
from mmlock.binary.model import Answer, ArguedAnswer, Compatibility, CompiledExtension, Inspected, PtxDriver
from mmlock.binary.names import is_cuda
from mmlock.binary.python_verdict import judge_python
from mmlock.binary.tables import TorchFacts, TorchSymbols
from mmlock.core.device import Device
from mmlock.core.names import normalize
from mmlock.core.versions import InvalidVersion, allows


def verdict(
    extension: Inspected,
    torch: TorchSymbols,
    devices: Sequence[Device] = (),
    *,
    brought: Collection[str] = (),
    drivers: Mapping[str, PtxDriver] | None = None,
    python: str | None = None,
) -> Compatibility:
    """Whether the wheel loads beside that torch and has code for the devices.

    `brought` are sonames that other packages of the environment bring and load; `drivers` tells what
    compiles PTX of a version (`7.8`); `python` is the target's (`3.11`).
    """
    return Compatibility(
        torch=torch.facts.build,
        declared=judge_declared(extension, torch.facts),
        libraries=judge_libraries(extension, torch.facts, frozenset(brought)),
        symbols=judge_symbols(extension, torch),
        python=judge_python(extension, python),
        gpus=tuple(gpu_finding(extension, device, drivers or {}) for device in devices),
    )


# ---------------------------------------------------------------- declared


def judge_declared(extension: Inspected, facts: TorchFacts) -> ArguedAnswer:
    """Whether the metadata admits this torch."""
    torch = facts.build.torch
    said = []
    for text in extension.requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        # An extra is nothing the wheel itself asks for.
        if normalize(requirement.name) == "torch" and "extra" not in str(requirement.marker or ""):
            said.append(requirement)
    bounds = [requirement for requirement in said if str(requirement.specifier)]
    if not bounds:
        what = "asks for torch in any version" if said else "says nothing of torch"
        return ArguedAnswer(answer=Answer.UNKNOWN, evidence=(f"its metadata {what}",))
    try:
        wrong = [one for one in bounds if not allows(str(one.specifier), torch)]
    except InvalidVersion:
        return ArguedAnswer(
            answer=Answer.UNKNOWN, evidence=(f"`{torch}` is no version that can be compared",)
        )
    if wrong:
        text = f"it declares `{_bare(wrong[0])}`, which torch {torch} is not"
        return ArguedAnswer(answer=Answer.FAILS, evidence=(text,))
    return ArguedAnswer(answer=Answer.HOLDS, evidence=(f"it declares `{_bare(bounds[0])}`",))


def _bare(requirement: Requirement) -> str:
    return f"{requirement.name}{requirement.specifier}"


# ---------------------------------------------------------------- symbols


def judge_symbols(extension: Inspected, torch: TorchSymbols) -> ArguedAnswer:
    """Whether torch exports every torch name that the files need."""
    given = {name for one in extension.extensions for name in one.torch_gives}
    needed = {name for one in extension.extensions for name in one.torch_needs} - given
    absent = needed - torch.names
    unread = torch.facts.unread
    # What was not read may hold it: that is not known, which is not the same as missing.
    doubtful = {name for name in absent if unread and is_cuda(name)}
    missing = tuple(sorted(absent - doubtful))
    label = f"torch {torch.facts.build}"
    abi = _abi_clash(extension.extensions, torch.facts)
    if missing:
        texts = [f"{_count(len(missing), 'torch name')} of {len(needed)} are not in {label}"]
        return ArguedAnswer(answer=Answer.FAILS, evidence=(*abi, *texts), names=missing)
    if abi and needed:
        return ArguedAnswer(answer=Answer.FAILS, evidence=abi)
    blind = tuple(f"`{file.path}` {file.why}" for file in extension.not_read)
    if doubtful:
        why = f"{_count(len(doubtful), 'name')} may be in {' or '.join(unread)}, which was not read"
        return ArguedAnswer(answer=Answer.UNKNOWN, evidence=(why, *blind), names=tuple(sorted(doubtful)))
    if blind:
        return ArguedAnswer(answer=Answer.UNKNOWN, evidence=blind)
    if not needed:
        return ArguedAnswer(answer=Answer.HOLDS, evidence=("its files need no torch name",))
    return ArguedAnswer(answer=Answer.HOLDS, evidence=(f"all {len(needed)} torch names are in {label}",))


def _abi_clash(extensions: Sequence[CompiledExtension], facts: TorchFacts) -> tuple[str, ...]:
    for one in extensions:
        known = one.torch_needs and one.cxx11_abi is not None and facts.cxx11_abi is not None
        if known and one.cxx11_abi != facts.cxx11_abi:
            text = f"`{one.path}` uses the C++ ABI {one.cxx11_abi} of libstdc++, torch {facts.build} uses"
            return (f"{text} {facts.cxx11_abi} (_GLIBCXX_USE_CXX11_ABI)",)
    return ()


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
