"""The second opinion: a finished lock against the facts, by code that shares nothing with the solver."""

from __future__ import annotations

from mmlock.resolve.judge.judge import RULES, judge
from mmlock.resolve.judge.model import Objection, Rule, Severity

__all__ = ["RULES", "Objection", "Rule", "Severity", "judge"]
