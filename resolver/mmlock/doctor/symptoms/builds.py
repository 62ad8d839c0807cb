"""Builds and installations: missing wheels and those of another Python, imports of a build, conflicts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from mmlock.core.names import Platform
from mmlock.core.pythons import span
from mmlock.core.versions import version
from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.log_window import around, joined
from mmlock.doctor.model import Examination, Subject, SymptomMatch, Told
from mmlock.doctor.subject import of_build, of_package

_BUILDING = re.compile(
    r"setup\.py|Getting requirements to build|Preparing metadata|egg_info|bdist_wheel|build backend"
    r"|build_wheel|--no-build-isolation|Building wheel|Failed to build"
)
_RESOLVER = re.compile(
    r"No solution found|version solving failed|ResolutionImpossible|conflicting dependencies"
    r"|Unable to find a resolution"
)
_PLATFORMS = {
    Platform.WINDOWS_X86_64: "Windows",
    Platform.MACOS_ARM64: "macOS",
    Platform.MACOS_X86_64: "macOS",
    Platform.LINUX_AARCH64: "Linux on aarch64",
    Platform.LINUX_X86_64: "Linux",
}


def build_module(match: SymptomMatch, here: DiagnosisContext) -> Examination | None:
    """Only in a build: at run time such a module is an ordinary one."""
    if not any(_BUILDING.search(line.text) for line in around(here.log, match)):
        return None
    return Examination(subject=of_build(match, here.log, here.matrix) or Subject(told=Told.BUILD))


def unsatisfiable(match: SymptomMatch, here: DiagnosisContext) -> Examination | None:
    """Only where a resolver speaks: any text may hold its `Because`."""
    if any(_RESOLVER.search(line.text) for line in around(here.log, match)):
        return Examination()
    return None


def no_wheel(match: SymptomMatch, here: DiagnosisContext) -> Examination:
    """For which Pythons the facts know files."""
    subject = of_package(match.fields.get("package", ""), here.matrix, match.fields.get("version"))
    return Examination(subject=subject, evidence=tuple(_pythons(subject, here)))


def _pythons(subject: Subject, here: DiagnosisContext) -> Iterator[str]:
    release = (subject.version or "").partition("+")[0]
    if subject.package != "torch" or not release:
        return
    rows = [row for row in here.matrix.torch_builds if row.torch == release and row.on_pypi]
    pythons = {python for row in rows for python in row.pythons}
    if pythons:
        yield f"torch {release} has wheels on PyPI for Python {span(sorted(pythons, key=_place))}"
    if told := here.entities.value("python"):
        yield f"{here.entities.teller('python')} Python {told}"


def _place(python: str) -> tuple[int, ...]:
    return (*(int(part) for part in python.removesuffix("t").split(".")), python.endswith("t"))


def wheel_guessed(match: SymptomMatch, here: DiagnosisContext) -> Examination:
    """The wheel that a setup.py looked for, and whether there is any for the platform."""
    subject = None
    if package := match.fields.get("package"):
        subject = of_package(package, here.matrix, match.fields.get("version"))
    else:
        subject = of_build(match, here.log, here.matrix)
    if subject is None or not subject.package:
        return Examination(fields={"package": ""})
    evidence = [f"it looked for `{wheel}`"] if (wheel := match.fields.get("wheel")) else []
    platform = here.entities.platform or Platform.LINUX_X86_64
    rows = here.matrix.binaries(subject.package)
    if rows and not any(platform in row.platforms for row in rows):
        evidence.append(f"no wheel of {subject.package} for {_PLATFORMS[platform]} is known")
    elif rows:
        newest = max((row.torch or "" for row in rows if platform in row.platforms), key=_bound)
        evidence.append(f"known wheels of {subject.package} are for torch up to {newest.lstrip('=<>~')}")
    return Examination(fields={"package": subject.package}, subject=subject, evidence=tuple(evidence))


def _bound(specifier: str) -> tuple[int, ...]:
    found = re.search(r"\b\d{1,4}(?:\.\d{1,4}){1,4}", specifier)
    return version(found[0]).release if found else (0,)


def wheel_not_supported(match: SymptomMatch, _: DiagnosisContext) -> Examination:
    """What the name of the wheel says it is for."""
    name = match.fields["wheel"]
    try:
        tags = parse_wheel_filename(name)[3]
    except InvalidWheelFilename:
        return Examination(evidence=(f"`{name}` is not how wheels are named: it was renamed",))
    told = joined(sorted({f"{tag.interpreter}-{tag.abi} on {tag.platform}" for tag in tags}), "or")
    return Examination(evidence=(f"it is for {told}",))
