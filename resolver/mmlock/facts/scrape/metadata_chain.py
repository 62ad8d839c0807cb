"""Where what a wheel requires can be read, best place first. Pure.

The METADATA that the index serves beside the wheel (PEP 658, PEP 714), else the same file inside the wheel
by range; else PKG-INFO of the release's sdist; else the JSON API; else, of a small wheel, all of it. Only
what asking again will not change leads on to the next place: after an outage the better place is asked
another day.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from mmlock.core.names import Confidence, PackageName, Sha256, StrEnum
from mmlock.facts.matrix.model import File
from mmlock.facts.scrape.fetch_page import FetchPage, Get, WheelMember, WholeFile
from mmlock.net.fetching import FetchProblem
from mmlock.net.ranged import METADATA

__all__ = ["WHOLE_LIMIT", "MetadataPlace", "Origin", "leads_on", "places", "release_metadata", "weakest"]

WHOLE_LIMIT = 64 * 1024 * 1024
"""A whole wheel larger than this is not worth a few lines of it."""

_LATER = frozenset({FetchProblem.UNREACHABLE, FetchProblem.OFFLINE, FetchProblem.TOO_SLOW})


class Origin(StrEnum):
    """What was read; also the source key of its row."""

    WHEEL = "wheel"
    SDIST = "sdist"
    JSON = "json"

    @property
    def confidence(self) -> Confidence:
        """How far it speaks for the wheel: an sdist may be built into something else."""
        if self is Origin.JSON:
            return Confidence.CAPTURED
        return Confidence.MEASURED if self is Origin.WHEEL else Confidence.INFERRED


class MetadataPlace(Struct, frozen=True, kw_only=True):
    """One place to read it."""

    origin: Origin
    request: FetchPage
    name: str
    """The file, or the page, for people."""


def places(
    wheel: File,
    release: str,
    files: Sequence[File],
    *,
    package: PackageName,
    served: Mapping[str, Sha256 | None],
    api: str | None,
) -> Iterator[MetadataPlace]:
    """The places for one wheel of a release, in their order. `files`: all of the release."""
    beside = f"{wheel.url}.metadata" if wheel.url in served else None
    inside = WheelMember(url=wheel.url, member=METADATA, beside=beside, beside_sha256=served.get(wheel.url))
    yield MetadataPlace(origin=Origin.WHEEL, request=inside, name=wheel.name)
    for sdist in files:
        if sdist.name.endswith((".tar.gz", ".zip")) and sdist.sha256 is not None:
            archive = WholeFile(url=sdist.url, sha256=sdist.sha256)
            yield MetadataPlace(origin=Origin.SDIST, request=archive, name=sdist.name)
            break
    if api is not None:
        page = f"{api}/{package}/{release}/json"
        yield MetadataPlace(origin=Origin.JSON, request=Get(url=page), name=page)
    if wheel.size is None or wheel.size <= WHOLE_LIMIT:
        whole = WheelMember(url=wheel.url, member=METADATA, whole=True)
        yield MetadataPlace(origin=Origin.WHEEL, request=whole, name=wheel.name)


def leads_on(problem: FetchProblem) -> bool:
    """Whether the next place is asked after this problem, rather than this one another day."""
    return problem not in _LATER


def weakest(origins: Sequence[Origin]) -> Origin:
    """The origin that a row of several platforms must name."""
    order = list(Confidence)
    return max(origins, key=lambda one: order.index(one.confidence))


def release_metadata(data: bytes) -> bytes | None:
    """The fields of `/pypi/NAME/VERSION/json` in the form of METADATA; None when it does not tell them.

    `requires_dist: null` stands for releases without requirements and for those whose requirements were
    never looked at: it is no answer.
    """
    try:
        info = json.loads(data)["info"]
        lines = [("Name", info["name"]), ("Version", info["version"])]
        lines += [("Requires-Dist", text) for text in info["requires_dist"]]
        if info.get("requires_python"):
            lines.append(("Requires-Python", info["requires_python"]))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None
    if any(not isinstance(text, str) or "\n" in text or "\r" in text for _, text in lines):
        return None
    head = "\n".join(f"{key}: {text}" for key, text in lines)
    return f"Metadata-Version: 2.1\n{head}\n\n".encode()
