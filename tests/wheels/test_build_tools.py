"""Build requirements are pinned when a lock is solved."""

from __future__ import annotations

from closers import OpenWorld
from msgspec.structs import replace
from solved import facts

from mmlock.app.solving import locked
from mmlock.core.arguments import SolveArguments
from mmlock.core.names import normalize
from mmlock.core.progress import silent
from mmlock.core.requirements import Asked
from mmlock.resolve.closure.model import Closed, ClosureAnswer, ClosureRequest, Unreachable

ASKED = SolveArguments(
    requirements=(Asked(name=normalize("mmcv"), specifier="==2.1.0"),),
    gpus=("rtx5090",),
    python="3.12",
    torch="2.11.0",
    no_abi_check=True,
).checked()


class _Down(OpenWorld):
    """Answers for the environment, and not for builds."""

    def close(self, request: ClosureRequest) -> ClosureAnswer:
        if request.core:
            return super().close(request)
        return Unreachable(reason="no route to host", offline=False)


def test_a_build_step_holds_its_tools_by_hash() -> None:
    closer = OpenWorld()
    (step,) = locked(facts(), ASKED, progress=silent, closer=closer).build
    assert {"ninja", "pip", "psutil", "wheel"} <= {tool.name for tool in step.tools}
    assert all(tool.file.sha256 for tool in step.tools)
    (question,) = [request for request in closer.asked if not request.core]
    assert question.python == "3.12"
    assert question.constraints == ()


class _Disagrees(OpenWorld):
    """Brings a tool in another version than the lock holds, unless it is told which."""

    def close(self, request: ClosureRequest) -> ClosureAnswer:
        answer = super().close(request)
        if request.core or request.constraints:
            return answer
        assert isinstance(answer, Closed)
        stray = replace(answer.packages[0], name=normalize("torch"), version="2.99.0")
        return replace(answer, packages=(*answer.packages, stray))


def test_tools_that_contradict_the_lock_are_asked_for_again_with_what_it_holds() -> None:
    closer = _Disagrees()
    (step,) = locked(facts(), ASKED, progress=silent, closer=closer).build
    assert "torch" not in {tool.name for tool in step.tools}
    free, bound = [request for request in closer.asked if not request.core]
    assert free == replace(bound, constraints=())
    assert "torch==2.11.0" in [one.text for one in bound.constraints]


def test_tools_that_cannot_be_pinned_now_are_a_warning() -> None:
    env = locked(facts(), ASKED, progress=silent, closer=_Down())
    assert env.build[0].tools == ()
    assert any(f.level == "warning" and "not pinned" in f.text and "no route" in f.text for f in env.findings)


def test_a_lock_without_builds_asks_for_no_tools() -> None:
    closer = OpenWorld()
    none = replace(ASKED, requirements=(Asked(name=normalize("mmengine"), specifier=""),))
    assert not locked(facts(), none, progress=silent, closer=closer).build
    assert all(request.core for request in closer.asked)
    assert isinstance(closer.close(closer.asked[0]), Closed)
