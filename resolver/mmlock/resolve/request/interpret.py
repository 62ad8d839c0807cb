"""The user's words against the matrix: which devices, which platform, which packages the core decides."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
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
from mmlock.resolve.closure.floors import is_linux
from mmlock.resolve.closure.model import Wanted
from mmlock.resolve.core_solver.solution import ordered_terms
from mmlock.resolve.graph.build import core_packages
from mmlock.resolve.graph.extras import provided
from mmlock.resolve.graph.request import CoreWish
from mmlock.resolve.graph.rows import Term
from mmlock.resolve.request.devices import find_devices


class Interpreted(Struct, frozen=True, kw_only=True):
    """A request in the matrix's terms."""

    arguments: SolveArguments
    target: Target
    device_words: tuple[str, ...]
    accelerators: tuple[Accelerator, ...]
    stack: str
    wishes: tuple[CoreWish, ...]
    wanted: tuple[Wanted, ...]
    """Ordinary requirements."""
    constraints: tuple[Wanted, ...]
    terms: tuple[Term, ...]
    idle: tuple[str, ...] = ()
    """Requirements on decided packages whose markers hold on no Python of the target."""
    validations: tuple[Validation, ...] = ()
    """What the verdicts of the user's own locks prove."""


def interpret(
    matrix: Matrix, arguments: SolveArguments, validations: Iterable[Validation] = ()
) -> Interpreted:
    """A request in the matrix's terms; `validations` are what the verdicts of the user's own locks prove.

    Raises UsageError for what the matrix does not know and NoAnswer for devices nothing public serves.
    """
    found = find_devices(matrix, arguments)
    target = _target(matrix, arguments, found.devices, found.platform, found.driver)
    stack, requirements = _requirements(matrix, arguments)
    _require_ops(matrix, arguments.torch_ops)
    core = core_packages(matrix)
    plain = [asked for asked in requirements if asked.name not in core]
    pythons = _pythons(matrix, arguments)

    def applies(asked: Asked) -> bool:
        """Whether a marker holds on the target for some Python that is still possible."""
        return any(holds(asked.marker, target.platform, python) for python in pythons)

    wishes = [
        *(_wish(matrix, a) for a in requirements if a.name in core and applies(a)),
        *(_wish(matrix, a, constraint=True) for a in arguments.constraints if a.name in core and applies(a)),
        *_plugins(found.accelerators, requirements),
        *(
            CoreWish(name=name, specifier=f"=={one.version}", text=f"--extension {one.tree.path}")
            for name, one in sorted(matrix.extensions.items())
        ),
    ]
    return Interpreted(
        # What a lock keeps of the request must mean the same anywhere: `auto` does not.
        arguments=replace(arguments, gpus=found.words, driver=target.driver),
        target=target,
        device_words=found.words,
        accelerators=found.accelerators,
        stack=stack,
        wishes=tuple(dict.fromkeys(wishes)),
        wanted=tuple(Wanted(text=a.text, via=a.origin) for a in plain),
        constraints=tuple(
            Wanted(text=a.text, via=a.origin) for a in arguments.constraints if a.name not in core
        ),
        terms=_terms(arguments),
        idle=tuple(a.text for a in requirements if a.name in core and not applies(a)),
        validations=tuple(validations),
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
            hints=[told or "`mmlock scan` tells the names that a project uses"],
        )


def mistaken(matrix: Matrix, wanted: Iterable[Wanted]) -> list[str]:
    """Ordinary packages that are named as a module of another distribution is: probably that one is meant."""
    modules = {normalize(m.module): m for m in matrix.modules if m.core}
    names = dict.fromkeys(requirement_name(one.text) for one in wanted)
    return [
        f"`{name}` is another project: the module `{modules[name].module}` comes with "
        + " or ".join(f"`{package}`" for package in modules[name].packages[:3])
        for name in names
        if name in modules and name not in modules[name].packages
    ]


def _target(
    matrix: Matrix,
    arguments: SolveArguments,
    devices: tuple[object, ...],
    implied: Platform | None,
    driver: str | None,
) -> Target:
    chosen = arguments.platform or implied or Platform(matrix.defaults["platform"])
    if arguments.platform and implied and arguments.platform is not implied:
        raise UsageError(
            f"`--platform {arguments.platform}` contradicts the device",
            causes=[f"it sits in {implied} machines"],
            hints=["leave --platform out"],
        )
    glibc = (arguments.glibc or matrix.defaults["glibc"]) if is_linux(chosen) else None
    return Target(
        devices=devices,  # type: ignore[arg-type]
        platform=chosen,
        glibc=glibc,
        driver=arguments.driver or driver,
    )


def _requirements(matrix: Matrix, arguments: SolveArguments) -> tuple[str, tuple[Asked, ...]]:
    """What is asked for: the user's requirements, a stack's, or both."""
    if arguments.requirements and arguments.stack is None:
        return "custom", arguments.requirements
    name = arguments.stack or matrix.defaults["stack"]
    stack = next((s for s in matrix.stacks if s.name == name), None)
    if stack is None:
        known = ", ".join(f"`{s.name}`" for s in matrix.stacks)
        raise UsageError(f"`--stack {name}`: there is no such stack", hints=[f"there are {known}"])
    return name, (*_of_stack(stack), *arguments.requirements)


def _of_stack(stack: Stack) -> tuple[Asked, ...]:
    def no_file(path: str) -> str:
        raise FileNotFoundError(path)

    return gather(Inputs(requirements=stack.requirements), no_file).requirements


def _wish(matrix: Matrix, asked: Asked, *, constraint: bool = False) -> CoreWish:
    if asked.url:
        raise UsageError(
            f"`{asked.text}`: a URL cannot be taken for `{asked.name}`",
            causes=["which builds of it fit is what mmlock decides"],
            hints=[f"ask for a version instead, for example `{asked.name}`"],
        )
    for extra in asked.extras:
        _known_extra(matrix, asked, extra)
    pre = any(version(s.rstrip(".*")).is_prerelease for s in _versions(asked.specifier))
    return CoreWish(
        name=asked.name,
        specifier=asked.specifier,
        text=asked.text,
        prerelease=pre,
        extras=asked.extras,
        marker=asked.marker,
        origin="the request" if asked.origin == COMMAND_LINE else asked.origin,
        constraint=constraint,
    )


def _known_extra(matrix: Matrix, asked: Asked, extra: str) -> None:
    """Raises UsageError for an extra that no release has, or of which nothing is recorded."""
    known = sorted({name for row in matrix.requires(asked.name) for name in provided(row)})
    if extra in known:
        return
    if not matrix.requires(asked.name):
        raise UsageError(
            f"`{asked.text}`: the extras of `{asked.name}` cannot be asked for",
            causes=[f"mmlock decides `{asked.name}` itself and no metadata of it is recorded"],
            hints=[f"ask for `{asked.name}` and, beside it, for the packages that the extra brings"],
        )
    from difflib import get_close_matches

    near = get_close_matches(extra, known, n=3, cutoff=0.5)
    names = ", ".join(f"`{name}`" for name in near or known)
    raise UsageError(
        f"`{asked.text}`: no release of `{asked.name}` has an extra `{extra}`",
        causes=[] if known else [f"`{asked.name}` has no extras at all"],
        hints=[f"{'did you mean' if near else 'it has'} {names}" + ("?" if near else "")] if known else [],
    )


def _versions(specifier: str) -> Iterable[str]:
    return (clause.strip().lstrip("<>=!~ ") for clause in specifier.split(",") if clause.strip())


def _plugins(accelerators: Iterable[Accelerator], asked: Iterable[Asked]) -> list[CoreWish]:
    """torch plug-ins that belong to a device (`torch-npu`), unless the user names them already."""
    named = {a.name for a in asked}
    return [
        CoreWish(name=a.plugin, specifier="", text=f"{a.plugin} (the plug-in of {a.name})")
        for a in accelerators
        if a.plugin is not None and a.plugin not in named
    ]


def _pythons(matrix: Matrix, arguments: SolveArguments) -> tuple[str, ...]:
    if arguments.python is not None:
        return (arguments.python,)
    return tuple(sorted({p for b in matrix.torch_builds for p in b.pythons if not p.endswith("t")}))


def _terms(arguments: SolveArguments) -> tuple[Term, ...]:
    found = ordered_terms(arguments.prefer)
    if isinstance(found, str):
        known = ", ".join(f"`{term}`" for term in Term)
        raise UsageError(f"`--prefer {found}`: there is no such objective", hints=[f"there are {known}"])
    return found
