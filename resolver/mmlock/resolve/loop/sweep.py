"""What the core answers for every Python and torch on one target: the points of a sweep.

The graph is made once, and each point narrows it. Ordinary packages are not looked at: an answer that
holds here may still fail for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.names import Form, PackageName, StrEnum
from mmlock.core.versions import allows
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.problem import Engine, Problem, make_problem
from mmlock.resolve.core_solver.propagate import supported
from mmlock.resolve.core_solver.solution import CoreSolution, describe
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.graph.rows import BuildChoice, ConstraintKind, Option, Rows, TorchBuildChoice, mask
from mmlock.resolve.loop.grid import CellState, refusal_of, slot_mask, state_of
from mmlock.resolve.loop.loop import graph_request
from mmlock.resolve.loop.nogoods import LoopState
from mmlock.resolve.request.model import InterpretedRequest

__all__ = ["PointAnswer", "Stop", "SweepChoice", "answer_points"]


class Stop(StrEnum):
    """The first thing that leaves no answer, in the order in which they are looked at."""

    DEVICE_UNSERVED = "device-unserved"  # nothing public is built for this device
    TORCH_ABSENT = "torch-absent"  # no such torch on this platform
    PYTHON = "python"  # that torch has no wheel for this Python
    DEVICE = "device"  # that torch has no code for this device
    PACKAGES = "packages"  # the packages of the stack do not go with it


class SweepChoice(Struct, frozen=True, kw_only=True):
    """A package of an answer, torch apart."""

    name: PackageName
    version: str
    form: Form
    verified: bool = False
    """Of a build: whether its recipe was shown to make it."""


class PointAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the core says of one Python and one torch."""

    state: CellState
    stop: Stop | None = None
    """Why there is no answer."""
    torch: str | None = None
    """`2.11.0+cu130`."""
    cuda: str | None = None
    toolkit: str | None = None
    """The name of the toolkit that its builds compile with."""
    packages: tuple[SweepChoice, ...] = ()


def answer_points(
    matrix: Matrix,
    request: InterpretedRequest,
    pythons: Sequence[str],
    torches: Sequence[str],
    *,
    engine: Engine | None = None,
) -> tuple[tuple[PointAnswer, ...], ...]:
    """An answer for each Python (rows) and each torch (columns), which is a PEP 440 specifier."""
    rows = build_graph(matrix, graph_request(request, LoopState()))
    points = _Points(rows, request, engine or ClingoEngine())
    torch_bits = [points.torch(specifier) for specifier in torches]
    return tuple(
        tuple(points.answer(points.python(python), bits) for bits in torch_bits) for python in pythons
    )


class _Points:
    """One graph, and the answers that were found in it."""

    def __init__(self, rows: Rows, request: InterpretedRequest, engine: Engine) -> None:
        self._rows = rows
        self._request = request
        self._engine = engine
        self._problem: Problem = make_problem(rows, request.objectives)
        self._slots = [_bits(slot) for slot in self._problem.slots]
        every = (1 << len(rows.options)) - 1
        self._others = every & ~(slot_mask(rows, "torch") | slot_mask(rows, "python"))

    def python(self, python: str) -> int:
        return _bits(o.index for o in self._rows.slot_options("python") if o.version == python)

    def torch(self, specifier: str) -> int:
        return _bits(
            o.index
            for o in self._rows.slot_options("torch")
            if isinstance(o.choice, TorchBuildChoice) and allows(specifier, o.version or "")
        )

    def answer(self, python: int, torch: int) -> PointAnswer:
        among = self._others | python | torch
        stop = self._stop(python, torch)
        alive = supported(self._problem, among, self._slots) if stop is None else None
        if alive is None:
            stop = stop or Stop.PACKAGES
            unread = stop is Stop.DEVICE
            state = refusal_of(self._rows, among, self._request) if unread else CellState.REFUSED
            return PointAnswer(state=state, stop=stop)
        slots = tuple(tuple(o for o in slot if alive >> o & 1) for slot in self._problem.slots)
        chosen = self._engine.solve(replace(self._problem, slots=slots))
        if chosen is None:
            return PointAnswer(state=CellState.REFUSED, stop=Stop.PACKAGES)
        solution = describe(self._rows, frozenset(chosen), self._request.objectives)
        return _answered(solution, self._request)

    def _stop(self, python: int, torch: int) -> Stop | None:
        """What rules the point out before any package does."""
        if not torch:
            return Stop.TORCH_ABSENT
        fitting = 0
        for index in _members(torch):
            needs = self._problem.needs.get(index, ())
            own = [group for group in needs if group & slot_mask(self._rows, "python")]
            if python and all(group & python for group in own):
                fitting |= 1 << index
        if not fitting:
            return Stop.PYTHON
        for constraint in self._rows.user_constraints:
            if constraint.kind is ConstraintKind.DEVICE:
                for slot, members in constraint.parts:
                    fitting &= mask(members) if slot == "torch" else -1
        return None if fitting else Stop.DEVICE


def _answered(solution: CoreSolution, request: InterpretedRequest) -> PointAnswer:
    build = solution.torch
    chosen = tuple(_chosen(o) for o in solution.packages() if o.slot != "torch" and o.version is not None)
    builds = any(one.form is Form.BUILD for one in chosen)
    chain = solution.toolchain
    return PointAnswer(
        state=state_of(solution, request),
        torch=f"{build.torch}+{build.variant}",
        cuda=build.cuda,
        toolkit=chain.name if chain is not None and builds else None,
        packages=chosen,
    )


def _chosen(option: Option) -> SweepChoice:
    assert option.package is not None
    assert option.version is not None
    verified = isinstance(option.choice, BuildChoice) and option.choice.verified is not None
    return SweepChoice(name=option.package, version=option.version, form=option.form, verified=verified)


def _bits(options: Iterable[int]) -> int:
    bits = 0
    for option in options:
        bits |= 1 << option
    return bits


def _members(bits: int) -> Iterable[int]:
    index = 0
    while bits:
        if bits & 1:
            yield index
        bits >>= 1
        index += 1
