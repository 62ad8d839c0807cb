"""Breakages that ordinary packages share in, against the very closure of a choice.

The core cannot know which version of an ordinary package the closure takes. It learns that once one was
seen, where to expect it again: on that Python, with the decided packages that brought it. A choice that
is taken at last is looked at itself, so that no lock is cured of, or pays for, what it does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace
from packaging.requirements import Requirement

from mmlock.core.artifact import ClosedPackage
from mmlock.core.names import PackageName, normalize
from mmlock.core.target import Target
from mmlock.core.versions import InvalidVersion, allows
from mmlock.facts.matrix.curated import Breakage, When
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.closure.model import Closed, Closer, ClosureRequest
from mmlock.resolve.core_solver.solution import CoreSolution
from mmlock.resolve.graph.break_rows import matches, on_gpu
from mmlock.resolve.graph.request import LateBreakage, Pick
from mmlock.resolve.loop.nogoods import LoopState, pick_of, picks_of
from mmlock.resolve.request.model import PlainRequirement
from mmlock.resolve.request.packages import core_packages

__all__ = ["ClosureOutcome", "always_there", "learn_breakages"]


class ClosureOutcome(Struct, frozen=True, kw_only=True):
    """A choice of the core, what was asked of it, and its closure."""

    matrix: Matrix
    target: Target
    solution: CoreSolution
    closed: Closed
    ask: Callable[[CoreSolution], ClosureRequest]
    """The question that a choice puts to the closure."""

    @property
    def picks(self) -> frozenset[Pick]:
        return picks_of(self.solution.picked.values())


def always_there(wanted: tuple[PlainRequirement, ...]) -> frozenset[tuple[PackageName, str | None]]:
    """The ordinary packages that the user's own words bring, whatever the core is."""
    pins_of = set()
    for one in wanted:
        parsed = Requirement(one.text)
        if parsed.marker is None:
            pins = [c.version for c in parsed.specifier if c.operator == "==" and "*" not in c.version]
            pins_of.add((normalize(parsed.name), pins[0] if pins else None))
    return frozenset(pins_of)


def learn_breakages(state: LoopState, outcome: ClosureOutcome, closer: Closer) -> bool:
    """Compare what the graph took to be broken with the closure. Says whether it must be solved again."""
    core = core_packages(outcome.matrix)
    told = {one.breakage.id for one in (*outcome.solution.cured, *outcome.solution.broken)}
    again = False
    for breakage in outcome.matrix.breaks:
        ordinary = [when for when in breakage.when if _is_ordinary(when, core)]
        if not ordinary or _static(state, ordinary) or not _core_holds(outcome, breakage, core):
            continue
        holds = all(_holds(outcome.closed, when) for when in ordinary)
        if holds and breakage.id not in told:
            _hold(state, outcome, breakage, ordinary)
            again = True
        elif breakage.id in told and not holds and not _stands(state, outcome, breakage, ordinary, closer):
            _except(state, outcome, breakage)
            again = True
    return again


def _is_ordinary(when: When, core: frozenset[str]) -> bool:
    return when.package not in {"gpu", "python"} and when.package not in core


def _static(state: LoopState, ordinary: list[When]) -> bool:
    """Whether the user's own words bring it about."""
    return all(
        any(
            name == when.package and (not when.versions or (pin is not None and _admits(when, pin)))
            for name, pin in state.present
        )
        for when in ordinary
    )


def _core_holds(outcome: ClosureOutcome, breakage: Breakage, core: frozenset[str]) -> bool:
    """Whether the conditions on the device and on decided packages are met."""
    for when in breakage.when:
        if when.package == "gpu":
            if not on_gpu(outcome.target, when):
                return False
        elif not _is_ordinary(when, core):
            picked = outcome.solution.picked
            options = [picked["python"]] if when.package == "python" else outcome.solution.packages()
            if not any(matches(option, when) for option in options):
                return False
    return True


def _holds(closed: Closed, when: When) -> bool:
    return any(package.name == when.package and _admits(when, package.version) for package in closed.packages)


def _admits(when: When, version: str) -> bool:
    try:
        return allows(when.versions, version)
    except InvalidVersion:
        return False


# ---------------------------------------------------------------- what is noted down


def _hold(state: LoopState, outcome: ClosureOutcome, breakage: Breakage, ordinary: list[When]) -> None:
    """Expect it on this Python wherever one of the same decided packages brings the ordinary ones."""
    python = outcome.solution.picked["python"]
    packages = {package.name: package for package in outcome.closed.packages}
    bringers = tuple(frozenset(_bringers(outcome, packages, when.package)) for when in ordinary)
    key = breakage.id, python.label
    if (old := state.late_breakages.get(key)) is not None:
        # No group is for everywhere: joined with anything it stays so.
        both = zip(old.bringers, bringers, strict=True)
        bringers = tuple(a | b if a and b else frozenset() for a, b in both)
    excepted = tuple(choice for choice in (old.excepted if old else ()) if choice != outcome.picks)
    state.late_breakages[key] = LateBreakage(
        breakage=breakage.id, python=pick_of(python), bringers=bringers, excepted=excepted
    )
    state.confirmed.add((breakage.id, outcome.picks))


def _bringers(
    outcome: ClosureOutcome, packages: Mapping[PackageName, ClosedPackage], name: PackageName
) -> Iterator[Pick]:
    """The decided packages from which a chain leads to an ordinary one; none: it is there anyway."""
    options = {option.package: option for option in outcome.solution.packages()}
    seen, queue, bringers = {name}, [name], set[Pick]()
    while queue:
        package = packages.get(queue.pop())
        for via in package.via if package else ("unknown",):
            who = normalize(via)
            if who in options:
                bringers.add(pick_of(options[who]))
            elif who not in packages:
                return  # the user's words, or a cure
            elif who not in seen:
                seen.add(who)
                queue.append(who)
    yield from bringers


def _stands(
    state: LoopState, outcome: ClosureOutcome, breakage: Breakage, ordinary: list[When], closer: Closer
) -> bool:
    """Whether it would hold without its cure, which may be why it does not."""
    if (breakage.id, outcome.picks) in state.confirmed:
        return True
    names = {when.package for when in ordinary}
    if not (breakage.constraints or breakage.add or names & set(breakage.drop)):
        return False  # the cure touches no package
    others = tuple(b for b in outcome.solution.cured if b.breakage.id != breakage.id)
    answer = closer.close(outcome.ask(replace(outcome.solution, cured=others)))
    if isinstance(answer, Closed) and not all(_holds(answer, when) for when in ordinary):
        return False
    state.confirmed.add((breakage.id, outcome.picks))
    return True


def _except(state: LoopState, outcome: ClosureOutcome, breakage: Breakage) -> None:
    """This one choice does not bring it about."""
    key = breakage.id, outcome.solution.picked["python"].label
    old = state.late_breakages[key]
    state.late_breakages[key] = replace(old, excepted=(*old.excepted, outcome.picks))
