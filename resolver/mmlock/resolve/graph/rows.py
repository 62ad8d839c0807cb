"""The graph as plain rows, which is what the solver reads.

A *slot* is a question with exactly one answer (which torch build, which Python, which mmcv). An
*option* is a possible answer. A *link* says that an option needs one of some options of another slot,
and why: it is the edge of the compatibility graph. An *ask* is a wish of the user. A *breach* is a
combination known to fail. A *cost* is what an option pays towards one objective.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache

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

Group = frozenset[int]
"""Options, by index, any one of which will do."""


class LinkKind(StrEnum):
    """Why one option needs another."""

    ASSERTS = "asserts"  # checked when the package is imported
    REQUIRES = "requires"  # Requires-Dist
    DECLARES = "declares"  # extra `mim` or mminstall.txt: declared, not enforced
    WHEEL = "wheel"  # the wheel was built for that torch and CUDA
    PYTHON = "python"  # wheels exist for these Pythons
    BUILD = "build"  # the sources compile against these
    TOOLCHAIN = "toolchain"  # nvcc of the same CUDA
    CUDA = "cuda"  # one CUDA in the environment


class Term(StrEnum):
    """What the solve minimises. The order is `DEFAULT_TERMS`; `--prefer` moves terms to the front."""

    PRERELEASE = "final-releases"
    BROKEN = "nothing-broken"
    GENERATION = "current-generation"
    OPS = "with-ops"
    VALIDATED = "validated"
    BUILDS = "wheels-first"
    UNVERIFIED = "verified-recipes"
    TOOLCHAIN = "lockable-toolchain"
    DECLARED = "declared-bounds"
    FRAMEWORKS = "newest-frameworks"
    TORCH = "newest-torch"
    HASHED = "known-hashes"
    CERTAINTY = "certain-facts"
    PYTHON = "newest-python"
    NEEDLESS = "nothing-needless"


MEANING: Mapping[Term, str] = {
    Term.PRERELEASE: "no pre-release that was not asked for",
    Term.BROKEN: "nothing known to be broken",
    Term.GENERATION: "packages of the current generation (those that use mmengine)",
    Term.OPS: "packages with their compiled ops, where slower ones or none are allowed",
    Term.VALIDATED: "combinations whose kernels ran on such a target",
    Term.BUILDS: "wheels before builds",
    Term.UNVERIFIED: "builds with a verified recipe before unverified ones",
    Term.TOOLCHAIN: "a toolchain that can be locked before one the user must install",
    Term.DECLARED: "bounds that are declared (extra `mim`) but not enforced are kept",
    Term.FRAMEWORKS: "newest frameworks",
    Term.TORCH: "newest torch",
    Term.HASHED: "torch builds whose index publishes hashes that are recorded",
    Term.CERTAINTY: "facts seen before facts inferred",
    Term.PYTHON: "newest Python",
    Term.NEEDLESS: "nothing that nobody needs",
}

DEFAULT_TERMS: tuple[Term, ...] = tuple(Term)


class TorchChoice(Struct, frozen=True, kw_only=True):
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
    """A prebuilt extension of another provider."""

    binary: Binary


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
    TorchChoice
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
    """False: a breach costs `Term.DECLARED`."""


class Rejection(Struct, frozen=True, kw_only=True):
    """Why an option does not fulfil an ask."""

    text: str
    source: tuple[str, ...]
    confidence: Confidence


class Ask(Struct, frozen=True, kw_only=True):
    """A wish of the user: in each part, one of the members must be chosen."""

    name: str
    """As the user would say it: `--torch 2.4.1`, `--gpu rtx5090`, `mmdet==3.3.0`."""
    parts: tuple[tuple[str, Group], ...]
    """(slot, members)."""
    reject: Callable[[Option], Rejection]
    """Says why a non-member is none."""
    loose: tuple[tuple[str, Group], ...] = ()
    """What stays asked when the version is given up: the package itself."""
    origin: str = "the request"
    """Where the user said it."""
    nothing: str = ""
    """What there is instead, told where no option fulfils it."""
    unless: Group = frozenset()
    """Pythons on which nothing is asked, by a marker: one of them will do instead of a member."""

    @property
    def groups(self) -> tuple[Group, ...]:
        """What must be chosen: one option of each."""
        return tuple(members | self.unless for _, members in self.parts)

    wanted: str | None = None
    """The one version that was asked for, where there is one."""
    hint: str = ""
    """What to do where no option fulfils it."""
    listed: tuple[str, ...] = ()
    """The lists, with their day, that show whole that no option fulfils it; empty: none was read whole."""


class Breach(Struct, frozen=True, kw_only=True):
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
    term: Term
    weight: int


class Tables(Struct, frozen=True, kw_only=True):
    """What all requests on the same packages share, in the form the solver wants: groups as bit masks."""

    needs: Mapping[int, tuple[int, ...]]
    """Option -> masks of the groups it needs one member of each."""
    prefers: Mapping[int, tuple[int, ...]]
    """Option -> masks of declared bounds that nothing enforces."""
    weights: Mapping[Term, Mapping[int, int]]
    """Term -> option -> what it pays."""
    links_of: Mapping[int, tuple[Link, ...]]
    masks: Mapping[Term, Mapping[int, int]]
    """Term -> weight -> mask of the options that pay it; what pays nothing is in none."""
    places: Mapping[str, Mapping[int, int]]
    """Slot -> option -> its place, best first: what breaks ties."""


class Rows(Struct, frozen=True, kw_only=True):
    """Everything the solver needs to know. Made by `graph.build`."""

    options: tuple[Option, ...]
    slots: Mapping[str, tuple[int, ...]]
    """Slot -> its options, best first: newest first, and settled order between equals."""
    roots: frozenset[str]
    """Slots somebody asked for."""
    shared: tuple[Link, ...]
    """Links that hold on any device."""
    own: tuple[Link, ...]
    """Links that hold for this target's devices."""
    asks: tuple[Ask, ...]
    breaches: tuple[Breach, ...]
    costs: tuple[Cost, ...]
    tables: Tables
    nogoods: tuple[tuple[Group, ...], ...] = ()
    """One option of every group together is refused: by the closure, or by the files themselves."""
    validated: tuple[ValidatedSet, ...] = ()
    """What was validated on such a target; choosing otherwise costs `Term.VALIDATED`."""
    missing: tuple[str, ...] = ()
    """Sentences about slots for which nothing at all is known on this target."""

    @property
    def links(self) -> tuple[Link, ...]:
        """Every edge."""
        return (*self.shared, *self.own)

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


def make_tables(links: Iterable[Link], costs: Iterable[Cost], slots: Mapping[str, Iterable[int]]) -> Tables:
    """Links and costs by option and term."""
    masks: dict[Group, int] = {}
    needs: dict[int, dict[int, None]] = {}
    prefers: dict[int, dict[int, None]] = {}
    links_of: dict[int, list[Link]] = {}
    for link in links:
        bits = masks.get(link.members)
        if bits is None:
            bits = masks[link.members] = mask(link.members)
        (needs if link.hard else prefers).setdefault(link.option, {})[bits] = None
        links_of.setdefault(link.option, []).append(link)
    weights: dict[Term, dict[int, int]] = {term: {} for term in Term}
    for cost in costs:
        level = weights[cost.term]
        level[cost.option] = level.get(cost.option, 0) + cost.weight
    return Tables(
        needs={option: tuple(groups) for option, groups in needs.items()},
        prefers={option: tuple(groups) for option, groups in prefers.items()},
        weights=weights,
        links_of={option: tuple(found) for option, found in links_of.items()},
        masks={term: by_weight(level) for term, level in weights.items()},
        places={slot: {o: place for place, o in enumerate(options)} for slot, options in slots.items()},
    )


def by_weight(level: Mapping[int, int]) -> dict[int, int]:
    """Weight -> mask of the options that pay it, nothing excepted."""
    masks: dict[int, int] = {}
    for option, weight in level.items():
        if weight:
            masks[weight] = masks.get(weight, 0) | 1 << option
    return masks
