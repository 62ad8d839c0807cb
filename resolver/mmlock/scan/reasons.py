"""Why something was not read, in words. The values are in `left_out`, `configs.faults` and `leftovers`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mmlock.scan.configs.faults import ConfigFault, ConfigProblem
from mmlock.scan.left_out import LeftOut, LeftOutReason
from mmlock.scan.leftovers import BuildLeftover, UnknownReason

__all__ = ["config_fault_text", "left_out_by_reason", "leftover_text", "reason_text"]

_REASONS: Mapping[LeftOutReason, str] = {
    LeftOutReason.LINK_OUTSIDE: "link that leads out of the project",
    LeftOutReason.LINK_REPEATED: "link to what is read under its own name",
    LeftOutReason.LINK_BROKEN: "broken link",
    LeftOutReason.LINK_SKIPPED: "link into a folder without sources of the project",
    LeftOutReason.NOT_A_FILE: "pipe, device or socket",
    LeftOutReason.TOO_MANY: "more than {detail} files and folders",
    LeftOutReason.TOO_DEEP: "more than {detail} folders deep",
    LeftOutReason.ENVIRONMENT: "Python environment",
    LeftOutReason.TOO_LARGE: "larger than {megabytes} MB",
    LeftOutReason.TOO_MUCH: "more than {megabytes} MB in all",
    LeftOutReason.CHANGED: "changed during the scan",
    LeftOutReason.UNREADABLE: "{detail}",
    LeftOutReason.OUTSIDE: "names `{detail}`, which is outside of the project",
    LeftOutReason.MISSING: "names `{detail}`, which does not exist",
    LeftOutReason.NULL_BYTES: "contains null bytes",
    LeftOutReason.ENCODING: "not text in the encoding it states",
    LeftOutReason.PYTHON_2: "Python 2",
    LeftOutReason.SYNTAX: "syntax error",
    LeftOutReason.TOO_COMPLEX: "nested too deeply to parse",
    LeftOutReason.NOT_A_NOTEBOOK: "not a notebook",
    LeftOutReason.NOT_JSON: "not JSON",
    LeftOutReason.NOT_TOML: "not TOML",
    LeftOutReason.NOT_INI: "not INI",
    LeftOutReason.NOT_YAML: "not YAML: {detail}",
    LeftOutReason.REQUIREMENT: "{detail}",
    LeftOutReason.INDEX: "names its own index; pass that index as an option",
    LeftOutReason.CHANNELS: "names its own conda channels ({detail}); pass them as options: `--channel NAME`",
}
_CONFIGS: Mapping[ConfigProblem, str] = {
    ConfigProblem.OUTSIDE: "base `{base}` is outside of the project",
    ConfigProblem.MISSING: "base `{base}` does not exist",
    ConfigProblem.CIRCLE: "base `{base}` leads back to this config",
    ConfigProblem.OTHER_PACKAGE: "base `{base}` is in another package",
    ConfigProblem.NO_MODULE: "base `{base}` is not a module of the project",
    ConfigProblem.UNREAD: "base `{base}` was not read: {reason}",
    ConfigProblem.TYPES_ONLY: "of YAML only the types are read; overrides are ignored",
}
_LEFTOVERS: Mapping[UnknownReason, str] = {
    UnknownReason.TOO_MANY: "not read: too many such files",
    UnknownReason.TOO_LARGE: "not read: too large",
    UnknownReason.UNREADABLE: "not readable",
    UnknownReason.NOT_COMPILED: "not a compiled file",
    UnknownReason.EGG: "egg, not unpacked",
}
_MEGABYTE = 1_000_000


def reason_text(one: LeftOut) -> str:
    """The reason as a clause."""
    megabytes = str(int(one.detail) // _MEGABYTE) if one.detail.isdecimal() else "?"
    return _REASONS[one.reason].format(detail=one.detail, megabytes=megabytes)


def config_fault_text(fault: ConfigFault) -> str:
    """What was not followed, as a sentence."""
    reason = reason_text(LeftOut(path=fault.place.file, reason=fault.reason)) if fault.reason else ""
    return _CONFIGS[fault.problem].format(base=fault.base, reason=reason)


def leftover_text(left: BuildLeftover) -> str:
    """Why no more is known of a compiled file; empty when it was read."""
    if left.why is None:
        return ""
    return left.detail or _LEFTOVERS[left.why]


def left_out_by_reason(left_out: Iterable[LeftOut]) -> dict[str, list[LeftOut]]:
    """What was not read by its reason in words, sorted; other names of what was read do not count."""
    reasons: dict[str, list[LeftOut]] = {}
    for one in left_out:
        if one.reason is not LeftOutReason.LINK_REPEATED:
            reasons.setdefault(reason_text(one), []).append(one)
    return dict(sorted(reasons.items()))
