"""What the service can be asked that takes a while, as values."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from mmlock.core.arguments import SolveArguments
from mmlock.core.inspect_arguments import InspectArguments
from mmlock.core.names import PackageName, StrEnum
from mmlock.core.requirements import Asked

__all__ = [
    "ALLOW_VARIABLE",
    "BuildQuestion",
    "DoctorQuestion",
    "GridQuestion",
    "InspectQuestion",
    "LockQuestion",
    "Question",
    "ScanQuestion",
    "SolveQuestion",
    "TaskKind",
    "ValidateQuestion",
    "WhyNotQuestion",
    "places_of",
]

ALLOW_VARIABLE = "MMLOCK_SERVE_ALLOW"
"""Names what the operator of a service lets requests reach besides public hosts, for all its processes."""


class TaskKind(StrEnum):
    """What the service can be asked for that takes a while."""

    SOLVE = "solve"
    WHY_NOT = "why-not"
    GRID = "grid"
    INSPECT = "inspect"
    DOCTOR = "doctor"
    SCAN = "scan"
    BUILD = "build"
    VALIDATE = "validate"

    @property
    def runs_packages(self) -> bool:
        """Whether it runs code of packages."""
        return self in {TaskKind.BUILD, TaskKind.VALIDATE}


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


class LockQuestion(Question, frozen=True, kw_only=True):
    """What a lock is to be put to. Its code is run, so whoever asks must be trusted with this machine."""

    files: Mapping[str, str]
    """The texts of the lock folder, by bare file names."""


class BuildQuestion(LockQuestion, frozen=True, kw_only=True):
    """A lock to seal."""

    base_url: str
    """Of the service whose index will have the wheels."""


class ValidateQuestion(LockQuestion, frozen=True, kw_only=True):
    """A sealed lock whose kernels are to be run."""

    device: str = "auto"


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
