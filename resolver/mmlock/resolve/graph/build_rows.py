"""Builds: which recipe makes a wheel of which release against which torch."""

from __future__ import annotations

from mmlock.core.names import Confidence, DeviceKind, Form, PackageName, Platform
from mmlock.core.versions import allows
from mmlock.facts.matrix.model import Recipe, Release, TorchBuild, Verified
from mmlock.resolve.graph.builder import GraphBuilder, cite
from mmlock.resolve.graph.packages import SlotCatalog, newest_first
from mmlock.resolve.graph.rows import BuildChoice, Group, LinkKind, Option, ToolchainChoice, TorchBuildChoice
from mmlock.resolve.graph.torch_rows import build_arch, desktop_archs, runs_everywhere
from mmlock.resolve.request.objectives import Objective


def recipe_kind(builder: GraphBuilder) -> DeviceKind:
    """The kind of kernels a build is made for: the target's, or the CPU's where mmcv has none."""
    kind = builder.request.target.kind
    return DeviceKind.CPU if kind is DeviceKind.GCU else kind


def add_builds(builder: GraphBuilder, catalog: SlotCatalog, slot: str, package: PackageName) -> None:
    """Options that a recipe makes, verified combinations before the general ones."""
    kind = recipe_kind(builder)
    recipes = [
        r
        for r in builder.matrix.recipes
        if r.package == package and kind in r.kinds and runs_on(r, builder.request.target.platform)
        if _allowed(builder, r)
    ]
    if not recipes:
        return
    releases = {r.version: r for r in catalog.on_offer(package, builder.request.named())}
    known = set(releases) or _sdist_versions(builder, package)
    # Sources that no index serves (a project's own extension) are known by what was built of them.
    versions = newest_first(known or {v.version for recipe in recipes for v in recipe.verified})
    if (own := builder.matrix.extensions.get(package)) is not None:
        versions = [own.version]
    for text in versions:
        for recipe in recipes:
            if allows(recipe.versions, text):
                _add_build(builder, slot, recipe, text, releases.get(text))


def _allowed(builder: GraphBuilder, recipe: Recipe) -> bool:
    """Whether the request takes what a recipe makes: compiled ops always, others where it says so."""
    request = builder.request
    allowed = {Form.TORCH_OPS: request.allow_torch_ops, Form.WITHOUT_OPS: request.allow_lite}
    return allowed.get(recipe.form, True)


def runs_on(recipe: Recipe, platform: Platform) -> bool:
    """Recipes that prove a `.so` are written for systems that have one."""
    return platform is not Platform.WINDOWS_X86_64 or not has_extension(recipe)


def _sdist_versions(builder: GraphBuilder, package: PackageName) -> set[str]:
    """Versions PyPI has sources of, for packages that are not OpenMMLab's."""
    from packaging.utils import InvalidSdistFilename, parse_sdist_filename

    versions = set()
    for file in builder.matrix.files(package):
        if file.name.endswith((".tar.gz", ".zip")) and not file.yanked:
            try:
                versions.add(str(parse_sdist_filename(file.name)[1]))
            except InvalidSdistFilename:
                continue
    return versions


def _add_build(builder: GraphBuilder, slot: str, recipe: Recipe, text: str, release: Release | None) -> None:
    """One option per verified combination, one for its torch with any Python, one for the whole recipe."""
    for verified in recipe.verified:
        if verified.version == text and verified.platform is builder.request.target.platform:
            _add_option(builder, slot, recipe, text, release, verified, exact=True)
            _add_option(builder, slot, recipe, text, release, verified, exact=False)
    _add_option(builder, slot, recipe, text, release, None, exact=False)


def doubt(recipe: Recipe, verified: Verified | None, *, exact: bool) -> int:
    """What an option pays for not being verified: 1 for another Python, 2 for another torch, 3 if patched."""
    if verified is not None:
        return 0 if exact else 1
    return 3 if recipe.patches else 2


def _add_option(
    builder: GraphBuilder,
    slot: str,
    recipe: Recipe,
    text: str,
    release: Release | None,
    verified: Verified | None,
    *,
    exact: bool,
) -> None:
    torch = _torch_group(builder, recipe, verified)
    if not torch:
        return
    tail = recipe.id
    if verified is not None:
        python = f"Python {verified.python}" if exact else "another Python"
        tail = f"verified on torch {verified.torch}+{verified.variant}, {python}"
    index = builder.option(
        slot,
        f"{recipe.package} {text} {recipe.form} ({tail})",
        BuildChoice(recipe=recipe, release=release, verified=verified if exact else None),
        form=recipe.form,
        package=recipe.package,
        version=text,
        source=cite("recipes", recipe.source),
        confidence=Confidence.MEASURED if exact else recipe.confidence,
    )
    builder.cost(index, Objective.UNVERIFIED, doubt(recipe, verified, exact=exact))
    _link_build(builder, builder.options[index], recipe, verified, torch, exact=exact)


def _torch_group(builder: GraphBuilder, recipe: Recipe, verified: Verified | None) -> Group:
    key = f"recipe:{recipe.id}"
    if verified:
        key += f":{verified.torch}+{verified.variant}"

    def fits(option: Option) -> bool:
        if not isinstance(option.choice, TorchBuildChoice):
            return False
        build = option.choice.build
        if verified and (build.torch, build.variant) != (verified.torch, verified.variant):
            return False
        plain = recipe.form is not Form.BUILD
        return allows(recipe.torch, build.torch) and (plain or compiles(builder, recipe, build))

    return builder.group("torch", key, fits)


def compiles(builder: GraphBuilder, recipe: Recipe, build: TorchBuild) -> bool:
    """Whether the C++ standard that a recipe sets is one this torch's headers accept."""
    cpp = builder.matrix.cpp_extension.get(build.torch)
    if cpp is None:
        return False
    return recipe.std is None or cpp.header_std is None or recipe.std >= cpp.header_std


def has_extension(recipe: Recipe) -> bool:
    """Whether the wheel a recipe makes holds compiled code: told by the file that proves it."""
    return any(check.startswith("file:") and check.endswith(".so") for check in recipe.check)


def add_device_links(builder: GraphBuilder) -> None:
    """For CUDA builds: the torch releases whose cpp_extension and toolkit can name the target's archs."""
    target = builder.request.target
    if not target.cuda:
        return
    toolkits = {t.cuda: t for t in builder.matrix.toolkits}
    desktop = desktop_archs(builder.matrix)

    def nameable(option: Option) -> bool:
        if not isinstance(option.choice, TorchBuildChoice):
            return False
        build = option.choice.build
        if build.cuda is None or not runs_everywhere(builder, build):
            return True  # what the torch build itself cannot serve is refused there, with that reason
        cpp, toolkit = builder.matrix.cpp_extension.get(build.torch), toolkits.get(build.cuda)
        return all(
            device.arch is not None
            and build_arch(device.arch, desktop, tegra=device.tegra, cpp=cpp, toolkit=toolkit)
            for device in target.devices
        )

    archs = ", ".join(target.arch_list)
    devices = ",".join(f"{device.arch}:{device.tegra}" for device in target.devices)
    members = builder.group("torch", f"nameable:{devices}:{target.driver}", nameable)
    if len(members) == len(builder.slots["torch"]):
        return
    for option in builder.options:
        if isinstance(option.choice, BuildChoice) and has_extension(option.choice.recipe):
            recipe = option.choice.recipe
            builder.link(
                option.index,
                "torch",
                members,
                LinkKind.BUILD,
                f"torch and nvcc must both support {archs} in TORCH_CUDA_ARCH_LIST",
                cite("recipes", recipe.source),
                recipe.confidence,
            )


def _link_build(
    builder: GraphBuilder,
    option: Option,
    recipe: Recipe,
    verified: Verified | None,
    torch: Group,
    *,
    exact: bool,
) -> None:
    standard = f"C++{recipe.std}" if recipe.std else "torch's own C++ standard"
    where = (
        f"{verified.torch}+{verified.variant}"
        if verified
        else f"{recipe.torch or 'any'} whose headers accept {standard}"
    )
    builder.link(
        option.index,
        "torch",
        torch,
        LinkKind.BUILD,
        f"recipe {recipe.id} makes {recipe.package} {option.version} for torch {recipe.torch or 'any'}"
        if recipe.form is not Form.BUILD
        else f"recipe {recipe.id} builds {recipe.package} {option.version} against torch {where}",
        cite("recipes", recipe.source),
        option.confidence,
    )
    pythons = (verified.python,) if verified and exact else ()
    spec = recipe.pythons
    builder.link(
        option.index,
        "python",
        builder.pythons(pythons)
        if pythons
        else builder.group("python", f"recipe:{spec}", lambda o: allows(spec, o.version or "")),
        LinkKind.PYTHON,
        f"recipe {recipe.id} supports Python {', '.join(pythons) or spec or 'any'}",
        cite("recipes", recipe.source),
        option.confidence,
    )
    if builder.request.target.cuda and has_extension(recipe):
        _link_toolchain(builder, option, recipe)


def _link_toolchain(builder: GraphBuilder, option: Option, recipe: Recipe) -> None:
    builder.link(
        option.index,
        "toolchain",
        builder.group(
            "toolchain",
            "some",
            lambda o: isinstance(o.choice, ToolchainChoice) and o.choice.toolchain is not None,
        ),
        LinkKind.TOOLCHAIN,
        f"building {recipe.package} with CUDA ops needs nvcc",
        cite("recipes", recipe.source),
        recipe.confidence,
    )
