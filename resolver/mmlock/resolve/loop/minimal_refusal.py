"""Which part of the core a refusal of the closure is about, and for how many other options it holds as well.

A question to the closure is taken apart: what each decided package requires, which version each is
pinned to, what each cure of a breakage adds. Pieces are left out one at a time while the closure still
refuses; a piece less is always an easier question, so what is left is a proof. It holds for every
option that puts the same pieces into its question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.markers import named_extras
from mmlock.core.names import PackageName, requirement_name
from mmlock.core.versions import version
from mmlock.resolve.closure.model import Closer, ClosureConflict, ClosureRequest, CoreNode
from mmlock.resolve.core_solver.deletion import minimal_subset
from mmlock.resolve.core_solver.solution import CoreSolution
from mmlock.resolve.graph.request import Pick
from mmlock.resolve.graph.rows import Group, Option, Rows
from mmlock.resolve.loop.nogoods import Refusal, pick_of
from mmlock.resolve.loop.pieces import Piece, PieceKind

__all__ = ["RefusedClosure", "minimal_refusal"]


class RefusedClosure(Struct, frozen=True, kw_only=True):
    """A question that the closure refused, and what it takes to ask others like it."""

    rows: Rows
    solution: CoreSolution
    question: ClosureRequest
    refused: ClosureConflict
    closer: Closer
    node_of: Callable[[Option], CoreNode]
    """What an option would be in the same question."""
    droppable: frozenset[PackageName]
    """Packages that some cure leaves out: a requirement on one of them is not in every question."""
    same_on: Callable[[str], bool]
    """Whether the question has the same extras on another Python."""
    for_sources: Callable[[ClosureConflict], bool]
    """Whether a refusal is only for want of wheels that nobody makes: their sources will do."""
    bounds: Mapping[str, tuple[str, int]]
    """Constraints that one option alone puts into the question: the word for it -> its line, the option."""
    repeats: dict[frozenset[str], int]
    """How often the same pieces were refused before: how far it is worth to look for more of their kind."""
    proofs: list[tuple[Piece, ...]]
    """Pieces that earlier questions were refused for: most often the next one is refused for the same."""


def minimal_refusal(closure: RefusedClosure) -> Refusal:
    """The options that are refused together; the Python always belongs to them, for files depend on it."""
    trial = _Trial(closure)
    kept, refused = trial.repeated() or trial.smallest()
    if kept not in closure.proofs:
        closure.proofs.append(kept)
    kind = frozenset(f"{piece.kind} {piece.name}" for piece in kept)
    effort = closure.repeats.get(kind, 0)
    closure.repeats[kind] = effort + 1
    groups = [
        *_pythons(closure, trial, kept, effort),
        *_package_groups(closure, trial, kept, effort),
        *_cure_groups(closure, trial, kept),
    ]
    told = trial.named(kept, refused)
    return Refusal(
        groups=tuple(dict.fromkeys(groups)),
        reason=told.reason,
        wheels_only=told.wheels_only,
        packages=told.packages,
    )


class _Cure(Struct, frozen=True, kw_only=True):
    """What a cure, or a toolchain, puts into the question, and with which options."""

    lines: tuple[str, ...]
    groups: tuple[Group, ...]


def _cures(solution: CoreSolution) -> Iterator[tuple[str, _Cure]]:
    """By the word that stands for it in the question."""
    for incompatibility in solution.cured:
        lines = (*incompatibility.breakage.constraints, *incompatibility.breakage.add)
        yield incompatibility.breakage.id, _Cure(lines=lines, groups=incompatibility.groups)
    option = solution.picked["toolchain"]
    if solution.toolchain is not None:
        own = _Cure(lines=solution.toolchain.packages, groups=(frozenset({option.index}),))
        yield option.label, own


class _Trial:
    """Asks the closure about parts of a question."""

    def __init__(self, closure: RefusedClosure) -> None:
        self.closure = closure
        self.nodes = {node.name: node for node in closure.question.core}
        self.cures = dict(_cures(closure.solution))
        for word, (line, option) in closure.bounds.items():
            self.cures[word] = _Cure(lines=(line,), groups=(frozenset({option}),))

    def refuses(self, pieces: Iterable[Piece], python: str | None = None) -> ClosureConflict | None:
        """The closure's words when it refuses these pieces together with the user's own.

        On another Python other sources may be needed than were allowed so far: that is no refusal.
        """
        answer = self.closure.closer.close(self.question(tuple(pieces), python))
        if not isinstance(answer, ClosureConflict) or self.closure.for_sources(answer):
            return None
        return answer

    def question(
        self, pieces: tuple[Piece, ...], python: str | None = None, *, pinned: bool = False
    ) -> ClosureRequest:
        """Only these pieces. A package that is not pinned is left out of the environment altogether."""
        whole = self.closure.question
        lines = {piece.name: piece.lines for piece in pieces if piece.kind is PieceKind.REQUIRES}
        pins = {p.name: p.lines[0] for p in pieces if p.kind is PieceKind.VERSION}
        cured = {piece.name for piece in pieces if piece.kind is PieceKind.CURE}
        core = []
        for place, node in enumerate(whole.core):
            mine = replace(node, requires=lines.get(node.name, ()))
            if node.name in pins or pinned:
                core.append(replace(mine, version=pins.get(node.name, node.version)))
            elif mine.requires:
                core.append(replace(mine, name=_carrier(place), version="0", requires_python=None))
        there = {node.name for node in core}
        return replace(
            whole,
            python=python or whole.python,
            core=tuple(sorted(core, key=lambda node: node.name)),
            requirements=tuple(one for one in whole.requirements if self._counts(one.via, cured)),
            constraints=tuple(one for one in whole.constraints if self._counts(one.via, cured)),
            drop=tuple(sorted({*whole.drop, *(name for name in self.nodes if name not in there)})),
        )

    def _counts(self, via: str, cured: set[str]) -> bool:
        return via not in self.cures or via in cured

    def repeated(self) -> tuple[tuple[Piece, ...], ClosureConflict] | None:
        """Pieces of this question that an earlier one was refused for, where they are refused again."""
        for proof in self.closure.proofs:
            if all(map(self._has, proof)) and (answer := self.refuses(proof)):
                return proof, answer
        return None

    def _has(self, piece: Piece) -> bool:
        """Whether the question puts at least that piece."""
        if piece.kind is PieceKind.CURE:
            return piece.name in self.cures
        node = self.nodes.get(PackageName(piece.name))
        if node is None or piece.kind is PieceKind.VERSION:
            return node is not None and piece.lines == (node.version,)
        return set(piece.lines) <= set(node.requires)

    def smallest(self) -> tuple[tuple[Piece, ...], ClosureConflict]:
        """Pieces none of which can be left out; all of them where even the whole is not refused again."""
        every = tuple(self._pieces())
        likely = tuple(self._likely(every, self.closure.refused))
        kept, refused = every, self.closure.refused
        for first in (likely, every):
            if answer := self.refuses(first):
                kept, refused = first, answer
                break
        else:
            return every, refused
        return self._thinned(*minimal_subset(kept, refused, self.refuses))

    def _pieces(self) -> Iterator[Piece]:
        """The requirements of packages first: what is left out first is most likely innocent."""
        for name in self.cures:
            yield Piece(kind=PieceKind.CURE, name=name)
        for node in self.nodes.values():
            yield Piece(kind=PieceKind.VERSION, name=node.name, lines=(node.version,))
        for node in self.nodes.values():
            if node.requires:
                yield Piece(kind=PieceKind.REQUIRES, name=node.name, lines=node.requires)

    def _likely(self, pieces: Sequence[Piece], refused: ClosureConflict) -> Iterator[Piece]:
        """Pieces that speak of what the closure spoke of."""
        told = set(refused.packages)
        for piece in pieces:
            lines = piece.lines
            if piece.kind is PieceKind.CURE:
                lines = self.cures[piece.name].lines
            if told & {
                piece.name,
                *(map(requirement_name, lines) if piece.kind is not PieceKind.VERSION else ()),
            }:
                yield piece

    def _thinned(
        self, kept: tuple[Piece, ...], refused: ClosureConflict
    ) -> tuple[tuple[Piece, ...], ClosureConflict]:
        """The same with only those lines that the refusal rests on."""
        for piece in kept:
            if piece.kind is PieceKind.REQUIRES:
                kept, refused = self._thinner(piece, kept, refused)
        return kept, refused

    def _thinner(
        self, piece: Piece, kept: tuple[Piece, ...], refused: ClosureConflict
    ) -> tuple[tuple[Piece, ...], ClosureConflict]:
        """With fewer lines of one piece."""
        extras = frozenset(self.nodes[PackageName(piece.name)].extras)
        for wanted in _smaller(piece.lines, extras, frozenset(refused.packages)):
            lines = tuple(line for line in piece.lines if line in wanted)
            if not lines or lines == piece.lines:
                continue
            smaller = replace(piece, lines=lines)
            fewer = tuple(smaller if other == piece else other for other in kept)
            if answer := self.refuses(fewer):
                piece, kept, refused = smaller, fewer, answer
        return kept, refused

    def named(self, kept: tuple[Piece, ...], refused: ClosureConflict) -> ClosureConflict:
        """The refusal of these pieces, with packages called by their names."""
        if not any(name.startswith(_CARRIER) for name in _words(refused.reason)):
            return refused
        answer = self.closure.closer.close(self.question(kept, pinned=True))
        return answer if isinstance(answer, ClosureConflict) else self.closure.refused


def _smaller(
    lines: tuple[str, ...], extras: frozenset[str], told: frozenset[PackageName]
) -> Iterator[frozenset[str]]:
    """Sets of lines to try: without what is idle, what the refusal names, then without ever smaller parts."""
    idle = frozenset(line for line in lines if (named := named_extras((line,))) and not named & extras)
    yield frozenset(line for line in lines if requirement_name(line) in told) - idle
    yield frozenset(lines) - idle
    size = (len(lines) - len(idle)) // 2
    live = [line for line in lines if line not in idle]
    while size:
        for start in range(0, len(live), size):
            yield frozenset(lines).difference(live[start : start + size])
        size //= 2


_CARRIER = "mmlock-part-"


def _carrier(place: int) -> PackageName:
    """What stands for a package whose version does not matter."""
    return PackageName(f"{_CARRIER}{place}")


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c in "-._" else " " for c in text).split()


# ---------------------------------------------------------------- for whom it holds


def _pythons(
    closure: RefusedClosure, trial: _Trial, kept: tuple[Piece, ...], effort: int
) -> Iterator[frozenset[Pick]]:
    """The Python of the question; where the same was refused before, all others that are refused too."""
    own = closure.solution.picked["python"]
    picks = {pick_of(own)}
    options = list(closure.rows.slot_options("python")) if effort else []
    place = next((at for at, option in enumerate(options) if option.index == own.index), 0)
    for outward in (options[place + 1 :], reversed(options[:place])):
        for option in outward:
            python = option.version or ""
            if not (closure.same_on(python) and trial.refuses(kept, python)):
                break  # what is refused is a range: files for a Python appear at some time, and end at one
            picks.add(pick_of(option))
    yield frozenset(picks)


def _package_groups(
    closure: RefusedClosure, trial: _Trial, kept: tuple[Piece, ...], effort: int
) -> Iterator[frozenset[Pick]]:
    """For each package that takes part: the options of its slot that put the same into the question."""
    for option in closure.solution.packages():
        own = [piece for piece in kept if piece.name == option.package and piece.kind is not PieceKind.CURE]
        if own:
            alike = [o for o in closure.rows.slot_options(option.slot) if _says(closure, o, option, own)]
            if any(piece.kind is PieceKind.VERSION for piece in own):
                alike = list(_of_versions(closure, trial, kept, option, alike, effort))
            yield frozenset(map(pick_of, alike))


def _says(closure: RefusedClosure, other: Option, option: Option, own: Sequence[Piece]) -> bool:
    """Whether an option requires the same; for certain, whatever else is chosen."""
    if other.index == option.index or other.package is None:
        return other.package is not None
    lines = frozenset(line for piece in own if piece.kind is PieceKind.REQUIRES for line in piece.lines)
    if any(requirement_name(line) in closure.droppable for line in lines):
        return False
    return not lines or lines <= frozenset(closure.node_of(other).requires)


def _of_versions(
    closure: RefusedClosure,
    trial: _Trial,
    kept: tuple[Piece, ...],
    option: Option,
    alike: Sequence[Option],
    effort: int,
) -> Iterator[Option]:
    """Those of the same version; and of others that were tried and are refused as well."""
    verdicts = {_public(option): True}
    looks = 2**effort - 1
    for other in alike:
        if other.package != option.package:
            continue
        if _public(other) not in verdicts and looks > 0:
            looks -= 1
            pinned = closure.node_of(other).version
            moved = tuple(
                replace(piece, lines=(pinned,))
                if (piece.kind, piece.name) == (PieceKind.VERSION, option.package)
                else piece
                for piece in kept
            )
            verdicts[_public(other)] = trial.refuses(moved) is not None
        if verdicts.get(_public(other)):
            yield other


def _public(option: Option) -> str:
    return version(option.version).public if option.version else ""


def _cure_groups(
    closure: RefusedClosure, trial: _Trial, kept: tuple[Piece, ...]
) -> Iterator[frozenset[Pick]]:
    """Options that put a part of the refusal into the question although they do not require it."""
    for piece in kept:
        if piece.kind is PieceKind.CURE:
            for group in trial.cures[piece.name].groups:
                yield frozenset(pick_of(closure.rows.options[index]) for index in group)
