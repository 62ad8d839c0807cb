"""The spellings of the facts folder, translated to those of the matrix."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mmlock.core.names import Platform
from mmlock.core.versions import version

__all__ = [
    "arch_words",
    "as_list",
    "by_version",
    "clean_source",
    "clean_sources",
    "cuda_of_variant",
    "glibc_of_tag",
    "in_range",
    "minor",
    "newest",
    "platform_of_tag",
    "platforms_of",
    "python_of_tag",
    "pythons_of",
    "soname_major",
    "sorted_archs",
]

Facts = dict[str, Any]
"""A table of the facts folder as json.load gives it."""

_PYTHON_TAG = re.compile(r"cp(\d)(\d+)m?(t?)$")
_MANYLINUX = re.compile(r"manylinux_2_(\d+)_")
_ARCH = re.compile(r"(sm_|compute_|gfx)?(\w+)$")
_SONAME = re.compile(r"libcudart\.so\.(\d+)(?:\.\d+)?")

_OLDEST_PYTHON = "3.6"
"""Older wheels are not recorded: no supported torch can be installed there."""


def as_list(value: Iterable[Any] | None) -> list[Any]:
    """A list that may be absent."""
    return list(value or ())


def python_of_tag(tag: str) -> str:
    """`cp310` -> `3.10`, `cp37m` -> `3.7`, `cp313t` -> `3.13t`; `3.10` stays."""
    match = _PYTHON_TAG.match(tag)
    return f"{match[1]}.{match[2]}{match[3]}" if match else tag


def pythons_of(tags: Iterable[str]) -> tuple[str, ...]:
    """Pythons in version order; empty for `py3` tags, which any Python 3 takes."""
    found = {python_of_tag(tag) for tag in tags if not tag.startswith("py")}
    kept = (text for text in found if version(text.rstrip("t")) >= version(_OLDEST_PYTHON))
    return tuple(sorted(kept, key=lambda text: (version(text.rstrip("t")), text)))


def cuda_of_variant(variant: str) -> str | None:
    """`cu118` -> `11.8`; None for `cpu` and ROCm."""
    digits = variant.removeprefix("cu")
    return f"{digits[:-1]}.{digits[-1]}" if digits.isdigit() else None


def minor(text: str) -> str:
    """`2.1.0.dev20230731` -> `2.1`, `12.4.1` -> `12.4`."""
    return ".".join(text.split(".")[:2])


def sorted_archs(archs: Iterable[str]) -> tuple[str, ...]:
    """Archs without repetition, smallest number first."""

    def order(arch: str) -> tuple[str, int, str]:
        kind, _, rest = arch.partition("_")
        digits = re.match(r"\d+", rest)
        return ("", int(digits[0]), rest) if digits else (kind, 0, arch)

    return tuple(sorted(set(archs), key=order))


def arch_words(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`7.5 8.0+PTX 9.0a` -> (sm_75, sm_80, sm_90a) and (compute_80,)."""
    archs, ptx = set(), set()
    for word in re.split(r"[ ;,]+", text.strip()):
        name = word.removesuffix("+PTX").replace(".", "")
        archs.add(f"sm_{name}")
        if word.endswith("+PTX"):
            ptx.add(f"compute_{name}")
    return sorted_archs(archs), sorted_archs(ptx)


def platform_of_tag(tag: str) -> Platform | None:
    """The platform of a wheel tag; None for `any` and machines that are not covered."""
    last = tag.rpartition(".")[2]
    if "linux" in last:
        machine = {"x86_64": Platform.LINUX_X86_64, "aarch64": Platform.LINUX_AARCH64}
        return next((found for name, found in machine.items() if last.endswith(name)), None)
    if last.startswith("macosx"):
        return Platform.MACOS_ARM64 if last.endswith("arm64") else Platform.MACOS_X86_64
    return Platform.WINDOWS_X86_64 if last == "win_amd64" else None


def platforms_of(tags: Iterable[str]) -> tuple[Platform, ...]:
    """The platforms of some wheel tags."""
    return tuple(sorted({found for tag in tags if (found := platform_of_tag(tag)) is not None}))


def glibc_of_tag(tags: Iterable[str]) -> str | None:
    """What glibc a Linux x86_64 tag promises; None when it says nothing that can be trusted.

    manylinux1 is such a case: torch wheels kept it for old pips and need more.
    """
    for tag in tags:
        if platform_of_tag(tag) is Platform.LINUX_X86_64:
            match = _MANYLINUX.search(tag)
            return f"2.{match[1]}" if match else "2.17" if "manylinux2014" in tag else None
    return None


def newest(*versions: str | None) -> str | None:
    """The highest of some glibc versions, each a floor."""
    return max(filter(None, versions), key=version, default=None)


def in_range(release: str, text: str) -> bool:
    """Whether the minor of a release lies in `2.1-2.5`, `1.13`, `2.9+`, `<=2.10` or `>=2.11`."""
    number = version(minor(release))
    if text.startswith(("<=", ">=")):
        bound = version(text[2:])
        return number <= bound if text[0] == "<" else number >= bound
    if text.endswith("+"):
        return number >= version(text[:-1])
    first, _, last = text.partition("-")
    return version(first) <= number <= version(last or first)


def by_version(rows: Iterable[Facts], field: str = "torch") -> list[Facts]:
    """Rows in version order."""
    return sorted(rows, key=lambda row: version(row[field]))


def soname_major(text: str) -> tuple[str, str] | None:
    """CUDA major and soname in a text: `libcudart.so.11.0 (...)` -> (11, libcudart.so.11.0)."""
    match = _SONAME.search(text)
    return (match[1], match[0]) if match else None


_STORED = (
    (re.compile(r",? stored cop(?:y|ies) in "), ", read in "),
    (re.compile(r"\s*\((?:a public repository, )?stored cop(?:y|ies)\)"), ""),
    (re.compile(r",?\s*\(?a public repository, stored copy\)?"), ""),
    (re.compile(r" in the stored documentation pages"), ", captured"),
    (re.compile(r"\.github/own reading excerpts \(text search\)"), ".github workflows, excerpts"),
    (re.compile(r" \(see observed_urls\.json\)"), ""),
    (re.compile(r" \(cuda\.json\)"), ""),
)


def clean_source(text: str) -> str:
    """A source text without words on where a copy was kept while it was read."""
    for pattern, instead in _STORED:
        text = pattern.sub(instead, text)
    return text.strip()


def clean_sources(table: Mapping[str, str]) -> dict[str, str]:
    """The `sources` table of a facts file for a matrix file."""
    return {key: clean_source(text) for key, text in table.items()}
