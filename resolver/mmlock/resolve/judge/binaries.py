"""Which recorded binary a wheel of the lock is."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from mmlock.core.names import Form
from mmlock.facts.matrix.model import Binary
from mmlock.resolve.judge.case import Case, Node, admits

__all__ = ["Match", "candidates", "matches", "torch_text"]


class Match(Struct, frozen=True, kw_only=True):
    """A wheel of the lock and the row that describes it."""

    node: Node
    row: Binary


def candidates(case: Case, node: Node) -> tuple[Binary, ...]:
    """Rows that can describe a wheel: same version and platform, and the same URL where rows have one."""
    rows = [
        row
        for row in case.matrix.binaries(node.name)
        if row.version in {node.base, node.version} and case.env.target.platform in row.platforms
    ]
    tag = f"cp{case.env.python.replace('.', '')}"
    exact = [row for row in rows if row.url is not None and row.url.replace("{py}", tag) in node.urls]
    return tuple(exact or rows)


def matches(case: Case) -> Iterator[Match]:
    """Every prebuilt binary of the lock with its row, the one made for the lock's torch where several are."""
    for node in case.nodes.values():
        if node.form is not Form.WHEEL:
            continue
        rows = candidates(case, node)
        best = [row for row in rows if _made_for(case, row)] or list(rows)
        if best:
            yield Match(node=node, row=best[0])


def _made_for(case: Case, row: Binary) -> bool:
    return row.torch is None or admits(row.torch, torch_text(case))


def torch_text(case: Case) -> str:
    """The torch version as wheels see it: with its variant."""
    return case.env.torch
