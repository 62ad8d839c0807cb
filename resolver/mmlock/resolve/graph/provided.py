"""Who else has built a package: named where nothing else saves a person from compiling it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from mmlock.core.device import Code, code_for
from mmlock.core.names import Confidence, PackageName
from mmlock.core.target import Target
from mmlock.core.versions import version
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Binary, Provider
from mmlock.resolve.graph.builder import cite

__all__ = ["OtherWay", "other_ways"]


class OtherWay(Struct, frozen=True, kw_only=True):
    """A provider that has a package, as a sentence."""

    text: str
    source: tuple[str, ...]
    """Citations."""
    confidence: Confidence


def other_ways(
    matrix: Matrix, package: PackageName, target: Target, allowed: Iterable[str]
) -> Iterator[OtherWay]:
    """Providers of a package that the user has not allowed, those with a wheel for the target first."""
    allowed = frozenset(allowed)
    rows = [row for row in matrix.providers if row.name not in allowed]
    having = [row for row in rows if package in (*row.packages, *row.instead_of)]
    told = [(_wheels(matrix, row, package, target), row) for row in having]
    for wheels, row in sorted(told, key=lambda one: not one[0]):
        text = _with_wheels(row, package, wheels) if wheels else f"{row.title} ({row.home}): {row.offers}"
        yield OtherWay(text=text, source=cite("provider-names", row.source), confidence=row.confidence)


def _wheels(matrix: Matrix, provider: Provider, package: PackageName, target: Target) -> list[Binary]:
    """Its recorded wheels for the platform, without those that are known to lack code for a device."""
    names = (package,) if package in provider.packages else provider.packages
    return [
        row
        for name in names
        for row in matrix.provided(name)
        if row.provider == provider.name and target.platform in row.platforms
        if not any(code_for(device, row.archs, row.ptx) is Code.NONE for device in target.devices)
    ]


def _with_wheels(provider: Provider, package: PackageName, wheels: list[Binary]) -> str:
    """Versions, torch and variants of some wheels; all may not exist together."""
    versions = sorted({row.version for row in wheels}, key=version)
    torch = sorted({row.torch.strip("=").removesuffix(".*") for row in wheels if row.torch}, key=version)
    variants = sorted({row.variant for row in wheels if row.variant})
    return (
        f"{provider.title} has {package} {_span(versions)} as wheels for torch {_span(torch)} "
        f"({', '.join(variants)}): `--provider {provider.name}` takes them"
    )


def _span(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{texts[0]} to {texts[-1]}" if texts else "any"
