"""The user's constraints as groups of options, each with a sentence for those left outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mmlock.core.device import Code, Device, code_for
from mmlock.core.names import Confidence, DeviceKind, Form, PackageName, normalize
from mmlock.core.versions import allows, allows_python, version
from mmlock.facts.devices.cudnn import dropping_cudnn
from mmlock.facts.matrix.model import Recipe, TorchBuild
from mmlock.resolve.graph.build_rows import recipe_kind
from mmlock.resolve.graph.builder import GraphBuilder, cite
from mmlock.resolve.graph.packages import SlotCatalog
from mmlock.resolve.graph.rows import (
    BinaryChoice,
    ConstraintKind,
    Group,
    Option,
    Rejection,
    TorchBuildChoice,
    UserConstraint,
)
from mmlock.resolve.graph.torch_rows import device_runs, driver_compiles, torch_label
from mmlock.resolve.graph.wheel_bounds import driver_bound, glibc_bound, hold_wheels
from mmlock.resolve.request.model import CoreRequirement


def add_user_constraints(builder: GraphBuilder, catalog: SlotCatalog) -> None:
    """Everything the request demands, in the order in which a refusal names it."""
    _constrain_devices(builder)
    _constrain_machine(builder)
    _constrain_versions(builder)
    for requested in builder.request.requirements:
        _constrain_package(builder, catalog, requested)
    if builder.request.no_build:
        _constrain_no_build(builder)


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
            available=_range_text("known builds of torch for this target", [text for text in texts if text]),
        )
    )


def _constrain_devices(builder: GraphBuilder) -> None:
    target = builder.request.target
    words = builder.request.device_words or tuple(d.name for d in target.devices)
    for device, word in zip(target.devices, words, strict=True):
        if device.arch is not None:
            builder.user_constraints.append(_device_constraint(builder, device, f"--gpu {word}"))


def _device_constraint(builder: GraphBuilder, device: Device, name: str) -> UserConstraint:
    """Code for one device in torch and in every prebuilt extension whose archs are known."""
    key = f"{device.kind}:{device.arch}:{device.tegra}:{builder.request.target.driver}"
    torch = builder.group(
        "torch",
        f"gpu:{key}",
        lambda o: isinstance(o.choice, TorchBuildChoice) and device_runs(builder, o.choice.build, device),
    )
    parts = [("torch", torch)]
    for slot, indices in builder.slots.items():
        kept = builder.group(slot, f"code:{key}", lambda o: not _lacks_code(builder, o, device))
        if len(kept) < len(indices) and slot != "torch":
            parts.append((slot, kept))

    def reject(option: Option) -> Rejection:
        if isinstance(option.choice, TorchBuildChoice):
            return _no_code(builder, option.choice.build, device)
        return Rejection(
            text=f"{option.label} has no kernels for {device.arch} ({device.name})",
            source=option.source,
            confidence=option.confidence,
        )

    return UserConstraint(name=name, kind=ConstraintKind.DEVICE, parts=tuple(parts), reject=reject)


def _lacks_code(builder: GraphBuilder, option: Option, device: Device) -> bool:
    choice = option.choice
    if not isinstance(choice, BinaryChoice) or device.kind is not DeviceKind.CUDA:
        return False
    row = choice.binary
    code = code_for(device, row.archs, row.ptx)
    return code is Code.NONE or (code is Code.PTX and not driver_compiles(builder, row.cuda))


def _no_code(builder: GraphBuilder, build: TorchBuild, device: Device) -> Rejection:
    held_by = dropping_cudnn(builder.matrix, build, device)
    if held_by is not None and code_for(device, build.archs, build.ptx) is not Code.NONE:
        text = (
            f"torch {build.torch}+{build.variant} comes with cuDNN {build.cudnn}, which has kernels for "
            f"{held_by.lowest} to {held_by.highest}: none for {device.arch} ({device.name})"
        )
        return Rejection(text=text, source=cite("cudnn", held_by.source), confidence=held_by.confidence)
    if build.archs is None:
        text = f"the GPUs that {torch_label(build)} is built for are not known"
    else:
        archs = " ".join((*build.archs, *build.ptx))
        built = f"is built for {archs}" if archs else "has no GPU code"
        text = f"{torch_label(build)} {built}; it has no kernels for {device.arch} ({device.name})"
    return Rejection(text=text, source=cite("torch-builds", build.source), confidence=build.confidence)


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
    unless = builder.pythons_without(requested.marker)
    if requested.name == "torch":
        _constrain_torch(
            builder,
            ConstraintKind.TORCH,
            requested.text,
            f"version:{requested.specifier}",
            lambda build: allows(requested.specifier, f"{build.torch}+{build.variant}"),
            lambda build: _other(build, f"does not satisfy `{requested.text}`"),
            origin=requested.origin,
            unless=unless,
            version_text=_named_version(requested.specifier),
        )
        return
    slot = catalog.slot_of(requested.name)
    if slot is None or slot not in builder.slots:
        return
    names = {requested.name}
    module = catalog.modules[slot]
    if requested.name == normalize(slot):  # the plain name means the module, whoever provides it with ops
        others = module.packages if builder.request.allow_lite else module.with_ops
        names.update(p for p in others if p not in module.on_request)

    def fulfils(option: Option) -> bool:
        if option.version is None:  # nothing in the slot
            return requested.constraint
        named = option.package in names
        return (named or requested.constraint) and (not named or allows(requested.specifier, option.version))

    members = builder.kinds(
        slot, f"version:{sorted(names)}:{requested.specifier}:{requested.constraint}", fulfils
    )
    loose = builder.kinds(slot, f"named:{sorted(names)}", lambda o: o.package in names)
    builder.user_constraints.append(
        UserConstraint(
            name=requested.text,
            kind=ConstraintKind.PACKAGE,
            parts=((slot, members),),
            reject=_not_asked(requested),
            loose=((slot, loose),) if loose and not requested.constraint else (),
            version=_named_version(requested.specifier),
            available="" if members else _known_of(builder, requested, loose),
            hint="" if members else _where_it_runs(builder, requested),
            listed=() if members else _listed_whole(builder, names),
            origin=requested.origin,
            unless=unless,
        )
    )


def _listed_whole(builder: GraphBuilder, names: set[PackageName]) -> tuple[str, ...]:
    """The lists that show which versions of these packages there are; none where wheels are elsewhere too.

    A refresh reads PyPI's page of a package whole. Other indexes, and builds by torch variant, may hold more.
    """
    matrix = builder.matrix
    elsewhere = {row.package for row in matrix.index_rows}
    lists: list[str] = []
    for name in sorted(names):
        more = any(row.url or row.same_variant for row in matrix.binaries(name))
        if name in elsewhere or more or not matrix.files(name):
            return ()
        lists += cite("files", tuple(matrix.sources("files", name)), name)
    return tuple(lists)


def _known_of(builder: GraphBuilder, requested: CoreRequirement, loose: Group) -> str:
    versions = [text for i in loose if (text := builder.options[i].version)]
    if span := _range_text(f"known versions of `{requested.name}`", versions):
        return span
    kind = recipe_kind(builder)
    recipes = [
        f"recipe `{recipe.id}` supports {' and '.join(recipe.kinds)} only; it has no kernels for {kind}"
        for recipe in _recipes(builder, requested)
    ]
    return "; ".join(recipes) or f"no wheel and no recipe of `{requested.name}` is known for this target"


def _where_it_runs(builder: GraphBuilder, requested: CoreRequirement) -> str:
    kinds = sorted({str(kind) for recipe in _recipes(builder, requested) for kind in recipe.kinds})
    return f"its kernels need {' or '.join(kinds)}: choose such a device with `--gpu`" if kinds else ""


def _recipes(builder: GraphBuilder, requested: CoreRequirement) -> list[Recipe]:
    """Recipes of a package that are for other kinds of devices than the target's."""
    kind = recipe_kind(builder)
    mine = [recipe for recipe in builder.matrix.recipes if recipe.package == requested.name]
    return [] if any(kind in recipe.kinds for recipe in mine) else mine


def _named_version(specifier: str) -> str | None:
    """The version that a specifier names first: what a solution can be near to."""
    first = specifier.partition(",")[0]
    return first.lstrip("<>=!~ ").removesuffix(".*") or None


def _range_text(what: str, texts: Sequence[str]) -> str:
    """`known of mmdet: 0.6.0 to 3.3.0`; a word before the version stays before the first."""
    split = [text.rpartition(" ") for text in dict.fromkeys(texts)]
    if not split:
        return ""
    ordered = sorted({number for _, _, number in split}, key=version)
    word = f"{split[0][0]} " if split[0][0] else ""
    span = ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"
    return f"{what}: {word}{span}"


def _not_asked(requested: CoreRequirement) -> Callable[[Option], Rejection]:
    return lambda option: Rejection(
        text=f"{option.label} does not satisfy `{requested.text}`",
        source=option.source,
        confidence=option.confidence,
    )


def _constrain_no_build(builder: GraphBuilder) -> None:
    parts: list[tuple[str, Group]] = []
    for slot, indices in builder.slots.items():
        kept = builder.kinds(slot, "no build", lambda o: o.form is not Form.BUILD)
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
