"""A scan as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mmlock.core.names import OpNeeds
from mmlock.facts.matrix.code import Op
from mmlock.scan.conclude import RUNS, Need
from mmlock.scan.configs.faults import ConfigFault
from mmlock.scan.frameworks import FrameworkLoad
from mmlock.scan.left_out import LeftOut
from mmlock.scan.ops import OpReferenceKind, OpUse
from mmlock.scan.packages import PackageUse
from mmlock.scan.pins.model import Binding, ProjectPin
from mmlock.scan.reasons import config_fault_text, left_out_by_reason, leftover_text
from mmlock.scan.scan import Scan

__all__ = ["MEANING", "scan_lines"]

MEANING: Mapping[OpNeeds | None, str] = {
    OpNeeds.TORCH: "plain PyTorch",
    OpNeeds.FALLBACK: "compiled on CUDA, plain PyTorch on the CPU",
    OpNeeds.CPU: "compiled, for CPU and CUDA",
    OpNeeds.CPU_ONLY: "compiled, for the CPU only",
    OpNeeds.CUDA: "compiled, for CUDA only",
    None: "unknown to mmlock, assumed to be compiled",
}

_MOST_PLACES = 3
_MOST_LINES = 12
_MOST_PROVIDERS = 4
_MOST_PINS = 40


def scan_lines(result: Scan, ops: Iterable[Op]) -> list[str]:
    """The report: the conclusion first, then what it rests on."""
    known = {op.name: op for op in ops}
    parts = (
        _head(result),
        conclusion_lines(result),
        op_lines(result, known),
        guard_lines(result),
        load_lines(result.loads),
        extension_lines(result),
        package_lines(result.packages),
        bound_lines(result),
        elsewhere_lines(result.elsewhere),
        pin_lines(result),
        conflict_lines(result),
        config_lines(result.config_faults),
        left_out_lines(result.left_out),
    )
    lines: list[str] = []
    for part in filter(None, parts):
        lines += ["", *part] if lines else part
    return lines


def _head(result: Scan) -> list[str]:
    lines = [f"{result.root}: {result.files} Python files"]
    if result.ran is not None:
        lines.append(f"  {', '.join(result.configs)}: {len(result.ran)} of them")
    return lines


def config_lines(faults: tuple[ConfigFault, ...]) -> list[str]:
    """Bases of configs that were not read."""
    if not faults:
        return []
    lines = [f"  {fault.place}: {config_fault_text(fault)}" for fault in faults[:_MOST_LINES]]
    return ["parts of configs that were not read:", *lines, *_more(faults)]


def conclusion_lines(result: Scan) -> list[str]:
    """Whether compiled ops are needed, in a sentence or two."""
    answer = result.conclusion
    if answer.need is Need.NOTHING and not any(one.module == "mmcv" for one in result.packages):
        return [
            "this project does not use mmcv"
            if result.files or result.packages
            else "no source file was read, so nothing is known about this project"
        ]
    match answer.need:
        case Need.NOTHING:
            return ["compiled ops of mmcv are not needed: nothing imports mmcv.ops, `mmcv-lite` is enough"]
        case Need.IMPORT:
            return [
                "the project runs no compiled op of mmcv, but importing mmcv.ops needs the compiled part:",
                "  guard the lines below and use `mmcv-lite` (`solve --project ... --allow-lite`),",
                "  or use mmcv with its ops in plain PyTorch (`--allow-torch-ops`)",
            ]
        case Need.FRAMEWORK:
            load = next(load for load in result.loads if load.when in RUNS)
            return [
                "the project runs no compiled op of mmcv, but a framework imports mmcv.ops:",
                f"  `{load.module}` of {load.package} {load.version} does so at {load.source}",
                "  `mmcv-lite` fails at import: use mmcv with compiled ops, or with ops in plain PyTorch",
            ]
        case Need.OPS:
            used = f"{len(answer.compiled)} of {_count(answer.ops, 'op')}"
            lines = [f"the project needs compiled ops of mmcv: {used} that it uses"]
            if answer.cuda_only:
                lines.append(f"  {_count(answer.cuda_only, 'op')} of these have no CPU code")
            return lines


def op_lines(result: Scan, known: Mapping[str, Op]) -> list[str]:
    """The ops by what they need, each with the places that name it."""
    by_op: dict[str, list[OpUse]] = {}
    for use in result.uses:
        if use.op:
            by_op.setdefault(use.op, []).append(use)
    if not by_op:
        return []
    lines = ["ops of mmcv that the project uses:"]
    width = max(map(len, by_op))
    for needs, meaning in MEANING.items():
        named = [name for name in sorted(by_op) if (known[name].needs if name in known else None) is needs]
        if named:
            lines.append(f"  {meaning}")
        lines += [f"    {name:<{width}}  {_places(by_op[name])}" for name in named]
    return lines


def _places(uses: list[OpUse]) -> str:
    """The nearest places first: imports, then names in configs, then what is behind a framework."""
    ordered = sorted(uses, key=lambda use: (_ORDER.index(use.how), use.place))
    words = list(dict.fromkeys(f"{use.place}{_spelled(use)}" for use in ordered))
    rest = len(words) - _MOST_PLACES
    return ", ".join(words[:_MOST_PLACES]) + (f" and {rest} more" if rest > 0 else "")


_ORDER = (
    OpReferenceKind.IMPORT,
    OpReferenceKind.ATTRIBUTE,
    OpReferenceKind.SYMBOL,
    OpReferenceKind.TYPE,
    OpReferenceKind.FRAMEWORK,
    OpReferenceKind.BUILT,
    OpReferenceKind.MODULE,
)


def _spelled(use: OpUse) -> str:
    if use.how is OpReferenceKind.TYPE:
        return f" (type `{use.spelled}`)"
    return (
        f" ({use.spelled})"
        if use.how in {OpReferenceKind.FRAMEWORK, OpReferenceKind.BUILT, OpReferenceKind.SYMBOL}
        else ""
    )


def guard_lines(result: Scan) -> list[str]:
    """Which imports fail where mmcv has no compiled ops."""
    places = result.conclusion.guard
    if not places:
        return []
    lines = [
        "importing from mmcv.ops loads mmcv._ext, even for ops in plain PyTorch;",
        f"without it, {'this line fails' if len(places) == 1 else f'these {len(places)} lines fail'}:",
    ]
    for place in places[:_MOST_LINES]:
        chain = " > ".join(str(step.place) for step in result.chains.get(place.file, ()))
        lines.append(f"  {place}" + (f"  imported through {chain}" if chain else ""))
    return [*lines, *_more(places)]


def load_lines(loads: tuple[FrameworkLoad, ...]) -> list[str]:
    """Which imports of frameworks load mmcv.ops."""
    groups: dict[tuple[str, str, str, str], list[FrameworkLoad]] = {}
    for load in loads:
        groups.setdefault((load.package, load.version, load.module, load.source), []).append(load)
    if not groups:
        return []
    lines = ["frameworks that import mmcv.ops when they are imported:"]
    for (package, release, module, source), places in sorted(groups.items()):
        first = places[0].place
        rest = f" and {len(places) - 1} more" if len(places) > 1 else ""
        lines.append(f"  {module} ({package} {release}, at {source}): {first}{rest}")
    return lines


def package_lines(used: tuple[PackageUse, ...]) -> list[str]:
    """The packages it imports."""
    lines = [f"imports {_count(used, 'package')}:"]
    for one in used:
        names = " or ".join(one.packages[:_MOST_PROVIDERS])
        names += " or ..." if len(one.packages) > _MOST_PROVIDERS else ""
        sure = "" if one.known else " (guessed from the name)"
        lines.append(f"  {one.module}: {names}{sure}, {one.place} ({one.when})")
    return lines if used else []


def extension_lines(result: Scan) -> list[str]:
    """Compiled code of the project's own, and what old builds left of it."""
    lines = []
    for one in result.extensions:
        names = ", ".join(module.name or "?" for module in one.modules)
        language = "CUDA" if any(module.cuda for module in one.modules) else "C++"
        what = f"{one.name or one.folder}{f' {one.version}' if one.version else ''}"
        lines.append(
            f"  {what}: {names} ({language}, {one.kind}), {one.modules[0].place}, "
            f"{one.files} files sha256:{one.sha256[:12]}"
        )
        if one.cuda_only:
            lines.append("    its setup.py fails without a GPU")
    for left in result.leftovers[:_MOST_LINES]:
        made = f"for Python {left.python}" if left.python else "Python version unknown"
        why = leftover_text(left)
        needs = f", needs {' '.join(left.needs)}" if left.needs else ""
        lines.append(f"  left over from a build: {left.path}, {made}{needs}{f' ({why})' if why else ''}")
    return ["extensions that the project compiles:", *lines, *_more(result.leftovers)] if lines else []


def bound_lines(result: Scan) -> list[str]:
    """What its imports demand of packages."""
    return [f"{one.module}{one.specifier}: {one.place} imports {one.submodule}" for one in result.bounds]


def elsewhere_lines(places: Mapping[str, str]) -> list[str]:
    """Modules of the project that need a path or a link to be found."""
    return [
        f"`{name}` is imported, but its code is in {folder}, which Python does not search"
        for name, folder in places.items()
    ]


def pin_lines(result: Scan) -> list[str]:
    """The versions that are written down and matter to a solve, by how binding they are."""
    shown = {package for one in result.packages if one.known for package in one.packages} | {"python", "cuda"}
    groups: dict[tuple[str, str, str], list[ProjectPin]] = {}
    hidden = 0
    for pin in result.pins:
        if pin.name in shown and (pin.specifier or pin.binding is Binding.DECLARED):
            groups.setdefault((pin.binding, pin.name, pin.specifier), []).append(pin)
        else:
            hidden += 1
    if not groups:
        return []
    lines = ["pinned versions:"]
    for (binding, name, specifier), pins in list(groups.items())[:_MOST_PINS]:
        rest = f" and {len(pins) - 1} more" if len(pins) > 1 else ""
        lines.append(f"  {binding:<8}  {name}{specifier}  {pins[0].place}{rest}")
    hidden += sum(map(len, list(groups.values())[_MOST_PINS:]))
    if hidden:
        lines.append(
            f"  and {hidden} more, of ordinary packages or without a version (`--format json` lists them)"
        )
    return lines


def conflict_lines(result: Scan) -> list[str]:
    """Versions that exclude each other."""
    lines = [
        f"  {one.name}: `{one.first}` ({one.places[0].binding}, {one.places[0].place}) conflicts with "
        f"`{one.second}` ({one.places[1].binding}, {one.places[1].place})"
        for one in result.conflicts[:_MOST_LINES]
    ]
    return ["conflicting versions:", *lines, *_more(result.conflicts)] if lines else []


def left_out_lines(left_out: tuple[LeftOut, ...]) -> list[str]:
    """What was not read, counted by reason."""
    reasons = left_out_by_reason(left_out)
    return [f"not read: {len(parts)} ({why}), such as {parts[0]}" for why, parts in reasons.items()]


def _more(items: tuple[object, ...]) -> list[str]:
    rest = len(items) - _MOST_LINES
    return [f"  and {rest} more"] if rest > 0 else []


def _count(items: tuple[object, ...], word: str) -> str:
    return f"{len(items)} {word}{'' if len(items) == 1 else 's'}"
