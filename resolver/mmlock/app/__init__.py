"""The use cases: everything that can be asked of mmlock. Each is loaded when it is first asked for.

What is one room's own work is done there; what composes several rooms has a file here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmlock.app.answering import solve
    from mmlock.app.changing import build, validate
    from mmlock.app.diagnosing import doctor
    from mmlock.app.explaining import graph, why, why_not
    from mmlock.app.farming import farm_plan, farm_publish, farm_run
    from mmlock.app.inspecting import inspect
    from mmlock.app.pair_solving import locks
    from mmlock.app.proposing import update
    from mmlock.app.refreshing import refresh
    from mmlock.app.sweeping import sweep, sweep_diff
    from mmlock.doctor.doctor import list_symptoms
    from mmlock.report.comparing import diff, lock_diff, why_fact
    from mmlock.report.showing import lint, show_gpus, show_package
    from mmlock.scan.page import scan
    from mmlock.upkeep.cache_pages import cache_dir, cache_prune, cache_size
    from mmlock.upkeep.known_locks import accept, review
    from mmlock.upkeep.write_feed import feed
    from mmlock.validate.verdicts import verdict
    from mmlock.wheels.bundling import bundle
    from mmlock.wheels.export.export import export
    from mmlock.wheels.install_lock import install
    from mmlock.wheels.run_environment import run_environment
    from mmlock.wheels.wheelhouse_pages import wheelhouse

__all__ = [
    "accept",
    "build",
    "bundle",
    "cache_dir",
    "cache_prune",
    "cache_size",
    "diff",
    "doctor",
    "export",
    "farm_plan",
    "farm_publish",
    "farm_run",
    "feed",
    "graph",
    "inspect",
    "install",
    "lint",
    "list_symptoms",
    "lock_diff",
    "locks",
    "refresh",
    "review",
    "run_environment",
    "scan",
    "show_gpus",
    "show_package",
    "solve",
    "sweep",
    "sweep_diff",
    "update",
    "validate",
    "verdict",
    "wheelhouse",
    "why",
    "why_fact",
    "why_not",
]

_HOMES = {
    "accept": "mmlock.upkeep.known_locks",
    "build": "mmlock.app.changing",
    "bundle": "mmlock.wheels.bundling",
    "cache_dir": "mmlock.upkeep.cache_pages",
    "cache_prune": "mmlock.upkeep.cache_pages",
    "cache_size": "mmlock.upkeep.cache_pages",
    "diff": "mmlock.report.comparing",
    "doctor": "mmlock.app.diagnosing",
    "export": "mmlock.wheels.export.export",
    "farm_plan": "mmlock.app.farming",
    "farm_publish": "mmlock.app.farming",
    "farm_run": "mmlock.app.farming",
    "feed": "mmlock.upkeep.write_feed",
    "graph": "mmlock.app.explaining",
    "inspect": "mmlock.app.inspecting",
    "install": "mmlock.wheels.install_lock",
    "lint": "mmlock.report.showing",
    "list_symptoms": "mmlock.doctor.doctor",
    "lock_diff": "mmlock.report.comparing",
    "locks": "mmlock.app.pair_solving",
    "refresh": "mmlock.app.refreshing",
    "review": "mmlock.upkeep.known_locks",
    "run_environment": "mmlock.wheels.run_environment",
    "scan": "mmlock.scan.page",
    "show_gpus": "mmlock.report.showing",
    "show_package": "mmlock.report.showing",
    "solve": "mmlock.app.answering",
    "sweep": "mmlock.app.sweeping",
    "sweep_diff": "mmlock.app.sweeping",
    "update": "mmlock.app.proposing",
    "validate": "mmlock.app.changing",
    "verdict": "mmlock.validate.verdicts",
    "wheelhouse": "mmlock.wheels.wheelhouse_pages",
    "why": "mmlock.app.explaining",
    "why_fact": "mmlock.report.comparing",
    "why_not": "mmlock.app.explaining",
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """A use case, from where it is done."""
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(home), name)
        return found
