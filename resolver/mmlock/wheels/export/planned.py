"""The builds of a lock with their environments pinned to the last file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mmlock.core.errors import UsageError
from mmlock.core.names import Form
from mmlock.lock.model import BuildStep, LockedEnv
from mmlock.lock.view import in_order
from mmlock.wheels.buildenv import Uv, pin_loose
from mmlock.wheels.export.model import PlannedBuild
from mmlock.wheels.planning import plan_build, with_fetched

__all__ = ["planned_builds"]


def planned_builds(
    env: LockedEnv, find_uv: Callable[[], Uv], find_links: Sequence[Path] = ()
) -> tuple[PlannedBuild, ...]:
    """The builds in the order they must run. It may need the index, through uv.

    Raises UsageError for a step that no script can run, EnvironmentFault where uv cannot pin a build.
    """
    if not env.build:
        return ()
    planned = []
    known = with_fetched(env)
    uv: Uv | None = None
    for step in in_order(env.build):
        assert isinstance(step, BuildStep)
        if step.form is not Form.BUILD:
            raise UsageError(
                f"{step.package} {step.version} is made by mmlock itself, a script cannot do that",
                causes=["its ops are plain PyTorch, out of mmlock's own library"],
                hints=["run `mmlock build` first, then export the sealed lock"],
            )
        plan = plan_build(known, step)
        uv = uv or find_uv()
        pins = sorted((*plan.pins, *pin_loose(plan, uv, tuple(find_links))), key=lambda pin: pin.name)
        planned.append(PlannedBuild(plan=plan, pins=pins))
    return tuple(planned)
