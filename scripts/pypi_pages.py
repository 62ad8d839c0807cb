"""What PyPI's pages and wheels say, without any I/O: bytes in, rows out."""

from __future__ import annotations

import email.parser
import email.policy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from facts_words import platform_of_tag, pythons_of
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)

from mmlock.core.names import Confidence, Platform, Sha256
from mmlock.core.versions import InvalidVersion, version
from mmlock.matrix.model import File, Requires

__all__ = [
    "Disagreement",
    "Metadata",
    "anchors",
    "collapse",
    "files",
    "is_old_wheel",
    "metadata",
    "pick",
    "release_of",
]


class Disagreement(Exception):
    """Two pages of one index say different things of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """One file of a simple page."""

    name: str
    url: str
    sha256: str | None
    requires_python: str | None
    yanked: bool


@dataclass(slots=True)
class _Anchors(HTMLParser):
    """Collects `<a href>` of a PEP 503 page."""

    base: str
    found: list[dict[str, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))


def anchors(page: bytes, base: str) -> list[Anchor]:
    """The files of a PEP 503 page."""
    parser = _Anchors(base)
    parser.feed(page.decode())
    rows = []
    for attributes in parser.found:
        url, _, fragment = urljoin(base, attributes.get("href") or "").partition("#")
        rows.append(
            Anchor(
                name=urlsplit(url).path.rpartition("/")[2],
                url=url,
                sha256=fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None,
                requires_python=attributes.get("data-requires-python"),
                yanked="data-yanked" in attributes,
            )
        )
    return rows


def release_of(name: str) -> str | None:
    """The version in a file name, as the index spells it; None for eggs, installers and the like."""
    try:
        if name.endswith(".whl"):
            parse_wheel_filename(name)
            return name.split("-")[1]
        if name.endswith((".tar.gz", ".zip")):
            parse_sdist_filename(name)
            return name.removesuffix(".zip").removesuffix(".tar.gz").rpartition("-")[2]
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None
    return None


def files(page: bytes, base: str, project: bytes, source: str) -> list[File]:
    """The files of a project: names, URLs and hashes from the simple page, sizes from the JSON page.

    Raises Disagreement when the two give different hashes.
    """
    details = {
        entry["filename"]: entry for entries in json.loads(project)["releases"].values() for entry in entries
    }
    rows = []
    for anchor in anchors(page, base):
        detail = details.get(anchor.name, {})
        digest = detail.get("digests", {}).get("sha256", anchor.sha256)
        if digest != anchor.sha256:
            raise Disagreement(f"{anchor.name}: the simple page and the JSON page give different sha256")
        rows.append(
            File(
                name=anchor.name,
                url=anchor.url,
                sha256=Sha256(anchor.sha256) if anchor.sha256 else None,
                size=detail.get("size"),
                requires_python=anchor.requires_python,
                yanked=anchor.yanked or bool(detail.get("yanked")),
                source=(source,),
                confidence=Confidence.CAPTURED,
                upload_time=detail.get("upload_time_iso_8601"),
            )
        )
    return rows


def is_old_wheel(name: str) -> bool:
    """Wheels for Pythons before 3.6: nothing that is supported takes them."""
    return (
        name.endswith(".whl")
        and name.split("-")[-3].startswith("cp")
        and not pythons_of([name.split("-")[-3]])
    )


def pick(rows: Iterable[File]) -> dict[Platform | None, File]:
    """One wheel for each platform of a release, of the newest ordinary CPython; None: any platform."""
    best: dict[Platform | None, tuple[tuple[object, ...], File]] = {}
    for row in rows:
        if not row.name.endswith(".whl"):
            continue
        python, abi, tag = row.name.removesuffix(".whl").split("-")[-3:]
        platform = platform_of_tag(tag)
        if platform is None and tag != "any":
            continue
        tags = pythons_of([python])
        rank = (not abi.endswith("t"), version(tags[0].rstrip("t")) if tags else version("3"), row.name)
        if platform not in best or rank > best[platform][0]:
            best[platform] = rank, row
    return {platform: row for platform, (_, row) in best.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a release requires."""

    requires: tuple[str, ...]
    requires_python: str | None


def metadata(data: bytes) -> Metadata:
    """Requires-Dist and Requires-Python of a METADATA or PKG-INFO file."""
    message = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(data, headersonly=True)
    requires = {spelled(str(value)) for value in message.get_all("Requires-Dist", ())}
    python = message.get("Requires-Python")
    return Metadata(requires=tuple(sorted(requires)), requires_python=str(python) if python else None)


def spelled(requirement: str) -> str:
    """A requirement in one spelling, so that wheels of different builders compare; kept when it is none."""
    try:
        return str(Requirement(requirement))
    except InvalidRequirement:
        return " ".join(requirement.split())


def collapse(
    release: str, found: Mapping[Platform | None, Metadata], source: Sequence[str]
) -> list[Requires]:
    """One row for all platforms that agree with Linux x86_64 (else the first), one for each that does not."""
    if not found:
        return []
    main = next((key for key in (None, Platform.LINUX_X86_64) if key in found), min(found, key=str))
    rows = []
    for platform, said in sorted(found.items(), key=lambda item: (item[0] != main, str(item[0]))):
        if platform == main or said != found[main]:
            rows.append(
                Requires(
                    version=release,
                    requires=said.requires,
                    requires_python=said.requires_python,
                    source=tuple(source),
                    confidence=Confidence.MEASURED,
                    platform=None if platform == main else platform,
                )
            )
    return rows
