"""What a lock says of vulnerabilities and of the terms it was chosen by, out and in."""

from __future__ import annotations

from mmlock.core.names import AdvisorySeverity, Confidence, normalize
from mmlock.lock.formats.parts import given
from mmlock.lock.formats.toml_in import Cursor
from mmlock.lock.formats.toml_out import Inline
from mmlock.lock.model import KnownAdvisory, TermValue

__all__ = ["advisory_in", "advisory_out", "term_in", "term_out"]


def advisory_out(one: KnownAdvisory) -> Inline:
    """A known vulnerability as an inline table."""
    return Inline(
        given(
            {
                "package": one.package,
                "version": one.version,
                "id": one.id,
                "severity": one.severity.value if one.severity is not None else None,
                "confidence": one.confidence.value,
                "summary": one.summary,
                "fixed-in": list(one.fixed_in),
                "kept-by": one.kept_by,
                "url": one.url,
                "source": list(one.source),
            }
        )
    )


def term_out(term: TermValue) -> Inline:
    """A term of the objective as an inline table."""
    return Inline(
        given({"name": term.name, "value": term.value, "meaning": term.meaning, "detail": list(term.detail)})
    )


def advisory_in(item: Cursor) -> KnownAdvisory:
    """A known vulnerability, read."""
    return KnownAdvisory(
        package=normalize(item.text("package")),
        version=item.text("version"),
        id=item.text("id"),
        severity=item.choice("severity", AdvisorySeverity) if "severity" in item else None,
        summary=item.text("summary"),
        fixed_in=item.texts("fixed-in"),
        url=item.text("url"),
        kept_by=item.maybe_text("kept-by"),
        source=item.texts("source"),
        confidence=item.choice("confidence", Confidence),
    )


def term_in(item: Cursor) -> TermValue:
    """A term of the objective, read."""
    return TermValue(
        name=item.text("name"),
        meaning=item.text("meaning"),
        value=item.number("value"),
        detail=item.texts("detail"),
    )
