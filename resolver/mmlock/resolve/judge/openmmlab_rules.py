"""Rules about OpenMMLab: checks at import, compiled ops, the wheel index."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mmlock.core.names import Form, PackageName
from mmlock.core.versions import InvalidVersion, assert_holds
from mmlock.facts.matrix.model import Assert, Release
from mmlock.resolve.judge.judged_lock import JudgedLock, Node, refuse, release, unknown
from mmlock.resolve.judge.model import Objection, Rule

__all__ = ["asserts", "index_wheels", "ops"]

_DIRECTORY = re.compile(r"/(?P<directory>(?P<variant>cpu|cu\d+)/torch(?P<torch>[\d.]+))/")


def asserts(lock: JudgedLock) -> Iterator[Objection]:
    """Every version check that a release runs when it is imported passes."""
    providers = {module.module: (*module.packages, *module.on_request) for module in lock.matrix.modules}
    for node in lock.nodes.values():
        rows = lock.matrix.releases(node.name)
        row = next((row for row in rows if row.version == node.base), None)
        if row is not None:
            for check in row.asserts:
                yield from _assert(lock, node, row, check, providers.get(check.module, ()))
        elif rows:
            yield unknown(
                Rule.ASSERTS, node.name, f"what {node.name} {node.version} checks at import is not known"
            )


def _assert(
    lock: JudgedLock, node: Node, row: Release, check: Assert, providers: tuple[PackageName, ...]
) -> Iterator[Objection]:
    source = lock.cite("releases", row.source, node.name)
    wanted = f"{check.module} {check.op} {check.version}"
    there = [lock.nodes[name] for name in providers if name in lock.nodes]
    if not there:
        text = f"{node.name} {node.version} checks {wanted} at import, but nothing provides `{check.module}`"
        yield refuse(Rule.ASSERTS, node.name, text, source)
    for other in there:
        try:
            holds = assert_holds(check.op, check.version, other.version)
        except InvalidVersion:
            text = f"{node.name} checks {wanted} at import, but `{other.version}` is not a version"
            yield unknown(Rule.ASSERTS, node.name, text, source)
            continue
        if not holds:
            text = f"{node.name} {node.version} needs {wanted} to be imported, not {other.version}"
            yield refuse(Rule.ASSERTS, node.name, text, source)


def ops(lock: JudgedLock) -> Iterator[Objection]:
    """Mmcv has its compiled ops, unless the user allowed it to lack them."""
    for module in lock.matrix.modules:
        if not module.with_ops:
            continue
        for name in (*module.packages, *module.on_request):
            node = lock.nodes.get(name)
            if node is None:
                continue
            source = lock.cite("modules", module.source)
            if name not in module.with_ops and not _lite_allowed(lock, name):
                yield refuse(Rule.OPS, name, f"{name} has no compiled ops for `{module.module}`", source)
            if node.form is Form.TORCH_OPS:
                if not lock.requested("--allow-torch-ops"):
                    yield refuse(Rule.OPS, name, f"{name} has ops in plain PyTorch only", source)
                continue
            lite = lock.requested("--allow-lite")
            for file in () if lite else node.files:
                if name in module.with_ops and file.name.endswith("-none-any.whl") and node.fetch is None:
                    yield refuse(Rule.OPS, name, f"`{file.name}` is a wheel without compiled ops", source)


def _lite_allowed(lock: JudgedLock, name: PackageName) -> bool:
    return lock.requested("--allow-lite") or any(
        re.match(rf"{re.escape(name)}(?![\w-])", word) for word in lock.env.request
    )


def index_wheels(lock: JudgedLock) -> Iterator[Objection]:
    """A wheel of OpenMMLab's index exists, and its directory is the one of the lock's torch."""
    packages = {row.package for row in lock.matrix.index_rows}
    for node in lock.nodes.values():
        if node.name not in packages or node.form is not Form.WHEEL:
            continue
        directories = [match for url in node.urls if (match := _DIRECTORY.search(url))]
        if not directories:
            text = f"the URL of {node.name} {node.version} does not show its torch and CUDA"
            yield unknown(Rule.INDEX, node.name, text)
        for match in directories:
            yield from _directory(lock, node, match)
        if lock.env.target.cuda and any(match["variant"] != "cpu" for match in directories):
            text = f"the GPUs that {node.name} {node.version} is built for are not published"
            yield unknown(Rule.ARCHS, node.name, text)


def _directory(lock: JudgedLock, node: Node, match: re.Match[str]) -> Iterator[Objection]:
    directory = match["directory"]
    name = f"{node.name} {node.version}"
    if release(match["torch"]) != release(lock.torch):
        text = f"the wheel of {name} in {directory} is built for another torch than {lock.env.torch}"
        yield refuse(Rule.INDEX, node.name, text)
    variant = lock.build.variant if lock.build else lock.env.torch.partition("+")[2]
    if match["variant"] != variant:
        text = f"the wheel of {name} in {directory} is built for {match['variant']}, not {lock.env.torch}"
        yield refuse(Rule.INDEX, node.name, text)
    rows = [
        row
        for row in lock.matrix.index_rows
        if (row.package, row.directory, row.platform) == (node.name, directory, lock.env.target.platform)
        and node.version in row.versions
    ]
    if not rows:
        yield refuse(Rule.INDEX, node.name, f"{name} is not in any known listing of {directory}")
    elif not any(lock.env.python in row.pythons_seen for row in rows):
        inferred = any(lock.env.python in row.pythons_inferred for row in rows)
        source = lock.cite("openmmlab-index", rows[0].source)
        if inferred:
            text = f"{name} for Python {lock.env.python} in {directory} is inferred and was not seen"
            yield unknown(Rule.INDEX, node.name, text, source)
        else:
            text = f"{directory} has no {name} for Python {lock.env.python}"
            yield refuse(Rule.INDEX, node.name, text, source)
