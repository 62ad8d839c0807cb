"""The build key: one digest over everything that shapes the wheel's bytes.

Left out on purpose: how many jobs compile at once, where the files lie, how the compiler is sped up.
Build requirements that the lock does not hold (`ninja`, `pip`, `wheel`) enter as they are requested; what
they turned out to be is in the provenance.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mmlock.core.names import Form
from mmlock.lock.formats.parts import conda_digest
from mmlock.wheels.model import BuildPlan, Compiler
from mmlock.wheels.torch_ops import library_digest

SCHEMA = 1
_NOT_SHAPING = frozenset({"MAX_JOBS"})


def key_inputs(plan: BuildPlan, compiler: Compiler | None, toolkit: str | None) -> Mapping[str, Any]:
    """What the key is made of, as plain values; `toolkit` tells a system toolkit that no hash pins."""
    step = plan.step
    plain = {"ops": list(step.ops), "library": library_digest()} if step.form is Form.TORCH_OPS else {}
    return {
        **plain,
        "schema": SCHEMA,
        "package": step.package,
        "version": step.version,
        "sources": step.source.sha256,
        "patches": [[patch.file, patch.find, patch.replace] for patch in step.patches],
        "python": plan.python,
        "platform": plan.platform.value,
        "torch": plan.torch,
        "archs": list(plan.archs),
        "pins": {pin.name: pin.file.sha256 for pin in plan.pins},
        "loose": list(plan.loose),
        "environment": {name: step.env[name] for name in sorted(step.env) if name not in _NOT_SHAPING},
        "toolchain": [step.toolchain.name, step.toolchain.cuda, toolkit],
        "compiler": [compiler.identity, compiler.machine] if compiler else None,
        "std": step.std,
        **({"conda": conda_digest(plan.conda)} if plan.conda else {}),
        **({"groups": [[group.file, *group.parts] for group in step.groups]} if step.groups else {}),
    }


def build_key(inputs: Mapping[str, Any]) -> str:
    """64 hex digits; the same inputs give the same key on every machine."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
