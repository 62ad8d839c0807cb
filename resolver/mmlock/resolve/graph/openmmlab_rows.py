"""OpenMMLab packages: releases, wheels of its index, and what they check at import."""

from __future__ import annotations

from bisect import bisect_right
from functools import partial

from mmlock.core.markers import parsed
from mmlock.core.names import Confidence, DeviceKind, Form, PackageName, normalize
from mmlock.core.versions import allows, allows_python, assert_holds, is_prerelease, version
from mmlock.facts.matrix.model import Assert, IndexRow, Release
from mmlock.names.check import needs_text
from mmlock.names.table import ARCHIVES, NAMES
from mmlock.resolve.graph.builder import GraphBuilder, cite
from mmlock.resolve.graph.extras import named
from mmlock.resolve.graph.name_rows import link_names
from mmlock.resolve.graph.packages import SlotCatalog, generation
from mmlock.resolve.graph.rows import Group, IndexChoice, LinkKind, Option, ReleaseChoice, TorchBuildChoice
from mmlock.resolve.request.objectives import Objective

LITE = PackageName("mmcv-lite")


def add_releases(builder: GraphBuilder, catalog: SlotCatalog, slot: str, package: PackageName) -> None:
    """Releases that PyPI serves as a pure wheel."""
    module = catalog.modules[slot]
    lite = package not in module.with_ops and bool(module.with_ops)
    if lite and not builder.request.allow_lite and not _asked_by_name(builder, package):
        return
    for release in catalog.on_offer(package, builder.request.named()):
        if not release.has_wheel:
            continue
        builder.option(
            slot,
            f"{package} {release.version}" + (" without ops" if lite else ""),
            ReleaseChoice(release=release),
            form=Form.WITHOUT_OPS if lite else Form.WHEEL,
            package=package,
            version=release.version,
            source=cite("releases", release.source, package),
            confidence=release.confidence,
        )


def _asked_by_name(builder: GraphBuilder, package: PackageName) -> bool:
    return any(requested.name == package for requested in builder.request.requirements)


def add_index_wheels(builder: GraphBuilder, catalog: SlotCatalog, slot: str) -> None:
    """Wheels of OpenMMLab's index for this platform whose torch directory some torch build fits.

    Pythons that were seen and Pythons that are inferred make two options, so that a solution never
    rests on an inferred file name when a seen one does.
    """
    request = builder.request
    if request.target.kind in {DeviceKind.ROCM, DeviceKind.NPU}:
        return  # the CPU directory would serve, whose wheels hold none of the kernels mmcv has for these
    module = catalog.modules[slot]
    rows = [
        row
        for row in builder.matrix.index_rows
        if row.platform is request.target.platform and row.package in module.packages
    ]
    places = {row.directory: _directory_key(row.directory) for row in rows}
    members_of = {row.directory: torch_members(builder, row) for row in rows}
    wheels = sorted(
        ((version(v), row, v) for row in rows if members_of[row.directory] for v in row.versions),
        key=lambda item: (not item[0].is_prerelease, item[0], *places[item[1].directory]),
        reverse=True,
    )
    known = {p: {r.version: r for r in builder.matrix.releases(p)} for p in module.packages}
    for _, row, text in wheels:
        members = members_of[row.directory]
        release = known[row.package].get(text)
        _add_wheel(builder, slot, row, text, release, members, inferred=False)
        _add_wheel(builder, slot, row, text, release, members, inferred=True)


def _directory_key(directory: str) -> tuple[object, ...]:
    """Newest torch first, then newest CUDA."""
    variant, _, torch = directory.partition("/torch")
    digits = variant.removeprefix("cu")
    return version(torch), int(digits) if digits.isdigit() else 0


def torch_members(builder: GraphBuilder, row: IndexRow) -> Group:
    """Torch builds that a directory's wheels were compiled for: same variant, same minor."""
    variant, _, torch = row.directory.partition("/torch")
    minor = version(torch).release[:2]

    def fits(option: Option) -> bool:
        if not isinstance(option.choice, TorchBuildChoice):
            return False
        build = option.choice.build
        return build.variant == variant and version(build.torch).release[:2] == minor

    return builder.group("torch", f"dir={row.directory}", fits)


def _add_wheel(
    builder: GraphBuilder,
    slot: str,
    row: IndexRow,
    text: str,
    release: Release | None,
    members: Group,
    *,
    inferred: bool,
) -> None:
    pythons = row.pythons_inferred if inferred else row.pythons_seen
    allowed = builder.pythons(pythons)
    if not allowed:
        return
    confidence = Confidence.INFERRED if inferred else row.confidence
    note = ", Python tag inferred" if inferred else ""
    index = builder.option(
        slot,
        f"{row.package} {text} wheel ({row.directory}{note})",
        IndexChoice(row=row, release=release, inferred_python=inferred),
        form=Form.WHEEL,
        package=row.package,
        version=text,
        source=cite("openmmlab-index", row.source),
        confidence=confidence,
    )
    builder.cost(index, Objective.CERTAINTY, 1 if inferred else 0)
    builder.link(
        index,
        "torch",
        members,
        LinkKind.WHEEL,
        f"the {row.package} {text} wheel in {row.directory} is built for that torch and CUDA",
        cite("openmmlab-index", row.source),
        row.confidence,
    )
    builder.link(
        index,
        "python",
        allowed,
        LinkKind.PYTHON,
        f"{row.package} {text} has wheels in {row.directory} for Python {', '.join(pythons)}"
        + (" (inferred, not seen)" if inferred else ""),
        cite("openmmlab-index", row.source),
        confidence,
    )


def link_release(builder: GraphBuilder, catalog: SlotCatalog, option: Option, release: Release) -> None:
    """What a release needs of the other core slots."""
    _link_asserts(builder, option, release)
    _link_requires(builder, catalog, option, release)
    _link_declared(builder, catalog, option, release)
    _link_presumed(builder, catalog, option, release)
    if release.requires_python:
        spec = release.requires_python
        builder.link(
            option.index,
            "python",
            builder.versions("python", f"requires-python:{spec}", partial(allows_python, spec)),
            LinkKind.REQUIRES,
            f"{option.package} {release.version} requires Python {spec}",
            cite("releases", release.source, option.package),
            release.confidence,
        )
    link_names(builder, catalog, option, release)


def _link_asserts(builder: GraphBuilder, option: Option, release: Release) -> None:
    for module in sorted({check.module for check in release.asserts}):
        if module not in builder.slots:
            continue
        checks = tuple(check for check in release.asserts if check.module == module)
        words = ", ".join(f"{c.op}{c.version}" for c in checks)

        def holds(candidate: str, checks: tuple[Assert, ...] = checks) -> bool:
            return all(assert_holds(c.op, c.version, candidate) for c in checks)

        builder.link(
            option.index,
            module,
            builder.versions(module, f"assert:{words}", holds),
            LinkKind.ASSERTS,
            f"{option.package} {release.version} fails to import unless {module} {words}",
            cite("releases", release.source, option.package),
            release.confidence,
        )


def _link_requires(builder: GraphBuilder, catalog: SlotCatalog, option: Option, release: Release) -> None:
    for requirement in parsed(release.requires):
        slot = "torch" if requirement.name == "torch" else catalog.slot_of(requirement.name)
        if slot is None or slot not in builder.slots:
            continue
        marker = str(requirement.marker) if requirement.marker else None
        builder.link(
            option.index,
            slot,
            named(builder, slot, normalize(requirement.name), str(requirement.specifier))
            | builder.pythons_without(marker),
            LinkKind.REQUIRES,
            f"{option.package} {release.version} requires {requirement}",
            cite("releases", release.source, option.package),
            release.confidence,
        )


def _link_presumed(builder: GraphBuilder, catalog: SlotCatalog, option: Option, release: Release) -> None:
    """What a release imports without checking: no bound is known, so anything of its generation will do."""
    if option.package is None:
        return
    own = generation(release)
    for module in catalog.presumed(release, option.package):
        if module in builder.slots:
            same = builder.group(module, f"generation:{own}", partial(_of_generation, own))
            builder.link(
                option.index,
                module,
                same or builder.versions(module, "any", lambda _: True),
                LinkKind.REQUIRES,
                *_why_presumed(builder, option.package, release, module),
                release.confidence,
            )


def _why_presumed(
    builder: GraphBuilder, package: PackageName, release: Release, module: str
) -> tuple[str, tuple[str, ...]]:
    """Why a module must be there, and where that was read."""
    table = builder.matrix.names_needed(package)
    if table and (needs := table.binding(module, release.version)):
        taken = f"takes {needs_text(needs)} of {module} when it is imported, and checks no version of it"
        return f"{package} {release.version} {taken}", cite(NAMES, (ARCHIVES,), package)
    text = f"{package} {release.version} imports {module} without checking its version"
    return text, cite("releases", release.source, package)


def _of_generation(wanted: int, option: Option) -> bool:
    release = getattr(option.choice, "release", None)
    return option.version is not None and (not isinstance(release, Release) or generation(release) == wanted)


def _link_declared(builder: GraphBuilder, catalog: SlotCatalog, option: Option, release: Release) -> None:
    """Bounds of the `mim` extra: kept where possible, since nothing enforces them."""
    for requirement in parsed(release.mim):
        slot = catalog.slot_of(requirement.name)
        if slot is None or slot not in builder.slots:
            continue
        spec = str(requirement.specifier)

        builder.link(
            option.index,
            slot,
            builder.versions(slot, f"declares:{spec}", partial(allows, spec), empty=True),
            LinkKind.DECLARES,
            f"{option.package} {release.version} declares {requirement} in extra `mim`",
            cite("releases", release.source, option.package),
            release.confidence,
            hard=False,
        )


def add_costs(builder: GraphBuilder, slot: str) -> None:
    """Generation and age of what fills a slot someone asked for."""
    options = [builder.options[i] for i in builder.slots[slot]]
    finals = sorted(
        version(text) for text in {o.version for o in options if o.version} if not is_prerelease(text)
    )
    for option in options:
        if option.version is None or slot not in builder.roots:
            continue
        builder.cost(option.index, Objective.GENERATION, _generation_of(builder, option))
        if _is_base(slot):
            continue
        newer = len(finals) - bisect_right(finals, version(option.version))
        builder.cost(option.index, Objective.FRAMEWORKS, newer)


def _generation_of(builder: GraphBuilder, option: Option) -> int:
    """Of its release; of its package's newest one where PyPI does not have that release."""
    release = getattr(option.choice, "release", None)
    if isinstance(release, Release):
        return generation(release)
    known = builder.matrix.releases(option.package or "")
    return generation(max(known, key=lambda r: version(r.version))) if known else 0


def _is_base(slot: str) -> bool:
    """mmcv and mmengine serve the frameworks; their age is not a goal of its own."""
    return slot in {"mmcv", "mmengine"}
