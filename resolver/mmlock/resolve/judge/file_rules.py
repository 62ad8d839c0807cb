"""Rules about the files of a lock: hashes, tags, Python bounds, source archives, doubles."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.specifiers import InvalidSpecifier

from mmlock.core.names import Form, PackageName
from mmlock.core.versions import allows_python
from mmlock.resolve.judge.judged_lock import JudgedLock, Node, refuse, unknown
from mmlock.resolve.judge.model import Objection, Rule
from mmlock.resolve.judge.wheel_tags import misfit

__all__ = ["bare_sdists", "doubles", "hashes", "pythons", "tags"]

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


def hashes(lock: JudgedLock) -> Iterator[Objection]:
    """Every file that is called sealed has a hash."""
    for package in lock.env.packages:
        if not package.files:
            yield refuse(Rule.HASHES, package.name, f"{package.name} {package.version} has no file")
        for file in package.files:
            if file.sha256 is None:
                yield refuse(Rule.HASHES, package.name, f"`{file.name}` has no hash")
            elif not _SHA256.match(file.sha256):
                yield refuse(Rule.HASHES, package.name, f"the hash of `{file.name}` is not a SHA-256")


def doubles(lock: JudgedLock) -> Iterator[Objection]:
    """A package is in the lock once, and a module has one distribution."""
    for name in lock.twice:
        yield refuse(Rule.DOUBLES, name, f"{name} is locked more than once")
    for module in lock.matrix.modules:
        known = dict.fromkeys((*module.packages, *module.on_request))
        there = [name for name in known if name in lock.nodes]
        if len(there) > 1:
            yield refuse(
                Rule.DOUBLES,
                module.module,
                f"{', '.join(there)} all install the module `{module.module}` and overwrite each other",
                lock.cite("modules", module.source),
            )


def tags(lock: JudgedLock) -> Iterator[Objection]:
    """Every wheel fits the target's Python, platform and glibc."""
    target = lock.env.target
    for node in lock.nodes.values():
        for file in node.files:
            if not file.is_wheel:
                continue
            why = misfit(file.name, lock.env.python, target.platform, target.glibc)
            if why is not None:
                yield refuse(Rule.TAGS, node.name, why)


def pythons(lock: JudgedLock) -> Iterator[Objection]:
    """Requires-Python holds, upper bounds included, which uv does not look at."""
    for node in lock.nodes.values():
        bounds = {file.requires_python for file in node.files}
        bounds |= {row.requires_python for row in lock.matrix.requires(node.name) if row.version == node.base}
        bounds |= {row.requires_python for row in lock.matrix.releases(node.name) if row.version == node.base}
        for bound in sorted(bound for bound in bounds if bound):
            yield from _python_bound(lock, node, bound)


def _python_bound(lock: JudgedLock, node: Node, bound: str) -> Iterator[Objection]:
    try:
        admitted = allows_python(bound, lock.python)
    except InvalidSpecifier:
        text = f"{node.name} {node.version} has an invalid Requires-Python: `{bound}`"
        yield unknown(Rule.PYTHONS, node.name, text)
        return
    if not admitted:  # by no patch release: the lock names a minor one, of which any may be there
        text = f"{node.name} {node.version} requires Python {bound}, but the lock is for {lock.env.python}"
        yield refuse(Rule.PYTHONS, node.name, text)


def bare_sdists(lock: JudgedLock) -> Iterator[Objection]:
    """No extension is installed from its sources behind the lock's back: that gives one without kernels."""
    compiled = _compiled(lock)
    for node in lock.nodes.values():
        sources = [file.name for file in node.files if not file.is_wheel]
        if not sources:
            continue
        if node.name in compiled:
            yield refuse(
                Rule.SDISTS,
                node.name,
                f"`{sources[0]}` contains an extension; installed from source it has no kernels",
            )
        elif node.form is Form.SDIST and not lock.requested(node.name):
            yield unknown(
                Rule.SDISTS, node.name, f"it is not known whether `{sources[0]}` contains an extension"
            )


def _compiled(lock: JudgedLock) -> set[PackageName]:
    """Packages that are known to hold compiled code."""
    names = {PackageName("torch"), *lock.matrix.binary_packages}
    names |= {recipe.package for recipe in lock.matrix.recipes}
    for module in lock.matrix.modules:
        names |= set(module.with_ops)
    return names
