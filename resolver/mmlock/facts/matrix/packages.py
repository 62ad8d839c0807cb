"""A compiled package as one row of data: what it is called, how its wheels are tied, where they are.

Whoever adds a package writes one file in `matrices/packages/` and no Python
(`docs/guides/add-a-package.md`). From its rows follow the facts that the rest of mmlock reads: which
distributions provide the module (`Module`), one `Binary` for each wheel, and its recipes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from msgspec import Struct

from mmlock.core.names import Confidence, PackageName, Platform, StrEnum, WheelDetail
from mmlock.core.versions import cuda_of_variant
from mmlock.facts.matrix.curated import Module
from mmlock.facts.matrix.recipe_rows import Recipe

__all__ = [
    "PLACEHOLDERS",
    "Build",
    "Offer",
    "OnPyPI",
    "Package",
    "Provider",
    "Tie",
    "WheelTable",
    "Words",
    "fill",
    "module_of",
    "placeholders",
    "rows_of",
    "specifier",
    "words_of",
]


class Tie(StrEnum):
    """How a wheel is tied to the torch that it was built for."""

    NONE = "none"  # links no library of torch
    DECLARED = "declared"  # to the torch that its metadata, or its table, names
    MINOR = "minor"  # to every patch release of that minor: 2.8.0 and 2.8.1
    EXACT = "exact"  # to that release alone


class OnPyPI(StrEnum):
    """What PyPI has under the name of the first distribution."""

    WHEELS = "wheels"
    SOURCES = "sources"
    OTHER = "other"  # another project, or a placeholder: never to be installed instead
    NOTHING = "nothing"


class Offer(StrEnum):
    """In what form a provider offers what it built."""

    INDEX = "index"  # pages that pip reads
    FILES = "files"
    CONDA = "conda"
    CONTAINER = "container"


class Provider(Struct, frozen=True, kw_only=True):
    """Who builds packages of other projects. File `curated/providers.toml`, key `name`."""

    name: str
    """As `--provider` takes it."""
    title: str
    home: str
    kind: Offer
    takes: bool
    """Whether its files may be in a lock; else it is only named."""
    packages: tuple[PackageName, ...]
    """Distributions that it has, under their own name."""
    instead_of: tuple[PackageName, ...] = ()
    """Distributions in whose place one of `packages` can be taken."""
    offers: str
    """What it says of its builds, as a clause."""
    source: tuple[str, ...]
    confidence: Confidence


class WheelTable(Struct, frozen=True, kw_only=True):
    """Wheels that one naming rule describes: every combination of what is listed exists."""

    versions: tuple[str, ...]
    """Public versions; what the index adds behind `+` is in `url`."""
    distribution: PackageName | None = None
    """None: the first of the package."""
    torch: tuple[str, ...] = ()
    """Releases it was built for (`2.8.0`); specifiers where the tie is `declared`; empty: not tied."""
    variants: tuple[str, ...] = ()
    """Torch variants it was built for (`cu128`, `cpu`); empty: any."""
    same_variant: bool = False
    """One build for each variant of torch, on the index that serves that torch."""
    cuda: str | None = None
    """CUDA it was built with where no variant tells, or its major (`13`) where the wheel tells no more; None:
    the variant's, or without CUDA."""
    abi: tuple[int, ...] = ()
    """`_GLIBCXX_USE_CXX11_ABI` of the builds; empty: unknown, or no C++ of torch."""
    pythons: tuple[str, ...] = ()
    """Empty: any Python 3 (`py3-none`, `abi3`)."""
    tags: Mapping[Platform, str]
    """Platform -> platform tag in the file name."""
    url: str | None = None
    """Where each file is, with `PLACEHOLDERS`; None: on PyPI. Without a host, with `listed`: its name."""
    listed: PackageName | None = None
    """The `files/NAME.json` that has each file by its name, where no rule tells where it is."""
    archs: tuple[str, ...] | None = None
    """GPU code in the files that it cannot do without, read from a wheel; absent: no one has read it. Empty:
    there is none."""
    ptx: tuple[str, ...] = ()
    cudart: str | None = None
    glibc: str | None = None
    requires: tuple[str, ...] | None = None
    """Requires-Dist of the wheels, where PyPI has no release that tells; absent: no one has read it."""
    provider: str | None = None
    """A row of `curated/providers.toml`, where someone else built it; None: the project itself."""
    tie: Tie | None = None
    """None: that of the package."""
    source: tuple[str, ...]
    confidence: Confidence
    note: str | None = None


class Package(Struct, frozen=True, kw_only=True):
    """A compiled package. Files `packages/*.toml`, key `module`."""

    module: str
    """Import name."""
    distributions: tuple[PackageName, ...]
    """Those that provide it, best first; exactly one may be in an environment."""
    with_ops: tuple[PackageName, ...] | None = None
    """Those that can hold compiled ops; absent: all."""
    on_request: tuple[PackageName, ...] = ()
    """Those that are taken only when they are named."""
    on_cpu: bool = False
    """Whether people use what it compiles without a GPU, too."""
    pypi: OnPyPI
    tie: Tie
    install: str
    """How its authors say to install it: told, never run."""
    home: str
    """Its project page."""
    note: str | None = None
    """What else a person must know where no fact fits, as a clause."""
    needs: str | None = None
    """What the machine must have besides, as a clause: told with every lock that holds the package."""
    kernels: str | None = None
    """The suite of kernel checks that `mmlock validate` runs for it."""
    optional: tuple[str, ...] = ()
    """Compiled files of its wheels that it does without: patterns of paths, `torchao/_C_*.so`. One that does
    not load beside a torch is not held against the wheel."""
    wheels: tuple[WheelTable, ...] = ()
    recipes: tuple[Recipe, ...] = ()
    source: tuple[str, ...]
    confidence: Confidence


# ---------------------------------------------------------------- naming rules

_NAME = re.compile(r"\{(\w{1,32})\}")

Words = Mapping[str, str]
"""Placeholder -> what is there."""

PLACEHOLDERS: Mapping[str, str] = {
    "version": "the public version: `2.1.2`",
    "torch": "the torch release as the table names it: `2.8.0`",
    "torch_minor": "its minor: `2.8`",
    "torch_digits": "the minor without dots: `28`",
    "torch_flat": "the release without dots: `280`",
    "variant": "`cu128`, `cpu`",
    "cuda": "`12.8`",
    "cuda_major": "`12`",
    "abi": "`TRUE` or `FALSE`",
    "tag": "the platform tag: `manylinux_2_28_x86_64`",
    "py": "the Python tag, filled in for each Python: `cp312`",
}
"""What may be in braces in a `url`."""


def placeholders(template: str) -> tuple[str, ...]:
    """The names in braces, in order. Raises ValueError for braces that hold no name."""
    if set("{}") & set(_NAME.sub("", template)):
        raise ValueError("a brace is not closed, or holds no name")
    return tuple(match[1] for match in _NAME.finditer(template))


def fill(template: str, words: Words) -> str:
    """The template with its words. What no word is for stays: `{py}`, for one row is about many Pythons."""
    return _NAME.sub(lambda match: words.get(match[1], match[0]), template)


def words_of(table: WheelTable, version: str, torch: str | None, variant: str | None) -> dict[str, str]:
    """What the naming rule of a table puts in for one build; what does not apply is absent."""
    words = {"version": version}
    if torch is not None:
        minor = ".".join(torch.split(".")[:2])
        words |= {
            "torch": torch,
            "torch_minor": minor,
            "torch_digits": minor.replace(".", ""),
            "torch_flat": torch.replace(".", ""),
        }
    if variant is not None:
        words["variant"] = variant
    cuda = table.cuda or (cuda_of_variant(variant) if variant else None)
    if cuda is not None:
        words |= {"cuda": cuda, "cuda_major": cuda.partition(".")[0]}
    return words


# ---------------------------------------------------------------- what follows from a row


class Build(Struct, frozen=True, kw_only=True):
    """One wheel of a table, for all the Pythons that have it; `Binary` is made of it."""

    table: WheelTable
    package: PackageName
    version: str
    torch: str | None
    """PEP 440 specifier."""
    variant: str | None
    cuda: str | None
    abi: int | None
    platforms: tuple[Platform, ...]
    url: str | None
    optional: tuple[str, ...]

    @property
    def unread(self) -> tuple[WheelDetail, ...]:
        """What no one has read in its wheel."""
        return (WheelDetail.ARCHS,) if self.table.archs is None else ()


def module_of(package: Package, source: tuple[str, ...]) -> Module:
    """Which distributions provide the module."""
    return Module(
        module=package.module,
        packages=package.distributions,
        with_ops=package.distributions if package.with_ops is None else package.with_ops,
        core=True,
        on_request=package.on_request,
        on_cpu=package.on_cpu,
        source=source,
        confidence=package.confidence,
    )


def rows_of(package: Package, distribution: PackageName) -> Iterator[Build]:
    """The wheels that the tables of a package list of one distribution."""
    for table in package.wheels:
        if (table.distribution or package.distributions[0]) == distribution:
            yield from _builds(package, table, distribution)


def _builds(package: Package, table: WheelTable, distribution: PackageName) -> Iterator[Build]:
    every: Iterable[tuple[str, str | None, str | None, int | None]] = product(
        table.versions, table.torch or (None,), table.variants or (None,), table.abi or (None,)
    )
    for version, torch, variant, abi in every:
        words = words_of(table, version, torch, variant)
        if abi is not None:
            words["abi"] = str(bool(abi)).upper()
        for platforms, tag in _by_tag(table):
            yield Build(
                table=table,
                package=distribution,
                version=version,
                torch=specifier(table.tie or package.tie, torch),
                variant=variant,
                cuda=words.get("cuda"),
                abi=abi,
                platforms=platforms,
                url=fill(table.url, {**words, "tag": tag}) if table.url else None,
                optional=package.optional,
            )


def _by_tag(table: WheelTable) -> Iterator[tuple[tuple[Platform, ...], str]]:
    """Platforms that one row can speak of: a file name that holds the tag is one platform's."""
    if table.url is None:
        yield tuple(sorted(table.tags)), ""
        return
    for platform, tag in sorted(table.tags.items()):
        yield (platform,), tag


def specifier(tie: Tie, torch: str | None) -> str | None:
    """The torch that a wheel fits, as a PEP 440 specifier."""
    if torch is None or tie is Tie.NONE:
        return None
    if tie is Tie.DECLARED:
        return torch
    return f"=={torch}" if tie is Tie.EXACT else f"=={'.'.join(torch.split('.')[:2])}.*"
