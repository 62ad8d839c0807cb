"""From a symptom and what its text names to the solve that cures it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from mmlock.core.arguments import AUTO
from mmlock.core.device import Device
from mmlock.core.names import DeviceKind, Platform, normalize
from mmlock.core.versions import allows_python, version
from mmlock.doctor.log_entities import LogEntities
from mmlock.doctor.model import ProposedSolve, Subject
from mmlock.doctor.subject import MMCV
from mmlock.facts.devices.find import find_device
from mmlock.facts.matrix.eras import builds_on_mmcv_2, never_on_mmcv_1
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.symptom_rows import Cure

SUBJECT, MMCV_OF_ERA = "{subject}", "{mmcv}"
"""Words of a cure that stand for packages."""
_AUTO = "`auto` detects the GPU of the machine; on another machine, name it (`--gpu rtx4090`)"


def proposed_solves(
    cures: tuple[Cure, ...],
    fields: Mapping[str, str],
    entities: LogEntities,
    matrix: Matrix,
    subject: Subject | None = None,
) -> tuple[ProposedSolve, ...]:
    """The solves that the cures of a symptom come to: none where they would be about something else."""
    if entities.vendor_torch is not None:
        return ()  # no index has the like: a lock would take it away
    gpu, note = gpu_word(entities, matrix)
    if gpu == "cpu" and _only_on_a_gpu(subject, matrix):
        gpu, note = AUTO, _AUTO
    result: list[ProposedSolve] = []
    for cure in cures:
        if cure.command or (SUBJECT in cure.packages and subject is not None and not subject.decided):
            continue
        for when, mmcv in _eras(cure, entities, matrix, subject):
            packages = _each_once(_packages(cure, mmcv, fields, entities, matrix, subject))
            packages = packages or cure.otherwise
            if not packages:
                continue
            result.append(
                ProposedSolve(
                    when=when or cure.when,
                    packages=packages,
                    gpu=gpu,
                    python=entities.value("python"),
                    torch=cure.torch,
                    options=_options(cure, entities),
                    note=note,
                )
            )
    return tuple(result)


def _options(cure: Cure, entities: LogEntities) -> tuple[str, ...]:
    if any(word.startswith("--platform=") for word in cure.options):
        return cure.options
    platform = entities.platform
    return cure.options if platform is None else (*cure.options, f"--platform={platform}")


def gpu_word(entities: LogEntities, matrix: Matrix) -> tuple[str, str]:
    """What to write after `--gpu`, and what must be said about it."""
    told = [find_device(matrix, entity.value) for entity in entities.of("gpu")]
    known = [device for device in told if isinstance(device, Device)]
    if known:  # a name tells more than a bare arch
        best = next((device for device in reversed(known) if device.name != device.arch), known[-1])
        return short_name(matrix, best), ""
    archs = {entity.value for entity in entities.of("arch")}
    if len(archs) == 1 and isinstance(found := find_device(matrix, *archs), Device):
        return short_name(matrix, found), "the text compiles for this arch alone"
    if entities.platform is not None and entities.platform.startswith("macosx"):
        return ("mps", "") if entities.platform == Platform.MACOS_ARM64 else ("cpu", "")
    if entities.seen("cuda-word") or archs or told:
        return AUTO, _AUTO
    return "cpu", "for a machine with a GPU, replace `cpu` by its name or `auto`"


def short_name(matrix: Matrix, device: Device) -> str:
    """The shortest spelling of a device that still means it, without blanks."""
    if device.arch and (device.name == device.arch or device.kind is DeviceKind.ROCM):
        return device.arch
    plain = re.sub(r"[^a-z0-9]", "", device.name.lower().replace("geforce", "").replace("nvidia", ""))
    for word in (plain, re.sub(r"\W+", "-", device.name.lower())):
        other = find_device(matrix, word)
        if isinstance(other, Device) and other.arch == device.arch:
            return word
    return device.arch or device.name


def _eras(
    cure: Cure, entities: LogEntities, matrix: Matrix, subject: Subject | None
) -> Iterator[tuple[str, str]]:
    """(for whom, the mmcv to ask for): one where the text tells the era of the code, else both."""
    if MMCV_OF_ERA not in cure.packages and not (
        SUBJECT in cure.packages and _of_openmmlab(entities, matrix, subject)
    ):
        yield "", ""
        return
    era = era_of(entities, matrix)
    if era or not _second_runs_on(entities.value("python"), matrix):
        yield "", era or "mmcv-full"
        return
    yield "for code for mmcv 2 (mmdet 3, mmseg 1)", "mmcv"
    yield "for code for mmcv 1.x (mmdet 2, mmseg 0)", "mmcv-full"


def _only_on_a_gpu(subject: Subject | None, matrix: Matrix) -> bool:
    """Whether a package does nothing without a GPU: no text about it is about a CPU."""
    if subject is None or subject.package is None or matrix.releases(subject.package):
        return False
    row = next((row for row in matrix.modules if subject.package in row.packages), None)
    return row is not None and bool(row.with_ops) and not row.on_cpu


def _second_runs_on(python: str | None, matrix: Matrix) -> bool:
    """Whether any mmcv 2 is for a Python; unknown is yes."""
    bounds = [
        row.requires_python
        for row in matrix.releases("mmcv")
        if builds_on_mmcv_2(matrix.mmcv_eras, "mmcv", row.version)
    ]
    return python is None or any(allows_python(bound or "", python) for bound in bounds)


def _of_openmmlab(entities: LogEntities, matrix: Matrix, subject: Subject | None) -> bool:
    """Whether mmcv is what to ask for: the text is about it or a package on top of it, or names one."""
    family = {str(name) for name in matrix.release_packages}
    if subject is not None and subject.package is not None:
        return subject.package in family
    return any(entities.seen(name) for name in family)


def on_a_gpu(solves: tuple[ProposedSolve, ...]) -> tuple[ProposedSolve, ...]:
    """The same for packages that do nothing without a GPU: no text of theirs is about a CPU."""
    return tuple(
        replace(proposed, gpu=AUTO, note=_AUTO) if proposed.gpu == "cpu" else proposed for proposed in solves
    )


def era_of(entities: LogEntities, matrix: Matrix) -> str | None:
    """`mmcv` or `mmcv-full`, as far as the text tells."""
    if entities.seen("mmcv-full"):
        return "mmcv-full"
    rows = matrix.mmcv_eras
    # What never was on mmcv 1 tells by its name; of the others a release must be named.
    if any(entities.seen(row.package) for row in rows if never_on_mmcv_1(row)):
        return "mmcv"
    for name in sorted((str(row.package) for row in rows), key=lambda name: (name != MMCV, name)):
        for entity in entities.of(name):
            second = builds_on_mmcv_2(rows, name, entity.value)
            if second is not None:
                return "mmcv" if second else "mmcv-full"
    return None


def _packages(
    cure: Cure,
    mmcv: str,
    fields: Mapping[str, str],
    entities: LogEntities,
    matrix: Matrix,
    subject: Subject | None,
) -> Iterator[str]:
    for text in cure.packages:
        if text == MMCV_OF_ERA:
            yield mmcv
        elif text == SUBJECT:
            yield from _about(subject, mmcv, matrix)
        elif text == "{packages}":
            yield from _named(entities, matrix)
        elif text.startswith("{"):
            if value := fields.get(text.strip("{}")):
                yield value
        else:
            yield text


def _about(subject: Subject | None, mmcv: str, matrix: Matrix) -> Iterator[str]:
    """What to ask for of the package that a text is about."""
    if mmcv:
        yield mmcv
    if subject is None or subject.package is None or subject.package in mmcv_packages(matrix):
        return
    bare = subject.version.partition("+")[0] if subject.version else ""
    yield f"{subject.package}=={bare}" if bare else subject.package


def mmcv_packages(matrix: Matrix) -> tuple[str, ...]:
    """The distributions that provide mmcv: exactly one of them may be installed."""
    return tuple(str(name) for row in matrix.modules if row.module == MMCV for name in row.packages)


def _each_once(texts: Iterator[str]) -> tuple[str, ...]:
    """One requirement for each package, the one with a version where there is one."""
    by_name: dict[str, str] = {}
    for text in texts:
        name = re.split(r"[=<>!~]", text)[0]
        if name not in by_name or by_name[name] == name:
            by_name[name] = text
    return tuple(by_name.values())


def _named(entities: LogEntities, matrix: Matrix) -> Iterator[str]:
    """The OpenMMLab packages that a text names, mmcv's own family left out."""
    aside = set(mmcv_packages(matrix)).union(*(module.on_request for module in matrix.modules))
    for package in matrix.release_packages:
        if package in aside or not entities.seen(package):
            continue
        told = entities.value(package)
        known = {row.version for row in matrix.releases(package)}
        yield f"{package}=={told}" if told in known else str(package)


def same_major(requirement: str) -> str:
    """`mmdet==2.28.2` -> `mmdet>=2,<3`: what may be asked when the very release does not fit."""
    name, pinned, release = requirement.partition("==")
    if not pinned:
        return requirement
    major = version(release).major
    return f"{normalize(name)}>={major},<{major + 1}"
