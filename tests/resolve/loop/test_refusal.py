"""A refusal as lines: where the requirements that cannot hold were written down."""

from __future__ import annotations

from mmlock.core.names import Confidence
from mmlock.resolve.core_solver.explain import Explanation
from mmlock.resolve.graph.rows import ConstraintKind, Option, Rejection, UserConstraint
from mmlock.resolve.loop.refusal import origins


def ask(name: str, origin: str) -> UserConstraint:
    def reject(option: Option) -> Rejection:
        return Rejection(text=option.label, source=(), confidence=Confidence.MEASURED)

    return UserConstraint(name=name, kind=ConstraintKind.TORCH, parts=(), reject=reject, origin=origin)


def test_requirements_of_files_are_told_with_their_line() -> None:
    user_constraints = (ask("torch==2.0.0", "requirements.txt:3"), ask("--gpu rtx5090", "the request"))
    assert origins(Explanation(user_constraints=user_constraints, chain=(), nearest=())) == [
        "`torch==2.0.0`: requirements.txt:3"
    ]
