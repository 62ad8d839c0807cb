"""The user's words against the matrix: which devices, which platform, which packages the core decides."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.markers import Marker

from mmlock.app.devices import find_devices
from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import UsageError
from mmlock.core.gather import Inputs, gather
from mmlock.core.names import Platform
from mmlock.core.requirements import Asked
from mmlock.core.target import Target
from mmlock.core.values import dataclass
from mmlock.core.versions import version
from mmlock.graph.build import core_packages
from mmlock.graph.request import CoreWish
from mmlock.graph.rows import Term
from mmlock.matrix.load import Matrix
from mmlock.matrix.model import Accelerator, Stack
from mmlock.solve.closure_model import Wanted
from mmlock.solve.floors import is_linux, machine
from mmlock.solve.solution import ordered_terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreted:
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


def interpret(matrix: Matrix, arguments: SolveArguments) -> Interpreted:
    """Raises UsageError for what the matrix does not know and NoAnswer for devices nothing public serves."""
    found = find_devices(matrix, arguments)
    target = _target(matrix, arguments, found.devices, found.platform, found.driver)
    stack, requirements = _requirements(matrix, arguments)
    core = core_packages(matrix)
    plain = [asked for asked in requirements if asked.name not in core]
    pythons = _pythons(matrix, arguments)
    wishes = [
        *(_wish(a) for a in requirements if a.name in core and _applies(a, target, pythons)),
        *(
            _wish(a, constraint=True)
            for a in arguments.constraints
            if a.name in core and _applies(a, target, pythons)
        ),
        *_plugins(found.accelerators, requirements),
        *(
            CoreWish(name=name, specifier=f"=={one.version}", text=f"--extension {one.tree.path}")
            for name, one in sorted(matrix.extensions.items())
        ),
    ]
    return Interpreted(
        arguments=arguments,
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
    )


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


def _wish(asked: Asked, *, constraint: bool = False) -> CoreWish:
    if asked.url:
        raise UsageError(
            f"`{asked.text}`: a URL cannot be taken for `{asked.name}`",
            causes=["which builds of it fit is what mmlock decides"],
            hints=[f"ask for a version instead, for example `{asked.name}`"],
        )
    if asked.extras:
        raise UsageError(
            f"`{asked.text}`: the extras of `{asked.name}` cannot be asked for",
            causes=[f"mmlock decides `{asked.name}` itself and has recorded no extras of it"],
            hints=[f"ask for `{asked.name}` and, beside it, for the packages that the extra brings"],
        )
    pre = any(version(s.rstrip(".*")).is_prerelease for s in _versions(asked.specifier))
    return CoreWish(
        name=asked.name,
        specifier=asked.specifier,
        text=asked.text,
        prerelease=pre,
        constraint=constraint,
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


def _applies(asked: Asked, target: Target, pythons: Iterable[str]) -> bool:
    """Whether a marker holds on the target for some Python that is still possible."""
    if asked.marker is None:
        return True
    marker = Marker(asked.marker)
    return any(marker.evaluate(marker_environment(target, python)) for python in pythons)


_SYSTEMS = {
    Platform.LINUX_X86_64: ("posix", "linux", "Linux"),
    Platform.LINUX_AARCH64: ("posix", "linux", "Linux"),
    Platform.MACOS_ARM64: ("posix", "darwin", "Darwin"),
    Platform.MACOS_X86_64: ("posix", "darwin", "Darwin"),
    Platform.WINDOWS_X86_64: ("nt", "win32", "Windows"),
}


def marker_environment(target: Target, python: str) -> dict[str, str]:
    """The PEP 508 environment of a target, never the host's."""
    os_name, sys_platform, system = _SYSTEMS[target.platform]
    word = machine(target.platform)
    python = python.removesuffix("t")  # markers do not tell free-threaded Pythons apart
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": os_name,
        "platform_machine": word.upper() if os_name == "nt" else word,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": system,
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": sys_platform,
        "extra": "",
    }


def _terms(arguments: SolveArguments) -> tuple[Term, ...]:
    found = ordered_terms(arguments.prefer)
    if isinstance(found, str):
        known = ", ".join(f"`{term}`" for term in Term)
        raise UsageError(f"`--prefer {found}`: there is no such objective", hints=[f"there are {known}"])
    return found
