"""The user's words against the matrix: which devices, which platform, which packages the core decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from msgspec.structs import replace

from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import UsageError
from mmlock.core.markers import holds
from mmlock.core.names import Platform, normalize, requirement_name
from mmlock.core.requirements import Asked
from mmlock.core.sources import COMMAND_LINE, Inputs, gather
from mmlock.core.target import Target
from mmlock.core.versions import version
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Accelerator, Stack, Validation
from mmlock.resolve.request.advisories import advisory_constraints
from mmlock.resolve.request.devices import TargetDevices, find_devices
from mmlock.resolve.request.drivers import require_driver
from mmlock.resolve.request.model import THE_REQUEST, CoreRequirement, InterpretedRequest, PlainRequirement
from mmlock.resolve.request.namesakes import refuse_namesakes
from mmlock.resolve.request.objectives import Objective, ordered_objectives
from mmlock.resolve.request.packages import (
    core_packages,
    provided_extras,
    unnamed,
    unnamed_modules,
)
from mmlock.resolve.request.recorded_indexes import ordinary_indexes


def interpret(
    matrix: Matrix, arguments: SolveArguments, validations: Iterable[Validation] = ()
) -> InterpretedRequest:
    """A request in the matrix's terms; `validations` are what the verdicts of the user's own locks prove.

    Raises UsageError for what the matrix does not know and NoAnswer for devices nothing public serves.
    """
    devices = find_devices(matrix, arguments)
    target = _target(matrix, arguments, devices)
    if arguments.driver is not None:  # one that was read from this machine has shown its devices
        require_driver(matrix, target, devices.words)
    stack, requirements = _requirements(matrix, arguments)
    _require_ops(matrix, arguments.torch_ops)
    _require_providers(matrix, arguments.providers)
    core = core_packages(matrix) | (unnamed_modules(matrix) if target.cuda else frozenset())
    bound = frozenset(name for one in arguments.index.named for name in one.packages)
    refuse_namesakes(matrix, requirements, bound)
    applies = partial(_applies, target, _pythons(matrix, arguments))

    decided = [asked for asked in requirements if asked.name in core]
    bounds = [asked for asked in arguments.constraints if asked.name in core]
    core_requirements = [
        *(_core_requirement(matrix, asked) for asked in decided if applies(asked)),
        *(_core_requirement(matrix, asked, constraint=True) for asked in bounds if applies(asked)),
        *_plugins(devices.accelerators, requirements),
        *_extensions(matrix),
    ]
    ordinary = ordinary_indexes(matrix, arguments.index)
    return InterpretedRequest(
        # What a lock keeps of the request must mean the same anywhere: `auto` does not.
        arguments=replace(arguments, gpus=devices.words, driver=target.driver, index=ordinary.index),
        target=target,
        device_words=devices.words,
        accelerators=devices.accelerators,
        stack=stack,
        core_requirements=tuple(dict.fromkeys(core_requirements)),
        plain_requirements=_plain(requirements, core),
        plain_constraints=(
            *_plain(arguments.constraints, core),
            *advisory_constraints(matrix, arguments.no_known_cve, core),
        ),
        objectives=_objectives(arguments),
        idle=tuple(asked.text for asked in decided if not applies(asked)),
        validations=tuple(validations),
        recorded_indexes=ordinary.recorded,
    )


def _applies(target: Target, pythons: Iterable[str], asked: Asked) -> bool:
    """Whether a marker holds on the target for some Python that is still possible."""
    return any(holds(asked.marker, target.platform, python) for python in pythons)


def _extensions(matrix: Matrix) -> Iterator[CoreRequirement]:
    """The extensions of the user's own tree, each in its one version."""
    for name, one in sorted(matrix.extensions.items()):
        yield CoreRequirement(name=name, specifier=f"=={one.version}", text=f"--extension {one.tree.path}")


def _plain(requirements: Iterable[Asked], core: frozenset[str]) -> tuple[PlainRequirement, ...]:
    """Those on ordinary packages."""
    return tuple(
        PlainRequirement(text=asked.text, via=asked.origin)
        for asked in requirements
        if asked.name not in core
    )


def _require_ops(matrix: Matrix, ops: Iterable[str]) -> None:
    """Raise UsageError for names that `mmcv.ops` never had."""
    known = {op.name for op in matrix.ops if op.exported}
    unknown = [name for name in ops if name not in known] if known else []
    if unknown:
        from difflib import get_close_matches

        near = get_close_matches(unknown[0], known, n=3)
        told = f"did you mean {', '.join(f'`{name}`' for name in near)}?" if near else ""
        raise UsageError(
            f"`--op {unknown[0]}`: `mmcv.ops` has no such op",
            hints=[told or "`mmlock scan` lists the ops that a project uses"],
        )


def _require_providers(matrix: Matrix, names: Iterable[str]) -> None:
    """Raise UsageError for providers that are not known, or whose builds cannot are in a lock."""
    known = {row.name: row for row in matrix.providers}
    for name in names:
        row = known.get(name)
        if row is None:
            taken = ", ".join(f"`{one.name}`" for one in known.values() if one.takes)
            raise UsageError(f"unknown `--provider {name}`", hints=[f"expected one of {taken}"])
        if not row.takes:
            raise UsageError(
                f"`--provider {name}`: its builds cannot stand in a lock",
                causes=[f"{row.title} ({row.kind}): {row.offers}"],
                hints=[f"install from it by its own means: {row.home}"],
            )
        if not any(one.provider == name for package in row.packages for one in matrix.provided(package)):
            raise UsageError(
                f"`--provider {name}`: no wheel of it is recorded",
                causes=[f"{row.title}: {row.offers}"],
                hints=["`mmlock matrix refresh` reads the indexes that can be reached", f"see {row.home}"],
            )


def mistaken(matrix: Matrix, requirements: Iterable[PlainRequirement]) -> list[str]:
    """Ordinary packages that are named as a module of another distribution is: probably that one is meant."""
    modules = {normalize(m.module): m for m in matrix.modules if m.core and not unnamed(m)}
    names = dict.fromkeys(requirement_name(one.text) for one in requirements)
    return [
        f"`{name}` is another project: the module `{modules[name].module}` comes from "
        + " or ".join(f"`{package}`" for package in modules[name].packages[:3])
        for name in names
        if name in modules and name not in modules[name].packages
    ]


def _target(matrix: Matrix, arguments: SolveArguments, devices: TargetDevices) -> Target:
    implied = devices.platform
    platform = arguments.platform or implied or Platform(matrix.defaults["platform"])
    if arguments.platform and implied and arguments.platform is not implied:
        raise UsageError(
            f"`--platform {arguments.platform}` contradicts the device",
            causes=[f"that device is only in {implied} machines"],
            hints=["leave out `--platform`"],
        )
    glibc = (arguments.glibc or matrix.defaults["glibc"]) if platform.is_linux else None
    return Target(
        devices=devices.devices,
        platform=platform,
        glibc=glibc,
        driver=arguments.driver or devices.driver,
    )


def _requirements(matrix: Matrix, arguments: SolveArguments) -> tuple[str, tuple[Asked, ...]]:
    """What is requested: the user's requirements, a stack's, or both."""
    if arguments.requirements and arguments.stack is None:
        return "custom", arguments.requirements
    name = arguments.stack or matrix.defaults["stack"]
    stack = next((s for s in matrix.stacks if s.name == name), None)
    if stack is None:
        known = ", ".join(f"`{s.name}`" for s in matrix.stacks)
        raise UsageError(f"unknown `--stack {name}`", hints=[f"expected one of {known}"])
    return name, (*_of_stack(stack), *arguments.requirements)


def _of_stack(stack: Stack) -> tuple[Asked, ...]:
    def no_file(path: str) -> str:
        raise FileNotFoundError(path)

    return gather(Inputs(requirements=stack.requirements), no_file).requirements


def _core_requirement(matrix: Matrix, asked: Asked, *, constraint: bool = False) -> CoreRequirement:
    if asked.url:
        raise UsageError(
            f"`{asked.text}`: a URL is not supported for `{asked.name}`",
            causes=["mmlock decides which build of it fits"],
            hints=[f"request a version instead, for example `{asked.name}`"],
        )
    for extra in asked.extras:
        _known_extra(matrix, asked, extra)
    pre = any(version(s.rstrip(".*")).is_prerelease for s in _versions(asked.specifier))
    return CoreRequirement(
        name=asked.name,
        specifier=asked.specifier,
        text=asked.text,
        prerelease=pre,
        extras=asked.extras,
        marker=asked.marker,
        origin=THE_REQUEST if asked.origin == COMMAND_LINE else asked.origin,
        constraint=constraint,
    )


def _known_extra(matrix: Matrix, asked: Asked, extra: str) -> None:
    """Raises UsageError for an extra that no release has, or of which nothing is recorded."""
    known = sorted({name for row in matrix.requires(asked.name) for name in provided_extras(row)})
    if extra in known:
        return
    if not matrix.requires(asked.name):
        raise UsageError(
            f"`{asked.text}`: extras of `{asked.name}` are not supported",
            causes=[f"mmlock decides `{asked.name}` itself and has no metadata of it"],
            hints=[f"request `{asked.name}` and the packages that the extra adds"],
        )
    from difflib import get_close_matches

    near = get_close_matches(extra, known, n=3, cutoff=0.5)
    names = ", ".join(f"`{name}`" for name in near or known)
    hint = f"did you mean {names}?" if near else f"expected one of {names}"
    raise UsageError(
        f"`{asked.text}`: no release of `{asked.name}` has an extra `{extra}`",
        causes=[] if known else [f"`{asked.name}` has no extras"],
        hints=[hint] if known else [],
    )


def _versions(specifier: str) -> Iterable[str]:
    return (clause.strip().lstrip("<>=!~ ") for clause in specifier.split(",") if clause.strip())


def _plugins(accelerators: Iterable[Accelerator], asked: Iterable[Asked]) -> list[CoreRequirement]:
    """torch plug-ins that belong to a device (`torch-npu`), unless the user names them already."""
    named = {a.name for a in asked}
    return [
        CoreRequirement(name=a.plugin, specifier="", text=f"{a.plugin} (the plug-in of {a.name})")
        for a in accelerators
        if a.plugin is not None and a.plugin not in named
    ]


def _pythons(matrix: Matrix, arguments: SolveArguments) -> tuple[str, ...]:
    if arguments.python is not None:
        return (arguments.python,)
    return tuple(sorted({p for b in matrix.torch_builds for p in b.pythons if not p.endswith("t")}))


def _objectives(arguments: SolveArguments) -> tuple[Objective, ...]:
    objectives = ordered_objectives(arguments.prefer)
    if isinstance(objectives, str):
        known = ", ".join(f"`{objective}`" for objective in Objective)
        raise UsageError(f"unknown `--prefer {objectives}`", hints=[f"expected one of {known}"])
    return objectives
