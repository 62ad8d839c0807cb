"""Which releases of a package go with which builds of torch on a target: every pair asked of the core.

Ordinary packages are not looked at: a pair that holds here may still fail for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.names import DeviceKind, Form, PackageName, StrEnum
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.problem import Engine, Problem, make_problem
from mmlock.resolve.core_solver.propagate import supported
from mmlock.resolve.core_solver.solution import CoreSolution, describe
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.graph.rows import BuildChoice, IndexChoice, Rows, TorchBuildChoice
from mmlock.resolve.loop.loop import graph_request
from mmlock.resolve.loop.nogoods import LoopState
from mmlock.resolve.request.model import InterpretedRequest

__all__ = [
    "Cell",
    "CellState",
    "Grid",
    "TorchRow",
    "compatibility_grid",
    "refusal_of",
    "slot_mask",
    "state_of",
]


class CellState(StrEnum):
    """What is known of a pair, best first."""

    VALIDATED = "validated"  # its kernels ran on such a target
    WHEEL = "wheel"  # a wheel, with code for the device as far as that is known to matter
    UNREAD = "unread"  # a wheel whose GPU code nobody has read
    VERIFIED = "verified"  # no wheel; a recipe that was shown to build it
    BUILD = "build"  # no wheel; a recipe that nobody is known to have tried with it
    WITHOUT_OPS = "without-ops"  # only without compiled ops
    BROKEN = "broken"  # it can be installed, and is known to fail
    REFUSED = "refused"  # it is incompatible
    UNKNOWN = "unknown"  # no fact says yes or no


class TorchRow(Struct, frozen=True, kw_only=True):
    """A build of torch."""

    torch: str
    variant: str
    cuda: str | None

    @property
    def name(self) -> str:
        return f"{self.torch}+{self.variant}"


class Cell(Struct, frozen=True, kw_only=True):
    """One pair: a build of torch, and a release of the package."""

    state: CellState
    python: str | None = None
    """The Python that the core takes for it; None where there is none."""


class Grid(Struct, frozen=True, kw_only=True):
    """All pairs for a target."""

    package: PackageName
    devices: tuple[str, ...]
    platform: str
    versions: tuple[str, ...]
    """Columns, newest first."""
    rows: tuple[TorchRow, ...]
    """Newest first."""
    cells: tuple[tuple[Cell, ...], ...]
    """By row and column."""


def compatibility_grid(
    matrix: Matrix,
    request: InterpretedRequest,
    package: PackageName,
    *,
    most: int = 16,
    engine: Engine | None = None,
) -> Grid:
    """The pairs of every build of torch with the newest `most` releases of a package that is requested."""
    rows = build_graph(matrix, graph_request(request, LoopState()))
    slot = next((rows.options[i].slot for i in _options_of(rows, package)), None)
    by_version: dict[str, int] = {}
    for index in _options_of(rows, package):
        version = rows.options[index].version
        assert version is not None
        by_version[version] = by_version.get(version, 0) | 1 << index
    versions = tuple(by_version)[:most]
    problem = make_problem(rows, request.objectives)
    torches = [rows.options[index] for index in rows.slots["torch"]]
    others = ~(slot_mask(rows, "torch") | (slot_mask(rows, slot) if slot else 0))
    every = (1 << len(rows.options)) - 1
    solver = engine or ClingoEngine()

    def cell(torch: int, members: int) -> Cell:
        among = every & others | 1 << torch | members
        return _cell(rows, problem, among, request, solver)

    return Grid(
        package=package,
        devices=tuple(device.name for device in request.target.devices),
        platform=request.target.platform.value,
        versions=versions,
        rows=tuple(_row(option.choice) for option in torches),
        cells=tuple(tuple(cell(o.index, by_version[v]) for v in versions) for o in torches),
    )


def _options_of(rows: Rows, package: PackageName) -> Iterator[int]:
    """The options that bring a package, best first."""
    for options in rows.slots.values():
        yield from (i for i in options if rows.options[i].package == package and rows.options[i].version)


def slot_mask(rows: Rows, slot: str) -> int:
    """The options of a slot as bits."""
    bits = 0
    for index in rows.slots[slot]:
        bits |= 1 << index
    return bits


def _row(choice: object) -> TorchRow:
    assert isinstance(choice, TorchBuildChoice)
    return TorchRow(torch=choice.build.torch, variant=choice.build.variant, cuda=choice.build.cuda)


def _cell(rows: Rows, problem: Problem, among: int, request: InterpretedRequest, engine: Engine) -> Cell:
    alive = supported(problem, among)
    if alive is None:
        return Cell(state=refusal_of(rows, among, request))
    narrowed = replace(
        problem, slots=tuple(tuple(o for o in slot if alive >> o & 1) for slot in problem.slots)
    )
    chosen = engine.solve(narrowed)
    if chosen is None:
        return Cell(state=CellState.REFUSED)
    solution = describe(rows, frozenset(chosen), request.objectives)
    return Cell(state=state_of(solution, request), python=solution.python)


def refusal_of(rows: Rows, among: int, request: InterpretedRequest) -> CellState:
    """Whether it is known that nothing fits: where torch's own GPU code was not read, nobody knows."""
    if request.target.kind is not DeviceKind.CUDA:
        return CellState.REFUSED
    torches = (rows.options[i].choice for i in rows.slots["torch"] if among >> i & 1)
    unread = any(isinstance(t, TorchBuildChoice) and t.build.cuda and t.build.archs is None for t in torches)
    return CellState.UNKNOWN if unread else CellState.REFUSED


def state_of(solution: CoreSolution, request: InterpretedRequest) -> CellState:
    """What is known of a solution, at its weakest point."""
    if solution.broken:
        return CellState.BROKEN
    if solution.validated:
        return CellState.VALIDATED
    cuda = request.target.cuda
    states = [CellState.WHEEL]
    for option in solution.packages():
        if option.form is Form.WITHOUT_OPS:
            states.append(CellState.WITHOUT_OPS)
        elif isinstance(option.choice, BuildChoice):
            states.append(CellState.VERIFIED if option.choice.verified else CellState.BUILD)
        elif isinstance(option.choice, IndexChoice) and cuda:
            states.append(CellState.UNREAD)
    return max(states, key=_ORDER.__getitem__)


_ORDER: Mapping[CellState, int] = {state: place for place, state in enumerate(CellState)}
