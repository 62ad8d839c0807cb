"""A build step and the lock around it become a plan: which files the build environment is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace
from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.artifact import Artifact
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import Form, PackageName, normalize
from mmlock.lock.model import BuildStep, LockedEnv, LockedPackage, ToolchainPlan
from mmlock.net.download import file_name
from mmlock.wheels.model import TORCH_OPS_LABEL, BuildPlan, Pin

ARCH_VARIABLE = "TORCH_CUDA_ARCH_LIST"


def plan_build(env: LockedEnv, step: BuildStep) -> BuildPlan:
    """Pin what the lock can pin. Raises UsageError for a step that cannot be run as it is."""
    if step.source.sha256 is None:
        raise UsageError(
            f"the sources of {step.package} {step.version} have no hash",
            causes=[f"nobody has recorded one for `{step.source.name}`"],
            hints=["update the matrix and run `mmlock solve` again"],
        )
    held = {package.name: package for package in env.packages if package.form is not Form.SDIST}
    roots, loose = _split(step, held, frozenset(one.name for one in env.conda_core))
    # What torch brings along (setuptools, since Python 3.12) may be newer than the build can bear.
    other = {normalize(Requirement(text).name) for text in loose}
    tools = {tool.name: Pin(name=tool.name, version=tool.version, file=tool.file) for tool in step.tools}
    loose = [text for text in loose if not _held_by(text, tools, step)]
    chains = {pin.name: pin for pin in _toolchain_pins(step.toolchain)}
    pins = tools | chains
    for name in (name for name in _closure(roots, held.values()) if name not in other):
        pin = _pin(held[name])
        if (chain := chains.get(name)) is not None and chain.file.sha256 != pin.file.sha256:
            raise UsageError(
                f"the toolchain of {step.package} and the lock ask for different files of `{name}`",
                causes=[f"toolchain {chain.file.name}, lock {pin.file.name}"],
                hints=["run `mmlock solve` again; another `--cuda` or `--torch` may agree"],
            )
        pins[name] = pin
    return BuildPlan(
        step=step,
        python=env.python,
        platform=env.target.platform,
        torch=env.torch,
        pins=tuple(sorted(pins.values(), key=lambda pin: pin.name)),
        loose=tuple(sorted(loose)),
        archs=tuple(word for word in step.env.get(ARCH_VARIABLE, "").split(";") if word),
        label=TORCH_OPS_LABEL if step.form is Form.TORCH_OPS else local_label(env.torch),
        conda=env.conda,
    )


def with_fetched(env: LockedEnv) -> LockedEnv:
    """The lock as it is once its fetch steps have run, but for the hashes, which nobody knows yet."""
    fetched = tuple(
        LockedPackage(
            name=step.package,
            version=step.version,
            form=Form.WHEEL,
            files=(Artifact(name=file_name(step.url), url=step.url, sha256=None),),
            core=True,
            via=(),
        )
        for step in env.fetch
    )
    return replace(env, packages=(*env.packages, *fetched), fetch=())


def local_label(torch: str) -> str:
    """The local version that tells what a wheel was built against: `2.13.0+cpu` -> `pt2.13.0cpu`."""
    public, _, variant = torch.partition("+")
    words = re.split(r"[^a-z0-9.]+", f"{public}{variant}".lower())
    return "pt" + ".".join(word.strip(".") for word in words if word.strip("."))


def _split(
    step: BuildStep, held: Mapping[PackageName, LockedPackage], channel: frozenset[PackageName]
) -> tuple[list[PackageName], list[str]]:
    """Build requirements that the lock satisfies, by name, and the others as they are written."""
    roots: list[PackageName] = []
    loose: list[str] = []
    for text in step.build_requires:
        try:
            asked = Requirement(text)
        except InvalidRequirement as error:
            raise UsageError(
                f"cannot read the build requirement `{text}` of {step.package}", causes=[str(error)]
            ) from error
        name = normalize(asked.name)
        package = held.get(name)
        if name in channel:
            continue  # the build stands in an environment that has it
        if package is not None and asked.specifier.contains(package.version, prereleases=True):
            roots.append(name)
        elif name == "torch":
            raise EnvironmentFault(
                f"{step.package} {step.version} must be built against `{text}`, which the lock does not hold",
                causes=[f"it holds torch {package.version}" if package else "it holds no torch with a hash"],
                hints=["run `mmlock build` on the whole lock: it fetches torch first"],
            )
        else:
            loose.append(text)
    return roots, loose


def _held_by(text: str, tools: Mapping[PackageName, Pin], step: BuildStep) -> bool:
    asked = Requirement(text)
    tool = tools.get(normalize(asked.name))
    if tool is None:
        return False
    if not asked.specifier.contains(tool.version, prereleases=True):
        raise UsageError(
            f"the build of {step.package} asks for `{text}`, and its tools hold {tool.name} {tool.version}",
            hints=["run `mmlock solve` again: it writes the two together"],
        )
    return True


def _closure(roots: Iterable[PackageName], packages: Iterable[LockedPackage]) -> list[PackageName]:
    """The roots and, through the lock's own `via`, everything that they brought in."""
    children: dict[str, list[PackageName]] = {}
    for package in packages:
        for parent in package.via:
            children.setdefault(normalize(parent), []).append(package.name)
    found: dict[PackageName, None] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting += children.get(name, ())
    return sorted(found)


def _pin(package: LockedPackage) -> Pin:
    return Pin(name=package.name, version=package.version, file=package.files[0])


def _toolchain_pins(plan: ToolchainPlan) -> Iterator[Pin]:
    """The toolchain's wheels. A pinned one whose file is not known would make the build a guess."""
    files: dict[PackageName, Artifact] = {normalize(f.name.split("-")[0]): f for f in plan.files}
    for requirement in plan.packages:
        name, _, version = requirement.partition("==")
        file = files.get(normalize(name))
        if file is None or file.sha256 is None:
            raise UsageError(
                f"the toolchain `{plan.name}` lists `{requirement}` without a file and its hash",
                hints=["update the matrix and run `mmlock solve` again"],
            )
        yield Pin(name=normalize(name), version=version, file=file)
