"""The chapters of `mmlock matrix show`: each turns rows about a package into sentences with sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from mmlock.core.markers import named_extras
from mmlock.core.names import PackageName, WheelDetail
from mmlock.core.pythons import span
from mmlock.core.versions import version
from mmlock.facts.matrix import model
from mmlock.facts.matrix.load import Matrix
from mmlock.report import curated_facts
from mmlock.report.chapter import Chapter, Fact, cited_sources, fact, is_wanted

__all__ = ["CHAPTERS", "OPENMMLAB_INDEX", "Chapter", "Fact", "span"]

OPENMMLAB_INDEX = PackageName("openmmlab-index")
"""The name under which hashes of wheels on OpenMMLab's index are kept."""

_DETAILS = {
    WheelDetail.ARCHS: "GPU code",
    WheelDetail.CXX11_ABI: "C++ ABI",
    WheelDetail.CUDART: "libcudart",
}


# ---------------------------------------------------------------- releases


def _releases(matrix: Matrix, package: PackageName, wanted: str | None) -> Chapter:
    rows = [row for row in matrix.releases(package) if is_wanted(row.version, wanted)]
    sources = matrix.sources("releases", package)
    facts = tuple(fact(_release_text(row), [row], sources) for row in reversed(rows))
    return Chapter(name="releases", title="Releases, and what they need at import", facts=facts)


def _release_text(row: model.Release) -> str:
    parts = [
        f"{row.version} ({row.upload})" if row.upload else row.version,
        f"Python {row.requires_python}" if row.requires_python else "any Python",
        "wheel" if row.has_wheel else "sdist only",
    ]
    if row.yanked:
        parts.append("yanked")
    if row.asserts:
        ordered = sorted(row.asserts, key=lambda item: item.module)
        grouped = groupby(ordered, key=lambda item: item.module)
        bounds = (f"{module} {' '.join(i.op + i.version for i in items)}" for module, items in grouped)
        parts.append(f"only with {', '.join(bounds)}")
    return "; ".join(parts)


def _requirements(matrix: Matrix, package: PackageName, wanted: str | None) -> Chapter:
    facts: list[Fact] = []
    if wanted is not None:
        sources = matrix.sources("releases", package)
        for release in matrix.releases(package):
            if is_wanted(release.version, wanted):
                facts += [fact(text, [release], sources) for text in _requirement_texts(release)]
        sources = matrix.sources("requires", package)
        for row in matrix.requires(package):
            if is_wanted(row.version, wanted):
                where = f" of {row.variant}" if row.variant else ""
                where += f" on {row.platform}" if row.platform else ""
                facts += [fact(text, [row], sources) for text in _declared_texts(row, where)]
    return Chapter(name="requirements", title="Requirements", facts=tuple(facts))


def _declared_texts(row: model.Requires, where: str) -> Iterable[str]:
    """What a release requires always, and for each of its extras."""
    plain: list[str] = []
    extras: dict[str, list[str]] = {name: [] for name in row.extras}
    for text in row.requires:
        named = named_extras((text,))
        for name in named:
            extras.setdefault(name, []).append(text.removesuffix(f'; extra == "{name}"'))
        if not named:
            plain.append(text)
    python = f"Python {row.requires_python}" if row.requires_python else "any Python"
    yield f"declares{where}: {python}; {', '.join(plain) or 'nothing'}"
    for name, texts in sorted(extras.items()):
        yield f"extra `{name}`{where}: {', '.join(texts) or 'nothing'}"


def _requirement_texts(row: model.Release) -> Iterable[str]:
    yield f"declares: {', '.join(row.requires) or 'nothing'}"
    if row.mim:
        yield f"declares for mim: {', '.join(row.mim)}"
    if row.undeclared:
        yield f"imports but does not declare (other packages may add it): {', '.join(row.undeclared)}"
    if row.missing:
        yield f"imports modules of its own that are missing from the archive: {', '.join(row.missing)}"


# ---------------------------------------------------------------- binaries


def _torch_builds(matrix: Matrix, package: PackageName, wanted: str | None) -> Chapter:
    facts: list[Fact] = []
    if package == "torch":
        rows = [row for row in matrix.torch_builds if is_wanted(row.torch, wanted)]
        sources = matrix.sources("torch-builds")
        if wanted is not None:
            facts = [fact(_build_text(row), [row], sources) for row in rows]
        else:
            grouped = [(torch, list(group)) for torch, group in groupby(rows, key=lambda row: row.torch)]
            facts = [fact(_builds_text(torch, group), group, sources) for torch, group in reversed(grouped)]
    return Chapter(name="builds", title="Builds", facts=tuple(facts))


def _builds_text(torch: str, rows: Sequence[model.TorchBuild]) -> str:
    """All builds of a release: what PyPI serves, then the other variants."""
    pypi = ", ".join(f"{row.variant} ({row.platform})" for row in rows if row.on_pypi)
    others = dict.fromkeys(row.variant for row in rows if not row.on_pypi)
    return f"{torch}: PyPI {pypi or 'nothing'}" + (f"; others {', '.join(others)}" if others else "")


def _build_text(row: model.TorchBuild) -> str:
    parts = [f"{row.variant} for {row.platform}" + (", on PyPI" if row.on_pypi else "")]
    parts += _machine_code(row.archs, row.ptx)
    parts.append(f"Python {span(row.pythons)}")
    parts += _abi(row.glibc, row.cxx11_abi, row.cudart)
    parts += _unread(row.unread)
    if row.note:
        parts.append(row.note)
    return "; ".join(parts)


def _machine_code(archs: tuple[str, ...] | None, ptx: tuple[str, ...]) -> list[str]:
    if archs is None:
        return ["GPU code unknown"]
    return [" ".join((*archs, *(f"+{item}" for item in ptx)))] if archs or ptx else []


def _abi(glibc: str | None, cxx11_abi: int | None, cudart: str | None) -> list[str]:
    parts = []
    if glibc:
        parts.append(f"glibc {glibc}")
    if cxx11_abi is not None:
        parts.append(f"C++ ABI {cxx11_abi}")
    if cudart:
        parts.append(cudart)
    return parts


def _unread(details: tuple[WheelDetail, ...]) -> list[str]:
    return [f"not read in its wheel: {', '.join(_DETAILS[one] for one in details)}"] if details else []


def _binaries(matrix: Matrix, package: PackageName, wanted: str | None) -> Chapter:
    rows = [row for row in matrix.binaries(package) if is_wanted(row.version, wanted)]
    sources = cited_sources(matrix, "binaries", rows, package)
    grouped = [(text, list(group)) for text, group in groupby(rows, key=lambda row: row.version)]
    facts: list[Fact] = []
    for text, group in reversed(grouped):
        if wanted is None and len(group) > 1:
            facts.append(fact(_binaries_text(text, group), group, sources))
        else:
            facts += [fact(_binary_text(row), [row], sources) for row in group]
    return Chapter(name="wheels", title="Wheels", facts=tuple(facts))


def _binaries_text(text: str, rows: Sequence[model.Binary]) -> str:
    """All builds of one release; a single one is shown in full when its version is requested."""
    torch = dict.fromkeys(row.torch for row in rows if row.torch)
    cuda = dict.fromkeys(row.cuda for row in rows if row.cuda)
    pythons = span(python for row in rows for python in row.pythons)
    parts = [f"{text}; {len(rows)} builds"]
    parts += [f"torch {' or '.join(torch)}"] if torch else []
    parts += [f"CUDA {', '.join(cuda)}"] if cuda else []
    return "; ".join([*parts, f"Python {pythons}"])


def _binary_text(row: model.Binary) -> str:
    parts = [row.version]
    if row.torch is not None:
        parts.append(f"torch {row.torch}")
    if row.same_variant:
        parts.append("one per torch variant")
    if row.cuda is not None:
        parts.append(f"CUDA {row.cuda}")
    parts += _machine_code(row.archs, row.ptx)
    parts.append(f"Python {span(row.pythons)}")
    parts.append(" ".join(row.platforms))
    parts += _abi(row.glibc, row.cxx11_abi, row.cudart)
    parts += _unread(row.unread)
    if row.yanked:
        parts.append("yanked")
    if row.url is not None:
        parts.append(row.url)
    if row.note:
        parts.append(row.note)
    return "; ".join(parts)


def _index(matrix: Matrix, package: PackageName, wanted: str | None) -> Chapter:
    sources = matrix.sources("openmmlab-index")
    facts = []
    for row in matrix.index_rows:
        versions = [text for text in row.versions if is_wanted(text, wanted)]
        if row.package != package or not versions:
            continue
        seen, guessed = row.pythons_seen, row.pythons_inferred
        pythons = [f"Python {span(seen)} seen"] if seen else []
        pythons += [f"{span(guessed)} expected"] if guessed else []
        which = "" if wanted else f"{', '.join(versions)}; "
        text = f"{row.directory} for {row.platform}: {which}{', '.join(pythons)}"
        facts.append(fact(text, [row], sources))
    return Chapter(name="index", title="Wheels on OpenMMLab's index", facts=tuple(facts))


def _files(matrix: Matrix, package: PackageName, wanted: str | None) -> Chapter:
    facts: list[Fact] = []
    if wanted is not None:
        for name in (package, OPENMMLAB_INDEX):
            sources = matrix.sources("files", name)
            facts += [
                fact(_file_text(row), [row], sources)
                for row in matrix.files(name)
                if _file_release(row.name) == (package, version(wanted))
            ]
    return Chapter(name="files", title="Files", facts=tuple(facts))


def _file_text(row: model.File) -> str:
    size = f", {row.size:,} bytes" if row.size is not None else ""
    yanked = ", yanked" if row.yanked else ""
    return f"{row.name}{size}{yanked}, {f'sha256 {row.sha256}' if row.sha256 else 'no hash recorded'}"


def _file_release(name: str) -> tuple[str, Any] | None:
    """Package and version of a distribution file; None for names that are of no known form."""
    from packaging.utils import (
        InvalidSdistFilename,
        InvalidWheelFilename,
        parse_sdist_filename,
        parse_wheel_filename,
    )

    try:
        if name.endswith(".whl"):
            return parse_wheel_filename(name)[:2]
        return parse_sdist_filename(name)
    except (InvalidSdistFilename, InvalidWheelFilename):
        return None


CHAPTERS: tuple[Callable[[Matrix, PackageName, str | None], Chapter], ...] = (
    _releases,
    _torch_builds,
    _binaries,
    _index,
    _files,
    _requirements,
    curated_facts.breaks,
    curated_facts.advisories,
    curated_facts.recipes,
    curated_facts.stacks,
)
"""In the order they are shown. A new kind of fact is one function and one line here."""
