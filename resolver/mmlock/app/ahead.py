"""What a solve will ask after its closure, begun while uv still works on it.

Nothing here decides: whoever needs an answer asks for it as if nothing had been begun, and waits less. A
wrong guess costs a request and no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from importlib import import_module
from typing import TYPE_CHECKING

from mmlock.app.build_tools import tools_question
from mmlock.app.indexes import Indexes
from mmlock.app.interpret import Interpreted
from mmlock.core.markers import named_extras
from mmlock.core.names import Form, PackageName, requirement_name
from mmlock.core.values import dataclass
from mmlock.graph.rows import BuildChoice
from mmlock.matrix.load import Matrix
from mmlock.plan.files import Place, locate
from mmlock.solve.closure_model import ClosureRequest
from mmlock.solve.solution import CoreSolution

if TYPE_CHECKING:
    from mmlock.solve.closure import UvCloser

LATER = (
    "mmlock.judge",
    "mmlock.lock.text",
    "mmlock.lock.write",
    "mmlock.plan.assemble",
    "mmlock.build.planning",
)
"""What a solve needs when its closure is found."""


@dataclass(slots=True, kw_only=True)
class Ahead:
    """What is done while uv works, for one request."""

    matrix: Matrix
    asked: Interpreted
    indexes: Indexes
    closer: UvCloser | None = None
    """Who will be asked for build tools."""
    _decided: list[tuple[CoreSolution, ClosureRequest]] = field(default_factory=list)
    """Cores that were decided and that nothing was begun for."""

    def decided(self, solution: CoreSolution, question: ClosureRequest) -> None:
        """Hear of a core before its closure is asked for."""
        self._decided.append((solution, question))

    def work(self) -> None:
        """Begin what will be asked, load what comes next, and read all facts for their digest."""
        while self._decided:
            solution, question = self._decided.pop()
            self.indexes.begin((place, name) for name, place in self._places(solution))
            for tools in self._tools(solution, question):
                if self.closer is not None:
                    self.closer.begin(tools)
        for name in LATER:
            import_module(name)
        assert self.matrix.digest

    def _places(self, solution: CoreSolution) -> Iterator[tuple[PackageName, Place]]:
        """Where the files of the core are, as far as they are not built."""
        for option in solution.packages():
            if not isinstance(option.choice, BuildChoice) and option.package is not None:
                target = self.asked.target
                yield option.package, locate(self.matrix, option, solution.torch, target, solution.python)

    def _tools(self, solution: CoreSolution, question: ClosureRequest) -> Iterator[ClosureRequest]:
        """The questions for build tools, as they will be asked if the lock holds what the core names."""
        held = {node.name for node in question.core} | {
            requirement_name(text) for text in (*_required(question), *(one.text for one in question.wanted))
        }
        for option in solution.packages():
            if not isinstance(option.choice, BuildChoice) or option.package is None:
                continue
            recipe = option.choice.recipe
            if recipe.form is Form.BUILD:
                loose = sorted(text for text in recipe.build_requires if requirement_name(text) not in held)
                if loose:
                    yield tools_question(self.asked.arguments, question, option.package, loose)


def _required(question: ClosureRequest) -> Iterator[str]:
    """What the core requires whatever its extras."""
    return (text for node in question.core for text in node.requires if not named_extras((text,)))
