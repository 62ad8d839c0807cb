"""Indexes of compiled wheels that the user names: what they have of the packages that recipes build.

A wheel counts where the page, or the local version in its name (`+pt2.11.0cu130`), says for which torch it
was built. What it is not built for is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.artifact import Artifact, BuiltFor
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import Confidence, PackageName, normalize
from mmlock.core.progress import Progress
from mmlock.core.versions import cuda_of_variant
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Binary
from mmlock.facts.matrix.with_wheels import OwnWheel
from mmlock.facts.scrape.tags import WheelName, glibc_of_tag, wheel_name
from mmlock.files.reading import UnreadableError, read_bounded
from mmlock.net.credentials import redact
from mmlock.net.fetching import FetchFault
from mmlock.net.fetching import hints as network_hints
from mmlock.net.lookup import LookupFault, index_page
from mmlock.net.simple import ACCEPT, IndexPage, ParseFault, parse_page, parse_projects
from mmlock.resolve.loop.indexes import Indexes

__all__ = ["read_wheel_indexes"]

_LABEL = re.compile(r"pt(\d+\.\d+(?:\.\d+)?)(cpu|cu\d{2,3}|rocm[\d.]+)")
_ARCH = re.compile(r"(\d{1,2})\.(\d)([af]?)(\+PTX)?")
_HTML = "text/html; charset=utf-8"
_JSON = "application/json"


def read_wheel_indexes(
    matrix: Matrix, places: Iterable[str], indexes: Indexes, progress: Progress
) -> tuple[OwnWheel, ...]:
    """The wheels of all places, the first place first.

    Raises UsageError for a place that is no such index, EnvironmentFault for one that cannot be reached: a
    lock that builds what a wheel was meant to spare is not what was requested.
    """
    wanted = frozenset(recipe.package for recipe in matrix.recipes)
    found: list[OwnWheel] = []
    for place in places:
        progress(f"reading the wheels of {redact(place)}")
        source = _Folder.at(place) if _is_folder(place) else _Remote(url=place, indexes=indexes)
        for package in sorted(source.projects() & wanted):
            page = source.page(package)
            found += _wheels(matrix, package, page, redact(place))
    return tuple(found)


# ---------------------------------------------------------------- places


def _is_folder(place: str) -> bool:
    return "://" not in place or place.startswith("file:")


class _Folder(Struct, frozen=True, kw_only=True):
    """The `simple` folder of a published tree."""

    root: Path

    @classmethod
    def at(cls, place: str) -> _Folder:
        path = Path(url2pathname(urlsplit(place).path)) if place.startswith("file:") else Path(place)
        root = path / "simple" if (path / "simple").is_dir() else path
        if not (root / "index.html").is_file():
            raise UsageError(
                f"`{place}` is not an index of wheels",
                causes=[f"there is no `{root / 'index.html'}`"],
                hints=["write one with `mmlock farm publish DIR`, or name the address of one"],
            )
        return cls(root=root.absolute())

    def projects(self) -> frozenset[PackageName]:
        file = self.root / "index.html"
        return _right(parse_projects(self._read(file), _HTML, file.as_uri()))

    def page(self, package: PackageName) -> IndexPage:
        file = self.root / package / "index.json"
        kind = _JSON
        if not file.is_file():
            file, kind = file.with_suffix(".html"), _HTML
        page = parse_page(self._read(file), kind, file.as_uri())
        if isinstance(page, ParseFault):
            raise EnvironmentFault(page.text)
        return page

    def _read(self, file: Path) -> bytes:
        try:
            return read_bounded(file)
        except (OSError, UnreadableError) as error:
            raise EnvironmentFault(f"`{file}` cannot be read", causes=[str(error)]) from error


class _Remote(Struct, frozen=True, kw_only=True):
    """An index at a URL."""

    url: str
    indexes: Indexes

    def projects(self) -> frozenset[PackageName]:
        fetched = self.indexes.client.get(f"{self.url.rstrip('/')}/", accept=ACCEPT)
        if isinstance(fetched, FetchFault):
            raise EnvironmentFault(
                f"the index of wheels `{redact(self.url)}` is not available",
                causes=[fetched.text],
                hints=[*network_hints(fetched.problem), "leave it out, and mmlock builds what it has"],
            )
        return _right(parse_projects(fetched.body, fetched.content_type, fetched.url))

    def page(self, package: PackageName) -> IndexPage:
        page = index_page(self.indexes.client, self.url, package)
        if isinstance(page, LookupFault):
            raise EnvironmentFault(
                f"the page of `{package}` on `{redact(self.url)}` cannot be used", causes=[page.text]
            )
        # A page from elsewhere has no say over files of this machine.
        return replace(page, files=tuple(file for file in page.files if not file.url.startswith("file:")))


def _right(found: frozenset[PackageName] | ParseFault) -> frozenset[PackageName]:
    if isinstance(found, ParseFault):
        raise UsageError(
            found.text,
            hints=["name the root of a package index: its `/simple/`"],
        )
    return found


# ---------------------------------------------------------------- wheels


def _wheels(matrix: Matrix, package: PackageName, page: IndexPage, index: str) -> Iterator[OwnWheel]:
    for file in page.files:
        name = wheel_name(file.name)
        if name is None or file.yanked or normalize(name.name) != package:
            continue
        built = page.built_for.get(file.url) or _of_name(name)
        if built is not None and (row := _binary(matrix, package, name, file, built, index)) is not None:
            yield OwnWheel(binary=row, file=file)


def _of_name(name: WheelName) -> BuiltFor | None:
    """What the local version says: `2.1.0+pt2.11.0cu130`."""
    found = _LABEL.fullmatch(name.version.partition("+")[2])
    return BuiltFor(torch=f"{found[1]}+{found[2]}") if found else None


def _binary(
    matrix: Matrix, package: PackageName, name: WheelName, file: Artifact, built: BuiltFor, index: str
) -> Binary | None:
    """The wheel as a row; None for a platform or a Python that mmlock does not know."""
    platform = name.platform
    if platform is None or not name.pythons or "{" in unquote(file.url):
        return None
    torch, _, variant = built.torch.partition("+")
    cuda = cuda_of_variant(variant)
    same = (b for b in matrix.torch_builds if (b.torch, b.variant, b.platform) == (torch, variant, platform))
    known = next(same, None)
    archs = built.archs if cuda is not None else ()
    return Binary(
        package=package,
        version=name.version,
        torch=f"=={torch}",
        cuda=cuda,
        same_variant=False,
        cudart=None,
        archs=None if archs is None else tuple(_sm(arch) for arch in archs),
        ptx=tuple(_sm(arch).replace("sm_", "compute_") for arch in archs or () if arch.endswith("+PTX")),
        cxx11_abi=known.cxx11_abi if known is not None else None,
        glibc=glibc_of_tag([name.tag]),
        pythons=name.pythons,
        platforms=(platform,),
        url=file.url,
        yanked=False,
        source=(f"the index `{index}`, {file.name}",),
        confidence=Confidence.CAPTURED,
        variant=variant,
        found_on=index,
    )


def _sm(arch: str) -> str:
    """`12.0+PTX` -> `sm_120`."""
    found = _ARCH.fullmatch(arch)
    assert found is not None, arch  # the page's reader lets no other through
    return f"sm_{found[1]}{found[2]}{found[3]}"
