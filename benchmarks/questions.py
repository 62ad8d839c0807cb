"""The questions the core is timed on: some named, and a thousand spread over all that can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import NoAnswer
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.graph.request import GraphRequest
from mmlock.resolve.loop.loop import graph_request
from mmlock.resolve.loop.nogoods import LoopState
from mmlock.resolve.request.interpret import interpret
from mmlock.resolve.request.objectives import Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A device, a stack and perhaps a Python."""

    gpu: str
    stack: str
    python: str | None = None

    def words(self) -> str:
        return f"{self.gpu} {self.stack}" + (f" py{self.python}" if self.python else "")


NAMED = (
    Question(gpu="rtx5090", stack="openmmlab"),
    Question(gpu="rtx5090", stack="3d"),
    Question(gpu="rtx4090", stack="openmmlab"),
    Question(gpu="rtx4090", stack="pose"),
    Question(gpu="a100", stack="openmmlab"),
    Question(gpu="a100", stack="dinov2-racformer"),
    Question(gpu="v100", stack="openmmlab-legacy"),
    Question(gpu="h100", stack="segmentation"),
    Question(gpu="b200", stack="openmmlab"),
    Question(gpu="t4", stack="kaggle-mmseg"),
    Question(gpu="gtx1080ti", stack="detection"),
    Question(gpu="cpu", stack="openmmlab"),
)


def asked(matrix: Matrix, question: Question) -> tuple[GraphRequest, tuple[Objective, ...]] | None:
    """What the core is asked; None where no public build serves the device at all."""
    arguments = SolveArguments(gpus=(question.gpu,), stack=question.stack, python=question.python)
    try:
        found = interpret(matrix, arguments.checked())
    except NoAnswer:
        return None
    return graph_request(found, LoopState()), found.objectives


def spread(matrix: Matrix, count: int) -> Iterator[Question]:
    """`count` questions over GPU x Python x stack, evenly spaced, so that the same matrix gives the same."""
    gpus = sorted(gpu.name for gpu in matrix.gpus)
    pythons = sorted({p for build in matrix.torch_builds for p in build.pythons if not p.endswith("t")})
    everything = list(product(gpus, pythons, sorted(stack.name for stack in matrix.stacks)))
    for at in range(count):
        gpu, python, stack = everything[at * len(everything) // count]
        yield Question(gpu=gpu, python=python, stack=stack)
