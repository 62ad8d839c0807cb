"""A sweep: one question for each kind of device and stack, and what the answers say together.

GPUs with the same code (RTX 5090 and RTX 5080) are one question: the core answers alike for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from mmlock.core.arguments import SolveArguments
from mmlock.core.device import Device
from mmlock.core.errors import EnvironmentFault, NoAnswer, UsageError
from mmlock.core.names import DeviceKind, Platform
from mmlock.facts.devices.find import NoDevice, find_device
from mmlock.facts.matrix.load import Matrix
from mmlock.farm.axes import Axes, specifiers
from mmlock.resolve.loop.grid import CellState
from mmlock.resolve.loop.sweep import PointAnswer, Stop, answer_points
from mmlock.resolve.request.devices import unknown_device
from mmlock.resolve.request.interpret import interpret
from mmlock.work.model import Task

__all__ = [
    "KIND",
    "SCHEMA",
    "Point",
    "Sweep",
    "SweepGroup",
    "SweepQuestion",
    "answer",
    "answers_of",
    "groups_of",
    "placed",
    "points",
    "questions",
    "read_sweep",
    "states",
    "task_of",
]

KIND = "sweep"
SCHEMA = 1


class SweepQuestion(Struct, frozen=True, kw_only=True):
    """All points of a kind of device and a stack."""

    gpu: str
    """One of the devices; the others get the same answer."""
    stack: str
    platform: Platform | None
    allow_torch_ops: bool
    pythons: tuple[str, ...]
    torches: tuple[str, ...]
    """PEP 440 specifiers."""
    matrix: str
    """Digest of the facts that it is about."""
    matrices: str | None
    """The folder of the facts, where the user named one."""
    mmlock: str
    """Version: another one may answer otherwise."""


class SweepGroup(Struct, frozen=True, kw_only=True):
    """The answers for devices that are alike, and a stack."""

    gpus: tuple[str, ...]
    """As the axes name them."""
    arch: str | None
    stack: str
    answers: tuple[tuple[PointAnswer, ...], ...]
    """By Python, then by torch."""


class Sweep(Struct, frozen=True, kw_only=True):
    """Everything that a sweep found: the file `sweep.json`."""

    schema: int = SCHEMA
    mmlock: str
    matrix: str
    """Digest of the facts."""
    axes: Axes
    groups: tuple[SweepGroup, ...]


class Point(Struct, frozen=True, kw_only=True):
    """One point with its answer."""

    stack: str
    gpu: str
    arch: str | None
    python: str
    torch: str
    """As the axes name it."""
    answer: PointAnswer

    @property
    def place(self) -> tuple[str, str, str, str]:
        return self.stack, self.gpu, self.python, self.torch


class _Alike(Struct, frozen=True, kw_only=True):
    """What the core looks at in a device."""

    kind: DeviceKind
    arch: str | None
    tegra: bool
    name: str | None
    """Of what is no NVIDIA GPU."""
    platform: Platform | None


def questions(
    matrix: Matrix, axes: Axes, *, mmlock: str, matrices: Path | None = None
) -> list[tuple[SweepQuestion, tuple[str, ...], str | None]]:
    """The questions, the devices that each speaks for, and their arch. Raises UsageError for no device."""
    alike: dict[_Alike, list[str]] = {}
    for word in axes.gpus:
        device = find_device(matrix, word)
        if isinstance(device, NoDevice):
            raise unknown_device(device)
        alike.setdefault(_kind_of(matrix, device, word), []).append(word)
    wanted = specifiers(axes)
    return [
        (
            SweepQuestion(
                gpu=words[0],
                stack=stack,
                platform=axes.platform,
                allow_torch_ops=axes.allow_torch_ops,
                pythons=axes.pythons,
                torches=wanted,
                matrix=matrix.digest,
                matrices=str(matrices.absolute()) if matrices else None,
                mmlock=mmlock,
            ),
            tuple(words),
            kind.arch,
        )
        for kind, words in alike.items()
        for stack in axes.stacks
    ]


def _kind_of(matrix: Matrix, device: Device, word: str) -> _Alike:
    from mmlock.facts.devices.support import board_platform

    plain = device.kind is DeviceKind.CUDA
    return _Alike(
        kind=device.kind,
        arch=device.arch,
        tegra=device.tegra,
        name=None if plain else device.name,
        platform=board_platform(matrix, word, device.name) if plain else None,
    )


def task_of(question: SweepQuestion) -> Task:
    """The question as a task."""
    return Task(kind=KIND, arguments=msgspec.json.encode(question, order="deterministic"))


def answer(matrix: Matrix, question: SweepQuestion) -> tuple[tuple[PointAnswer, ...], ...]:
    """The answers of a question, by Python and torch. Raises EnvironmentFault where the facts are others."""
    if question.matrix != matrix.digest:
        raise EnvironmentFault(
            "the facts of this worker are not those of the sweep",
            causes=[f"the sweep is about {question.matrix[:12]}, and the worker has {matrix.digest[:12]}"],
            hints=["run the same mmlock with the same facts everywhere, then ask again"],
        )
    arguments = SolveArguments(
        gpus=(question.gpu,),
        stack=question.stack,
        platform=question.platform,
        allow_torch_ops=question.allow_torch_ops,
    ).checked()
    try:
        request = interpret(matrix, arguments)
    except NoAnswer:  # nothing public is built for the device
        refused = PointAnswer(state=CellState.REFUSED, stop=Stop.DEVICE_UNSERVED)
        return tuple(tuple(refused for _ in question.torches) for _ in question.pythons)
    return answer_points(matrix, request, question.pythons, question.torches)


def placed(sweep: Sweep) -> Iterator[tuple[str, str, SweepGroup]]:
    """Each stack and device, in the order of the axes, with the answers that it shares with others."""
    groups: Mapping[tuple[str, str], SweepGroup] = {
        (group.stack, gpu): group for group in sweep.groups for gpu in group.gpus
    }
    for stack in sweep.axes.stacks:
        for gpu in sweep.axes.gpus:
            yield stack, gpu, groups[stack, gpu]


def answers_of(sweep: Sweep, group: SweepGroup) -> Iterator[tuple[str, str, PointAnswer]]:
    """The answers of a group with the Python and the torch of each, in the order of the axes."""
    for python, row in zip(sweep.axes.pythons, group.answers, strict=True):
        for torch, found in zip(sweep.axes.torches, row, strict=True):
            yield python, torch, found


def points(sweep: Sweep) -> Iterator[Point]:
    """Every point, in the order of the axes."""
    for stack, gpu, group in placed(sweep):
        for python, torch, found in answers_of(sweep, group):
            yield Point(stack=stack, gpu=gpu, arch=group.arch, python=python, torch=torch, answer=found)


def read_sweep(data: bytes, place: Path) -> Sweep:
    """A sweep from its file. Raises UsageError for anything else."""
    try:
        found = msgspec.json.decode(data, type=Sweep)
        _whole(found)
    except (msgspec.DecodeError, ValueError, KeyError, RecursionError) as error:
        raise UsageError(
            f"`{place}` is not a sweep",
            causes=[str(error)],
            hints=["name the `sweep.json` that `mmlock sweep --out DIR` wrote, or its folder"],
        ) from error
    return found


def _whole(sweep: Sweep) -> None:
    """Raise ValueError for a document whose parts do not go together."""
    if sweep.schema != SCHEMA:
        raise ValueError(f"it has schema {sweep.schema}, and {SCHEMA} is known")
    size = len(sweep.axes.pythons), len(sweep.axes.torches)
    held: set[tuple[str, str]] = set()
    for group in sweep.groups:
        held |= {(group.stack, gpu) for gpu in group.gpus}
        if any(len(row) != size[1] for row in group.answers) or len(group.answers) != size[0]:
            raise ValueError(f"the answers of {group.stack} are not those of its axes")
    if missing := [(s, g) for s in sweep.axes.stacks for g in sweep.axes.gpus if (s, g) not in held]:
        raise ValueError(f"it has no answers for {missing[0][0]} on {missing[0][1]}")


def states(sweep: Sweep) -> dict[CellState, int]:
    """How many points are in each state, best first."""
    counted: dict[CellState, int] = dict.fromkeys(CellState, 0)
    shared = Counter(id(group) for _, _, group in placed(sweep))
    for group in sweep.groups:
        for _, _, found in answers_of(sweep, group):
            counted[found.state] += shared[id(group)]
    return {state: number for state, number in counted.items() if number}


def groups_of(sweep: Sweep, stack: str) -> Iterable[SweepGroup]:
    """The groups of a stack, in the order of the axes."""
    return (group for group in sweep.groups if group.stack == stack)
