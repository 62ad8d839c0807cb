"""Which executor does the tasks of a sweep or a farm, and what its workers must have in common with us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mmlock.core.farm_arguments import BatchExecutor, Execution
from mmlock.facts.matrix.load import open_matrix

if TYPE_CHECKING:
    from mmlock.work.model import Executor, Store

__all__ = ["shared", "start_executor"]

_SHARED = "mmlock.app.executing:shared"


def start_executor(
    how: Execution, handlers: str, *, processes: int, most: int, limit: float = 600.0
) -> tuple[Executor, Store]:
    """An executor for at most so many tasks. Raises EnvironmentFault where it cannot be started.

    `processes`: tasks at the same time on this machine; a cluster that is there already decides that itself.
    """
    from mmlock.work.memory import MemoryStore

    store = MemoryStore()
    if how.kind is BatchExecutor.RAY:
        from mmlock.work.ray import RayExecutor
        from mmlock.work.ray_cluster import RayCluster

        cluster = RayCluster(how.ray_address, processes=processes)
        return RayExecutor(store, handlers, cluster, place=_SHARED, limit=limit), store
    from mmlock.work.local import LocalExecutor

    return LocalExecutor(store, handlers, processes=processes, limit=limit, most_waiting=most + 1), store


def shared() -> Mapping[str, str]:
    """What a node must have besides the same mmlock and Python: the facts that came with it."""
    return {"facts": open_matrix().digest[:12]}
