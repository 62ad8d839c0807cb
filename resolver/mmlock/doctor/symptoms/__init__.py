"""Examiners: small functions that look closer at a match, with the facts at hand. One line here for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mmlock.doctor.model import Examined, Match
from mmlock.doctor.symptoms import symbol

if TYPE_CHECKING:
    from mmlock.doctor.diagnose import Surroundings

Examiner = Callable[[Match, "Surroundings"], "Examined | None"]
"""Gives None where the match turns out to show nothing."""

EXAMINERS: Mapping[str, Examiner] = {
    "symbol": symbol.examine,
}
