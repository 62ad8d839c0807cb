"""Prebuilt extensions other than mmcv: torchvision, torchaudio, xformers, flash-attn, spconv, torch-npu."""

from __future__ import annotations

from collections.abc import Iterable

from mmlock.core.names import Confidence, Form, PackageName
from mmlock.core.versions import allows, version
from mmlock.facts.matrix.model import Binary, TorchBuild
from mmlock.resolve.graph.builder import GraphBuilder, cite
from mmlock.resolve.graph.rows import BinaryChoice, LinkKind, Option, TorchBuildChoice
from mmlock.resolve.request.objectives import Objective


def add_binaries(builder: GraphBuilder, slot: str, package: PackageName) -> None:
    """Wheels of one package for the target's platform, newest first."""
    _add(builder, slot, package, builder.matrix.binaries(package))


def add_provided(builder: GraphBuilder, slot: str, package: PackageName) -> None:
    """Wheels of the providers that the user allows."""
    allowed = [row for row in builder.matrix.provided(package) if row.provider in builder.request.providers]
    _add(builder, slot, package, allowed)


def _add(builder: GraphBuilder, slot: str, package: PackageName, every: Iterable[Binary]) -> None:
    platform = builder.request.target.platform
    rows = [row for row in every if platform in row.platforms and not row.yanked]
    rows.sort(key=_order, reverse=True)
    releases = {release.version: release for release in builder.matrix.releases(package)}
    for row in rows:
        # What a package checks at import is its public version, whatever a builder added to it.
        public = version(row.version).public if row.found_on else row.version
        index = builder.option(
            slot,
            label(row),
            BinaryChoice(binary=row, release=releases.get(public)),
            form=Form.WHEEL,
            package=package,
            version=public,
            source=cite("binaries", row.source, package),
            confidence=row.confidence,
        )
        builder.cost(index, Objective.CERTAINTY, int(row.confidence is Confidence.INFERRED))
        _link_binary(builder, builder.options[index], row)


def _order(row: Binary) -> tuple[object, ...]:
    parsed = version(row.version)
    cuda = version(row.cuda) if row.cuda else version("0")
    return not parsed.is_prerelease, parsed, cuda, row.torch or "", row.cxx11_abi or 0


def label(row: Binary) -> str:
    """`flash-attn 2.3.5 wheel (cu118, torch ==2.0.*, ABI 0)`."""
    details = [
        *([f"by {row.provider}"] if row.provider else []),
        *([f"cu{row.cuda.replace('.', '')}"] if row.cuda and not (row.same_variant or row.variant) else []),
        *([row.variant] if row.variant else []),
        *([f"torch {row.torch}"] if row.torch else []),
        *([f"ABI {row.cxx11_abi}"] if row.cxx11_abi is not None and row.url else []),
        *([*(f"Python {python}" for python in row.pythons), *(row.archs or ())] if row.found_on else []),
    ]
    return f"{row.package} {row.version} wheel" + (f" ({', '.join(details)})" if details else "")


def fits_torch(row: Binary, build: TorchBuild, torch: str) -> bool:
    """Whether a torch build is one this wheel was made for: version, CUDA, libcudart and C++ ABI."""
    if row.torch is not None and not allows(row.torch, torch):
        return False
    if row.variant is not None and row.variant != build.variant:
        return False
    if row.same_variant:
        return True
    if row.cuda is not None and (build.cuda or "").split(".")[0] != row.cuda.split(".")[0]:
        return False  # another CUDA, or none at all
    if row.cudart is not None and build.cudart is not None and row.cudart != build.cudart:
        return False
    return row.cxx11_abi is None or build.cxx11_abi is None or row.cxx11_abi == build.cxx11_abi


def _link_binary(builder: GraphBuilder, option: Option, row: Binary) -> None:
    def fits(candidate: Option) -> bool:
        return isinstance(candidate.choice, TorchBuildChoice) and fits_torch(
            row, candidate.choice.build, candidate.version or ""
        )

    key = f"{row.torch}|{row.variant}|{row.same_variant}|{row.cuda}|{row.cudart}|{row.cxx11_abi}"
    words = [
        *([f"torch {row.torch}"] if row.torch else []),
        *([row.variant] if row.variant else []),
        *([f"CUDA {row.cuda}"] if row.cuda and not (row.same_variant or row.variant) else []),
        *([row.cudart] if row.cudart else []),
        *([f"C++ ABI {row.cxx11_abi}"] if row.cxx11_abi is not None else []),
    ]
    if words:
        builder.link(
            option.index,
            "torch",
            builder.group("torch", f"binary:{key}", fits),
            LinkKind.WHEEL,
            f"the {row.package} {row.version} wheel is built for {', '.join(words)}",
            cite("binaries", row.source, row.package),
            row.confidence,
        )
    if row.cuda is not None and "." in row.cuda and not row.same_variant:
        cuda = row.cuda
        builder.link(
            option.index,
            "torch",
            builder.group(
                "torch",
                f"same-cuda:{cuda}",
                lambda o: isinstance(o.choice, TorchBuildChoice) and o.choice.build.cuda == cuda,
            ),
            LinkKind.CUDA,
            f"{row.package} {row.version} uses CUDA {cuda}; one CUDA in the whole environment is preferred",
            cite("binaries", row.source, row.package),
            row.confidence,
            hard=False,
        )
    elif row.cuda is not None and not row.same_variant:
        # Its name tells the major only: one that may have another CUDA is not better than one that has.
        builder.cost(option.index, Objective.DECLARED, 1)
    if row.pythons:
        builder.link(
            option.index,
            "python",
            builder.pythons(row.pythons),
            LinkKind.PYTHON,
            f"{row.package} {row.version} has wheels for Python {', '.join(row.pythons)}",
            cite("binaries", row.source, row.package),
            row.confidence,
        )
