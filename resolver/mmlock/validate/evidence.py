"""What the verdicts that a request names prove: those with a signature that the user trusts."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from mmlock.core.arguments import SolveArguments
from mmlock.core.catalogue import NAME as PROJECT
from mmlock.validate.attest.trust import Trust, read_trust
from mmlock.validate.proven import Evidence, PassedOver, validations
from mmlock.validate.text import passed_over


def trust_for(signers: Iterable[Path], project: Path = Path(PROJECT)) -> Trust:
    """Whose verdicts count. Raises UsageError or EnvironmentFault for a key or a file that cannot be used."""
    return read_trust(os.environ, signers=signers, project=project)


def evidence(arguments: SolveArguments) -> Evidence:
    """What the verdicts in the named folders prove. Raises UsageError, EnvironmentFault."""
    if not arguments.verdicts:
        return Evidence()
    return validations(arguments.verdicts, trust_for(arguments.allowed_signers))


def notes(ignored: Iterable[PassedOver]) -> str:
    """One line for each verdict that does not count, after an empty one; nothing where all do."""
    lines = [passed_over(one) for one in ignored]
    return "\n".join(["", *lines, ""]) if lines else ""


def notes_data(ignored: Iterable[PassedOver]) -> list[dict[str, str]]:
    """The same for programs."""
    return [{"path": one.path, "standing": one.standing.value, "reason": one.reason} for one in ignored]
