"""Facts on torch builds -> TorchBuild rows, one per release, variant and platform."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from facts_words import (
    Facts,
    arch_words,
    cuda_of_variant,
    in_range,
    minor,
    newest,
    platform_of_tag,
    python_of_tag,
    pythons_of,
    soname_major,
    sorted_archs,
)

from mmlock.core.names import Confidence, Platform
from mmlock.facts.matrix.model import File, TorchBuild

__all__ = ["PYPI", "WHEELS", "cudart", "sources", "torch_builds"]

PYPI = "https://pypi.org/simple"
WHEELS = "https://download.pytorch.org/whl"

_MACHINES = {"x86_64": Platform.LINUX_X86_64, "aarch64": Platform.LINUX_AARCH64}

_CONFIDENCE = {
    "wheel": Confidence.MEASURED,
    "script": Confidence.CAPTURED,
    "PR": Confidence.CAPTURED,
    "issue": Confidence.CAPTURED,
    "secondary (two sources agree)": Confidence.CAPTURED,
}
"""How the arch list of a variant is known; anything else was concluded."""


def sources(facts: Mapping[str, str]) -> dict[str, str]:
    """The source table of `torch/builds.json`: the facts' own and the recorded file list."""
    return {**facts, "pypi-files": "files/torch.json of this matrix (https://pypi.org/simple/torch/)"}


def torch_builds(facts: Facts, files: Sequence[File]) -> list[TorchBuild]:
    """All builds. `files` is PyPI's file list of torch; without it macOS and Windows are left out."""
    measured = merge(facts["pypi_wheels"])
    linux = [variant_row(facts, row, measured.get(("x86_64", row["torch"]))) for row in facts["variants"]]
    known = {row.torch for row in linux}
    linux += [
        wheel_row(row)
        for (machine, torch), row in measured.items()
        if machine == "aarch64" or torch not in known
    ]
    served = list(file_rows(files))
    return [*linux, *arm_rows(facts, linux), *windows_rows(facts, linux, served), *served]


def merge(wheels: Iterable[Facts]) -> dict[tuple[str, str], Facts]:
    """Measured wheels by machine and release; files with a build number join their release."""
    merged: dict[tuple[str, str], Facts] = {}
    for wheel in wheels:
        key = wheel["machine"], wheel["torch"]
        before = merged[key]["pythons"] if key in merged else []
        merged[key] = {**wheel, "pythons": [*before, *wheel["pythons"]]}
    return merged


def cudart(facts: Facts, torch: str, cuda: str | None) -> str | None:
    """The libcudart soname a Linux build brings into the environment, by CUDA major.

    None where torch links it statically or bundles it under a name of its own: nothing else can use that.
    """
    if cuda is None:
        return None
    sonames, own = {}, []
    for row in facts["cudart_linkage"]:
        if row["libcudart"].startswith(("bundled", "static")):
            own.append(row["torch"])
        elif found := soname_major(row["libcudart"]):
            sonames[found[0]] = found[1]
    if any(in_range(torch, span) for span in own):
        return None
    return sonames.get(cuda.partition(".")[0])


def variant_row(facts: Facts, row: Facts, wheel: Facts | None) -> TorchBuild:
    """A Linux x86_64 build; the one PyPI serves was read from the wheel."""
    cuda = cuda_of_variant(row["variant"])
    default = bool(row["pypi_default"])
    how = row["arch_confidence"]
    confidence = _CONFIDENCE.get(how, Confidence.INFERRED)
    if how == "n/a":
        # No GPU code: only the existence of the build is in question, and a plan is not a page.
        confidence = Confidence.INFERRED if row["source"] == ["rfc"] else Confidence.DOCUMENTED
    said = None if how in {"wheel", "script", "n/a"} else f"archs: {how}"
    soname = cudart(facts, row["torch"], cuda)
    return TorchBuild(
        torch=row["torch"],
        variant=row["variant"],
        platform=_MACHINES[row["machine"]],
        cuda=cuda,
        on_pypi=default,
        index=PYPI if default else row["index"],
        archs=sorted_archs(row["archs"]),
        ptx=sorted_archs(row["ptx"]),
        cxx11_abi=row["cxx11_abi"],
        glibc=newest(row["glibc_min"], wheel["glibc_needed"] if default and wheel else None),
        cudart=(wheel["cudart_soname_needed"] and soname) if default and wheel else soname,
        pythons=pythons_of(row["pythons"]),
        source=tuple(row["source"]),
        confidence=confidence,
        note="; ".join(filter(None, (row["note"], said))) or None,
        tag=None if default else platform_tag(row["manylinux"], row["machine"]),
    )


def platform_tag(manylinux: str, machine: str) -> str:
    """The platform tag in the wheel's name: `linux_x86_64` as it is, `manylinux_2_28` with the machine."""
    word = manylinux.split(maxsplit=1)[0]
    return word if word.endswith(machine) else f"{word}_{machine}"


def wheel_row(row: Facts) -> TorchBuild:
    """A build known only from PyPI's own wheel: aarch64, and torch before 1.8."""
    cuda = minor(row["cuda"]) if row["cuda"] else None
    bundled = row["cudart_soname_needed"] or ""
    archs = row["arch_list"] if cuda else []
    return TorchBuild(
        torch=row["torch"],
        variant="cu" + cuda.replace(".", "") if cuda else "cpu",
        platform=_MACHINES[row["machine"]],
        cuda=cuda,
        on_pypi=True,
        index=PYPI,
        archs=None if archs is None else sorted_archs(archs),
        ptx=sorted_archs(row["ptx"]),
        cxx11_abi=row["cxx11_abi"],
        glibc=row["glibc_needed"],
        cudart=bundled if bundled.startswith("libcudart.so") else None,
        pythons=pythons_of(row["pythons"]),
        source=tuple(row["source"]),
        confidence=Confidence.MEASURED,
    )


def arm_rows(facts: Facts, linux: Sequence[TorchBuild]) -> Iterator[TorchBuild]:
    """CUDA builds for aarch64 beside PyPI's, for releases whose x86_64 variant is known."""
    for row in facts["aarch64"]:
        if row.get("variant", "PyPI").startswith("PyPI"):
            continue
        for build in linux:
            if (
                build.platform is Platform.LINUX_X86_64
                and build.variant == row["variant"]
                and in_range(build.torch, row["torch"])
            ):
                yield dataclasses.replace(
                    build,
                    platform=Platform.LINUX_AARCH64,
                    on_pypi=False,
                    index=f"{WHEELS}/{build.variant}",
                    tag=None,
                    archs=sorted_archs(row["archs"]),
                    ptx=(),
                    # aarch64 moved to the new ABI and to glibc 2.28 with 2.6.
                    cxx11_abi=int(in_range(build.torch, "2.6+")),
                    glibc="2.28" if in_range(build.torch, "2.6+") else "2.17",
                    source=tuple(row["source"]),
                    confidence=Confidence.INFERRED,
                    note="archs from the build script; that this release has the build is inferred",
                )


def file_rows(files: Sequence[File]) -> Iterator[TorchBuild]:
    """What PyPI serves for macOS and Windows: builds without CUDA."""
    tags: dict[tuple[str, Platform], set[str]] = {}
    for file in files:
        parts = file.name.removesuffix(".whl").split("-")
        platform = platform_of_tag(parts[-1])
        if platform is None or platform in _MACHINES.values():
            continue
        python, abi = parts[-3:-1]
        if abi.endswith("m") and in_range(python_of_tag(python), "3.8+"):
            continue  # no such ABI: torch-1.7.0-cp38-cp38m, which nothing can install
        # cp313-cp313t is the free-threaded build.
        tag = abi if abi.endswith("t") else python
        tags.setdefault((parts[1], platform), set()).add(tag)
    for (torch, platform), found in tags.items():
        yield TorchBuild(
            torch=torch,
            variant="cpu",
            platform=platform,
            cuda=None,
            on_pypi=True,
            index=PYPI,
            archs=(),
            ptx=(),
            cxx11_abi=None,
            glibc=None,
            cudart=None,
            pythons=pythons_of(found),
            source=("pypi-files",),
            confidence=Confidence.CAPTURED,
        )


def windows_rows(
    facts: Facts, linux: Sequence[TorchBuild], served: Sequence[TorchBuild]
) -> Iterator[TorchBuild]:
    """CUDA builds for Windows whose arch list a build script gives."""
    pythons = {row.torch: row.pythons for row in served if row.platform is Platform.WINDOWS_X86_64}
    for row in facts["windows_arch_lists"]:
        archs, ptx = arch_words(row["archs"])
        for build in linux:
            if (
                build.platform is Platform.LINUX_X86_64
                and build.variant in row["variant"].split(",")
                and in_range(build.torch, row["torch"])
                and build.torch in pythons
            ):
                yield dataclasses.replace(
                    build,
                    platform=Platform.WINDOWS_X86_64,
                    on_pypi=False,
                    index=f"{WHEELS}/{build.variant}",
                    tag=str(Platform.WINDOWS_X86_64),
                    archs=archs,
                    ptx=ptx,
                    cxx11_abi=None,
                    glibc=None,
                    cudart=None,
                    pythons=pythons[build.torch],
                    source=tuple(row["source"]),
                    confidence=Confidence.INFERRED,
                    note="archs from the Windows build script; that this release has the build is inferred",
                )
