"""The use cases. The only place that composes stages."""

from __future__ import annotations

from mmlock.app.answers import graph, why, why_not
from mmlock.app.facts import lint, show_gpus, show_package
from mmlock.app.solving import solve

__all__ = ["graph", "lint", "show_gpus", "show_package", "solve", "why", "why_not"]
