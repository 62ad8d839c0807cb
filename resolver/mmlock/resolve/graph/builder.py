"""Collects options, links and costs while the graph is built."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

from msgspec import Struct

from mmlock.core.markers import holds
from mmlock.core.names import Confidence, Form, PackageName
from mmlock.core.versions import allows, is_prerelease
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Breakage, When
from mmlock.facts.matrix.provenance import cited
from mmlock.resolve.graph.request import GraphRequest, Pick
from mmlock.resolve.graph.rows import (
    Choice,
    Cost,
    Group,
    Incompatibility,
    Link,
    LinkKind,
    NothingChoice,
    Option,
    Rows,
    SolverTables,
    UserConstraint,
    ValidatedSet,
    make_tables,
)
from mmlock.resolve.request.objectives import Objective

_MOST_GROUPS = 8192
_OPS = {Form.TORCH_OPS: 1, Form.WITHOUT_OPS: 2}
"""What a form pays for not having compiled ops: slow ones are better than none."""


@lru_cache(maxsize=4096)
def cite(section: str, keys: tuple[str, ...], package: str | None = None) -> tuple[str, ...]:
    """Source keys made findable from anywhere: `releases/mmdet#scan`. `readable` undoes it."""
    return cited(section, keys, package)


def readable(matrix: Matrix, citations: Iterable[str]) -> tuple[str, ...]:
    """What citations mean, as the matrix files say it."""
    return tuple(dict.fromkeys(map(matrix.meaning, citations)))


class Base(Struct, frozen=True, kw_only=True):
    """The part of a graph that is the same on every device."""

    options: tuple[Option, ...]
    slots: dict[str, tuple[int, ...]]
    links: tuple[Link, ...]
    costs: tuple[Cost, ...]
    tables: SolverTables


class GraphBuilder:
    """The graph under construction."""

    def __init__(self, matrix: Matrix, request: GraphRequest) -> None:
        self.matrix = matrix
        self.request = request
        self.options: list[Option] = []
        self.slots: dict[str, list[int]] = {}
        self.roots: set[str] = set()
        self.links: list[Link] = []
        self.user_constraints: list[UserConstraint] = []
        self.incompatibilities: list[Incompatibility] = []
        self.validated: list[ValidatedSet] = []
        self.kept: dict[int, int] = {}
        self.advised: dict[int, int] = {}
        self.costs: list[Cost] = []
        self.base: Base | None = None
        self._by_label: dict[Pick, int] | None = None
        self._groups: dict[tuple[str, str], Group] = {}
        self._by_version: dict[str, dict[str | None, list[int]]] = {}
        self._pythons: dict[tuple[str, ...], Group] = {}
        self._alike: dict[str, list[list[int]]] = {}
        self.dead: dict[str, tuple[tuple[Breakage, tuple[When, ...]], ...]] = {}
        """Facts about devices on which something runs nothing at all, by arch; see `dead_rows`."""

    def option(
        self,
        slot: str,
        label: str,
        choice: Choice,
        *,
        form: Form,
        package: PackageName | None = None,
        version: str | None = None,
        source: tuple[str, ...] = (),
        confidence: Confidence = Confidence.MEASURED,
    ) -> int:
        """Add an option; call in best-first order per slot. Gives its index."""
        index = len(self.options)
        self.options.append(
            Option(
                index=index,
                slot=slot,
                label=label,
                package=package,
                version=version,
                form=form,
                choice=choice,
                source=source,
                confidence=confidence,
            )
        )
        self.slots.setdefault(slot, []).append(index)
        if package is not None and version is not None and not self.prerelease_welcome(package, version):
            self.cost(index, Objective.PRERELEASE, int(is_prerelease(version)))
        self.cost(index, Objective.BUILDS, int(form is Form.BUILD))
        self.cost(index, Objective.OPS, _OPS.get(form, 0))
        return index

    def prerelease_welcome(self, package: PackageName, version: str) -> bool:
        """Whether the user's words admit this pre-release."""
        if self.request.prerelease:
            return True
        return any(
            requested.name == package and requested.prerelease and allows(requested.specifier, version)
            for requested in self.request.requirements
        )

    def nothing(self, slot: str) -> int:
        """Let a slot stay empty."""
        return self.option(slot, f"no {slot}", NothingChoice(), form=Form.LEFT_OUT)

    def cost(self, option: int, objective: Objective, weight: int) -> None:
        if weight:
            self.costs.append(Cost(option=option, objective=objective, weight=weight))

    def group(self, slot: str, key: str, test: Callable[[Option], bool]) -> Group:
        """The options of a slot that pass a test; `key` must identify the test, in any request."""
        members = self._groups.get((slot, key))
        if members is None:
            members = frozenset(i for i in self.slots.get(slot, ()) if test(self.options[i]))
            self._groups[slot, key] = members
        return members

    def kinds(self, slot: str, key: str, test: Callable[[Option], bool]) -> Group:
        """As `group` of a finished slot, for a test that looks at package, version and form alone."""
        members = self._groups.get((slot, key))
        if members is None:
            alike = self._alike.get(slot)
            if alike is None:
                table: dict[tuple[object, ...], list[int]] = {}
                for index in self.slots.get(slot, ()):
                    option = self.options[index]
                    table.setdefault((option.package, option.version, option.form), []).append(index)
                alike = self._alike[slot] = list(table.values())
            members = frozenset(i for same in alike if test(self.options[same[0]]) for i in same)
            self._groups[slot, key] = members
        return members

    def versions(self, slot: str, key: str, test: Callable[[str], bool], *, empty: bool = False) -> Group:
        """The options of a finished slot whose version passes a test; `empty` takes in those without one."""
        members = self._groups.get((slot, key))
        if members is None:
            table = self._by_version.get(slot)
            if table is None:
                table = self._by_version[slot] = {}
                for index in self.slots.get(slot, ()):
                    table.setdefault(self.options[index].version, []).append(index)
            members = frozenset(
                index
                for text, indices in table.items()
                if (empty if text is None else test(text))
                for index in indices
            )
            self._groups[slot, key] = members
        return members

    def link(
        self,
        option: int,
        slot: str,
        members: Group,
        kind: LinkKind,
        reason: str,
        source: tuple[str, ...],
        confidence: Confidence,
        *,
        hard: bool = True,
    ) -> None:
        """Say that `option` needs one of `members`."""
        self.links.append(
            Link(
                option=option,
                slot=slot,
                members=members,
                kind=kind,
                reason=reason,
                source=source,
                confidence=confidence,
                hard=hard,
            )
        )

    def link_alike(self, option: int, links: Iterable[Link]) -> None:
        """Say of `option` what these links say of another one."""
        self.links.extend(
            Link(
                option=option,
                slot=link.slot,
                members=link.members,
                kind=link.kind,
                reason=link.reason,
                source=link.source,
                confidence=link.confidence,
                hard=link.hard,
            )
            for link in links
        )

    def pythons(self, allowed: tuple[str, ...]) -> Group:
        """The Python options among these."""
        members = self._pythons.get(allowed)
        if members is None:
            names = frozenset(allowed)
            members = self.group("python", "in:" + ",".join(sorted(names)), lambda o: o.label[7:] in names)
            self._pythons[allowed] = members
        return members

    def pythons_without(self, marker: str | None, extras: tuple[str, ...] = ()) -> Group:
        """The Python options on which a marker does not hold on the target's platform."""
        if marker is None:
            return frozenset()
        platform = self.request.target.platform
        return self.group(
            "python",
            f"without:{marker}:{extras}",
            lambda o: not holds(marker, platform, o.version or "", extras),
        )

    def freeze(self) -> None:
        """End the part that holds on any device; links added from here on are the target's own."""
        self.base = Base(
            options=tuple(self.options),
            slots={slot: tuple(indices) for slot, indices in self.slots.items()},
            links=tuple(self.links),
            costs=tuple(self.costs),
            tables=make_tables(self.links, self.costs, self.slots),
        )

    def branch(self, request: GraphRequest) -> GraphBuilder:
        """The frozen part again, for another request on the same packages and kind of device."""
        other = GraphBuilder(self.matrix, request)
        other.options, other.slots, other.roots = self.options, self.slots, self.roots
        other.base = self.base
        # What one request needs another may need, too. Past the limit nothing is learned any more.
        other._groups = self._groups if len(self._groups) < _MOST_GROUPS else dict(self._groups)
        other._by_version, other._pythons, other._alike = self._by_version, self._pythons, self._alike
        return other

    def rows(self) -> Rows:
        """The finished graph."""
        assert self.base is not None, "freeze() comes first"
        base = self.base
        return Rows(
            options=base.options,
            slots=base.slots,
            roots=frozenset(self.roots),
            shared=base.links,
            own=tuple(self.links),
            user_constraints=tuple(self.user_constraints),
            incompatibilities=tuple(self.incompatibilities),
            costs=base.costs,
            tables=base.tables,
            nogoods=self._nogoods(),
            validated=tuple(self.validated),
            kept=dict(self.kept),
            advised=dict(self.advised),
            missing=self._missing(),
        )

    def _missing(self) -> tuple[str, ...]:
        target = self.request.target
        return tuple(
            f"no build of {slot} for {target.kind} on {target.platform} is known"
            for slot in ("torch", "python")
            if not self.slots.get(slot)
        )

    def groups_of(self, groups: Iterable[frozenset[Pick]]) -> tuple[Group, ...] | None:
        """Groups by name as groups of this graph; None when one of them has no option here."""
        if self._by_label is None:
            self._by_label = {(option.slot, option.label): option.index for option in self.options}
        by_label = self._by_label
        made = tuple(frozenset(by_label[pick] for pick in group if pick in by_label) for group in groups)
        return made if all(made) else None

    def _nogoods(self) -> tuple[tuple[Group, ...], ...]:
        return tuple(
            groups for refused in self.request.refused if (groups := self.groups_of(refused)) is not None
        )
