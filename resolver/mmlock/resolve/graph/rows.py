"""The graph as plain rows, which is what the solver reads.

A *slot* is a question with exactly one answer (which torch build, which Python, which mmcv). An
*option* is a possible answer. A *link* says that an option needs one of some options of another slot,
and why: it is the edge of the compatibility graph. A *user constraint* comes from the request. An
*incompatibility* is a combination known to fail. A *cost* is what an option pays towards one objective.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from msgspec import Struct

from mmlock.core.names import Confidence, Form, PackageName, StrEnum
from mmlock.facts.matrix.model import (
    Binary,
    Breakage,
    IndexRow,
    Recipe,
    Release,
    Toolchain,
    TorchBuild,
    Validation,
    Verified,
)
from mmlock.resolve.request.objectives import Objective

Group = frozenset[int]
"""Options, by index, any one of which will do."""


class LinkKind(StrEnum):
    """Why one option needs another."""

    ASSERTS = "asserts"  # checked when the package is imported
    REQUIRES = "requires"  # Requires-Dist
    NAMES = "names"  # names that it takes of the other when it is imported
    DECLARES = "declares"  # extra `mim` or mminstall.txt: declared, not enforced
    WHEEL = "wheel"  # the wheel was built for that torch and CUDA
    PYTHON = "python"  # wheels exist for these Pythons
    BUILD = "build"  # the sources compile against these
    TOOLCHAIN = "toolchain"  # nvcc of the same CUDA
    CUDA = "cuda"  # one CUDA in the environment
    DEAD = "dead"  # with the others it runs nothing on a device of the target


class TorchBuildChoice(Struct, frozen=True, kw_only=True):
    """A build of torch."""

    build: TorchBuild


class PythonChoice(Struct, frozen=True, kw_only=True):
    """A CPython minor version."""

    python: str


class ReleaseChoice(Struct, frozen=True, kw_only=True):
    """A release of an OpenMMLab package taken as the wheel PyPI serves."""

    release: Release


class IndexChoice(Struct, frozen=True, kw_only=True):
    """A wheel of OpenMMLab's index."""

    row: IndexRow
    release: Release | None
    inferred_python: bool


class BinaryChoice(Struct, frozen=True, kw_only=True):
    """A prebuilt extension."""

    binary: Binary
    release: Release | None = None
    """What the release needs, where it was scanned: of an OpenMMLab package that someone else built."""


class BuildChoice(Struct, frozen=True, kw_only=True):
    """A wheel that a recipe makes."""

    recipe: Recipe
    release: Release | None
    verified: Verified | None


class ToolchainChoice(Struct, frozen=True, kw_only=True):
    """A way to get a CUDA toolkit."""

    toolchain: Toolchain | None
    """None: no CUDA toolkit is needed."""


class NothingChoice(Struct, frozen=True, kw_only=True):
    """The slot stays empty."""


Choice = (
    TorchBuildChoice
    | PythonChoice
    | ReleaseChoice
    | IndexChoice
    | BinaryChoice
    | BuildChoice
    | ToolchainChoice
    | NothingChoice
)


class Option(Struct, frozen=True, kw_only=True):
    """One possible answer of a slot."""

    index: int
    slot: str
    label: str
    """For people, unique in the graph: `mmcv 2.1.0 wheel (cu118/torch2.0.0)`."""
    package: PackageName | None
    version: str | None
    form: Form
    choice: Choice
    source: tuple[str, ...]
    confidence: Confidence

    @property
    def made(self) -> bool:
        """Whether a step makes its wheel."""
        return isinstance(self.choice, BuildChoice)


class Link(Struct, frozen=True, kw_only=True):
    """`option` needs one of `members`, for `reason`."""

    option: int
    slot: str
    """Where the members live; beside them there may be Pythons on which a marker lifts the need."""
    members: Group
    kind: LinkKind
    reason: str
    source: tuple[str, ...]
    confidence: Confidence
    hard: bool = True
    """False: not meeting it costs `Objective.DECLARED`."""


class ConstraintKind(StrEnum):
    """What a constraint of the user bounds."""

    DEVICE = "device"  # code for a device
    MACHINE = "machine"  # glibc, driver
    PYTHON = "python"  # the version of Python
    TORCH = "torch"  # the version of torch
    CUDA = "cuda"
    PACKAGE = "package"  # the version of a package
    NO_BUILD = "no-build"
    ADVISORY = "advisory"  # known vulnerabilities

    @property
    def bounds_version(self) -> bool:
        """Whether another version can be near to it."""
        return self in {ConstraintKind.PYTHON, ConstraintKind.TORCH, ConstraintKind.PACKAGE}


class Rejection(Struct, frozen=True, kw_only=True):
    """Why an option does not satisfy a constraint."""

    text: str
    source: tuple[str, ...]
    confidence: Confidence


class UserConstraint(Struct, frozen=True, kw_only=True):
    """A constraint of the user: in each part, one of the members must be chosen."""

    name: str
    """As the user says it: `--torch 2.4.1`, `--gpu rtx5090`, `mmdet==3.3.0`."""
    kind: ConstraintKind
    parts: tuple[tuple[str, Group], ...]
    """(slot, members)."""
    reject: Callable[[Option], Rejection]
    """Why an option is no member."""
    loose: tuple[tuple[str, Group], ...] = ()
    """What is still required when the version is given up: the package itself."""
    origin: str = "the request"
    """Where it is: the command line, a file and line."""
    available: str = ""
    """What there is instead, shown where no option satisfies it."""
    unless: Group = frozenset()
    """Pythons on which its marker does not hold: one of them will do instead of a member."""

    @property
    def groups(self) -> tuple[Group, ...]:
        """What must be chosen: one option of each."""
        return tuple(members | self.unless for _, members in self.parts)

    version: str | None = None
    """The version that it names, where it names one."""
    hint: str = ""
    """What to do where no option satisfies it."""
    listed: tuple[str, ...] = ()
    """The lists, with their day, that show whole that no option satisfies it; empty: none was read whole."""


class Incompatibility(Struct, frozen=True, kw_only=True):
    """A combination known to fail: an option of every group is chosen."""

    breakage: Breakage
    groups: tuple[Group, ...]


class ValidatedSet(Struct, frozen=True, kw_only=True):
    """A combination that was validated: an option of every group is chosen."""

    row: Validation
    groups: tuple[Group, ...]


class Cost(Struct, frozen=True, kw_only=True):
    """What an option pays towards a term."""

    option: int
    objective: Objective
    weight: int


class SolverTables(Struct, frozen=True, kw_only=True):
    """What all requests on the same packages share, in the form the solver wants: groups as bit masks."""

    needs: Mapping[int, tuple[int, ...]]
    """Option -> masks of the groups it needs one member of each."""
    soft: Mapping[int, tuple[int, ...]]
    """Option -> masks of declared bounds that nothing enforces."""
    weights: Mapping[Objective, Mapping[int, int]]
    """Objective -> option -> what it pays."""
    links_of: Mapping[int, tuple[Link, ...]]
    masks: Mapping[Objective, Mapping[int, int]]
    """Objective -> weight -> mask of the options that pay it; what pays nothing is in none."""
    places: Mapping[str, Mapping[int, int]]
    """Slot -> option -> its place, best first: what breaks ties."""


class Rows(Struct, frozen=True, kw_only=True):
    """Everything the solver needs to know. Made by `graph.build`."""

    options: tuple[Option, ...]
    slots: Mapping[str, tuple[int, ...]]
    """Slot -> its options, best first: newest first, and settled order between equals."""
    roots: frozenset[str]
    """Slots someone asked for."""
    shared: tuple[Link, ...]
    """Links that hold on any device."""
    own: tuple[Link, ...]
    """Links that hold for this target's devices."""
    user_constraints: tuple[UserConstraint, ...]
    incompatibilities: tuple[Incompatibility, ...]
    costs: tuple[Cost, ...]
    tables: SolverTables
    nogoods: tuple[tuple[Group, ...], ...] = ()
    """One option of every group together is refused: by the closure, or by the files themselves."""
    validated: tuple[ValidatedSet, ...] = ()
    """What was validated on such a target; choosing otherwise costs `Term.VALIDATED`."""
    kept: Mapping[int, int] = MappingProxyType({})
    """Option -> 1 where an existing lock has another version of it: what `Objective.KEPT` costs."""
    advised: Mapping[int, int] = MappingProxyType({})
    """Option -> how much of the project's advice it does not follow: what `Objective.ADVICE` costs."""
    missing: tuple[str, ...] = ()
    """Sentences about slots for which nothing at all is known on this target."""

    @property
    def links(self) -> tuple[Link, ...]:
        """Every edge."""
        return (*self.shared, *self.own)

    def weights(self, objective: Objective) -> Mapping[int, int]:
        """Option -> what it pays for an objective."""
        own = self._own(objective)
        return self.tables.weights[objective] if own is None else own

    def masks(self, objective: Objective) -> Mapping[int, int]:
        """Weight -> mask of the options that pay it."""
        own = self._own(objective)
        return self.tables.masks[objective] if own is None else by_weight(own)

    def _own(self, objective: Objective) -> Mapping[int, int] | None:
        """What options pay for objectives that are of this request alone."""
        if objective is Objective.KEPT:
            return self.kept
        return self.advised if objective is Objective.ADVICE else None

    def links_of(self, option: int) -> tuple[Link, ...]:
        """The edges out of one option."""
        return (*self.tables.links_of.get(option, ()), *(link for link in self.own if link.option == option))

    def slot_options(self, slot: str) -> Iterator[Option]:
        """The options of a slot, best first."""
        return (self.options[index] for index in self.slots[slot])


@lru_cache(maxsize=8192)
def mask(group: Group) -> int:
    """A group as a bit mask."""
    bits = 0
    for index in group:
        bits |= 1 << index
    return bits


def make_tables(
    links: Iterable[Link], costs: Iterable[Cost], slots: Mapping[str, Iterable[int]]
) -> SolverTables:
    """Links and costs by option and term."""
    masks: dict[Group, int] = {}
    needs: dict[int, dict[int, None]] = {}
    soft: dict[int, dict[int, None]] = {}
    links_of: dict[int, list[Link]] = {}
    for link in links:
        bits = masks.get(link.members)
        if bits is None:
            bits = masks[link.members] = mask(link.members)
        (needs if link.hard else soft).setdefault(link.option, {})[bits] = None
        links_of.setdefault(link.option, []).append(link)
    weights: dict[Objective, dict[int, int]] = {objective: {} for objective in Objective}
    for cost in costs:
        level = weights[cost.objective]
        level[cost.option] = level.get(cost.option, 0) + cost.weight
    return SolverTables(
        needs={option: tuple(groups) for option, groups in needs.items()},
        soft={option: tuple(groups) for option, groups in soft.items()},
        weights=weights,
        links_of={option: tuple(own) for option, own in links_of.items()},
        masks={objective: by_weight(level) for objective, level in weights.items()},
        places={slot: {o: place for place, o in enumerate(options)} for slot, options in slots.items()},
    )


def by_weight(level: Mapping[int, int]) -> dict[int, int]:
    """Weight -> mask of the options that pay it, nothing excepted."""
    masks: dict[int, int] = {}
    for option, weight in level.items():
        if weight:
            masks[weight] = masks.get(weight, 0) | 1 << option
    return masks
