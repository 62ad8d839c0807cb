"""The rules of the core, as text."""

from __future__ import annotations

from functools import cache
from pathlib import Path

RULES = ("choose", "needs", "breaks", "objectives")


@cache
def rules(*names: str) -> str:
    """The text of some rule files, comments taken out, in the order of the names."""
    folder = Path(__file__).parent
    lines = (
        line
        for name in names
        for line in (folder / f"{name}.lp").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("%")
    )
    return "\n".join(lines)
