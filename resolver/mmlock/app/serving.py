"""What the service does for others: tasks as values, and the handlers that do them in warm processes.

A handler is given the request and the digest of the facts that it is about; it does nothing with other
facts. No code of a stranger is run: sources without a wheel are read for packages that the facts know, or
that the operator named, from the operator's own index, and for no others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import EnvironmentFault, MmlockError, NoAnswer
from mmlock.core.inspect_arguments import InspectArguments
from mmlock.core.names import PackageName, StrEnum
from mmlock.core.progress import Progress
from mmlock.core.requirements import Asked
from mmlock.work.model import Handler, Task

if TYPE_CHECKING:
    from mmlock.facts.matrix.load import Matrix
    from mmlock.net.egress import EgressPolicy
    from mmlock.resolve.closure.model import Closer, ClosureAnswer, ClosureRequest

__all__ = [
    "DoctorQuestion",
    "GridQuestion",
    "InspectQuestion",
    "Question",
    "ScanQuestion",
    "SolveQuestion",
    "TaskKind",
    "WhyNotQuestion",
    "handlers",
    "places_of",
    "task_of",
    "vouched_for",
]


ALLOW_VARIABLE = "MMLOCK_SERVE_ALLOW"
MOST_UNPACKED = 200_000_000
MOST_FILES = 20_000


class TaskKind(StrEnum):
    """What the service can be asked for that takes a while."""

    SOLVE = "solve"
    WHY_NOT = "why-not"
    GRID = "grid"
    INSPECT = "inspect"
    DOCTOR = "doctor"
    SCAN = "scan"


class Question(Struct, frozen=True, kw_only=True):
    """What every task says."""

    matrix: str
    """Digest of the facts that it is about."""
    moment: str | None = None
    """The state of the indexes that counts; None: no index is asked."""


class SolveQuestion(Question, frozen=True, kw_only=True):
    """An environment to decide."""

    request: SolveArguments
    sources: tuple[PackageName, ...] = ()
    """Packages without wheels whose metadata may be read by running their build backend, besides those
    that the facts know."""


class WhyNotQuestion(Question, frozen=True, kw_only=True):
    """A requirement that is doubted."""

    asked: Asked
    request: SolveArguments


class GridQuestion(Question, frozen=True, kw_only=True):
    """A table of pairs."""

    package: PackageName
    request: SolveArguments
    most: int = 16


class InspectQuestion(Question, frozen=True, kw_only=True):
    """Compiled files to look at."""

    request: InspectArguments


class DoctorQuestion(Question, frozen=True, kw_only=True):
    """A text to explain."""

    text: str
    gpus: tuple[str, ...] = ()


class ScanQuestion(Question, frozen=True, kw_only=True):
    """A source tree, as an archive."""

    archive: bytes
    """A zip or a tar."""
    name: str
    """What it is called: its ending tells which."""
    configs: tuple[str, ...] = ()


def task_of(kind: TaskKind, question: Question, label: str = "cpu") -> Task:
    """The task that a question is."""
    body = msgspec.json.encode(question, enc_hook=str, order="deterministic")
    return Task(kind=kind.value, arguments=body, label=label)


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
    from mmlock.app.json_twins import lock_data
    from mmlock.app.solving import locked, user_closer
    from mmlock.lock.text import summary
    from mmlock.lock.write import render_lock

    arguments = question.request
    matrix = _matrix()
    with _guarded(places_of(arguments)):
        closer = _NoStrangersCode(user_closer(progress), vouched_for(matrix, question))
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


def vouched_for(matrix: Matrix, question: SolveQuestion) -> frozenset[PackageName]:
    """Packages whose sources may be read, which runs their build backend.

    None where the request names a place of its own: whoever serves an index decides what code a name means.
    """
    if places_of(question.request):
        return frozenset()
    known = {*matrix.requires_packages, *matrix.release_packages, *matrix.binary_packages}
    return frozenset({*known, *question.sources})


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


class _NoStrangersCode:
    """A closer that reads no sources of packages that nobody vouched for: that runs their build backend."""

    def __init__(self, inner: Closer, allowed: frozenset[PackageName]) -> None:
        self._inner = inner
        self._allowed = allowed
        self.withheld: set[PackageName] = set()

    def close(self, request: ClosureRequest) -> ClosureAnswer:
        kept = tuple(name for name in request.allow_sdist if name in self._allowed)
        self.withheld |= set(request.allow_sdist) - set(kept)
        return self._inner.close(replace(request, allow_sdist=kept))


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

    thing = question.request.thing
    with _guarded((thing,) if "://" in thing else ()):
        page = inspect(question.request, progress=progress)
    return {"text": page.text, "data": page.data}


def _doctor(question: DoctorQuestion, progress: Progress) -> Mapping[str, Any]:
    from mmlock.app.doctoring import doctor
    from mmlock.core.doctor_arguments import DoctorArguments

    page = doctor(DoctorArguments(text=question.text, gpus=question.gpus), progress=progress)
    return {"text": page.text, "data": page.data}


def _scan(question: ScanQuestion, progress: Progress) -> Mapping[str, Any]:
    import tempfile

    from mmlock.app.scanning import scan
    from mmlock.core.scan_arguments import ScanArguments
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


# ---------------------------------------------------------------- places on the network


def _policy() -> EgressPolicy:
    """What this operator allows, and the index that he uses himself."""
    from mmlock.core.artifact import IndexSettings
    from mmlock.net.egress import EgressPolicy
    from mmlock.resolve.closure.uv_settings import sources

    own = sources(IndexSettings(), os.environ)
    urls = [text.rpartition("=")[2] if "://" in text else "" for text in (own.default or "", *own.extra)]
    hosts = [urlsplit(url).hostname or "" for url in urls]
    words = (host for host in hosts if ":" not in host)
    return EgressPolicy.allowing([*os.environ.get(ALLOW_VARIABLE, "").split(","), *words])


@contextmanager
def _guarded(urls: tuple[str, ...]) -> Iterator[None]:
    """Within it, nothing but what a request may name is reached. Raises UsageError for one it may not."""
    from mmlock.net.egress import guarded

    policy = _policy()
    for url in urls:
        policy.require(url)
    with guarded(os.environ, wanted=bool(urls), policy=policy) as guard:
        try:
            yield
        except MmlockError as error:
            refused = sorted(guard.refused.values()) if guard else []
            error.causes = (*error.causes, *(f"not fetched: {why}" for why in refused))
            raise


def places_of(request: SolveArguments) -> tuple[str, ...]:
    """Every URL that a request names."""
    index = request.index
    named = (
        *filter(None, (index.index_url,)),
        *index.extra_index_urls,
        *index.find_links,
        *request.wheel_indexes,
        *(channel for channel in request.channels if "://" in channel),
        *(one.url for one in index.named),
        *(one.url for one in (*request.requirements, *request.constraints) if one.url),
    )
    return tuple(dict.fromkeys(named))
