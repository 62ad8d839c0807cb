"""Facts on prebuilt extensions that are tied to torch or CUDA -> Binary rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from facts_words import (
    Facts,
    arch_words,
    as_list,
    cuda_of_variant,
    glibc_of_tag,
    newest,
    platforms_of,
    pythons_of,
    sorted_archs,
)

from mmlock.core.names import Confidence, PackageName, Platform
from mmlock.core.versions import version
from mmlock.facts.matrix.model import Binary, File, Requires, TorchBuild
from mmlock.facts.scrape.binaries import companion, is_abi3, served, torch_pin

__all__ = ["companions", "measured_archs", "npu", "spconv", "torch_pin", "xformers"]

Measured = Mapping[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]]
"""(package, version) -> cubin and PTX archs that every kernel of the wheel has."""


def measured_archs(report: str) -> dict[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]]:
    """The arch table of the report: `| spconv-cu118 2.3.6, -cu126 2.3.8 | sm_60 70 + compute_90 |`."""
    found = {}
    for cells in re.findall(r"^\| ([^|]+) \| (sm_[^|]+) \|$", report, re.MULTILINE):
        left, right = cells
        cubins, _, ptx = right.partition("+")
        archs = sorted_archs(word if word.startswith("sm_") else f"sm_{word}" for word in cubins.split())
        name = left.split()[0]
        for part in re.split(r", | / ", left):
            words = part.split()
            if words[0].startswith("-"):
                name = name.rpartition("-")[0] + words[0]
            found[name, words[-1]] = archs, sorted_archs(ptx.split())
    return found


def companions(
    facts: Facts, package: str, measured: Measured, builds: Sequence[TorchBuild], files: Sequence[File]
) -> Iterator[Binary]:
    """torchvision, torchaudio: one build per torch variant, so archs and ABI follow torch."""
    pairs = pairings(facts, package)
    pinned = [row for row in facts["pins"] if row["package"] == package]
    for row in pinned:
        archs = measured.get((package, row["version"]))
        floor = min(pairs.get(row["version"], ()), key=version, default=None)
        said = [f"PyPI's build holds {' '.join(archs[0] + archs[1])}"] if archs else []
        if row["torch"] is None:
            said.append("declares no torch; the floor is the first torch it is released for")
        yield companion(
            package,
            row["version"],
            torch=row["torch"] or (f">={floor}" if floor else None),
            glibc=glibc_of_tag(row["platforms"]),
            pythons=pythons_of(row["pythons"]),
            platforms=platforms_of(row["platforms"]),
            yanked=row["yanked"],
            source=("elf", *row["source"]) if archs else tuple(row["source"]),
            confidence=Confidence.MEASURED if row["torch"] else Confidence.INFERRED,
            note="; ".join(said) or None,
        )
    for release in pairs.keys() - {row["version"] for row in pinned}:
        yield from paired(package, release, pairs[release], builds, files)


def pairings(facts: Facts, package: str) -> dict[str, list[str]]:
    """Release of the package -> torch releases it is published for."""
    pairs: dict[str, list[str]] = {}
    for row in facts["torch_triples"]:
        if row[package]:
            # `2.11.0 (no torch pin, ...)`: the version comes first.
            pairs.setdefault(row[package].split()[0], []).append(row["torch"])
    return pairs


def paired(
    package: str, release: str, torches: Sequence[str], builds: Sequence[TorchBuild], files: Sequence[File]
) -> Iterator[Binary]:
    """A release known only from the table of pairs; its Pythons are the index's, else torch's."""
    for torch in torches:
        shared = {python for build in builds if build.torch == torch for python in build.pythons}
        listed = {
            python
            for file in files
            if file.name.endswith(".whl") and file.name.split("-")[1] == release
            for python in pythons_of([file.name.split("-")[-3]])
        }
        pythons = pythons_of(listed or shared)
        yield companion(
            package,
            release,
            torch=f"=={torch}",
            glibc=None,
            pythons=pythons,
            platforms=served(files, release, ()) or (Platform.LINUX_X86_64,),
            yanked=False,
            source=("pairs",),
            confidence=Confidence.DOCUMENTED if listed else Confidence.INFERRED,
            note=None if listed else "its Pythons are those of its torch",
        )


def sonames(facts: Facts) -> dict[str, str]:
    """CUDA major -> libcudart soname, as seen in the wheels that were read."""
    return {
        row["built_with_cuda"].split(".")[0]: row["cudart"] for row in facts["xformers"] if row.get("cudart")
    }


def xformers(facts: Facts, builds: Iterable[TorchBuild], files: Sequence[File]) -> Iterator[Binary]:
    """All xformers but its daily dev releases. What a file did not tell follows from its torch."""
    abis = {
        (build.torch, build.variant): build.cxx11_abi
        for build in builds
        if build.platform is Platform.LINUX_X86_64
    }
    by_major = sonames(facts)
    for row in facts["xformers"]:
        if ".dev" in row["version"]:
            continue
        cuda = row["built_with_cuda"]
        read = "cudart" in row
        torch, _, variant = (row["built_with_torch"] or "").partition("+")
        archs, ptx = arch_words(row["arch_list"]) if row["arch_list"] else (None, ())
        soname = row["cudart"] if read else by_major.get(cuda.split(".")[0]) if cuda else None
        derived = None if read else "libcudart and C++ ABI follow from the torch it was built with; not read"
        yield Binary(
            package=PackageName("xformers"),
            version=row["version"],
            torch=row["torch"],
            cuda=cuda,
            same_variant=False,
            cudart=soname,
            archs=archs,
            ptx=ptx,
            cxx11_abi=row["cxx11_abi"] if read else abis.get((torch, variant)),
            # Installers hold to the tag, the loader to the symbols.
            glibc=newest(row.get("glibc_needed"), glibc_of_tag(row["platforms"])),
            pythons=() if is_abi3(files, row["version"]) else pythons_of(row["pythons"]),
            platforms=platforms_of(row["platforms"]),
            url=None,
            yanked=row["yanked"],
            source=tuple(row["source"]),
            confidence=Confidence.MEASURED if read else Confidence.INFERRED,
            note="; ".join(filter(None, (row.get("broken"), row.get("note"), derived))) or None,
        )


def spconv(facts: Facts, package: str, measured: Measured, files: Sequence[File]) -> Iterator[Binary]:
    """One spconv-cuXXX project: CUDA from its name, not linked to torch, own libcudart inside."""
    for row in facts["spconv"]:
        if row["package"] != package:
            continue
        archs, ptx = measured.get((package, row["version"]), (None, ()))
        pythons = pythons_of(row["pythons"])
        yield Binary(
            package=PackageName(package),
            version=row["version"],
            torch=None,
            cuda=cuda_of_variant(package.rpartition("-")[2]),
            same_variant=False,
            cudart=None,
            archs=archs,
            ptx=ptx,
            cxx11_abi=None,
            glibc=glibc_of_tag(row["manylinux"]),
            pythons=pythons,
            platforms=served(files, row["version"], pythons) or platforms_of(row["manylinux"]),
            url=None,
            yanked=False,
            source=("elf", *row["source"]) if archs else tuple(row["source"]),
            confidence=Confidence.MEASURED if archs else Confidence.CAPTURED,
            note=None if archs else "its archs were not read",
        )


def npu(facts: Facts, requires: Sequence[Requires]) -> Iterator[Binary]:
    """torch-npu. Its wheels pin torch's `+cpu` build on x86_64 only: one row for each distinct pin."""
    declared = {(row.version, row.platform): torch_pin(row.requires) for row in requires}
    for row in facts["torch_npu"]:
        pins: dict[str | None, list[Platform]] = {}
        for platform in platforms_of(row["platforms"]):
            known = next(
                (
                    declared[key]
                    for key in ((row["version"], platform), (row["version"], None))
                    if key in declared
                ),
                row["torch"],
            )
            pins.setdefault(known, []).append(platform)
        for pin, platforms in pins.items():
            named = f"=={version(row['version']).base_version}"
            yield Binary(
                package=PackageName("torch-npu"),
                version=row["version"],
                torch=pin or named,
                cuda=None,
                same_variant=False,
                cudart=None,
                archs=None,
                ptx=(),
                cxx11_abi=None,
                glibc=glibc_of_tag(row["platforms"]),
                pythons=pythons_of(row["pythons"]),
                platforms=tuple(platforms),
                url=None,
                yanked=False,
                source=tuple(row["source"]),
                confidence=Confidence.MEASURED if pin else Confidence.INFERRED,
                note=None if pin else "declares no torch; its version names the torch release",
            )


def flash_attn_naming(facts: Facts) -> list[Facts]:
    """How release wheels of flash-attn are named, oldest rule first."""
    entry = next(row for row in facts["binaries"] if row["package"] == "flash-attn")
    return as_list(entry["naming"])


def release_name(naming: Sequence[Facts], release: str, torch: str, cuda: str, abi: str | None) -> str:
    """The local version in a wheel's name: `cu12torch2.8cxx11abiFALSE`."""
    rule = ""
    for entry in naming:
        since = entry["since"].removeprefix("v").removesuffix(".x")
        if since[0].isdigit() and version(since) <= version(release):
            rule = entry["form"]
    digits = cuda.replace(".", "")
    word = cuda.partition(".")[0] if "major only" in rule else digits
    tail = "" if "no ABI tag" in rule or abi is None else f"cxx11abi{abi}"
    return f"cu{word}torch{torch}{tail}"
