"""The pieces that several formats share: files and reasons as TOML tables and back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from mmlock.core.artifact import Artifact
from mmlock.core.names import Confidence
from mmlock.core.target import Target
from mmlock.lock.formats.toml_in import Cursor
from mmlock.lock.formats.toml_out import Bare, Inline
from mmlock.lock.model import CondaPackage, LockedEnv, Reason, ReasonKind

__all__ = [
    "artifact_in",
    "artifact_out",
    "conda_digest",
    "describe_devices",
    "describe_target",
    "given",
    "moment",
    "plain",
    "reasons_in",
    "reasons_out",
    "unsealed",
]

# Python 3.10 reads fractions of 3 or 6 digits only; indexes write any number of them.
_FRACTION = re.compile(r"\.(\d+)")


def conda_digest(packages: Iterable[CondaPackage]) -> str:
    """What ties the two halves of a conda lock together: its conda files by URL and hash."""
    lines = sorted(f"{package.url} {package.sha256}" for package in packages)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def given(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table without what is not known or empty: TOML has no null."""
    return {key: value for key, value in table.items() if value is not None and value not in ((), {}, [])}


def moment(text: str | None) -> str | None:
    """A date-time in the one spelling we write (UTC, `Z`); None when it cannot be read."""
    if text is None:
        return None
    padded = _FRACTION.sub(lambda match: f".{match[1][:6]:0<6}", text.strip(), count=1)
    try:
        read = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", padded))
    except ValueError:
        return None
    aware = read if read.tzinfo else read.replace(tzinfo=timezone.utc)
    try:
        return aware.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return None


def artifact_out(artifact: Artifact) -> Inline:
    """A file as PEP 751 spells it; a URL without a scheme is a path next to the lock."""
    when = moment(artifact.upload_time)
    return Inline(
        given(
            {
                "name": artifact.name,
                "url" if "://" in artifact.url else "path": artifact.url,
                "upload-time": Bare(when) if when else None,
                "size": artifact.size,
                "hashes": Inline(sha256=artifact.sha256) if artifact.sha256 else None,
            }
        )
    )


def artifact_in(table: Cursor, *, requires_python: str | None = None, yanked: bool = False) -> Artifact:
    """The file of one PEP 751 table."""
    return Artifact(
        name=table.text("name"),
        url=table.text("path" if "path" in table else "url"),
        sha256=table.table("hashes").sha256("sha256") if "hashes" in table else None,
        size=table.maybe_number("size"),
        upload_time=table.moment("upload-time"),
        requires_python=requires_python,
        yanked=yanked,
    )


def reasons_out(reasons: Iterable[Reason]) -> list[Inline]:
    """Reasons as tables, a line each."""
    return [
        Inline(
            given(
                {
                    "kind": str(reason.kind),
                    "confidence": reason.confidence.value,
                    "text": reason.text,
                    "source": list(reason.source),
                }
            )
        )
        for reason in reasons
    ]


def reasons_in(table: Cursor, key: str) -> tuple[Reason, ...]:
    """The reasons listed under a key."""
    return tuple(
        Reason(
            text=item.text("text"),
            source=item.texts("source"),
            confidence=item.choice("confidence", Confidence),
            # `asked` is what earlier releases wrote.
            kind=ReasonKind.REQUESTED if item.text("kind") == "asked" else item.choice("kind", ReasonKind),
        )
        for item in table.tables(key)
    )


def plain(text: str) -> str:
    """The text on one line, fit for a comment or a table cell."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())


def describe_devices(target: Target) -> str:
    """`GeForce RTX 5090 (sm_120), Tesla T4 (sm_75)`."""
    return ", ".join(
        plain(f"{device.name} ({device.arch})" if device.arch and device.arch != device.name else device.name)
        for device in target.devices
    )


def describe_target(env: LockedEnv) -> str:
    """The target in one line: devices, Python, platform, glibc, driver."""
    target = env.target
    parts = [describe_devices(target), f"Python {env.python}", target.platform.value]
    if target.glibc:
        parts.append(f"glibc {target.glibc} or newer")
    if env.driver_floor:
        parts.append(f"NVIDIA driver {env.driver_floor} or newer")
    return ", ".join(parts)


def unsealed(env: LockedEnv) -> list[tuple[str, str, str]]:
    """What still has to be made or fetched: (package, version, `fetch`, `build` or `torch-ops`), sorted."""
    return sorted(
        [(step.package, step.version, "fetch") for step in env.fetch]
        + [(step.package, step.version, step.form.value) for step in env.build]
    )
