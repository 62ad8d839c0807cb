"""The request of a solve, made of what was on the command line and in the files it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a help text does not need packaging
    from mmlock.core.arguments import SolveArguments


def request_from(values: dict[str, Any]) -> SolveArguments:
    """Read the named files and check everything. Raises UsageError.

    `values` are click's, by the ids of `solve_options`; `requirements` are the arguments of the verb.
    """
    from mmlock.cli.interpreters import python_version
    from mmlock.core.stated import stated
    from mmlock.files.user_files import UserFiles

    words = values.pop("requirements", ())
    asked = {**values, "with_": (*words, *values.get("with_", ()))}
    if asked.get("python") is not None:
        asked["python"] = python_version(asked["python"])
    return stated(asked, UserFiles()).checked()
