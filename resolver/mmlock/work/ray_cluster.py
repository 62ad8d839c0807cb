"""A Ray cluster: its nodes, which of them can take a task, and how a task is placed there.

Ray leaves a task that no node can take pending for ever, so nodes are looked at before and while one waits.
"""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault
from mmlock.work.labels import MEMORY, PROCESSORS

__all__ = ["RayCluster", "RayNode", "RayPlacement", "missing", "placement", "slots"]

_GIGABYTE = 2**30
_NODE_ID = "ray.io/node-id"
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
"""What Ray takes for the key of a label."""
_NAMES = {PROCESSORS: "CPU", MEMORY: "memory"}
_UNITS = {MEMORY: _GIGABYTE}
_REACH = 1.0


class RayNode(Struct, frozen=True, kw_only=True):
    """A node that is alive."""

    id: str
    address: str
    resources: Mapping[str, float]
    """Under Ray's names, in Ray's units, whether free or taken."""
    labels: Mapping[str, str]


class RayPlacement(Struct, frozen=True, kw_only=True):
    """Options of a Ray task."""

    cpus: float
    memory: int
    resources: Mapping[str, float]
    labels: Mapping[str, str]


# ---------------------------------------------------------------- pure


def _has(node: RayNode, name: str, amount: float) -> bool:
    if amount == 1.0 and node.labels.get(name) == "true":
        return True
    return node.resources.get(_NAMES.get(name, name), 0.0) >= amount * _UNITS.get(name, 1)


def slots(node: RayNode, needs: Mapping[str, float]) -> int:
    """How many such tasks a node can do at the same time; 0: none."""
    if not all(_has(node, name, amount) for name, amount in needs.items()):
        return 0
    wanted = {PROCESSORS: 1.0, **needs}
    shares = [
        node.resources.get(_NAMES.get(name, name), 0.0) / (amount * _UNITS.get(name, 1))
        for name, amount in wanted.items()
        if amount > 0 and not (amount == 1.0 and node.labels.get(name) == "true")
    ]
    return int(min(shares, default=1))


def missing(nodes: Iterable[RayNode], needs: Mapping[str, float]) -> tuple[str, ...]:
    """What no node has enough of; empty where each thing is there, if not on one node together."""
    held = tuple(nodes)
    return tuple(
        name if amount == 1.0 else f"{name}={amount:g}"
        for name, amount in {PROCESSORS: 1.0, **needs}.items()
        if not any(_has(node, name, amount) for node in held)
    )


def placement(
    nodes: Iterable[RayNode], needs: Mapping[str, float], refused: Collection[str] = ()
) -> RayPlacement:
    """How Ray is to place a task, away from nodes that are `refused`, by id.

    A name that some node has as a label (`--labels sm_120=true`) is a label and never used up; any other is a
    resource (`--resources '{"sm_120": 1}'`), which a task holds while it runs.
    """
    shared = {
        name
        for name, amount in needs.items()
        if amount == 1.0 and _LABEL.fullmatch(name) and any(node.labels.get(name) == "true" for node in nodes)
    }
    labels = dict.fromkeys(sorted(shared), "true")
    if refused:
        labels[_NODE_ID] = f"!in({','.join(sorted(refused))})"
    return RayPlacement(
        cpus=needs.get(PROCESSORS, 1.0),
        memory=int(needs.get(MEMORY, 0.0) * _GIGABYTE),
        resources={n: a for n, a in needs.items() if n not in shared and n not in _NAMES},
        labels=labels,
    )


# ---------------------------------------------------------------- the cluster


def _installed() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
    try:
        return import_module("ray")
    except ImportError as error:
        raise EnvironmentFault(
            "the executor `ray` needs Ray, which is not installed",
            causes=[str(error)],
            hints=["install it: `pip install 'mmlock[ray]'`"],
        ) from error


class RayCluster:
    """A connection to a cluster, or a cluster of this machine alone that ends with it. `close` it."""

    def __init__(self, address: str | None = None, *, processes: int = 2) -> None:
        """`address`: `HOST:PORT` of a head node; None: start one here for so many tasks at once."""
        self.ray = _installed()
        logging.getLogger("ray").setLevel(logging.ERROR)
        own: dict[str, Any] = {"num_cpus": processes, "include_dashboard": False} if address is None else {}
        context = self._joined(address, own)
        if context is None:
            context = self._joined(address, own, last=True)
        self._head = str(context.address_info["gcs_address"])

    def _joined(self, address: str | None, own: Mapping[str, Any], *, last: bool = False) -> Any:
        """What Ray says of the cluster; None where starting one failed and may be tried again."""
        try:
            return self.ray.init(
                address=address or "local", configure_logging=False, log_to_driver=False, **own
            )
        except Exception as error:  # Ray raises bare exceptions
            with suppress(Exception):
                self.ray.shutdown()
            # On a busy machine, a first start of Ray's services may take longer than Ray allows them.
            if address is None and not last:
                return None
            raise _unreachable(address, error) from error

    def nodes(self) -> tuple[RayNode, ...]:
        """The nodes that are alive, by id."""
        return tuple(
            RayNode(
                id=str(row["NodeID"]),
                address=str(row["NodeManagerAddress"]),
                resources=row["Resources"],
                labels=row.get("Labels") or {},
            )
            for row in sorted(self.ray.nodes(), key=lambda row: str(row["NodeID"]))
            if row["Alive"]
        )

    def reachable(self) -> bool:
        """Whether the head node answers. Ask before anything else: Ray ends this process when it does not."""
        host, _, port = self._head.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH).close()
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        with suppress(Exception):
            self.ray.shutdown()


def _unreachable(address: str | None, error: Exception) -> EnvironmentFault:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if address is None:
        return EnvironmentFault(
            "Ray cannot be started here",
            causes=[lines[0]],
            hints=["a busy machine may be too slow for it: try again, or use `--executor local`"],
        )
    return EnvironmentFault(
        f"the Ray cluster at `{address}` cannot be used",
        causes=[lines[0]],
        hints=[
            "start it: `ray start --head`, with the same Ray and Python as here",
            "a cluster with tokens needs the same RAY_AUTH_MODE and RAY_AUTH_TOKEN here",
        ],
    )
