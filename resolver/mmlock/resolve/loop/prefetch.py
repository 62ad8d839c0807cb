"""What a solve will ask after its closure, begun while uv still works on it.

Nothing here decides: whoever needs an answer asks for it as if nothing had been begun, and waits less. A
page too many costs a request and no more. A second uv is not begun: two at once fill slow name servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from msgspec import Struct, field

from mmlock.core.names import PackageName
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.core_solver.solution import CoreSolution
from mmlock.resolve.graph.rows import BuildChoice
from mmlock.resolve.loop.indexes import Indexes
from mmlock.resolve.plan.files import WheelLocation, locate
from mmlock.resolve.request.model import InterpretedRequest

LATER = (
    "mmlock.resolve.judge",
    "mmlock.lock.text",
    "mmlock.lock.write",
    "mmlock.resolve.plan.assemble",
    "mmlock.wheels.planning",
)
"""What a solve needs when its closure is found."""


class Prefetch(Struct, kw_only=True):
    """What is done while uv works, for one request."""

    matrix: Matrix
    request: InterpretedRequest
    indexes: Indexes
    _decided: list[CoreSolution] = field(default_factory=list)
    """Cores that were decided and that nothing was begun for."""

    def decided(self, solution: CoreSolution) -> None:
        """Take note of a core before its closure is requested."""
        self._decided.append(solution)

    def work(self) -> None:
        """Begin what will be asked, load what comes next, and read all facts for their digest."""
        for name in LATER:
            import_module(name)
        # By now uv has looked its hosts up: some resolvers lose questions that come all at once.
        while self._decided:
            solution = self._decided.pop()
            self.indexes.begin((place, name) for name, place in self._places(solution))
        assert self.matrix.digest

    def _places(self, solution: CoreSolution) -> Iterator[tuple[PackageName, WheelLocation]]:
        """Where the files of the core are, as far as they are not built."""
        for option in solution.packages():
            if not isinstance(option.choice, BuildChoice) and option.package is not None:
                target = self.request.target
                yield option.package, locate(self.matrix, option, solution.torch, target, solution.python)
