"""Rows for new releases of prebuilt extensions, from their file names and metadata. Pure.

What only the files inside a wheel tell (archs, libcudart, C++ ABI) stays unknown here; it is read elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.names import Confidence, PackageName, Platform, WheelDetail
from mmlock.core.versions import InvalidVersion, allows, version
from mmlock.facts.matrix.model import Binary, File, Requires, TorchBuild
from mmlock.facts.scrape.tags import (
    cuda_of_variant,
    glibc_of_tag,
    platform_of_tag,
    platforms_of,
    pythons_of,
    sorted_archs,
    wheel_name,
)

__all__ = [
    "ABI_OF_TORCH",
    "LIST",
    "SOURCES",
    "UNREAD",
    "Built",
    "abi_of_torch",
    "arch_words",
    "built",
    "companion",
    "companion_row",
    "is_abi3",
    "npu_rows",
    "served",
    "spconv_row",
    "torch_pin",
    "xformers_row",
]

ABI_OF_TORCH = "C++ ABI of the torch builds that it is for; its wheel does not tell it"
UNREAD = (WheelDetail.ARCHS, WheelDetail.CXX11_ABI, WheelDetail.CUDART)
"""Of rows that names and metadata alone tell of: it is emptied when a wheel has been read."""

META, LIST, BUILD = "pypi-meta", "pypi-list", "xf-build"
"""Source keys: metadata of a wheel, the list of files, the build record inside a wheel."""


def arch_words(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`7.5 8.0+PTX 9.0a` -> (sm_75, sm_80, sm_90a) and (compute_80,)."""
    archs, ptx = set(), set()
    for word in re.split(r"[ ;,]+", text.strip()):
        name = word.removesuffix("+PTX").replace(".", "")
        archs.add(f"sm_{name}")
        if word.endswith("+PTX"):
            ptx.add(f"compute_{name}")
    return sorted_archs(archs), sorted_archs(ptx)


def is_abi3(files: Sequence[File], release: str) -> bool:
    """Whether the wheels of a release serve every Python from their tag on."""
    names = [file.name for file in files if file.name.split("-")[1] == release and file.name.endswith(".whl")]
    return bool(names) and all("-abi3-" in name or "-none-" in name for name in names)


def served(files: Sequence[File], release: str, pythons: Sequence[str]) -> tuple[Platform, ...]:
    """Platforms for which the index has a wheel of this release for each of these Pythons."""
    found: dict[Platform, set[str]] = {}
    for file in files:
        parts = file.name.removesuffix(".whl").split("-")
        platform = platform_of_tag(parts[-1]) if file.name.endswith(".whl") else None
        if platform is not None and parts[1] == release:
            found.setdefault(platform, set()).update(pythons_of([parts[-3]]))
    return tuple(sorted(platform for platform, tags in found.items() if tags >= set(pythons)))


def torch_pin(requires: Iterable[str]) -> str | None:
    """The specifier on torch among some requirements."""
    for text in requires:
        try:
            one = Requirement(text)
        except InvalidRequirement:
            continue
        if one.name == "torch" and one.specifier:
            return str(one.specifier)
    return None


def companion(
    package: str,
    release: str,
    *,
    torch: str | None,
    glibc: str | None,
    pythons: tuple[str, ...],
    platforms: tuple[Platform, ...],
    yanked: bool,
    source: tuple[str, ...],
    confidence: Confidence,
    note: str | None,
) -> Binary:
    """A package built once per torch variant. What PyPI's build holds says nothing of the other variants."""
    return Binary(
        package=PackageName(package),
        version=release,
        torch=torch,
        cuda=None,
        same_variant=True,
        cudart=None,
        archs=None,
        ptx=(),
        cxx11_abi=None,
        glibc=glibc,
        pythons=pythons,
        platforms=platforms,
        url=None,
        yanked=yanked,
        source=source,
        confidence=confidence,
        note=note,
    )


# ---------------------------------------------------------------- new releases


class ReleaseFiles(Struct, frozen=True, kw_only=True):
    """The wheels of one release as an index lists them."""

    package: PackageName
    version: str
    files: tuple[File, ...]

    @property
    def tags(self) -> list[str]:
        return sorted({found.tag for file in self.files if (found := wheel_name(file.name))})

    @property
    def pythons(self) -> tuple[str, ...]:
        """Empty for wheels that any Python 3 takes."""
        if is_abi3(self.files, self.version):
            return ()
        found = {one for file in self.files if (name := wheel_name(file.name)) for one in name.pythons}
        return pythons_of(found)

    @property
    def yanked(self) -> bool:
        return bool(self.files) and all(file.yanked for file in self.files)

    def row(
        self,
        *,
        torch: str | None,
        source: tuple[str, ...],
        confidence: Confidence,
        note: str | None,
        platforms: tuple[Platform, ...] | None = None,
    ) -> Binary:
        """A row that says what names and metadata say, and nothing else."""
        return companion(
            self.package,
            self.version,
            torch=torch,
            glibc=glibc_of_tag(self.tags),
            pythons=self.pythons,
            platforms=platforms_of(self.tags) if platforms is None else platforms,
            yanked=self.yanked,
            source=source,
            confidence=confidence,
            note=note,
        )


def companion_row(release: ReleaseFiles, requires: Sequence[Requires], first_torch: str | None) -> Binary:
    """A new torchvision or torchaudio. `first_torch`: the newest torch there is, where it declares none."""
    pin = next((pin for row in requires if (pin := torch_pin(row.requires))), None)
    floor = f">={first_torch}" if first_torch else None
    return release.row(
        torch=pin or floor,
        source=(META, LIST),
        confidence=Confidence.MEASURED if pin else Confidence.INFERRED,
        note=None if pin else "declares no torch; the floor is the newest torch when it appeared",
    )


class Built(Struct, frozen=True, kw_only=True):
    """What xformers' `cpp_lib.json` says of the build."""

    torch: str | None
    cuda: str | None
    archs: tuple[str, ...] | None
    ptx: tuple[str, ...]


def built(data: bytes) -> Built | None:
    """The build record inside an xformers wheel; None when it cannot be read."""
    try:
        document = json.loads(data)
        told, environment = document["version"], document["env"]
        number = told.get("cuda")
        listed = environment.get("TORCH_CUDA_ARCH_LIST")
        archs, ptx = arch_words(listed) if listed else (None, ())
        cuda = f"{int(number) // 100}.{int(number) % 100}" if number else None
        return Built(torch=told.get("torch"), cuda=cuda, archs=archs, ptx=ptx)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None


def xformers_row(release: ReleaseFiles, requires: Sequence[Requires], record: Built | None) -> Binary:
    """A new xformers: its build record names CUDA and archs, its metadata torch."""
    pin = next((pin for row in requires if (pin := torch_pin(row.requires))), None)
    row = release.row(
        torch=pin,
        source=(META, BUILD) if record else (META,),
        confidence=Confidence.INFERRED,
        note=None,
    )
    if record is None:
        return _with(row, unread=UNREAD)
    unread = tuple(part for part in UNREAD if part is not WheelDetail.ARCHS or record.archs is None)
    return _with(row, cuda=record.cuda, archs=record.archs, ptx=record.ptx, same_variant=False, unread=unread)


def spconv_row(release: ReleaseFiles) -> Binary:
    """A new spconv-cuXXX: CUDA from its name, not linked to torch."""
    pythons = release.pythons
    row = release.row(
        torch=None,
        source=(LIST,),
        confidence=Confidence.CAPTURED,
        note=None,
        platforms=served(release.files, release.version, pythons) or None,
    )
    return _with(
        row,
        cuda=cuda_of_variant(release.package.rpartition("-")[2]),
        same_variant=False,
        unread=(WheelDetail.ARCHS,),
    )


def npu_rows(release: ReleaseFiles, requires: Sequence[Requires]) -> Iterator[Binary]:
    """A new torch-npu. Its wheels pin torch's `+cpu` build on x86_64 only: one row for each distinct pin."""
    declared = {row.platform: torch_pin(row.requires) for row in requires}
    pins: dict[str | None, list[Platform]] = {}
    for platform in platforms_of(release.tags):
        pins.setdefault(declared.get(platform, declared.get(None)), []).append(platform)
    for pin, platforms in pins.items():
        named = f"=={_base(release.version)}"
        row = release.row(
            torch=pin or named,
            source=(META,),
            confidence=Confidence.MEASURED if pin else Confidence.INFERRED,
            note=None if pin else "declares no torch; its version names the torch release",
            platforms=tuple(platforms),
        )
        yield _with(row, same_variant=False)


def _base(text: str) -> str:
    try:
        return version(text).base_version
    except InvalidVersion:
        return text


def abi_of_torch(row: Binary, builds: Iterable[TorchBuild]) -> int | None:
    """The C++ ABI of the Linux builds of torch that a wheel is for; None where it differs or is unknown.

    A wheel that names few C++ symbols does not tell its own, and is for no torch that has another.
    """
    if row.torch is None:
        return None
    known = {
        build.cxx11_abi
        for build in builds
        if build.platform is Platform.LINUX_X86_64
        and build.cuda is not None
        and build.cuda == row.cuda
        and allows(row.torch, build.torch)
    }
    return known.pop() if len(known) == 1 else None


def _with(row: Binary, **changes: object) -> Binary:
    from msgspec import structs

    return structs.replace(row, **changes)


SOURCES: Mapping[str, str] = {
    META: "Requires-Dist of the Linux wheel on PyPI (PEP 658 file, else METADATA read by range)",
    LIST: "PyPI simple index file list",
    BUILD: "xformers/cpp_lib.json inside each wheel",
}
