"""flash-attn's release workflow at each tag -> the wheels it published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from facts_binaries import flash_attn_naming, release_name, sonames
from facts_words import Facts, cuda_of_variant, minor, pythons_of, sorted_archs

from mmlock.core.names import Confidence, PackageName, Platform
from mmlock.core.versions import version
from mmlock.facts.matrix.model import Binary

__all__ = ["NOTE", "flash_attn"]

NOTE = (
    "Wheels of GitHub releases; names composed from the release workflow of each tag, not fetched. "
    "Python 3.7 is left out: its ABI tag is cp37m. libcudart by CUDA major, as torch extensions link it."
)

_RELEASES = "https://github.com/Dao-AILab/flash-attention/releases/download"
_DIMENSIONS = {
    "torch": "torch-version",
    "cuda": "cuda-version",
    "python": "python-version",
    "abi": "cxx11_abi",
}


def flash_attn(facts: Facts, first_cuda: Mapping[str, str]) -> Iterator[Binary]:
    """One row per release, torch minor, CUDA and C++ ABI. Tags without a workflow published no wheels.

    `first_cuda` tells the first toolkit of each arch.
    """
    naming = flash_attn_naming(facts)
    by_major = sonames(facts)
    for row in facts["flash_attn"]:
        if not row["tag"].startswith("v") or not row["torch"]:
            continue
        release = row["tag"].removeprefix("v")
        for (torch, cuda, abi), pythons in wheels(row).items():
            archs = built_archs(row["archs_env"], cuda, first_cuda)
            name = release_name(naming, release, torch, cuda, abi)
            yield Binary(
                package=PackageName("flash-attn"),
                version=release,
                torch=f"=={torch}.*",
                cuda=cuda,
                same_variant=False,
                cudart=by_major.get(cuda.split(".")[0]),
                archs=archs,
                ptx=(),
                cxx11_abi=None if abi is None else int(abi == "TRUE"),
                glibc=None,
                pythons=pythons,
                platforms=(Platform.LINUX_X86_64,),
                url=f"{_RELEASES}/{row['tag']}/flash_attn-{release}+{name}-{{py}}-{{py}}-linux_x86_64.whl",
                yanked=False,
                source=tuple(row["source"]),
                confidence=Confidence.CAPTURED,
                note=f"built on {', '.join(row['os'])}",
            )


def wheels(row: Facts) -> dict[tuple[str, str, str | None], tuple[str, ...]]:
    """(torch minor, CUDA, ABI) -> Pythons, after the workflow's exclusions."""
    tags: dict[tuple[str, str, str | None], set[str]] = {}
    for torch, cuda, abi, python in product(
        row["torch"], row["cuda_built_with"], row["cxx11abi"] or [None], row["pythons"]
    ):
        chosen = {"torch": torch, "cuda": cuda, "python": python, "abi": abi}
        if python == "3.7" or any(excluded(rule, chosen) for rule in row["exclude"] or ()):
            continue
        toolkit = minor(cuda) if "." in cuda else cuda_of_variant(cuda)
        if toolkit is not None:
            tags.setdefault((minor(torch), toolkit, abi), set()).add(python)
    return {key: pythons_of(found) for key, found in tags.items()}


def excluded(rule: Mapping[str, str], chosen: Mapping[str, str | None]) -> bool:
    """Whether an `exclude` entry of the workflow matches: all that it names must."""
    named = {name: rule[key] for name, key in _DIMENSIONS.items() if key in rule}
    return len(named) == len(rule) and all(chosen[name] == value for name, value in named.items())


def built_archs(
    environment: Mapping[str, str] | None, cuda: str, first_cuda: Mapping[str, str]
) -> tuple[str, ...] | None:
    """Archs of a release whose setup.py has FLASH_ATTN_CUDA_ARCHS; None for older ones.

    setup.py adds an arch of that list only when nvcc knows it.
    """
    if not environment:
        return None
    asked = (f"sm_{number}" for number in next(iter(environment.values())).split(";"))
    return sorted_archs(arch for arch in asked if version(first_cuda[arch]) <= version(cuda))
