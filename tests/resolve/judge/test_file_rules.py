"""The ends of a Requires-Python bound: a lock is for a minor release, whose patch release nobody knows."""

from __future__ import annotations

import pytest
from judge_locks import modern, package, wheel, with_packages
from msgspec.structs import replace

from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.judge.file_rules import pythons
from mmlock.resolve.judge.judged_lock import open_lock


@pytest.mark.parametrize(
    ("bound", "refused"),
    [
        (">=3.12.4", False),  # a later patch release of 3.12 is in it
        ("<3.12.1", False),  # the first one is
        (">=3.12,<3.13", False),
        ("<3.12", True),
        (">=3.13.0", True),
    ],
)
def test_some_patch_release_of_the_python_must_be_in_the_bound(
    bound: str, matrix: Matrix, *, refused: bool
) -> None:
    file = replace(wheel("six-1.17.0-py3-none-any.whl"), requires_python=bound)
    env = modern()
    assert env.python == "3.12"
    env = replace(env, packages=with_packages(env, replace(package("six", "1.17.0"), files=(file,))))
    found = [objection.text for objection in pythons(open_lock(env, matrix)) if objection.subject == "six"]
    assert found == ([f"six 1.17.0 requires Python {bound}, but the lock is for 3.12"] if refused else [])
