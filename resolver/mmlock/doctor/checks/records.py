"""Records of installations: doubles, leftovers, two that bring one module, wheels of another Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.tags import Tag
from packaging.tags import parse_tag as parse_tags

from mmlock.core.names import normalize
from mmlock.doctor.environment.model import (
    Distribution,
    Environment,
    InterpreterFault,
    InterpreterProblem,
    LeftoverReason,
    Record,
    RecordProblem,
    SiteLeftover,
    Trouble,
    TroubleKind,
    TroubleSeverity,
)
from mmlock.doctor.environment.paths import exists
from mmlock.doctor.log_window import joined
from mmlock.facts.matrix.load import Matrix

_SHOWN = 6
_AGAIN = "Install it again from where its checkout is now: `pip install --no-build-isolation -e FOLDER`"
_LEFTOVERS: Mapping[LeftoverReason, str] = {
    LeftoverReason.UNLISTABLE: "cannot be listed: {detail}",
    LeftoverReason.TOO_MANY: "has more than {detail} entries; the rest was not read",
    LeftoverReason.RENAMED_BY_PIP: "was renamed by pip and never removed: an installation was interrupted",
    LeftoverReason.LINK_BROKEN: "points to `{detail}`, which does not exist",
    LeftoverReason.EGG_LINK_UNREADABLE: "is an egg-link that cannot be read",
    LeftoverReason.EGG_LINK_BROKEN: "links to `{detail}`, which does not exist",
    LeftoverReason.PTH_UNREADABLE: "cannot be read: {detail}",
    LeftoverReason.PTH_BROKEN: "adds `{detail}`, which does not exist",
}
_INTERPRETERS: Mapping[InterpreterProblem, str] = {
    InterpreterProblem.TIMED_OUT: "did not answer within {detail} s",
    InterpreterProblem.LINK_BROKEN: "does not run: it points to `{detail}`, which does not exist",
    InterpreterProblem.REFUSED: "does not run: {detail}",
    InterpreterProblem.CRASHED: "does not run: {detail}",
    InterpreterProblem.TOO_OLD: "is older than Python 3.4, which mmlock does not support",
    InterpreterProblem.NOT_CPYTHON: "is {detail}, not CPython",
}
_FAULTS: Mapping[RecordProblem, str] = {
    RecordProblem.NO_METADATA: "has no readable METADATA ({detail}): its package is gone or broken",
    RecordProblem.NO_RECORD: "has no RECORD: pip cannot uninstall it, and its files are unknown",
    RecordProblem.NO_PKG_INFO: "has no readable PKG-INFO ({detail})",
}


def fault_text(fault: InterpreterFault) -> str:
    """Why an interpreter does not run, as a clause that follows its name."""
    base = f" (its base `{fault.base}` does not exist)" if fault.base else ""
    return f"{_INTERPRETERS[fault.problem].format(detail=fault.detail)}{base}"


def interpreter(env: Environment, _: Matrix) -> Iterator[Trouble]:
    """Whether it runs at all."""
    me = env.interpreter
    if me.fault is not None:
        yield Trouble(
            check=TroubleKind.INTERPRETER,
            severity=TroubleSeverity.FAILS,
            title=f"`{me.path}` {fault_text(me.fault)}",
            evidence=(f"the rest of this report is from the files in `{me.prefix}`",) if me.sites else (),
            advice=("Create the environment again, for example with `mmlock install`.",),
        )


def doubles(env: Environment, _: Matrix) -> Iterator[Trouble]:
    """Two records of one distribution."""
    by_name: dict[str, list[Distribution]] = {}
    for dist in env.distributions:
        by_name.setdefault(dist.name, []).append(dist)
    for name, records in by_name.items():
        if len(records) < 2:  # noqa: PLR2004 - a pair
            continue
        same = len({dist.site for dist in records}) < len(records)
        if len({dist.version for dist in records}) == 1 and any(d.kind is not Record.WHEEL for d in records):
            continue  # as distributions of Linux leave it: one installation, recorded in both ways
        versions = joined(f"{dist.version} (`{dist.site / dist.record}`)" for dist in records)
        if same:
            yield Trouble(
                check=TroubleKind.DOUBLES,
                severity=TroubleSeverity.FAILS,
                title=f"{name} is recorded {len(records)} times in one folder",
                evidence=(f"{name} {versions}", "the records do not show which files are installed"),
                advice=(f"Run `pip uninstall {name}` until it is gone, then install it once.",),
                packages=(name,),
                remove=(name,),
            )
        else:
            yield Trouble(
                check=TroubleKind.DOUBLES,
                severity=TroubleSeverity.NOTE,
                title=f"{name} is in {len(records)} folders; {records[0].version} is imported",
                evidence=(f"{name} {versions}",),
                packages=(name,),
            )


def leftovers(env: Environment, _: Matrix) -> Iterator[Trouble]:
    """What broken installations left behind."""
    linked = {left.detail for left in env.leftovers if left.reason is LeftoverReason.EGG_LINK_BROKEN}
    linked |= {folder for dist in env.distributions if (folder := gone_folder(dist))}
    for left in env.leftovers:
        if left.reason is LeftoverReason.EGG_LINK_BROKEN:
            yield _moved_checkout(left, env)
        elif not (left.reason is LeftoverReason.PTH_BROKEN and left.detail in linked):
            yield Trouble(
                check=TroubleKind.LEFTOVERS,
                severity=TroubleSeverity.RISK,
                title=f"`{left.path.name}` {_LEFTOVERS[left.reason].format(detail=left.detail)}",
                evidence=(f"in `{left.path.parent}`",),
                advice=(_removal(left),),
            )
    for dist in env.distributions:
        if folder := gone_folder(dist):
            yield _moved_editable(dist, folder)
        elif dist.fault is not None:
            yield Trouble(
                check=TroubleKind.LEFTOVERS,
                severity=TroubleSeverity.RISK,
                title=f"`{dist.record}` {_FAULTS[dist.fault].format(detail=dist.fault_detail)}",
                evidence=(f"in `{dist.site}`",),
                advice=(f"Remove that folder, then reinstall {dist.name}.",),
                packages=(dist.name,),
            )
        elif dist.missing and dist.kind is Record.WHEEL and not dist.editable:
            yield _missing_files(dist)


def _removal(left: SiteLeftover) -> str:
    """What to remove: of a file that others use, one line."""
    if left.reason is LeftoverReason.PTH_BROKEN and left.others:
        entries = "entry is" if left.others == 1 else "entries are"
        line = f"Remove the line `{left.detail}` from `{left.path}`, not the file"
        return f"{line}: its {left.others} other {entries} in use."
    return f"Remove `{left.path}`."


def gone_folder(dist: Distribution) -> str | None:
    """The folder that an editable installation points to, where it does not exist."""
    if not dist.editable or not dist.origin or not dist.origin.startswith("file:"):
        return None
    path = unquote(urlsplit(dist.origin).path)
    return None if exists(Path(path)) else path


def _moved_checkout(left: SiteLeftover, env: Environment) -> Trouble:
    """An egg-link whose sources are gone: the package cannot be imported."""
    name = left.path.name.removesuffix(".egg-link")
    also = [
        other.path.name
        for other in env.leftovers
        if other.reason is LeftoverReason.PTH_BROKEN and other.detail == left.detail
    ]
    line = f", and the line `{left.detail}` in `{also[0]}`" if also else ""
    return Trouble(
        check=TroubleKind.LEFTOVERS,
        severity=TroubleSeverity.FAILS,
        title=f"{name} was installed from `{left.detail}`, which does not exist: it cannot be imported",
        evidence=(f"`{left.path.name}` in `{left.path.parent}` links to it",),
        advice=(
            f"{_AGAIN} (`python setup.py develop` there does the same).",
            f"If it is not needed any more: remove `{left.path}`{line}.",
        ),
        packages=(str(normalize(name)),),
    )


def _moved_editable(dist: Distribution, folder: str) -> Trouble:
    return Trouble(
        check=TroubleKind.LEFTOVERS,
        severity=TroubleSeverity.FAILS,
        title=(
            f"{dist.name} {dist.version} was installed from `{folder}`, which does not exist:"
            " it cannot be imported"
        ),
        evidence=(f"`{dist.record}` records an editable installation",),
        advice=(
            f"{_AGAIN}.",
            f"If it is not needed any more: `pip uninstall {dist.name}`.",
        ),
        packages=(dist.name,),
    )


def _missing_files(dist: Distribution) -> Trouble:
    gone = dist.missing
    whole = set(gone) >= set(dist.tops) and bool(dist.tops)
    what = "none of its files exists" if whole else f"{len(gone)} of its files are missing"
    return Trouble(
        check=TroubleKind.LEFTOVERS,
        severity=TroubleSeverity.FAILS,
        title=f"{dist.name} {dist.version} is recorded, but {what}",
        evidence=(f"missing: {joined(f'`{path}`' for path in gone[:_SHOWN])}",),
        advice=(f"Reinstall it: `pip install --force-reinstall --no-deps {dist.name}=={dist.version}`.",),
        packages=(dist.name,),
    )


def providers(env: Environment, matrix: Matrix) -> Iterator[Trouble]:
    """Two distributions that write the same module."""
    installed = env.installed
    for module in matrix.modules:
        rivals = [installed[name] for name in module.packages if name in installed]
        if len(rivals) < 2:  # noqa: PLR2004 - a pair
            continue
        names = joined(f"{dist.name} {dist.version}" for dist in rivals)
        last = [dist for dist in rivals if not dist.missing]
        yield Trouble(
            check=TroubleKind.PROVIDERS,
            severity=TroubleSeverity.FAILS if module.core else TroubleSeverity.RISK,
            title=f"{names} all provide the module `{module.module}`: imports get a mixture"
            if len(rivals) > 2  # noqa: PLR2004 - more than a pair
            else f"{names} both provide the module `{module.module}`: imports get a mixture",
            evidence=(
                f"they install the same files, and the last one wins; {len(last)} are complete",
                *(f"`{dist.record}` in `{dist.site}`" for dist in rivals),
            ),
            advice=(
                f"Remove all of them (`pip uninstall {' '.join(d.name for d in rivals)}`), then install one.",
            ),
            packages=tuple(dist.name for dist in rivals),
            remove=tuple(dist.name for dist in rivals),
        )


def tags(env: Environment, _: Matrix) -> Iterator[Trouble]:
    """Wheels that were made for another Python or platform."""
    python = env.interpreter.python
    if python is None:
        return
    for dist in env.distributions:
        told = {tag for text in dist.tags for tag in _tags(text)}
        if told and not any(_fits(tag, python) for tag in told):
            yield Trouble(
                check=TroubleKind.TAGS,
                severity=TroubleSeverity.FAILS,
                title=f"{dist.name} {dist.version} is a wheel for another Python than {python}",
                evidence=(f"its tags: {joined(dist.tags[:_SHOWN])}",),
                advice=(f"Reinstall {dist.name} with this interpreter.",),
                packages=(dist.name,),
            )


def _tags(text: str) -> frozenset[Tag]:
    try:
        return parse_tags(text)
    except ValueError:
        return frozenset()


def _fits(tag: Tag, python: str) -> bool:
    minor = python.removesuffix("t").replace(".", "")
    if tag.interpreter in {"py3", "py2.py3", f"py{minor}"}:
        return True
    if tag.interpreter.startswith("py3"):
        return True
    if tag.abi == "abi3":
        return tag.interpreter.startswith("cp3")
    return tag.interpreter == f"cp{minor}"
