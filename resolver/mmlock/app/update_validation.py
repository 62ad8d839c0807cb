"""Locks run before they are proposed: built, installed, their kernels compared with references."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from mmlock.core.build_arguments import BuildArguments
from mmlock.core.errors import EnvironmentFault, MmlockError
from mmlock.core.progress import Progress
from mmlock.core.validate_arguments import ValidateArguments, VerdictAction, VerdictArguments
from mmlock.upkeep.catalogue.table import run as verdict_words
from mmlock.upkeep.update.branches import BranchRun
from mmlock.validate.model import Result
from mmlock.validate.store import NAME as VERDICT
from mmlock.validate.store import read_verdict
from mmlock.validate.text import concerns

__all__ = ["run_lock"]

_SHOWN = 5


def run_lock(folder: Path, *, offline: bool, progress: Progress) -> BranchRun:
    """Run a lock; its signed verdict is put beside it. Gives what ran.

    The steps are run in a copy: the committed lock keeps them, for nobody else has the wheels built here.
    Raises MmlockError, also where kernels fail.
    """
    from mmlock.app.changing import build, validate
    from mmlock.validate.verdicts import verdict

    with tempfile.TemporaryDirectory(prefix="mmlock-run-") as place:
        copy = Path(place) / "lock"
        shutil.copytree(folder, copy)
        try:
            build(BuildArguments(lock=copy, offline=offline), progress=progress)
            validate(ValidateArguments(lock=copy, offline=offline), progress=progress)
        except MmlockError as error:
            raise _of(error, place) from error
        found = read_verdict(copy / VERDICT).verdict
        if found.result is Result.FAILED:
            raise EnvironmentFault(
                "its validation failed",
                causes=tuple(concerns(found))[:_SHOWN],
                hints=["the pull request is not opened; `mmlock validate` tells all"],
            )
        shutil.copyfile(copy / VERDICT, folder / VERDICT)
    verdict(VerdictArguments(action=VerdictAction.SIGN, lock=folder))
    return BranchRun(text=verdict_words(found), passed=found.result is Result.PASSED)


def _of(error: MmlockError, place: str) -> EnvironmentFault:
    """The same without the folder of this run, which is gone when somebody reads it."""

    def told(text: str) -> str:
        return text.replace(f"{place}/", "")

    return EnvironmentFault(
        told(error.message), causes=tuple(map(told, error.causes)), hints=tuple(map(told, error.hints))
    )
