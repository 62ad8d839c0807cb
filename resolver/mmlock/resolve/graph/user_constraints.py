"""The user's wishes as groups of options, each with a sentence for those left outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mmlock.core.device import Code, Device, code_for
from mmlock.core.names import Confidence, DeviceKind, Form, PackageName, normalize
from mmlock.core.versions import allows, version
from mmlock.facts.devices.cudnn import dropping_cudnn
from mmlock.facts.matrix.model import Recipe, TorchBuild
from mmlock.resolve.graph.build_rows import recipe_kind
from mmlock.resolve.graph.builder import Builder, cite
from mmlock.resolve.graph.packages import Catalog
from mmlock.resolve.graph.request import CoreWish
from mmlock.resolve.graph.rows import Ask, BinaryChoice, Group, Option, Rejection, TorchChoice
from mmlock.resolve.graph.torch_rows import device_runs, driver_compiles


def add_asks(builder: Builder, catalog: Catalog) -> None:
    """Everything the request demands, in the order in which it is told when it cannot hold."""
    _ask_devices(builder)
    _ask_machine(builder)
    _ask_versions(builder)
    for wish in builder.request.wishes:
        _ask_package(builder, catalog, wish)
    if builder.request.no_build:
        _ask_no_build(builder)


def _torch_ask(
    builder: Builder,
    name: str,
    key: str,
    fits: Callable[[TorchBuild], bool],
    reject: Callable[[TorchBuild], Rejection],
    *,
    origin: str = "the request",
    unless: Group = frozenset(),
    wanted: str | None = None,
    there: Callable[[TorchBuild], str | None] = lambda build: build.torch,
) -> None:
    """`there`: what of a build is told, as a range, where no build fits."""
    members = builder.group(
        "torch", key, lambda o: isinstance(o.choice, TorchChoice) and fits(o.choice.build)
    )
    choices = (builder.options[i].choice for i in builder.slots["torch"])
    found = [there(c.build) for c in choices if isinstance(c, TorchChoice)] if not members else []

    def why_not(option: Option) -> Rejection:
        if not isinstance(option.choice, TorchChoice):
            raise TypeError(option.label)
        return reject(option.choice.build)

    builder.asks.append(
        Ask(
            name=name,
            parts=(("torch", members),),
            reject=why_not,
            origin=origin,
            unless=unless,
            wanted=wanted,
            nothing=_range_text("builds of torch for this target", [text for text in found if text]),
        )
    )


def _ask_devices(builder: Builder) -> None:
    target = builder.request.target
    words = builder.request.device_words or tuple(d.name for d in target.devices)
    for device, word in zip(target.devices, words, strict=True):
        if device.arch is not None:
            builder.asks.append(_device_ask(builder, device, f"--gpu {word}"))


def _device_ask(builder: Builder, device: Device, name: str) -> Ask:
    """Code for one device in torch and in every prebuilt extension whose archs are known."""
    key = f"{device.kind}:{device.arch}:{device.tegra}:{builder.request.target.driver}"
    torch = builder.group(
        "torch",
        f"gpu:{key}",
        lambda o: isinstance(o.choice, TorchChoice) and device_runs(builder, o.choice.build, device),
    )
    parts = [("torch", torch)]
    for slot, indices in builder.slots.items():
        kept = builder.group(slot, f"code:{key}", lambda o: not _lacks_code(builder, o, device))
        if len(kept) < len(indices) and slot != "torch":
            parts.append((slot, kept))

    def reject(option: Option) -> Rejection:
        if isinstance(option.choice, TorchChoice):
            return _no_code(builder, option.choice.build, device)
        return Rejection(
            text=f"{option.label} has no code for {device.arch} ({device.name})",
            source=option.source,
            confidence=option.confidence,
        )

    return Ask(name=name, parts=tuple(parts), reject=reject)


def _lacks_code(builder: Builder, option: Option, device: Device) -> bool:
    choice = option.choice
    if not isinstance(choice, BinaryChoice) or device.kind is not DeviceKind.CUDA:
        return False
    row = choice.binary
    code = code_for(device, row.archs, row.ptx)
    return code is Code.NONE or (code is Code.PTX and not driver_compiles(builder, row.cuda))


def _no_code(builder: Builder, build: TorchBuild, device: Device) -> Rejection:
    held_by = dropping_cudnn(builder.matrix, build, device)
    if held_by is not None and code_for(device, build.archs, build.ptx) is not Code.NONE:
        text = (
            f"torch {build.torch}+{build.variant} brings cuDNN {build.cudnn}, which has kernels for "
            f"{held_by.lowest} to {held_by.highest}: none for {device.arch} ({device.name})"
        )
        return Rejection(text=text, source=cite("cudnn", held_by.source), confidence=held_by.confidence)
    if build.archs is None:
        text = f"the archs of torch {build.torch}+{build.variant} are not known"
    else:
        held = " ".join((*build.archs, *build.ptx)) or "no GPU code"
        text = f"torch {build.torch}+{build.variant} holds {held}: no code for {device.arch} ({device.name})"
    return Rejection(text=text, source=cite("torch-builds", build.source), confidence=build.confidence)


def _ask_machine(builder: Builder) -> None:
    target = builder.request.target
    if target.glibc is not None:
        glibc = version(target.glibc)
        _torch_ask(
            builder,
            f"--glibc {target.glibc}",
            f"glibc:{target.glibc}",
            lambda build: build.glibc is None or version(build.glibc) <= glibc,
            lambda build: Rejection(
                text=f"torch {build.torch}+{build.variant} needs glibc {build.glibc}",
                source=cite("torch-builds", build.source),
                confidence=build.confidence,
            ),
            there=lambda build: f"glibc {build.glibc}" if build.glibc else None,
        )
    if target.driver is not None and target.cuda:
        floors = {t.cuda: t for t in builder.matrix.toolkits}
        driver = version(target.driver)

        def floor_of(build: TorchBuild) -> str | None:
            toolkit = floors.get(build.cuda or "")
            return toolkit.floor_on(target.platform) if toolkit else None

        def reject(build: TorchBuild) -> Rejection:
            toolkit = floors.get(build.cuda or "")
            floor = toolkit.floor_on(target.platform) if toolkit else None
            needed = f"driver {floor}" if floor else "a driver that is not known"
            return Rejection(
                text=f"CUDA {build.cuda} of torch {build.torch}+{build.variant} needs {needed}",
                source=cite("toolkits", toolkit.source) if toolkit else (),
                confidence=toolkit.confidence if toolkit else Confidence.INFERRED,
            )

        _torch_ask(
            builder,
            f"--driver {target.driver}",
            f"driver:{target.driver}",
            lambda build: (floor := floor_of(build)) is not None and version(floor) <= driver,
            reject,
            there=lambda build: f"driver {floor}" if (floor := floor_of(build)) else None,
        )


def _ask_versions(builder: Builder) -> None:
    request = builder.request
    if request.python is not None:
        # A free-threaded Python is another interpreter than the plain one of the same version.
        members = builder.pythons((request.python,))
        builder.asks.append(
            Ask(name=f"--python {request.python}", parts=(("python", members),), reject=_pythons(builder))
        )
    if request.requires_python is not None:
        bound = request.requires_python
        members = builder.group("python", f"ask:{bound}", lambda o: allows(bound, o.version or ""))
        builder.asks.append(
            Ask(name=f"requires-python {bound}", parts=(("python", members),), reject=_pythons(builder))
        )
    if request.torch is not None:
        spec = version_wish(request.torch)
        _torch_ask(
            builder,
            f"--torch {request.torch.removeprefix('==').removesuffix('.*')}",
            f"ask:{spec}",
            lambda build: allows(spec, f"{build.torch}+{build.variant}"),
            lambda build: _other(build, f"is not torch {request.torch}"),
            wanted=_wanted(spec),
        )
    if request.cuda is not None:
        cuda = version_wish(cuda_version(request.cuda))
        _torch_ask(
            builder,
            f"--cuda {request.cuda}",
            f"cuda:{cuda}",
            lambda build: build.cuda is not None and allows(cuda, build.cuda),
            lambda build: _other(build, f"has {f'CUDA {build.cuda}' if build.cuda else 'no CUDA'}"),
            there=lambda build: f"CUDA {build.cuda}" if build.cuda else None,
        )


def _pythons(builder: Builder) -> Callable[[Option], Rejection]:
    """The same sentence for every Python: which ones there are."""
    known = [builder.options[i].version for i in builder.slots["python"]]
    span = f"{known[-1]} to {known[0]}" if known else "no Python"
    text = f"builds of torch for this target exist for Python {span}"
    if (builder.request.python or "").endswith("t"):
        text += "; free-threaded ones are not taken"
    torch = [builder.options[i] for i in builder.slots["torch"]]
    ends = tuple(dict.fromkeys(key for option in (*torch[:1], *torch[-1:]) for key in option.source))
    return lambda _: Rejection(text=text, source=ends, confidence=Confidence.CAPTURED)


def _other(build: TorchBuild, words: str) -> Rejection:
    return Rejection(
        text=f"torch {build.torch}+{build.variant} {words}",
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


def _ask_package(builder: Builder, catalog: Catalog, wish: CoreWish) -> None:
    unless = builder.pythons_without(wish.marker)
    if wish.name == "torch":
        _torch_ask(
            builder,
            wish.text,
            f"ask:{wish.specifier}",
            lambda build: allows(wish.specifier, f"{build.torch}+{build.variant}"),
            lambda build: _other(build, f"is not {wish.text}"),
            origin=wish.origin,
            unless=unless,
            wanted=_wanted(wish.specifier),
        )
        return
    slot = catalog.slot_of(wish.name)
    if slot is None or slot not in builder.slots:
        return
    names = {wish.name}
    module = catalog.modules[slot]
    if wish.name == normalize(slot):  # the plain name means the module, whoever provides it with ops
        others = module.packages if builder.request.allow_lite else module.with_ops
        names.update(p for p in others if p not in module.on_request)

    def fulfils(option: Option) -> bool:
        if option.version is None:  # nothing in the slot
            return wish.constraint
        named = option.package in names
        return (named or wish.constraint) and (not named or allows(wish.specifier, option.version))

    members = builder.kinds(slot, f"ask:{sorted(names)}:{wish.specifier}:{wish.constraint}", fulfils)
    loose = builder.kinds(slot, f"named:{sorted(names)}", lambda o: o.package in names)
    builder.asks.append(
        Ask(
            name=wish.text,
            parts=((slot, members),),
            reject=_not_asked(wish),
            loose=((slot, loose),) if loose and not wish.constraint else (),
            wanted=_wanted(wish.specifier),
            nothing="" if members else _known_of(builder, wish, loose),
            hint="" if members else _where_it_runs(builder, wish),
            listed=() if members else _listed_whole(builder, names),
            origin=wish.origin,
            unless=unless,
        )
    )


def _listed_whole(builder: Builder, names: set[PackageName]) -> tuple[str, ...]:
    """The lists that show which versions of these packages there are; none where wheels are elsewhere too.

    A refresh reads PyPI's page of a package whole. Other indexes, and builds by torch variant, may hold more.
    """
    matrix = builder.matrix
    elsewhere = {row.package for row in matrix.index_rows}
    found: list[str] = []
    for name in sorted(names):
        more = any(row.url or row.same_variant for row in matrix.binaries(name))
        if name in elsewhere or more or not matrix.files(name):
            return ()
        found += cite("files", tuple(matrix.sources("files", name)), name)
    return tuple(found)


def _known_of(builder: Builder, wish: CoreWish, loose: Group) -> str:
    versions = [text for i in loose if (text := builder.options[i].version)]
    if found := _range_text(f"known of `{wish.name}`", versions):
        return found
    kind = recipe_kind(builder)
    recipes = [
        f"recipe {recipe.id} is for {' and '.join(recipe.kinds)} only: it has no kernels for {kind}"
        for recipe in _recipes(builder, wish)
    ]
    return "; ".join(recipes) or f"neither a wheel nor a recipe of `{wish.name}` is known for this target"


def _where_it_runs(builder: Builder, wish: CoreWish) -> str:
    kinds = sorted({str(kind) for recipe in _recipes(builder, wish) for kind in recipe.kinds})
    return f"its kernels are for {' and '.join(kinds)}: name such a device with `--gpu`" if kinds else ""


def _recipes(builder: Builder, wish: CoreWish) -> list[Recipe]:
    """Recipes of a package that are for other kinds of devices than the target's."""
    kind = recipe_kind(builder)
    mine = [recipe for recipe in builder.matrix.recipes if recipe.package == wish.name]
    return [] if any(kind in recipe.kinds for recipe in mine) else mine


def _wanted(specifier: str) -> str | None:
    """The one version that a specifier names."""
    return specifier.removeprefix("==") if specifier.startswith("==") and "," not in specifier else None


def _range_text(what: str, texts: Sequence[str]) -> str:
    """`known of mmdet: 0.6.0 to 3.3.0`; a word before the version stays before the first."""
    split = [text.rpartition(" ") for text in dict.fromkeys(texts)]
    if not split:
        return ""
    ordered = sorted({number for _, _, number in split}, key=version)
    word = f"{split[0][0]} " if split[0][0] else ""
    span = ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"
    return f"{what}: {word}{span}"


def _not_asked(wish: CoreWish) -> Callable[[Option], Rejection]:
    return lambda option: Rejection(
        text=f"{option.label} is not {wish.text}", source=option.source, confidence=option.confidence
    )


def _ask_no_build(builder: Builder) -> None:
    parts: list[tuple[str, Group]] = []
    for slot, indices in builder.slots.items():
        kept = builder.kinds(slot, "no build", lambda o: o.form is not Form.BUILD)
        if len(kept) < len(indices):
            parts.append((slot, kept))
    builder.asks.append(
        Ask(
            name="--no-build",
            parts=tuple(parts),
            reject=lambda o: Rejection(
                text=f"{o.label} is a build", source=o.source, confidence=o.confidence
            ),
        )
    )
