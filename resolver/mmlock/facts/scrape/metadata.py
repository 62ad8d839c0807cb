"""What METADATA and PKG-INFO say of a release. Pure."""

from __future__ import annotations

import email.message
import email.parser
import email.policy
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.names import Confidence, Platform, normalize
from mmlock.core.versions import version
from mmlock.facts.matrix.model import File, Requires
from mmlock.facts.scrape.tags import platform_of_tag, pythons_of

__all__ = ["Metadata", "collapse", "header", "identity", "metadata", "pick"]


class Metadata(Struct, frozen=True, kw_only=True):
    """What a release requires."""

    requires: tuple[str, ...]
    requires_python: str | None
    extras: tuple[str, ...] = ()
    """Extras that it provides, in normal form."""
    unreadable: tuple[str, ...] = ()
    """Lines of Requires-Dist that are no requirement; they are not in `requires`."""


def header(data: bytes) -> email.message.Message:
    """The fields of a METADATA or PKG-INFO file."""
    return email.parser.BytesParser(policy=email.policy.compat32).parsebytes(data, headersonly=True)


def metadata(data: bytes) -> Metadata:
    """Requires-Dist and Requires-Python of a METADATA or PKG-INFO file."""
    message = header(data)
    lines = {str(value) for value in message.get_all("Requires-Dist", ())}
    readable = {line for line in lines if is_requirement(line)}
    python = message.get("Requires-Python")
    extras = {normalize(str(value)) for value in message.get_all("Provides-Extra", ())}
    return Metadata(
        requires=tuple(sorted({spelled(line) for line in readable})),
        requires_python=str(python) if python else None,
        extras=tuple(sorted(extras)),
        unreadable=tuple(sorted(lines - readable)),
    )


def identity(data: bytes) -> tuple[str, str]:
    """The name and version that a METADATA or PKG-INFO file states."""
    message = header(data)
    return str(message.get("Name", "")), str(message.get("Version", ""))


def is_requirement(text: str) -> bool:
    """Whether pip would take the line."""
    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True


def spelled(requirement: str) -> str:
    """A requirement in one spelling, so that wheels of different builders compare."""
    return str(Requirement(requirement))


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


def collapse(
    release: str,
    found: Mapping[Platform | None, Metadata],
    source: Sequence[str],
    confidence: Confidence = Confidence.MEASURED,
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
                    extras=said.extras,
                    source=tuple(source),
                    confidence=confidence,
                    platform=None if platform == main else platform,
                )
            )
    return rows
