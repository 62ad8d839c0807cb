"""The user's constraints as groups of options, each with a sentence for those left outside."""

from __future__ import annotations

from collections.abc import Callable

from mmlock.core.names import Confidence, Form, normalize
from mmlock.core.versions import allows, allows_python, version
from mmlock.facts.matrix.model import TorchBuild
from mmlock.resolve.graph.advisory_rows import constrain_advisories
from mmlock.resolve.graph.builder import GraphBuilder, cite
from mmlock.resolve.graph.device_constraints import constrain_devices
from mmlock.resolve.graph.known import known_of, listed_whole, range_text, what_to_do
from mmlock.resolve.graph.local_versions import built_for, link_builds
from mmlock.resolve.graph.packages import SlotCatalog
from mmlock.resolve.graph.rows import (
    ConstraintKind,
    Group,
    Option,
    Rejection,
    TorchBuildChoice,
    UserConstraint,
)
from mmlock.resolve.graph.torch_rows import torch_label
from mmlock.resolve.graph.wheel_bounds import driver_bound, glibc_bound, hold_wheels
from mmlock.resolve.request.model import CoreRequirement


def add_user_constraints(builder: GraphBuilder, catalog: SlotCatalog) -> None:
    """Everything the request demands, in the order in which a refusal names it."""
    constrain_devices(builder)
    _constrain_machine(builder)
    _constrain_versions(builder)
    for requested in builder.request.requirements:
        _constrain_package(builder, catalog, requested)
    if builder.request.no_build:
        _constrain_no_build(builder)
    if builder.request.no_known_cve is not None:
        constrain_advisories(builder, builder.request.no_known_cve)


def _constrain_torch(
    builder: GraphBuilder,
    kind: ConstraintKind,
    name: str,
    key: str,
    fits: Callable[[TorchBuild], bool],
    reject: Callable[[TorchBuild], Rejection],
    *,
    origin: str = "the request",
    unless: Group = frozenset(),
    version_text: str | None = None,
    there: Callable[[TorchBuild], str | None] = lambda build: build.torch,
) -> None:
    """`there`: what a refusal shows of each build, as a range, where no build fits."""
    members = builder.group(
        "torch", key, lambda o: isinstance(o.choice, TorchBuildChoice) and fits(o.choice.build)
    )
    choices = (builder.options[i].choice for i in builder.slots["torch"])
    texts = [there(c.build) for c in choices if isinstance(c, TorchBuildChoice)] if not members else []

    def why_not(option: Option) -> Rejection:
        if not isinstance(option.choice, TorchBuildChoice):
            raise TypeError(option.label)
        return reject(option.choice.build)

    builder.user_constraints.append(
        UserConstraint(
            name=name,
            kind=kind,
            parts=(("torch", members),),
            reject=why_not,
            origin=origin,
            unless=unless,
            version=version_text,
            available=range_text("known builds of torch for this target", [text for text in texts if text]),
        )
    )


def _constrain_machine(builder: GraphBuilder) -> None:
    target = builder.request.target
    if target.glibc is not None:
        glibc = version(target.glibc)
        _constrain_torch(
            builder,
            ConstraintKind.MACHINE,
            f"--glibc {target.glibc}",
            f"glibc:{target.glibc}",
            lambda build: build.glibc is None or version(build.glibc) <= glibc,
            lambda build: Rejection(
                text=f"{torch_label(build)} needs glibc {build.glibc} or newer",
                source=cite("torch-builds", build.source),
                confidence=build.confidence,
            ),
            there=lambda build: f"glibc {build.glibc}" if build.glibc else None,
        )
        hold_wheels(builder, f"glibc:{target.glibc}", glibc_bound(target.glibc))
    if target.driver is not None and target.cuda:
        floors = {t.cuda: t for t in builder.matrix.toolkits}
        driver = version(target.driver)

        def floor_of(build: TorchBuild) -> str | None:
            toolkit = floors.get(build.cuda or "")
            return toolkit.floor_on(target.platform) if toolkit else None

        def reject(build: TorchBuild) -> Rejection:
            toolkit = floors.get(build.cuda or "")
            floor = toolkit.floor_on(target.platform) if toolkit else None
            needed = f"driver {floor} or newer" if floor else "an unknown driver"
            return Rejection(
                text=f"{torch_label(build)} needs {needed}",
                source=cite("toolkits", toolkit.source) if toolkit else (),
                confidence=toolkit.confidence if toolkit else Confidence.INFERRED,
            )

        _constrain_torch(
            builder,
            ConstraintKind.MACHINE,
            f"--driver {target.driver}",
            f"driver:{target.driver}",
            lambda build: (floor := floor_of(build)) is not None and version(floor) <= driver,
            reject,
            there=lambda build: f"driver {floor}" if (floor := floor_of(build)) else None,
        )
        hold_wheels(builder, f"driver:{target.driver}", driver_bound(builder, target.driver))


def _constrain_versions(builder: GraphBuilder) -> None:
    request = builder.request
    if request.python is not None:
        # A free-threaded Python is another interpreter than the plain one of the same version.
        members = builder.pythons((request.python,))
        builder.user_constraints.append(
            UserConstraint(
                name=f"--python {request.python}",
                kind=ConstraintKind.PYTHON,
                parts=(("python", members),),
                reject=_pythons(builder),
            )
        )
    if request.requires_python is not None:
        bound = request.requires_python
        members = builder.group(
            "python", f"requires-python:{bound}", lambda o: allows_python(bound, o.version or "")
        )
        builder.user_constraints.append(
            UserConstraint(
                name=f"requires-python {bound}",
                kind=ConstraintKind.PYTHON,
                parts=(("python", members),),
                reject=_pythons(builder),
            )
        )
    if request.torch is not None:
        spec = version_wish(request.torch)
        _constrain_torch(
            builder,
            ConstraintKind.TORCH,
            f"--torch {request.torch.removeprefix('==').removesuffix('.*')}",
            f"version:{spec}",
            lambda build: allows(spec, f"{build.torch}+{build.variant}"),
            lambda build: _other(build, f"does not satisfy `--torch {request.torch}`"),
            version_text=_named_version(spec),
        )
    if request.cuda is not None:
        cuda = version_wish(cuda_version(request.cuda))
        _constrain_torch(
            builder,
            ConstraintKind.CUDA,
            f"--cuda {request.cuda}",
            f"cuda:{cuda}",
            lambda build: build.cuda is not None and allows(cuda, build.cuda),
            lambda build: _other(
                build, f"is built {f'for CUDA {build.cuda}' if build.cuda else 'without CUDA'}"
            ),
            there=lambda build: f"CUDA {build.cuda}" if build.cuda else None,
        )


def _pythons(builder: GraphBuilder) -> Callable[[Option], Rejection]:
    """The same sentence for every Python: which ones there are."""
    known = [builder.options[i].version for i in builder.slots["python"]]
    span = f"{known[-1]} to {known[0]}" if known else "no Python"
    text = f"torch is available for Python {span} on this target"
    if (builder.request.python or "").endswith("t"):
        text += "; free-threaded builds are not supported"
    torch = [builder.options[i] for i in builder.slots["torch"]]
    ends = tuple(dict.fromkeys(key for option in (*torch[:1], *torch[-1:]) for key in option.source))
    return lambda _: Rejection(text=text, source=ends, confidence=Confidence.CAPTURED)


def _other(build: TorchBuild, words: str) -> Rejection:
    return Rejection(
        text=f"{torch_label(build)} {words}",
        source=cite("torch-builds", build.source),
        confidence=build.confidence,
    )


def version_wish(text: str) -> str:
    """What a bare version means: `2.4` is any 2.4.x, `2.4.1` that release, `>=2.4` itself."""
    if not text or text[0] in "<>=!~":
        return text
    whole = text.count(".") >= len(("minor", "patch"))
    return f"=={text}" if whole else f"=={text}.*"


def cuda_version(text: str) -> str:
    """`cu118` and `118` -> `11.8`; anything else as it is."""
    digits = text.removeprefix("cu")
    return f"{digits[:-1]}.{digits[-1]}" if digits.isdigit() and len(digits) > len("13") else text


def _constrain_package(builder: GraphBuilder, catalog: SlotCatalog, requested: CoreRequirement) -> None:
    if requested.name == "torch":
        _constrain_torch_itself(builder, requested)
        return
    slot = catalog.slot_of(requested.name)
    if slot is None or slot not in builder.slots:
        return
    names = {requested.name}
    module = catalog.modules[slot]
    if requested.name == normalize(slot):  # the plain name means the module, whoever provides it with ops
        others = module.packages if builder.request.allow_lite else module.with_ops
        if not _without_ops(builder, requested):
            names.update(p for p in others if catalog.stands_for(slot, p))

    specifier, torch = built_for(builder, requested.name, requested.specifier)

    def fulfils(option: Option) -> bool:
        if option.version is None:  # nothing in the slot
            return requested.constraint
        named = option.package in names
        return (named or requested.constraint) and (not named or allows(specifier, option.version))

    members = builder.kinds(slot, f"version:{sorted(names)}:{specifier}:{requested.constraint}", fulfils)
    if torch is not None and requested.constraint:  # where the package is not there, its torch is free
        link_builds(builder, requested, members, torch)
        torch = None
    loose = builder.kinds(slot, f"named:{sorted(names)}", lambda o: o.package in names)
    builder.user_constraints.append(
        UserConstraint(
            name=requested.text,
            kind=ConstraintKind.PACKAGE,
            parts=((slot, members), *((("torch", torch),) if torch is not None else ())),
            reject=_not_asked(requested),
            loose=((slot, loose),) if loose and not requested.constraint else (),
            version=_named_version(specifier),
            available="" if members else known_of(builder, requested, loose),
            hint="" if members else what_to_do(builder, requested, loose),
            listed=() if members else listed_whole(builder, names),
            origin=requested.origin,
            unless=builder.pythons_without(requested.marker),
        )
    )


def _constrain_torch_itself(builder: GraphBuilder, requested: CoreRequirement) -> None:
    _constrain_torch(
        builder,
        ConstraintKind.TORCH,
        requested.text,
        f"version:{requested.specifier}",
        lambda build: allows(requested.specifier, f"{build.torch}+{build.variant}"),
        lambda build: _other(build, f"does not satisfy `{requested.text}`"),
        origin=requested.origin,
        unless=builder.pythons_without(requested.marker),
        version_text=_named_version(requested.specifier),
    )


def _without_ops(builder: GraphBuilder, requested: CoreRequirement) -> bool:
    """Whether the very distribution is meant: no version that is asked for has ops, and none are needed.

    `mmcv==1.3.9` is such a one; the ops of that time are in mmcv-full.
    """
    if not builder.request.allow_lite or not requested.specifier:
        return False
    recipes = [
        row.versions
        for row in builder.matrix.recipes
        if row.package == requested.name and row.form is Form.WITHOUT_OPS
    ]
    known = (row.version for row in builder.matrix.releases(requested.name))
    asked = [text for text in known if allows(requested.specifier, text)]
    return bool(asked) and all(any(allows(spec, text) for spec in recipes) for text in asked)


def _named_version(specifier: str) -> str | None:
    """The version that a specifier names first: what a solution can be near to."""
    first = specifier.partition(",")[0]
    return first.lstrip("<>=!~ ").removesuffix(".*") or None


def _not_asked(requested: CoreRequirement) -> Callable[[Option], Rejection]:
    return lambda option: Rejection(
        text=f"{option.label} does not satisfy `{requested.text}`",
        source=option.source,
        confidence=option.confidence,
    )


def _constrain_no_build(builder: GraphBuilder) -> None:
    parts: list[tuple[str, Group]] = []
    for slot, indices in builder.slots.items():
        kept = builder.kinds(slot, "no build", lambda o: not o.made or o.form is Form.TORCH_OPS)
        if len(kept) < len(indices):
            parts.append((slot, kept))
    builder.user_constraints.append(
        UserConstraint(
            name="--no-build",
            kind=ConstraintKind.NO_BUILD,
            parts=tuple(parts),
            reject=lambda o: Rejection(
                text=f"{o.label} must be built", source=o.source, confidence=o.confidence
            ),
        )
    )
