"""A scan as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mmlock.core.names import OpNeeds
from mmlock.matrix.code import Op
from mmlock.scan.model import Place, When
from mmlock.scan.ops import How, OpUse
from mmlock.scan.scan import Scan

__all__ = ["MEANING", "scan_lines"]

MEANING: Mapping[OpNeeds | None, str] = {
    OpNeeds.TORCH: "plain PyTorch",
    OpNeeds.FALLBACK: "compiled on CUDA, plain PyTorch on the CPU",
    OpNeeds.CPU: "compiled, for CPU and CUDA",
    OpNeeds.CPU_ONLY: "compiled, for the CPU only",
    OpNeeds.CUDA: "compiled, for CUDA only",
    None: "not known",
}

_MOST_PLACES = 3
_MOST_GUARDS = 20
_MOST_PROVIDERS = 4


def scan_lines(found: Scan, ops: Iterable[Op]) -> list[str]:
    """The report."""
    known = {op.name: op for op in ops}
    lines = [f"{found.root}: {found.files} Python files"]
    lines += ["", *op_lines(found, known)]
    if guards := guard_lines(found):
        lines += ["", *guards]
    lines += ["", *package_lines(found)]
    if found.unread:
        lines += ["", *unread_lines(found)]
    return lines


def op_lines(found: Scan, known: Mapping[str, Op]) -> list[str]:
    """The ops by what they need, each with the places that name it."""
    by_op: dict[str, list[OpUse]] = {}
    for use in found.uses:
        if use.op:
            by_op.setdefault(use.op, []).append(use)
    if not by_op:
        return ["it names no op of mmcv"]
    lines = [f"it reaches {len(by_op)} ops of mmcv:"]
    width = max(map(len, by_op))
    for needs, meaning in MEANING.items():
        named = [name for name in sorted(by_op) if (known[name].needs if name in known else None) is needs]
        if named:
            lines.append(f"  {meaning}")
        lines += [f"    {name:<{width}}  {_places(by_op[name])}" for name in named]
    return lines


def _places(uses: list[OpUse]) -> str:
    words = dict.fromkeys(
        f"{use.place} (type `{use.spelled}`)" if use.how is How.TYPE else str(use.place) for use in uses
    )
    shown = list(words)[:_MOST_PLACES]
    rest = len(words) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def guards(found: Scan) -> list[Place]:
    """The lines that import mmcv.ops whenever their module is imported."""
    loud = {When.ALWAYS, When.IF}
    return sorted(
        {use.place for use in found.uses if use.when in loud and use.how in {How.IMPORT, How.MODULE}}
    )


def guard_lines(found: Scan) -> list[str]:
    """Which imports fail where mmcv has no compiled ops."""
    places = guards(found)
    if not places:
        return []
    rest = len(places) - _MOST_GUARDS
    return [
        "importing anything of mmcv.ops loads mmcv._ext, also for ops in plain PyTorch",
        f"without it these {len(places)} lines fail:",
        *(f"  {place}" for place in places[:_MOST_GUARDS]),
        *([f"  and {rest} more"] if rest > 0 else []),
    ]


def package_lines(found: Scan) -> list[str]:
    """The packages it imports."""
    lines = [f"it imports {len(found.packages)} packages:"]
    for one in found.packages:
        names = " or ".join(one.packages[:_MOST_PROVIDERS])
        names += " or ..." if len(one.packages) > _MOST_PROVIDERS else ""
        sure = "" if one.known else " (by its name)"
        lines.append(f"  {one.module}: {names}{sure}, {one.place} ({one.when})")
    return lines


def unread_lines(found: Scan) -> list[str]:
    """What was not read, counted by reason."""
    reasons: dict[str, list[str]] = {}
    for path, why in found.unread:
        reasons.setdefault(why if not why.startswith("syntax error") else "syntax error", []).append(path)
    return [
        f"not read: {len(paths)} ({why}), for example {paths[0]}" for why, paths in sorted(reasons.items())
    ]
