"""The build requirements of a lock's steps, pinned when it is solved: a build uses exactly these files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.names import Confidence, PackageName, Platform
from mmlock.lock.model import BuildStep, BuildTool, Finding, FindingKind, Level, LockedEnv
from mmlock.resolve.closure.model import Closed, ClosureRequest
from mmlock.resolve.request.model import PlainRequirement

if TYPE_CHECKING:
    from mmlock.core.arguments import SolveArguments
    from mmlock.resolve.closure.model import Closer


def with_tools(env: LockedEnv, arguments: SolveArguments, closer: Closer) -> LockedEnv:
    """The lock with every build environment pinned, or with a warning where that cannot be done now."""
    if not env.build:
        return env
    steps, notes = [], []
    for step in env.build:
        found = _pinned(env, step, arguments, closer)
        if isinstance(found, Finding):
            steps.append(step)
            notes.append(found)
        else:
            steps.append(replace(step, tools=found))
    return replace(env, build=tuple(steps), findings=(*env.findings, *notes))


class Around(Protocol):
    """What a build is in."""

    @property
    def python(self) -> str: ...
    @property
    def platform(self) -> Platform: ...
    @property
    def glibc(self) -> str | None: ...


class Surroundings(Struct, frozen=True, kw_only=True):
    """The Python and the system of a build."""

    python: str
    platform: Platform
    glibc: str | None


def tools_question(
    arguments: SolveArguments, around: Around, package: PackageName, loose: Iterable[str]
) -> ClosureRequest:
    """The question for the build requirements that a lock does not hold.

    It names nothing of the lock, so that it can be asked before the lock is whole. Where the answer
    contradicts the lock it is solved again, with what the lock holds.
    """
    return ClosureRequest(
        python=around.python,
        platform=around.platform,
        glibc=around.glibc,
        core=(),
        requirements=tuple(PlainRequirement(text=text, via=f"the build of {package}") for text in loose),
        constraints=(),
        index=arguments.index,
        exclude_newer=arguments.exclude_newer,
        offline=arguments.offline,
    )


def _pinned(
    env: LockedEnv, step: BuildStep, arguments: SolveArguments, closer: Closer
) -> tuple[BuildTool, ...] | Finding:
    from mmlock.wheels.planning import plan_build, with_fetched

    if step.source.sha256 is None:  # such a step cannot run at all, and says so
        return ()
    plan = plan_build(with_fetched(env), step)
    if not plan.loose:
        return ()
    surroundings = Surroundings(python=plan.python, platform=plan.platform, glibc=env.target.glibc)
    question = tools_question(arguments, surroundings, step.package, plan.loose)
    answer = closer.close(question)
    # What both hold must be one file. A local part (`+cpu`) no index of tools would know.
    pins = {pin.name: pin.version for pin in plan.pins if "+" not in pin.version}
    if isinstance(answer, Closed) and any(pins.get(p.name, p.version) != p.version for p in answer.packages):
        held = tuple(PlainRequirement(text=f"{name}=={pin}", via="the lock") for name, pin in pins.items())
        answer = closer.close(replace(question, constraints=held))
    if not isinstance(answer, Closed):
        return Finding(
            level=Level.WARNING,
            kind=FindingKind.UNPINNED,
            subject=step.package,
            text="its build requirements are not pinned, the build will take what is newest then: "
            + " ".join(answer.reason.split())[:300],
            source=("the index of build requirements",),
            confidence=Confidence.MEASURED,
        )
    return tuple(
        BuildTool(name=package.name, version=package.version, file=package.files[0])
        for package in answer.packages
        if package.name not in plan.pinned_names and package.files[0].sha256
    )
