"""Options of verbs that have many tasks done: by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mmlock.cli.sections import HelpSection

if TYPE_CHECKING:
    from mmlock.core.farm_arguments import Execution

__all__ = ["execution_of", "execution_options"]

execution_options = (
    HelpSection("Executor")
    .add(
        "--executor",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Processes of this machine, or a Ray cluster (`pip install 'mmlock[ray]'`).",
    )
    .add(
        "--ray-address",
        metavar="HOST:PORT",
        help="The head node of the cluster; default: start one here, and end it afterwards.",
    )
)


def execution_of(executor: str, ray_address: str | None) -> Execution:
    """What the options say. Raises UsageError for an address without a cluster."""
    from mmlock.core.errors import UsageError
    from mmlock.core.farm_arguments import BatchExecutor, Execution

    kind = BatchExecutor(executor)
    if ray_address is not None and kind is not BatchExecutor.RAY:
        raise UsageError("`--ray-address` needs `--executor ray`")
    return Execution(kind=kind, ray_address=ray_address)
