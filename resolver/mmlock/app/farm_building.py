"""A build of a farm, in the process of a worker."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mmlock import __version__
from mmlock.core.arguments import SolveArguments
from mmlock.core.artifact import IndexSettings
from mmlock.core.errors import EnvironmentFault
from mmlock.core.faults import Fault, usage_error
from mmlock.core.names import PackageName, normalize
from mmlock.core.progress import Progress
from mmlock.core.requirements import parse_requirement
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.farm.demand import FarmBuild
from mmlock.work.model import Handler

__all__ = ["HANDLERS", "KIND", "FarmResult", "FarmTask", "handlers", "request_of", "result_of"]

KIND = "farm-build"
HANDLERS = "mmlock.app.farm_building:handlers"


class FarmTask(Struct, frozen=True, kw_only=True):
    """A build, and what else shapes it."""

    build: FarmBuild
    matrix: str
    mmlock: str
    wheelhouse: str
    offline: bool = False
    exclude_newer: str | None = None
    find_links: tuple[str, ...] = ()
    jobs: int | None = None


class FarmResult(Struct, frozen=True, kw_only=True):
    """What a build came to."""

    file: str
    sha256: str
    key: str
    """Of the wheelhouse."""
    origin: str
    """A new build, or the wheelhouse."""


def handlers() -> Mapping[str, Handler]:
    """What a process of a farm can do."""
    return {KIND: _build}


def _build(arguments: bytes, progress: Progress) -> bytes:
    task = msgspec.json.decode(arguments, type=FarmTask)
    matrix = open_matrix()
    if (task.matrix, task.mmlock) != (matrix.digest, __version__):
        raise EnvironmentFault(
            "this worker has other facts, or another mmlock, than the plan",
            causes=[
                f"planned with mmlock {task.mmlock} and {task.matrix[:12]}, here are {__version__} and "
                + matrix.digest[:12]
            ],
            hints=["install the same mmlock everywhere, then run the farm again"],
        )
    request = replace(
        request_of(task.build, offline=task.offline, exclude_newer=task.exclude_newer),
        index=IndexSettings(find_links=task.find_links),
    )
    with tempfile.TemporaryDirectory(prefix="mmlock-farm-", ignore_cleanup_errors=True) as folder:
        return msgspec.json.encode(_built(task, matrix, request, Path(folder) / "lock", progress))


def request_of(build: FarmBuild, *, offline: bool, exclude_newer: str | None) -> SolveArguments:
    """The request whose lock has this build: the package alone, on every device that the wheel is for."""
    asked = parse_requirement(f"{build.package}=={build.version}", "the plan")
    if isinstance(asked, Fault):
        raise usage_error([asked])
    return SolveArguments(
        requirements=(asked,),
        gpus=build.archs or ("cpu",),
        python=build.python,
        torch=build.torch,
        platform=build.platform,
        offline=offline,
        exclude_newer=exclude_newer,
    ).checked()


def _built(
    task: FarmTask, matrix: Matrix, request: SolveArguments, lock: Path, progress: Progress
) -> FarmResult:
    from mmlock.app.changing import build
    from mmlock.app.solving import locked
    from mmlock.core.build_arguments import BuildArguments
    from mmlock.lock.write import put_lock, render_lock

    env = locked(matrix, request, progress=progress)
    put_lock(render_lock(env, request.lock_formats), lock)
    done = build(
        BuildArguments(
            lock=lock,
            wheelhouse=Path(task.wheelhouse),
            offline=task.offline,
            find_links=tuple(map(Path, task.find_links)),
            jobs=task.jobs,
        ),
        progress=progress,
    )
    steps = done.data["steps"] if isinstance(done.data, dict) else []
    return result_of(task.build.package, steps)


def result_of(package: PackageName, steps: Iterable[Mapping[str, Any]]) -> FarmResult:
    """The step of a build that made the package. Raises EnvironmentFault where none did."""
    for step in steps:
        if step.get("key") and normalize(str(step["package"])) == package:
            return FarmResult(
                file=str(step["file"]),
                sha256=str(step["sha256"]),
                key=str(step["key"]),
                origin=str(step["from"]),
            )
    raise EnvironmentFault(
        f"the lock of the plan has no build of {package}",
        causes=["a wheel of it exists, or it was left out"],
        hints=["plan again: `mmlock farm plan`"],
    )
