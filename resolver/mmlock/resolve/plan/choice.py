"""Why this version and not a newer one: the sentence that is beside each chosen package.

It is read from the graph: which newer versions the user's own words rule out, which ones the other choices
do not accept, and, where that does not explain it, which objective a newer one would cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from mmlock.core.device import Code, code_for
from mmlock.core.names import Confidence, Form
from mmlock.core.target import Target
from mmlock.core.versions import is_prerelease, version
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.whole import listed_whole
from mmlock.lock.model import Reason, ReasonKind
from mmlock.resolve.core_solver.alternatives import NewerVersion
from mmlock.resolve.core_solver.solution import CoreSolution
from mmlock.resolve.graph.builder import cite, readable
from mmlock.resolve.graph.rows import (
    BuildChoice,
    ConstraintKind,
    Group,
    Link,
    Option,
    Rows,
    TorchBuildChoice,
    UserConstraint,
)
from mmlock.resolve.request.model import THE_REQUEST
from mmlock.resolve.request.objectives import Objective

__all__ = ["absence", "choice"]

_NAMED = 2
"""How many packages a sentence names."""

_WITHOUT_COST = {
    Objective.PRERELEASE: "that is no pre-release",
    Objective.BROKEN: "without a known breakage",
    Objective.ADVICE: "that the project's guide names",
    Objective.KEPT: "that keeps the existing lock",
    Objective.GENERATION: "with current packages around it",
    Objective.OPS: "for which compiled ops exist",
    Objective.VALIDATED: "in a combination that was validated on such a device",
    Objective.BUILDS: "for which every package has a wheel",
    Objective.UNVERIFIED: "for which every recipe is tested",
    Objective.TOOLCHAIN: "whose CUDA toolkit can be locked",
    Objective.DECLARED: "that keeps all declared bounds",
    Objective.FRAMEWORKS: "that the newest frameworks accept",
    Objective.TORCH: "that the newest torch accepts",
    Objective.HASHED: "whose index publishes hashes",
    Objective.CERTAINTY: "that needs no inferred fact",
    Objective.PYTHON: "for the newest Python",
    Objective.NEEDLESS: "that needs nothing else",
}
"""What is true of a choice that pays nothing for an objective which a newer one would pay for."""

_LESS_COST = {
    Objective.BROKEN: "with the fewest known breakages",
    Objective.ADVICE: "that keeps most of what the project's guide names",
    Objective.KEPT: "that keeps most of the existing lock",
    Objective.BUILDS: "for which the fewest packages must be built",
    Objective.UNVERIFIED: "with the best-tested recipes",
    Objective.DECLARED: "that keeps most declared bounds",
    Objective.FRAMEWORKS: "that frameworks as new as these accept",
    Objective.CERTAINTY: "that rests on the fewest inferred facts",
}
"""The same of one that pays less."""


class _Limit(Struct, frozen=True, kw_only=True):
    """One thing that rules out newer versions."""

    text: str
    ruled_out: Group
    source: tuple[str, ...] = ()
    alone: bool = False
    """True: the text is the whole sentence."""


def choice(
    matrix: Matrix,
    rows: Rows,
    solution: CoreSolution,
    option: Option,
    target: Target,
    newer: Sequence[NewerVersion] = (),
) -> Reason | None:
    """The reason for a picked version; None where nothing says why there is no newer one."""
    if option.version is None:
        return None
    pinned = _pin(rows, solution, option)
    limits: list[_Limit] | None = []
    if pinned is None:
        limits = _limits(rows, solution, option, newer)
    if limits is None:
        return None
    subject = " ".join([f"newest {option.package or option.slot}", *_kernels(option, target)])
    clauses = ", ".join(dict.fromkeys(limit.text for limit in limits if limit.text))
    text = next((limit.text for limit in limits if limit.alone), f"{subject} {clauses}".rstrip())
    if pinned:
        return Reason(
            text=f"requested: `{pinned.name}`",
            source=(pinned.origin,),
            confidence=Confidence.MEASURED,
            kind=ReasonKind.CHOICE,
        )
    source = tuple(key for limit in limits for key in limit.source) or option.source
    kept = any(limit.alone for limit in limits)  # says nothing of what there is
    sure, lists = (Confidence.MEASURED, ()) if kept else absence(matrix, option.package)
    return Reason(
        text=text,
        source=readable(matrix, dict.fromkeys((*source, *lists))) or (THE_REQUEST,),
        confidence=sure,
        kind=ReasonKind.CHOICE,
    )


def absence(matrix: Matrix, package: str | None) -> tuple[Confidence, tuple[str, ...]]:
    """How sure it is that there is no newer version of a package than those known, and which lists show it.

    That nobody recorded one proves nothing, unless the index was read whole; its text then says when.
    """
    lists = listed_whole(matrix, (package,)) if package is not None else ()
    if not lists:
        return Confidence.INFERRED, ()
    return Confidence.CAPTURED, tuple(key for name, one in lists for key in cite("files", (one,), name))


def _pin(rows: Rows, solution: CoreSolution, option: Option) -> UserConstraint | None:
    """What of the request leaves this one version and no other."""
    for constraint, members in _constraints(rows, solution, option):
        versions = {version(text).public for i in members if (text := rows.options[i].version)}
        if constraint.kind.bounds_version and len(versions) == 1 and constraint.version is not None:
            return constraint
    return None


def _constraints(
    rows: Rows, solution: CoreSolution, option: Option
) -> Iterator[tuple[UserConstraint, Group]]:
    """The user's constraints on the slot of an option, with what satisfies them."""
    python = solution.picked["python"].index
    for constraint in rows.user_constraints:
        for slot, members in constraint.parts:
            if slot == option.slot and python not in constraint.unless:
                yield constraint, members


def _kernels(option: Option, target: Target) -> Iterator[str]:
    """With kernels for which devices; only torch is chosen by them."""
    if not isinstance(option.choice, TorchBuildChoice) or not target.arch_list:
        return
    build = option.choice.build
    codes = {code_for(device, build.archs, build.ptx) for device in target.devices}
    if codes == {Code.NATIVE}:
        yield f"with {' and '.join(target.arch_list)} kernels"
    else:
        yield f"that runs on {' and '.join(target.arch_list)}"


def _limits(
    rows: Rows, solution: CoreSolution, option: Option, newer: Sequence[NewerVersion]
) -> list[_Limit] | None:
    """The fewest things that rule out all newer versions; None where they are unknown."""
    left = _newer_than(rows, option)
    costs = [one for one in newer if one.slot == option.slot]
    kept = option.index not in rows.kept and any(i in rows.kept for i in rows.slots[option.slot])
    if left and kept and costs and costs[0].worse and costs[0].worse.objective is Objective.KEPT:
        return [_Limit(text="kept from the existing lock", ruled_out=left, alone=True)]
    candidates = [
        *_by_request(rows, solution, option),
        *_by_others(rows, solution, option, left),
        *_by_needs(rows, solution, left),
    ]
    limits: list[_Limit] = []
    while left:
        # What rules out most; of equals, what the user said comes before what follows from it.
        best = max(candidates, key=lambda limit: len(limit.ruled_out & left), default=None)
        if best is None or not best.ruled_out & left:
            last = _by_cost(solution, costs[0]) if costs else None
            return [*limits, last] if last is not None else None
        limits.append(best)
        left -= best.ruled_out
    return limits


def _newer_than(rows: Rows, option: Option) -> Group:
    """The options of the slot that are newer; pre-releases do not count unless one was taken."""
    assert option.version is not None
    own, pre = version(option.version), is_prerelease(option.version)
    return frozenset(
        other.index
        for other in rows.slot_options(option.slot)
        if other.version is not None
        and other.package == option.package
        and (pre or not is_prerelease(other.version))
        and version(other.version) > own
        and version(other.version).public != own.public
    )


def _by_request(rows: Rows, solution: CoreSolution, option: Option) -> Iterator[_Limit]:
    for constraint, members in _constraints(rows, solution, option):
        match constraint.kind:
            case ConstraintKind.DEVICE:
                text = "" if option.slot == "torch" else f"with kernels for `{constraint.name}`"
            case ConstraintKind.NO_BUILD:
                text = "that needs no build"
            case ConstraintKind.ADVISORY:
                text = f"without a known vulnerability (`{constraint.name}`)"
            case _:
                text = f"for `{constraint.name}`"
        others = frozenset(rows.slots[option.slot]) - members
        yield _Limit(text=text, ruled_out=others, source=(constraint.origin,))


def _by_others(rows: Rows, solution: CoreSolution, option: Option, newer: Group) -> Iterator[_Limit]:
    """Newer versions that another choice accepts in none of its builds of the same kind."""
    groups: dict[Group, list[Option]] = {}
    for other in solution.packages():
        accepted = _accepted(rows, other, option.slot) if other.index != option.index else None
        if accepted is None or not (ruled_out := newer - accepted):
            continue
        if not _follows(rows, solution, other, option.slot, ruled_out):
            groups.setdefault(ruled_out, []).append(other)
    for ruled_out, others in groups.items():
        named = others[:_NAMED] if option.slot != "torch" else others[:1]
        source = (
            key
            for other in named
            for link in rows.links_of(other.index)
            if link.slot == option.slot and link.hard
            for key in link.source
        )
        yield _Limit(text=_accepts(option, named), ruled_out=ruled_out, source=tuple(dict.fromkeys(source)))


def _accepted(rows: Rows, option: Option, slot: str) -> Group | None:
    """Options of another slot that a release accepts as it comes here; None: all of them."""
    accepted: set[int] = set()
    for index in _alike(rows, option):
        groups = [link.members for link in rows.links_of(index) if link.hard and link.slot == slot]
        if not groups:
            return None
        accepted |= frozenset.intersection(*groups)
    return frozenset(accepted)


def _follows(rows: Rows, solution: CoreSolution, other: Option, slot: str, newer: Group) -> bool:
    """Whether a newer version of a package could go with something newer here, so that it is no limit."""
    possible = _newer_than(rows, other)
    for _, members in _constraints(rows, solution, other):
        possible &= members
    for picked in solution.picked.values():
        if picked.index != other.index and picked.slot != slot:
            for link in rows.links_of(picked.index):
                if link.hard and link.slot == other.slot:
                    possible &= link.members
    return any(_goes_with(rows, solution, index, slot, newer) for index in possible)


def _goes_with(rows: Rows, solution: CoreSolution, index: int, slot: str, newer: Group) -> bool:
    links = [link for link in rows.links_of(index) if link.hard]
    own = [link.members for link in links if link.slot == slot]
    return bool(newer.intersection(*own)) and all(_met(link, solution) for link in links if link.slot != slot)


def _alike(rows: Rows, option: Option) -> Iterable[int]:
    """The options of the same release that come into the environment in the same way, and as tested."""
    tested = _tested(option)
    return (
        other.index
        for other in rows.slot_options(option.slot)
        if (other.package, other.version, other.form) == (option.package, option.version, option.form)
        and _tested(other) == tested
    )


def _tested(option: Option) -> bool:
    return isinstance(option.choice, BuildChoice) and option.choice.verified is not None


def _accepts(option: Option, others: Sequence[Option]) -> str:
    names = " and ".join(f"{other.package} {other.version}" for other in others)
    if option.slot != "torch":
        return f"that {names} {'accepts' if len(others) == 1 else 'accept'}"
    other = others[0]
    if other.form is Form.BUILD:
        return f"for which {names} has a {'tested ' if _tested(other) else ''}recipe"
    if other.form is Form.TORCH_OPS:
        return f"for which {names} has a recipe in plain PyTorch"
    return f"for which {names} has a wheel"


def _by_needs(rows: Rows, solution: CoreSolution, newer: Group) -> Iterator[_Limit]:
    """Newer versions that need something else of another slot than what was taken."""
    ruled_out: dict[str, set[int]] = {}
    for index in newer:
        for link in rows.links_of(index):
            # A toolkit is there where something is built: that is a matter of cost.
            if (
                link.hard
                and link.slot in solution.picked
                and link.slot != "toolchain"
                and not _met(link, solution)
            ):
                ruled_out.setdefault(link.slot, set()).add(index)
    for slot, indices in sorted(ruled_out.items()):
        yield _Limit(text=f"for {_named(solution.picked[slot])}", ruled_out=frozenset(indices))


def _met(link: Link, solution: CoreSolution) -> bool:
    return any(option.index in link.members for option in solution.picked.values())


def _named(option: Option) -> str:
    if option.package is not None:
        return f"{option.package} {option.version}"
    if option.slot == "python":
        return f"Python {option.version}"
    return option.label


def _by_cost(solution: CoreSolution, newer: NewerVersion) -> _Limit | None:
    """The objective that a newer version would cost."""
    if newer.best is None:
        return _Limit(text="that works with everything else", ruled_out=frozenset())
    if newer.worse is None:
        return None
    objective = newer.worse.objective
    paid = next(one.value for one in solution.objectives if one.objective is objective)
    more = f"that costs no more in `{objective}`"
    text = _LESS_COST.get(objective, more) if paid else _WITHOUT_COST[objective]
    return _Limit(text=text, ruled_out=frozenset())
