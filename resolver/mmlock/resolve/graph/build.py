"""Puts the graph of one request together."""

from __future__ import annotations

from functools import lru_cache

from msgspec.structs import replace

from mmlock.core.device import Device
from mmlock.core.names import PackageName
from mmlock.core.versions import allows
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Release
from mmlock.resolve.graph.advised_rows import add_advice
from mmlock.resolve.graph.binary_rows import add_binaries, add_provided
from mmlock.resolve.graph.break_rows import add_incompatibilities, prime_incompatibilities
from mmlock.resolve.graph.build_rows import add_builds, add_device_links
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.dead_rows import add_dead_links
from mmlock.resolve.graph.extras import link_extras, link_requires_python, pulled
from mmlock.resolve.graph.openmmlab_rows import add_costs, add_index_wheels, add_releases, link_release
from mmlock.resolve.graph.packages import SlotCatalog, needed_slots
from mmlock.resolve.graph.preferred_rows import add_preferences
from mmlock.resolve.graph.request import GraphRequest
from mmlock.resolve.graph.rows import Link, Rows, TorchBuildChoice
from mmlock.resolve.graph.torch_rows import add_python, add_toolchain, add_torch, platform_builds
from mmlock.resolve.graph.user_constraints import add_user_constraints
from mmlock.resolve.graph.validated_rows import add_validated
from mmlock.resolve.request.model import CoreRequirement
from mmlock.resolve.request.objectives import Objective


def build_graph(matrix: Matrix, request: GraphRequest) -> Rows:
    """The options, links, constraints, incompatibilities and costs of a request."""
    builder = _base(matrix, _general(matrix, request)).branch(request)
    add_device_links(builder)
    catalog = SlotCatalog(builder)
    add_dead_links(builder, catalog)
    add_incompatibilities(builder, catalog)
    add_user_constraints(builder, catalog)
    add_validated(builder)
    add_advice(builder, catalog)
    add_preferences(builder)
    return builder.rows()


def _general(matrix: Matrix, request: GraphRequest) -> GraphRequest:
    """The request without what only constraints and device links depend on: what graphs can share."""
    target = request.target
    some = Device(kind=target.kind, name=str(target.kind))
    return replace(
        request,
        target=replace(target, devices=(some,), glibc=None, driver=None),
        requirements=tuple(
            dict.fromkeys(_general_wish(matrix, requested) for requested in request.requirements)
        ),
        device_words=(),
        python=None,
        requires_python=None,
        torch=None,
        cuda=None,
        no_build=False,
        no_known_cve=None,
        present=frozenset(),
        validations=(),
        late_breakages=(),
        advice=(),
        preferences=(),
        refused=(),
    )


def _general_wish(matrix: Matrix, requested: CoreRequirement) -> CoreRequirement:
    """The requirement without its version, unless other releases are offered because of it."""
    if requested.prerelease:
        return requested
    checked = _checked(matrix, requested.name)
    common = not checked or any(allows(requested.specifier, text) for text in checked)
    return replace(requested, specifier="" if common else requested.specifier, text="")


@lru_cache(maxsize=256)
def _checked(matrix: Matrix, package: PackageName) -> tuple[str, ...]:
    """Releases that check what they are imported with; older ones are offered where none of them fits."""
    return tuple(row.version for row in matrix.releases(package) if row.asserts and not row.yanked)


@lru_cache(maxsize=64)
def _base(matrix: Matrix, request: GraphRequest) -> GraphBuilder:
    """Everything that does not depend on the devices and on what is asked of the versions."""
    builder = GraphBuilder(matrix, request)
    catalog = SlotCatalog(builder)
    builds = platform_builds(builder)
    add_python(builder, builds)
    add_torch(builder, builds)
    add_toolchain(builder)
    requirements = [
        (slot, requested) for requested in request.requirements if (slot := catalog.slot_of(requested.name))
    ]
    builder.roots.update(slot for slot, requested in requirements if not requested.constraint)
    always = {s for s, w in requirements if not w.constraint and not builder.pythons_without(w.marker)}
    pulls = (other for slot, requested in requirements for other in pulled(catalog, slot, requested.extras))
    slots = needed_slots(catalog, (*builder.roots, *pulls))
    for slot in slots:
        _add_slot(builder, catalog, slot, needless=slot not in always)
    for slot, requested in requirements:
        link_extras(builder, catalog, slot, requested)
    _link_releases(builder, catalog)
    for slot in slots:
        add_costs(builder, slot)
    prime_incompatibilities(builder, catalog)
    builder.freeze()
    return builder


def _link_releases(builder: GraphBuilder, catalog: SlotCatalog) -> None:
    """What releases need of other slots: worked out once for the many wheels and builds of a release."""
    known: dict[tuple[PackageName | None, str], tuple[Link, ...]] = {}
    for option in tuple(builder.options):
        release = getattr(option.choice, "release", None)
        if not isinstance(release, Release):
            if not isinstance(option.choice, TorchBuildChoice):  # whose wheels say it themselves
                link_requires_python(builder, option)
            continue
        key = option.package, release.version
        if (same := known.get(key)) is not None:
            builder.link_alike(option.index, same)
            continue
        before = len(builder.links)
        link_release(builder, catalog, option, release)
        known[key] = tuple(builder.links[before:])


def _add_slot(builder: GraphBuilder, catalog: SlotCatalog, slot: str, *, needless: bool) -> None:
    """Wheels first, then builds, then nothing: the order is the last tie-break."""
    module = catalog.modules[slot]
    builder.slots.setdefault(slot, [])
    own = [package for package in module.packages if package in builder.matrix.extensions]
    if own:  # the user's sources are what is wanted, whatever else there is
        for package in own:
            add_builds(builder, catalog, slot, package)
        builder.nothing(slot)
        return
    offered = catalog.offered(slot, (requested.name for requested in builder.request.requirements))
    for package in offered:
        if catalog.released(package):
            add_releases(builder, catalog, slot, package)
        add_binaries(builder, slot, package)
        add_provided(builder, slot, package)
    add_index_wheels(builder, catalog, slot)
    for package in offered:
        if package in module.with_ops or not module.with_ops:
            add_builds(builder, catalog, slot, package)
    if needless:
        for index in builder.slots[slot]:
            builder.cost(index, Objective.NEEDLESS, 1)
    builder.nothing(slot)  # for a root, its constraint takes this away
