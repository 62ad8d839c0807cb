"""A refusal as lines: where the requirements that cannot hold were written down."""

from __future__ import annotations

import pytest
from solved import facts, solved

from mmlock.core.names import Confidence
from mmlock.resolve.core_solver.explain import Explanation
from mmlock.resolve.graph.rows import ConstraintKind, Option, Rejection, UserConstraint
from mmlock.resolve.loop.loop import NoResolution
from mmlock.resolve.loop.refusal import no_answer, origins


def ask(name: str, origin: str) -> UserConstraint:
    def reject(option: Option) -> Rejection:
        return Rejection(text=option.label, source=(), confidence=Confidence.MEASURED)

    return UserConstraint(name=name, kind=ConstraintKind.TORCH, parts=(), reject=reject, origin=origin)


def test_requirements_of_files_are_told_with_their_line() -> None:
    user_constraints = (ask("torch==2.0.0", "requirements.txt:3"), ask("--gpu rtx5090", "the request"))
    assert origins(Explanation(user_constraints=user_constraints, chain=(), nearest=())) == [
        "`torch==2.0.0`: requirements.txt:3"
    ]


@pytest.mark.parametrize(("platform", "told"), [("win_amd64", True), ("linux_x86_64", False)])
def test_a_package_that_no_recipe_builds_on_windows_is_told_where_no_wheel_fits(
    platform: str, *, told: bool
) -> None:
    """Users do compile mmcv there: that no step is known is not that none is possible."""
    one = solved("mmcv", gpu="rtx5090", platform=platform, no_build=platform != "win_amd64")
    assert one.found is None
    refusal = no_answer(facts(), one.asked, NoResolution(rows=one.rows, refusals=()))
    assert any("compile `mmcv` for win_amd64" in hint for hint in refusal.hints) is told
