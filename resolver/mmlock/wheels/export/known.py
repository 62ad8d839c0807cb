"""What the facts know about a lock that is to be exported: modules to import, distributions to remove."""

from __future__ import annotations

import re

from mmlock.facts.matrix.load import Matrix
from mmlock.lock.model import LockedEnv
from mmlock.wheels.export.model import import_names

__all__ = ["imports_of", "shadows_of"]


def imports_of(matrix: Matrix, env: LockedEnv) -> list[str]:
    """What to import as a check, torch first."""
    return import_names(env, _modules(matrix), _extensions(matrix, env))


def shadows_of(matrix: Matrix, env: LockedEnv) -> tuple[str, ...]:
    """Distributions outside the lock that write the same files as one inside."""
    held = {package.name for package in env.packages} | {step.package for step in env.build}
    found: set[str] = set()
    for row in matrix.modules:
        providers = {*row.packages, *row.on_request}
        if providers & held:
            found |= providers - held
    return tuple(sorted(found))


def _modules(matrix: Matrix) -> dict[str, str]:
    """The import name of each distribution that has exactly one."""
    found: dict[str, list[str]] = {}
    for row in matrix.modules:
        for package in (*row.packages, *row.on_request):
            found.setdefault(package, []).append(row.module)
    return {package: names[0] for package, names in found.items() if len(names) == 1}


def _extensions(matrix: Matrix, env: LockedEnv) -> dict[str, str]:
    """The compiled module of a package, from the file that its recipes check for: `mmcv/_ext*.so`."""
    names = {package.name for package in env.packages} | {step.package for step in env.build}
    found = {}
    for recipe in matrix.recipes:
        for check in recipe.check:
            match = re.fullmatch(r"file:([\w/]+)\*\.so", check)
            if match and recipe.package in names:
                found[str(recipe.package)] = match[1].replace("/", ".")
    return found
