"""A wheelhouse as a folder of plain files, for any server that can serve files.

simple/PROJECT/index.html, index.json     the pages (PEP 503, 691), with what a wheel was built for
wheels/KEY/NAME.whl, NAME.whl.metadata    the wheels and their METADATA (PEP 658)
wheels/KEY/NAME.whl.provenance.json       how each was made
variants/PROJECT/...                      the same, with GPU wheels as variants (PEP 825) only
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Sha256
from mmlock.core.progress import Progress, silent
from mmlock.files.atomic import write_aside
from mmlock.wheels.index_file import IndexFile, index_files, metadata_of
from mmlock.wheels.model import BuiltWheel
from mmlock.wheels.simple_index import project_page, projects, root_page, wheel_place
from mmlock.wheels.variants import document_name, is_variant, variant_wheel, variants_document
from mmlock.wheels.wheelhouse import PROVENANCE, Wheelhouse, link_or_copy

__all__ = ["write_static"]

_VARIANTS = "variants"


def write_static(
    wheelhouse: Wheelhouse, target: Path, *, variants: bool = False, progress: Progress = silent
) -> int:
    """Copy the wheels and write their pages; gives the number of wheels. What is there already stays.

    `variants`: write the index of variants, too. Raises EnvironmentFault.
    """
    wheels = [entry for entry in wheelhouse.entries() if isinstance(entry, BuiltWheel)]
    try:
        for wheel in wheels:
            _copy(wheel, target, progress)
        files = tuple(index_files(wheels))
        grouped = projects(files)
        _root(target / "simple", grouped)
        for name, held in grouped.items():
            for as_json, file in ((False, "index.html"), (True, "index.json")):
                page = project_page(name, held, place=wheel_place("../../wheels"), as_json=as_json)
                _put(target / "simple" / name / file, page.body)
        if variants:
            _write_variants(files, target, progress)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot write to `{target}`",
            causes=[error.strerror or str(error)],
            hints=["name a folder that you may write to, on a disk with free space"],
        ) from error
    return len(wheels)


def _copy(wheel: BuiltWheel, target: Path, progress: Progress) -> None:
    place = target / "wheels" / wheel.key / wheel.path.name
    if not place.is_file() or place.stat().st_size != wheel.size:
        progress(f"copying {wheel.path.name}")
        link_or_copy(wheel.path, place)
    if (body := metadata_of(wheel.path, wheel.sha256)) is not None:
        _put(place.with_name(f"{place.name}.metadata"), body)
    provenance = wheel.path.parent / PROVENANCE
    if provenance.is_file():
        _put(place.with_name(f"{place.name}.{PROVENANCE}"), provenance.read_bytes())


def _root(folder: Path, names: Iterable[str]) -> None:
    listed = tuple(names)
    _put(folder / "index.html", root_page(listed, as_json=False).body)
    _put(folder / "index.json", root_page(listed, as_json=True).body)


def _write_variants(files: Iterable[IndexFile], target: Path, progress: Progress) -> None:
    """The index in which a wheel for some GPUs is a variant, and no tool takes it that does not look."""
    folder = target / _VARIANTS
    grouped = projects(_as_variant(file, folder / "files", progress) for file in files)
    _root(folder, grouped)
    for name, held in grouped.items():
        documents = tuple(_documents(name, held, folder / name))
        for as_json, file in ((False, "index.html"), (True, "index.json")):
            page = project_page(name, (*held, *documents), place=_place, as_json=as_json)
            _put(folder / name / file, page.body)


def _as_variant(file: IndexFile, folder: Path, progress: Progress) -> IndexFile:
    if not is_variant(file):
        return file
    progress(f"making the variant of {file.name}")
    made = variant_wheel(file, folder)
    if (body := metadata_of(made.path, made.sha256)) is not None:
        _put(made.path.with_name(f"{made.name}.metadata"), body)
    return made


def _documents(name: str, files: Iterable[IndexFile], folder: Path) -> Iterable[IndexFile]:
    """Write what describes the variants of each release, and give it as a file of the index."""
    releases: dict[str, list[IndexFile]] = {}
    for file in files:
        if is_variant(file):
            releases.setdefault(file.version, []).append(file)
    for version, held in sorted(releases.items()):
        body = variants_document(held)
        path = folder / document_name(name, version)
        _put(path, body)
        yield replace(
            held[0],
            name=path.name,
            path=path,
            key="",
            sha256=Sha256(hashlib.sha256(body).hexdigest()),
            size=len(body),
            requires_python=None,
            metadata=None,
            yanked=None,
            torch=None,
            archs=(),
        )


def _place(file: IndexFile) -> str:
    """Where the index of variants has a file, from the page of its project."""
    if file.name.endswith("-variants.json"):
        return quote(file.name)
    if file.path.parents[2].name == "files":
        return f"../files/{file.path.parents[1].name}/{file.path.parent.name}/{quote(file.name)}"
    return f"../../wheels/{file.key}/{quote(file.name)}"


def _put(path: Path, body: bytes) -> None:
    write_aside(path, body, mode=None)
