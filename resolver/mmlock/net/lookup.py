"""Which files an index has of one version of a package."""

from __future__ import annotations

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from mmlock.core.artifact import Artifact
from mmlock.core.names import PackageName, StrEnum, normalize
from mmlock.net.fetching import Fetcher, FetchFault, FetchProblem, NetFault
from mmlock.net.simple import ACCEPT, IndexPage, ParseFault, parse_page


class LookupKind(StrEnum):
    """Why an index gave no files."""

    UNREACHABLE = "unreachable"
    NOT_FOUND = "not-found"
    BAD_PAGE = "bad-page"


class LookupFault(NetFault, frozen=True, kw_only=True):
    """A look-up without an answer to use, as a sentence."""

    kind: LookupKind
    problem: FetchProblem | None = None
    """What the client met; None: the page came and does not help."""


def page_url(index_root: str, package: PackageName) -> str:
    """Where a simple index has the page of a package."""
    return f"{index_root.rstrip('/')}/{package}/"


def index_page(client: Fetcher, index_root: str, package: PackageName) -> IndexPage | LookupFault:
    """The package's page of an index, read."""
    fetched = client.get(page_url(index_root, package), accept=ACCEPT)
    if isinstance(fetched, FetchFault):
        missing = fetched.problem is FetchProblem.NOT_FOUND
        return LookupFault(
            kind=LookupKind.NOT_FOUND if missing else LookupKind.UNREACHABLE,
            problem=fetched.problem,
            text=fetched.text,
        )
    page = parse_page(fetched.body, fetched.content_type, fetched.url)
    if isinstance(page, ParseFault):
        return LookupFault(kind=LookupKind.BAD_PAGE, text=page.text)
    return page


def find_files(
    client: Fetcher, index_root: str, package: PackageName, version: str
) -> tuple[Artifact, ...] | LookupFault:
    """Every file of that very version, local part included, in the index's order."""
    page = index_page(client, index_root, package)
    return page if isinstance(page, LookupFault) else files_of(page, index_root, package, version)


def files_of(
    page: IndexPage, index_root: str, package: PackageName, version: str
) -> tuple[Artifact, ...] | LookupFault:
    """The files of a page that are of that very version."""
    wanted = Version(version)
    files = tuple(file for file in page.files if file_version(file.name, package) == wanted)
    if not files:
        text = f"`{page_url(index_root, package)}` has no file of `{package}=={version}`"
        return LookupFault(kind=LookupKind.NOT_FOUND, text=text)
    return files


def file_version(name: str, package: PackageName) -> Version | None:
    """The version that a file name carries; None when it is not of that package or cannot be read."""
    try:
        parse = parse_wheel_filename if name.endswith(".whl") else parse_sdist_filename
        found, version, *_ = parse(name)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None
    return version if normalize(found) == package else None
