"""A release of an OpenMMLab package, read from its archive: requirements, refusals at import, probes.

Nothing is run: metadata is parsed, sources are read as syntax trees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.names import Confidence, normalize
from mmlock.facts.matrix.model import Assert, Release
from mmlock.facts.scrape.archives import ArchiveTree, BadArchive, bare_info, read_tree, requires_txt
from mmlock.facts.scrape.checks import asserts
from mmlock.facts.scrape.imports import imported
from mmlock.facts.scrape.metadata import header, identity, is_requirement
from mmlock.facts.scrape.probes import probe

__all__ = ["SOURCE", "About", "BadArchive", "read_release"]

SOURCE = "archive"

_EXTRAS = ("mim", "mminstall")
"""Extras that name what OpenMMLab's own installer adds."""

_ALWAYS_THERE = frozenset({"torch", "torchvision"})
"""Nearly all releases import them and nearly none declares them."""


class About(Struct, frozen=True, kw_only=True):
    """What the index says of a release."""

    package: str
    version: str
    module: str
    """Its import name."""
    upload: str | None
    """The day, ISO 8601."""
    yanked: bool
    has_wheel: bool


class _Declared(Struct, frozen=True, kw_only=True):
    requires: tuple[str, ...]
    mim: tuple[str, ...]
    requires_python: str | None


def read_release(name: str, data: bytes, about: About, providers: Mapping[str, Sequence[str]]) -> Release:
    """One release from the bytes of its sdist or wheel. Raises BadArchive.

    `providers`: import name -> distributions that bring it.
    """
    tree = read_tree(name, data)
    info = _info(tree, name)
    _same(name, info, about)
    declared = _declared(tree, info)
    found = imported(tree, about.module)
    lines = declared.mim or _mminstall(tree, about.module)
    return Release(
        version=about.version,
        upload=about.upload,
        requires_python=declared.requires_python,
        requires=declared.requires,
        mim=tuple(line for line in lines if is_requirement(line)),
        asserts=_asserts(tree, about.module, name),
        undeclared=_undeclared(found.packages, (*declared.requires, *lines), providers),
        missing=tuple(sorted(found.missing)),
        probes=probe(tree, about.module),
        yanked=about.yanked,
        has_wheel=about.has_wheel,
        source=(SOURCE,),
        confidence=Confidence.MEASURED,
    )


def _asserts(tree: ArchiveTree, module: str, name: str) -> tuple[Assert, ...]:
    source = tree.text(f"{module}/__init__.py")
    if source is None:
        raise BadArchive(f"{name}: there is no {module}/__init__.py in it")
    try:
        return asserts(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
        raise BadArchive(f"{name}: {module}/__init__.py is no Python that can be read: {fault}") from fault


# ---------------------------------------------------------------- what it declares


def _info(tree: ArchiveTree, name: str) -> bytes:
    if not name.endswith(".whl"):
        return bare_info(tree, name)
    found = [path for path in tree.texts if path.endswith(".dist-info/METADATA") and path.count("/") == 1]
    if len(found) != 1:
        raise BadArchive(f"{name}: {len(found)} METADATA files in it, not one")
    return tree.texts[found[0]]


def _same(name: str, info: bytes, about: About) -> None:
    """Refuse an archive that is of another package or version than its name says."""
    package, version = identity(info)
    if normalize(package) != normalize(about.package) or _digits(version) != _digits(about.version):
        raise BadArchive(f"{name}: inside it is {package} {version}")


def _digits(text: str) -> str:
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(text))
    except InvalidVersion:
        return text


def _declared(tree: ArchiveTree, info: bytes) -> _Declared:
    """Requirements without an extra, and those of the extra for OpenMMLab's installer."""
    fields = header(info)
    python = fields.get("Requires-Python")
    values = [str(value) for value in fields.get_all("Requires-Dist", ())]
    listed = requires_txt(tree)
    requires, mim = _from_fields(values) if values or listed is None else _from_requires_txt(listed)
    return _Declared(requires=requires, mim=mim, requires_python=str(python) if python else None)


def _from_requires_txt(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    requires, mim = [], []
    extra = marker = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            extra, _, marker = stripped.strip("[]").partition(":")
        elif stripped and not extra:
            requires.append(f"{stripped}; ({marker})" if marker else stripped)
        elif stripped and extra in _EXTRAS:
            mim.append(stripped)
    return tuple(requires), tuple(mim)


def _from_fields(values: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    requires, mim = [], []
    for value in values:
        text, _, marker = value.partition(";")
        if "extra" not in marker:
            requires.append(value)
        elif any(f"'{extra}'" in marker.replace('"', "'") for extra in _EXTRAS):
            mim.append(text.strip())
    return tuple(requires), tuple(mim)


def _mminstall(tree: ArchiveTree, module: str) -> tuple[str, ...]:
    """The lines of mminstall.txt, which is beside the requirements or inside the package."""
    for path in ("requirements/mminstall.txt", f"{module}/.mim/requirements/mminstall.txt"):
        text = tree.text(path)
        if text is not None:
            lines = (line.partition("#")[0].strip() for line in text.splitlines())
            return tuple(line for line in lines if line)
    return ()


def _undeclared(
    names: Iterable[str], declared: Iterable[str], providers: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Imported packages that no requirement brings."""
    projects = {normalize(_project(text)) for text in declared}
    # `model-index` brings `modelindex`: a name without its dashes is the commonest of import names.
    brought = projects | {project.replace("-", "") for project in projects}
    return tuple(
        sorted(
            name
            for name in names
            if name not in _ALWAYS_THERE and not brought & {normalize(name), *providers.get(name, ())}
        )
    )


def _project(text: str) -> str:
    try:
        return Requirement(text).name
    except InvalidRequirement:
        return text
