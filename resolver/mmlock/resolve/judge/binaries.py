"""Which recorded binary a wheel of the lock is."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from msgspec import Struct

from mmlock.core.names import Form
from mmlock.facts.matrix.model import Binary
from mmlock.resolve.judge.judged_lock import JudgedLock, Node, admits

__all__ = ["DescribedWheel", "candidates", "matches", "torch_text"]


class DescribedWheel(Struct, frozen=True, kw_only=True):
    """A wheel of the lock and the row that describes it."""

    node: Node
    row: Binary


def candidates(lock: JudgedLock, node: Node) -> tuple[Binary, ...]:
    """Rows that can describe a wheel: same version and platform, and the same URL where rows have one."""
    rows = [
        row
        for row in lock.matrix.binaries(node.name)
        if row.version in {node.base, node.version} and lock.env.target.platform in row.platforms
    ]
    provided = [row for row in lock.matrix.provided(node.name) if lock.env.target.platform in row.platforms]
    tag = f"cp{lock.env.python.replace('.', '')}"
    urls = {unquote(url) for url in node.urls}
    names = {url.rpartition("/")[2] for url in urls}
    exact = [
        row
        for row in (*rows, *provided)
        if row.url is not None
        and unquote(row.url.replace("{py}", tag)) in (urls if row.listed is None else names)
    ]
    return tuple(exact or rows)


def matches(lock: JudgedLock) -> Iterator[DescribedWheel]:
    """Every prebuilt binary of the lock with its row, the one made for the lock's torch where several are."""
    for node in lock.nodes.values():
        if node.form is not Form.WHEEL:
            continue
        rows = candidates(lock, node)
        best = [row for row in rows if _made_for(lock, row)] or list(rows)
        if best:
            yield DescribedWheel(node=node, row=best[0])


def _made_for(lock: JudgedLock, row: Binary) -> bool:
    torch = row.torch is None or admits(row.torch, torch_text(lock))
    return torch and (row.variant is None or lock.build is None or row.variant == lock.build.variant)


def torch_text(lock: JudgedLock) -> str:
    """The torch version as wheels see it: with its variant."""
    return lock.env.torch
