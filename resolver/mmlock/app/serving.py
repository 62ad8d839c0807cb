"""What the service does for others: tasks as values, and the handlers that do them in warm processes.

A handler is given the request and the digest of the facts that it is about; it does nothing with other
facts. No code of a stranger is run: sources without a wheel are read for packages that the facts know, or
that the operator named, from the operator's own index, and for no others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from mmlock.core.errors import EnvironmentFault, NoAnswer
from mmlock.core.names import PackageName
from mmlock.core.progress import Progress
from mmlock.core.service_questions import (
    BuildQuestion,
    DoctorQuestion,
    GridQuestion,
    InspectQuestion,
    Question,
    ScanQuestion,
    SolveQuestion,
    TaskKind,
    ValidateQuestion,
    WhyNotQuestion,
    places_of,
)
from mmlock.work.model import ANYWHERE, Handler, Task

if TYPE_CHECKING:
    from mmlock.facts.matrix.load import Matrix

__all__ = ["handlers", "task_of"]

MOST_UNPACKED = 200_000_000
MOST_FILES = 20_000


def task_of(kind: TaskKind, question: Question, label: str = ANYWHERE, lock: str | None = None) -> Task:
    """The task that a question is. Tasks of one `lock` are not done at the same time."""
    body = msgspec.json.encode(question, enc_hook=str, order="deterministic")
    return Task(kind=kind.value, arguments=body, label=label, lock=lock)


def handlers() -> Mapping[str, Handler]:
    """Everything that a process of the service can do. Facts are read once, before the first task."""
    from mmlock.facts.matrix.load import keep_open

    keep_open()
    table: Mapping[TaskKind, Handler] = {
        TaskKind.SOLVE: _handler(SolveQuestion, _solve),
        TaskKind.WHY_NOT: _handler(WhyNotQuestion, _why_not),
        TaskKind.GRID: _handler(GridQuestion, _grid),
        TaskKind.INSPECT: _handler(InspectQuestion, _inspect),
        TaskKind.DOCTOR: _handler(DoctorQuestion, _doctor),
        TaskKind.SCAN: _handler(ScanQuestion, _scan),
        TaskKind.BUILD: _handler(BuildQuestion, _build),
        TaskKind.VALIDATE: _handler(ValidateQuestion, _validate),
    }
    return {kind.value: handler for kind, handler in table.items()}


Q = TypeVar("Q", bound=Question)


def _handler(type_: type[Q], do: Callable[[Q, Progress], Mapping[str, Any]]) -> Handler:
    def handle(arguments: bytes, progress: Progress) -> bytes:
        question = msgspec.json.decode(arguments, type=type_, dec_hook=_path)
        if question.matrix != _matrix().digest:
            raise EnvironmentFault(
                "the facts changed since this was asked",
                causes=[
                    f"it is about the matrix {question.matrix[:12]}, and this is {_matrix().digest[:12]}"
                ],
                hints=["ask again; all workers of a service need the facts of its server"],
            )
        return msgspec.json.encode(do(question, progress), enc_hook=str)

    return handle


def _path(type_: type, value: object) -> object:
    if type_ is Path:
        return Path(str(value))
    raise NotImplementedError(type_)


@cache
def _matrix() -> Matrix:
    from mmlock.facts.matrix.load import open_matrix

    return open_matrix()


# ---------------------------------------------------------------- the handlers


def _solve(question: SolveQuestion, progress: Progress) -> Mapping[str, Any]:
    from mmlock.app.solving import locked, user_closer
    from mmlock.lock.json_twins import lock_data
    from mmlock.lock.text import summary
    from mmlock.lock.write import render_lock
    from mmlock.resolve.closure.served import NoStrangersCode, guarded_places, vouched_for

    arguments = question.request
    matrix = _matrix()
    with guarded_places(places_of(arguments)):
        closer = NoStrangersCode(user_closer(progress), vouched_for(matrix, question))
        try:
            env = locked(matrix, arguments, progress=progress, closer=closer)
        except NoAnswer as error:
            if closer.withheld:
                error.hints = (*error.hints, _withheld(closer.withheld, places_of(arguments)))
            raise
    files = render_lock(env, arguments.lock_formats)
    return {
        "text": summary(env, None),
        "lock": lock_data(env),
        "files": {name: text for name, text in files.items() if text is not None},
    }


def _withheld(names: set[PackageName], places: tuple[str, ...]) -> str:
    listed = ", ".join(f"`{name}`" for name in sorted(names))
    if places:
        return (
            f"{listed}: no wheels, and this service reads no sources for a request that names an index, "
            "a page or a URL of its own; solve with `mmlock` on your own machine"
        )
    return (
        f"{listed}: no wheels, and this service runs no code of packages to read their requirements; "
        "solve with `mmlock` on your own machine, or have an operator allow it (`sources`)"
    )


def _why_not(question: WhyNotQuestion, progress: Progress) -> Mapping[str, Any]:
    from mmlock.app.explaining import why_not

    page = why_not(question.asked, question.request, progress=progress)
    return {"text": page.text, "data": page.data}


def _grid(question: GridQuestion, progress: Progress) -> Mapping[str, Any]:
    from mmlock.resolve.loop.grid import compatibility_grid
    from mmlock.resolve.request.interpret import interpret

    progress(f"asking which {question.package} goes with which torch")
    matrix = _matrix()
    request = interpret(matrix, question.request)
    grid = compatibility_grid(matrix, request, question.package, most=question.most)
    return dict(msgspec.to_builtins(grid))


def _inspect(question: InspectQuestion, progress: Progress) -> Mapping[str, Any]:
    from mmlock.app.inspecting import inspect
    from mmlock.resolve.closure.served import guarded_places

    thing = question.request.thing
    with guarded_places((thing,) if "://" in thing else ()):
        page = inspect(question.request, progress=progress)
    return {"text": page.text, "data": page.data}


def _doctor(question: DoctorQuestion, progress: Progress) -> Mapping[str, Any]:
    from mmlock.app.diagnosing import doctor
    from mmlock.core.doctor_arguments import DoctorArguments

    page = doctor(DoctorArguments(text=question.text, gpus=question.gpus), progress=progress)
    return {"text": page.text, "data": page.data}


def _scan(question: ScanQuestion, progress: Progress) -> Mapping[str, Any]:
    import tempfile

    from mmlock.core.scan_arguments import ScanArguments
    from mmlock.scan.page import scan
    from mmlock.wheels.archive import unpack

    with tempfile.TemporaryDirectory(prefix="mmlock-scan-", ignore_cleanup_errors=True) as name:
        archive = Path(name) / f"project{''.join(Path(question.name).suffixes[-2:])[-8:]}"
        archive.write_bytes(question.archive)
        folder = Path(name) / "tree"
        folder.mkdir()
        tree = unpack(
            archive,
            folder,
            max_bytes=MOST_UNPACKED,
            max_files=MOST_FILES,
            hint="pack the project again, as a zip or a tar",
        )
        page = scan(ScanArguments(project=tree, configs=question.configs), progress=progress)
    return {"text": page.text.replace(str(tree), "."), "data": page.data}


def _build(question: BuildQuestion, progress: Progress) -> Mapping[str, Any]:
    from mmlock.app.served_builds import build_files

    return build_files(question.files, question.base_url, progress)


def _validate(question: ValidateQuestion, progress: Progress) -> Mapping[str, Any]:
    from mmlock.app.served_builds import validate_files

    return validate_files(question.files, question.device, progress)
