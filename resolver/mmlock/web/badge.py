"""A badge for a README: two words in two colours, drawn here so that no other site is asked."""

from __future__ import annotations

from html import escape

__all__ = ["badge"]

_LETTER = 6.6
_ROOM = 12


def badge(label: str, text: str, colour: str) -> bytes:
    """An SVG picture. White on `colour` must be readable."""
    left, right = (int(len(word) * _LETTER) + _ROOM for word in (label, text))
    name = escape(f"{label}: {text}")
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img"\
 aria-label="{name}"><title>{name}</title>
<clipPath id="r"><rect width="{left + right}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#3b4148"/>\
<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">\
<text x="{left / 2}" y="14">{escape(label)}</text>\
<text x="{left + right / 2}" y="14">{escape(text)}</text></g>
</svg>
""".encode()
