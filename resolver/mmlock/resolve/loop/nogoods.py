"""What the loop between core and closure learns on its way."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from mmlock.core.names import PackageName
from mmlock.resolve.graph.request import LateBreakage, Pick
from mmlock.resolve.graph.rows import Option
from mmlock.resolve.loop.pieces import Piece
from mmlock.resolve.plan.name_requirements import NameBound
from mmlock.resolve.request.model import CoreRequirement, PlainRequirement

__all__ = ["LoopState", "Refusal", "UnfitWheel", "pick_of", "picks_of"]

_NAMED = 3
"""How many options of a group are named one by one."""


def pick_of(option: Option) -> Pick:
    """An option by names that stay when the graph is built again."""
    return option.slot, option.label


def picks_of(options: Iterable[Option]) -> frozenset[Pick]:
    """A whole choice, or a part of one."""
    return frozenset(map(pick_of, options))


class Refusal(Struct, frozen=True, kw_only=True):
    """Options that the closure, or the files themselves, refuse together; with the words."""

    groups: tuple[frozenset[Pick], ...]
    """One option of every group: that is refused."""
    reason: str
    wheels_only: tuple[PackageName, ...] = ()
    """Packages whose sources would do, were they allowed."""
    packages: tuple[PackageName, ...] = ()
    """Those that the words speak of."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Each group in a few words: `python 3.12`, `mmdet 3.3.0 (or 4 like it)`."""
        return tuple(sorted(map(_group_text, self.groups)))


class UnfitWheel(Struct, frozen=True, kw_only=True):
    """A version of an ordinary package whose compiled files do not go with a torch build."""

    name: PackageName
    version: str
    torch: Pick
    reason: str

    @property
    def word(self) -> str:
        """What stands for it in a question to the closure."""
        return f"{self.name} {self.version} beside {self.torch[1]}"

    @property
    def constraint(self) -> PlainRequirement:
        return PlainRequirement(text=f"{self.name}!={self.version}", via=self.word)


def _group_text(group: frozenset[Pick]) -> str:
    labels = sorted((label for _, label in group), key=_natural, reverse=True)
    if len(labels) > _NAMED:
        return f"{labels[0]} (or {len(labels) - 1} like it)"
    return " or ".join(labels)


def _natural(label: str) -> list[tuple[int, str]]:
    """Numbers by their size: `python 3.9` before `python 3.10`."""
    words = "".join(c if c.isalnum() else " " for c in label).split()
    return [(int(word), "") if word.isdigit() else (-1, word) for word in words]


class LoopState(Struct):
    """What is known beyond the request. Grows, and never shrinks."""

    def unfit_beside(self, torch: Option) -> tuple[UnfitWheel, ...]:
        """What was read and does not go with a torch."""
        return tuple(one for one in self.unfit if one.torch == pick_of(torch))

    def name_constraints(self) -> tuple[PlainRequirement, ...]:
        """What the names that ordinary packages take ask of a closure."""
        return (
            *(
                PlainRequirement(text=f"{one.provider}{one.specifier}", via=f"{one.needer} {one.version}")
                for one in self.name_bounds.values()
                if (one.needer, one.version) not in self.shunned
            ),
            *(
                PlainRequirement(text=f"{name}!={version}", via="names that it takes of others")
                for name, version in sorted(self.shunned)
            ),
        )

    def shun(self) -> bool:
        """Give up the packages whose needs are bounds now, rather than those bounds; False: none is left."""
        more = {(one.needer, one.version) for one in self.name_bounds.values()} - self.shunned
        self.shunned |= more
        return bool(more)

    refusals: list[Refusal] = field(default_factory=list)
    needed: dict[PackageName, CoreRequirement] = field(default_factory=dict)
    """Core packages that ordinary ones turned out to need."""
    present: frozenset[tuple[PackageName, str | None]] = frozenset()
    """Ordinary packages that are there whatever the core is; the version where it is pinned."""
    late_breakages: dict[tuple[str, str], LateBreakage] = field(default_factory=dict)
    """(breakage, Python) -> with which options ordinary packages were seen to bring it about."""
    confirmed: set[tuple[str, frozenset[Pick]]] = field(default_factory=set)
    """(breakage, choice) whose closure, uncured, was seen to bring it about."""
    name_bounds: dict[tuple[PackageName, str, PackageName], NameBound] = field(default_factory=dict)
    """(who, its version, of whom) -> what ordinary packages take of others by name and would not find."""
    shunned: frozenset[tuple[PackageName, str]] = frozenset()
    """Ordinary packages, with their version, for whose needs no other bound leaves an answer."""
    unfit: list[UnfitWheel] = field(default_factory=list)
    """Wheels of ordinary packages that were read and do not go with a torch."""
    sdists: frozenset[PackageName] = frozenset()
    """Ordinary packages of which some version has no wheel anywhere, so that its sources can be taken."""
    wheelless: frozenset[PackageName] = frozenset()
    """Those of them of which no version has one."""
    repeats: dict[frozenset[str], int] = field(default_factory=dict)
    """How often a refusal spoke of the same packages."""
    proofs: list[tuple[Piece, ...]] = field(default_factory=list)
    """What the closure refused, as the pieces that it rests on."""
