"""One notebook cell that makes the running environment what the lock says."""

from __future__ import annotations

import json
from pathlib import Path
from pprint import pformat
from typing import Any

from mmlock.core.errors import UsageError
from mmlock.lock.formats.parts import describe_target, unsealed
from mmlock.wheels.export.conda_part import require_none
from mmlock.wheels.export.model import Export, lines
from mmlock.wheels.export.words import require_safe

WHEELS = "wheels"


def render(export: Export) -> str:
    """The cell as Python text.

    Raises UsageError for a lock that is not sealed, or whose fields are not what they must be.
    """
    env = export.env
    require_none(
        env, "a notebook cell", "a notebook runs in a Python that is there already: `mmlock export script`"
    )
    if not env.sealed:
        names = ", ".join(f"{name} {version}" for name, version, _ in unsealed(env))
        raise UsageError(
            "a notebook cell installs by hash, and this lock is not sealed",
            causes=[f"still to build or download: {names}"],
            hints=["run `mmlock build LOCK` first"],
        )
    require_safe(export)
    data = {
        "python": env.python,
        "environment": dict(sorted(env.environment.items())),
        "imports": list(export.imports),
        "shadows": list(export.shadows),
        "packages": [
            {"name": p.name, "version": p.version, "url": p.url, "file": p.file, "sha256": p.sha256}
            for p in lines(env)
        ],
    }
    body = Path(__file__).with_name("cell.py").read_text(encoding="utf-8")
    # As `repr` writes it: whatever a text holds, it ends where Python says so.
    text = pformat(data, indent=1, width=110, sort_dicts=False)
    return (
        f"# Written by mmlock for {describe_target(env)}.\n"
        f"WHEELS = {WHEELS!r}  # the folder `wheels` of the lock, if it has one\n\n"
        f"{body}\n\nLOCK = {ascii_only(text)}\n\n_ = set_up(dict(LOCK, wheels=WHEELS))\n"
    )


def ascii_only(literal: str) -> str:
    """A Python literal without any character that an editor or a browser might show as another one."""
    return "".join(char if char.isascii() else ascii(char)[1:-1] for char in literal)


def as_ipynb(cell: str) -> str:
    """A notebook with that one cell."""
    document: dict[str, Any] = {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": "mmlock",
                "metadata": {},
                "outputs": [],
                "source": cell.splitlines(keepends=True),
            }
        ],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1) + "\n"
