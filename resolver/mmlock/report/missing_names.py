"""`mmlock inspect PKG==V --with OTHER==V`: which Python names a release takes and does not find."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from mmlock.core.inspect_arguments import InspectArguments
from mmlock.core.names import PackageName
from mmlock.core.report import Page
from mmlock.facts.release_names import ReleaseNames, parse_release
from mmlock.names.check import missing_names
from mmlock.names.model import RunCondition
from mmlock.names.needed import Needed
from mmlock.names.tables import GivenTable

__all__ = ["names_page"]

_MOST = 20


class NamePair(Struct, frozen=True, kw_only=True):
    """One release beside another."""

    package: PackageName
    version: str
    taken: int
    """Names that are taken of it, at whatever place."""
    missing: tuple[Needed, ...]
    """Those that are certainly not there, the surest places first."""
    unknown: tuple[Needed, ...]
    """Those that its modules may make at run time."""


def names_page(arguments: InspectArguments, names: ReleaseNames) -> Page:
    """The report. Raises UsageError, NoAnswer or EnvironmentFault."""
    package, version = parse_release(arguments.thing, "inspect")
    beside = [parse_release(text, "--with") for text in arguments.beside]
    needs = names.needed(package, version)
    pairs = [_pair(names.given(*other), *other, needs) for other in beside]
    lines = [line for pair in pairs for line in _lines(f"{package} {version}", pair)]
    return Page(
        text="\n".join(lines),
        data={"package": package, "version": version, "with": [_data(pair) for pair in pairs]},
    )


def _pair(table: GivenTable, package: PackageName, version: str, needs: Iterable[Needed]) -> NamePair:
    own = [need for need in needs if need.module.partition(".")[0] in table.tops]
    bit = table.text.spans.bit(version)
    missing = [one.need for one in missing_names(table, version, own)]
    lacked = {(need.module, need.name) for need in missing}
    unknown = [
        need
        for need in own
        if (need.module, need.name) not in lacked and not table.present(need.module, need.name) & bit
    ]
    order = list(RunCondition)
    missing.sort(key=lambda need: (not need.binds, order.index(need.when), need.file, need.line, need.dotted))
    return NamePair(
        package=package,
        version=version,
        taken=len(own),
        missing=tuple(missing),
        unknown=tuple(unknown),
    )


def _lines(who: str, pair: NamePair) -> Iterator[str]:
    fails = [need for need in pair.missing if need.binds]
    held = "holds" if not pair.unknown else "no name is known to be missing"
    verdict = "fails to import" if fails else held if not pair.missing else "imports, but lacks names"
    yield f"{who} with {pair.package} {pair.version}: {verdict}"
    yield f"  {len(pair.missing)} of {pair.taken} names that it takes of {pair.package} are missing"
    for need in pair.missing[:_MOST]:
        yield f"    {need.dotted}  {_place(need)}"
    if len(pair.missing) > _MOST:
        yield f"    and {len(pair.missing) - _MOST} more"
    if pair.unknown:
        yield f"  {len(pair.unknown)} are unknown: their modules may make them at run time, or are private"


def _place(need: Needed) -> str:
    place = f"{need.file}:{need.line}" if need.line else need.file
    if need.binds:
        return f"{place}, run by `import {need.entry}`"
    return f"{place} ({_WHEN[need.when]})"


_WHEN = {
    RunCondition.ALWAYS: "run when that module is imported",
    RunCondition.IF: "under a condition",
    RunCondition.GUARDED: "guarded",
    RunCondition.CALLED: "in a function",
    RunCondition.TYPING: "for type checkers only",
}


def _data(pair: NamePair) -> dict[str, object]:
    return {
        "package": pair.package,
        "version": pair.version,
        "imports": not any(need.binds for need in pair.missing),
        "taken": pair.taken,
        "missing": [_plain(need) for need in pair.missing],
        "unknown": [_plain(need) for need in pair.unknown],
    }


def _plain(need: Needed) -> dict[str, object]:
    return {
        "name": need.dotted,
        "file": need.file,
        "line": need.line or None,
        "when": need.when.value,
        "entry": need.entry,
    }
